//! What a crash between a row and its files leaves: found, and mended.

use crate::assets::{AssetError, Assets};
use crate::store::{Store, StoreError};
use serde::Serialize;
use std::time::{Duration, UNIX_EPOCH};

/// Files younger than this may belong to a request that is being accepted, or may still be written.
const YOUNG: Duration = Duration::from_secs(600);

/// Examines a server's record and files; the server may run meanwhile.
#[derive(Debug)]
pub struct Doctor {
    /// The record.
    pub store: Store,
    /// The files.
    pub assets: Assets,
}

/// What is wrong.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Completed videos of which a file is missing or has another size.
    pub without_files: Vec<String>,
    /// Folders of files that belong to no row.
    pub without_rows: Vec<String>,
    /// Files of which a part was written when a program was killed.
    pub unfinished: Vec<String>,
}

/// Why an examination ended.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The record fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files fail.
    #[error(transparent)]
    Assets(#[from] AssetError),
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.without_files.is_empty() && self.without_rows.is_empty() && self.unfinished.is_empty()
    }

    /// A line for each, for people.
    pub fn lines(&self) -> Vec<String> {
        if self.is_well() {
            return vec!["the record and the files agree".to_owned()];
        }
        let files = self.without_files.iter();
        let files =
            files.map(|id| format!("{id} is completed, but not all of its files are there"));
        let rows = self.without_rows.iter();
        let rows = rows.map(|id| format!("the files of {id} belong to nothing in the record"));
        let unfinished = self.unfinished.iter();
        let unfinished = unfinished.map(|file| format!("{file} was not written to its end"));
        files.chain(rows).chain(unfinished).collect()
    }
}

impl Doctor {
    /// Looks for what does not agree.
    ///
    /// # Errors
    /// When the record or the files can't be read.
    pub async fn examine(&self) -> Result<Findings, DoctorError> {
        let mut findings = Findings::default();
        for job in self.store.completed().await? {
            let Some(outcome) = &job.outcome else {
                findings.without_files.push(job.id);
                continue;
            };
            for asset in [&outcome.video, &outcome.thumbnail, &outcome.spritesheet] {
                if !self.assets.has(&job.id, asset).await? {
                    findings.without_files.push(job.id.clone());
                    break;
                }
            }
        }
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        let young = now.saturating_sub(YOUNG).as_secs() as i64;
        for (id, written) in self.assets.jobs().await? {
            if written < young && !self.store.known(&id).await? {
                findings.without_rows.push(id);
            }
        }
        findings.unfinished = self.assets.unfinished(YOUNG).await?;
        Ok(findings)
    }

    /// Lets videos without files fail with a reason, and removes files without a row and unfinished ones.
    ///
    /// # Errors
    /// When the record or the files can't be written.
    pub async fn mend(&self, findings: &Findings) -> Result<(), DoctorError> {
        for id in &findings.without_files {
            self.store.lost_files(id).await?;
        }
        for id in &findings.without_rows {
            self.assets.remove(id).await?;
        }
        for file in &findings.unfinished {
            self.assets.remove_unfinished(file).await?;
        }
        Ok(())
    }
}
