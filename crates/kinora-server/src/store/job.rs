//! A job as the record keeps it.

use super::StoreError;
use crate::render::{Progress, RenderSpec, Role, Size};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// Where a job stands. There are no others: clients end their wait at a word that they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a worker.
    Queued,
    /// A worker is at it.
    InProgress,
    /// Its files are there.
    Completed,
    /// There will be no result; the error says why.
    Failed,
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// `video_` and 32 hexadecimal digits, the first 12 of them the time.
    pub id: String,
    /// Place in the order of acceptance.
    pub seq: i64,
    /// The key that asked for it; empty on a server without keys.
    pub owner: String,
    /// Where it stands.
    pub status: Status,
    /// What was asked for.
    pub asked: Asked,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it ended, either way.
    pub completed_at: Option<i64>,
    /// When its files will be gone.
    pub expires_at: Option<i64>,
    /// How far the work is.
    pub progress: Option<Progress>,
    /// What it is becoming, as a `data:` URL, while a worker is at it.
    pub preview: Option<String>,
    /// How often a worker took it.
    pub attempt: i64,
    /// The files of the result.
    pub outcome: Option<Outcome>,
    /// Why there is none.
    pub failure: Option<Failure>,
}

/// What was asked for, and how it was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The model in the client's words.
    pub model: String,
    /// What is rendered.
    pub spec: RenderSpec,
    /// The files it is made from.
    pub inputs: BTreeMap<Role, Asset>,
    /// What was changed of the wishes, with the operator's leave.
    pub mapped: Option<Mapped>,
    /// The video that it was made from, if that is one of this server.
    pub source: Option<String>,
    /// How often it was extended already.
    pub extensions: u32,
}

/// Wishes that a model can't meet and the operator lets be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Mapped {
    /// The size that was asked for.
    #[schema(value_type = String, example = "1280x720")]
    pub size: Size,
}

/// A file of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// SHA-256 of its bytes; its name in the job's folder.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
}

/// The files of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// MP4.
    pub video: Asset,
    /// WebP.
    pub thumbnail: Asset,
    /// JPEG.
    pub spritesheet: Asset,
}

/// Why a job has no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Failure {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl Failure {
    /// A failure by a client's wish.
    pub fn cancelled() -> Self {
        Self {
            code: "cancelled".into(),
            message: "the job was cancelled".into(),
        }
    }
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl Job {
    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let id: String = row.try_get("id")?;
        let wrong = |reason: String| StoreError::Row {
            id: id.clone(),
            reason,
        };
        let word: String = row.try_get("status")?;
        let all = [
            Status::Queued,
            Status::InProgress,
            Status::Completed,
            Status::Failed,
        ];
        let status = all.into_iter().find(|status| status.word() == word);
        let asked: String = row.try_get("job")?;
        let failure = row
            .try_get::<Option<String>, _>("error_code")?
            .zip(row.try_get::<Option<String>, _>("error_message")?);
        Ok(Self {
            seq: row.try_get("seq")?,
            owner: row.try_get("owner")?,
            status: status.ok_or_else(|| wrong(format!("its status is {word:?}")))?,
            asked: serde_json::from_str(&asked).map_err(|e| wrong(e.to_string()))?,
            created_at: row.try_get("created_at")?,
            completed_at: row.try_get("completed_at")?,
            expires_at: row.try_get("expires_at")?,
            progress: parsed(row.try_get("progress")?).map_err(&wrong)?,
            preview: row.try_get("preview")?,
            attempt: row.try_get("attempt")?,
            outcome: parsed(row.try_get("result")?).map_err(&wrong)?,
            failure: failure.map(|(code, message)| Failure { code, message }),
            id,
        })
    }

    /// Percent of the work that is done.
    pub fn percent(&self) -> i64 {
        match (self.status, self.progress) {
            (Status::Completed, _) => 100,
            (Status::InProgress, Some(progress)) => progress.percent(),
            _ => 0,
        }
    }
}

fn parsed<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, String> {
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|e| e.to_string())
}

/// What is plain data with text keys, as JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with text keys")
}
