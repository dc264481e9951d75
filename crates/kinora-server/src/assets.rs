//! The files of jobs, in a folder or an S3-compatible bucket, each in its job's folder under the hash of its content.
//!
//! A file belongs to one job alone, so that deleting a job deletes its files and nothing of another key's.

use crate::store::Asset;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Place;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Bytes that are hashed and sent at once.
const PART: usize = 1 << 20;

/// The store of files.
#[derive(Clone, Debug)]
pub struct Assets {
    store: Arc<dyn ObjectStore>,
}

/// Why a file can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// The store refuses.
    #[error("the store of files fails: {0}")]
    Store(#[from] object_store::Error),
    /// This machine refuses.
    #[error("{} can't be read or written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Assets {
    /// Files in a folder, which is made if it is not there. What is written reaches the disk before it has its name.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn folder(path: &Path) -> Result<Self, AssetError> {
        fs::create_dir_all(path).map_err(|e| io_error(path, e))?;
        let store = LocalFileSystem::new_with_prefix(path)?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
        })
    }

    /// Keeps a copy of a file for a job.
    ///
    /// # Errors
    /// When it can't be read or kept; a part of it is then not to be seen.
    pub async fn keep(&self, job: &str, file: &Path) -> Result<Asset, AssetError> {
        let path = file.to_owned();
        let hashed = tokio::task::spawn_blocking(move || hash(&path)).await;
        let asset = hashed.map_err(|e| io_error(file, io::Error::other(e)))??;
        let opened = tokio::fs::File::open(file).await;
        let mut from = opened.map_err(|e| io_error(file, e))?;
        let mut to = BufWriter::with_capacity(Arc::clone(&self.store), place(job, &asset), PART);
        let sent = async {
            tokio::io::copy(&mut from, &mut to).await?;
            to.shutdown().await
        };
        match sent.await {
            Ok(()) => Ok(asset),
            Err(error) => {
                let _ = to.abort().await; // the error that is told is the first one
                Err(io_error(file, error))
            }
        }
    }

    /// Keeps a job's file for another job too.
    ///
    /// # Errors
    /// When it is not there any more, or can't be kept.
    pub async fn keep_too(&self, from: &str, asset: &Asset, job: &str) -> Result<(), AssetError> {
        let (from, to) = (place(from, asset), place(job, asset));
        Ok(self.store.copy(&from, &to).await?)
    }

    /// Brings a job's file to this machine, as `to`.
    ///
    /// # Errors
    /// When it is not there, is not what it was, or can't be written.
    pub async fn fetch(&self, job: &str, asset: &Asset, to: &Path) -> Result<(), AssetError> {
        let mut stream = self.read(job, asset, None).await?;
        let created = tokio::fs::File::create(to).await;
        let mut file = created.map_err(|e| io_error(to, e))?;
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            file.write_all(&bytes).await.map_err(|e| io_error(to, e))?;
        }
        file.flush().await.map_err(|e| io_error(to, e))
    }

    /// The bytes of a job's file, or a range of them.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn read(
        &self,
        job: &str,
        asset: &Asset,
        range: Option<Range<u64>>,
    ) -> Result<
        futures_util::stream::BoxStream<'static, Result<Bytes, object_store::Error>>,
        AssetError,
    > {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&place(job, asset), options).await?;
        Ok(found.into_stream())
    }

    /// Whether a job's file is there in full.
    ///
    /// # Errors
    /// When the store fails otherwise than by not having it.
    pub async fn has(&self, job: &str, asset: &Asset) -> Result<bool, AssetError> {
        match self.store.head(&place(job, asset)).await {
            Ok(found) => Ok(found.size == asset.bytes),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes all files of a job.
    ///
    /// # Errors
    /// When one can't be removed.
    pub async fn remove(&self, job: &str) -> Result<(), AssetError> {
        let files = self.store.list(Some(&Place::from(job)));
        let files: Vec<_> = files.map_ok(|file| file.location).try_collect().await?;
        for file in files {
            match self.store.delete(&file).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Each job that has files here, with the seconds since 1970 at which the last of them was written.
    ///
    /// # Errors
    /// When the store can't be listed.
    pub async fn jobs(&self) -> Result<BTreeMap<String, i64>, AssetError> {
        let mut jobs = BTreeMap::new();
        let mut files = self.store.list(None);
        while let Some(file) = files.next().await {
            let file = file?;
            let Some(job) = file.location.parts().next() else {
                continue;
            };
            let last = jobs.entry(job.as_ref().to_owned()).or_insert(i64::MIN);
            *last = (*last).max(file.last_modified.timestamp());
        }
        Ok(jobs)
    }
}

fn place(job: &str, asset: &Asset) -> Place {
    Place::from_iter([job, &asset.sha256])
}

fn hash(path: &Path) -> Result<Asset, AssetError> {
    let failed = |e| io_error(path, e);
    let mut file = File::open(path).map_err(failed)?;
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    let mut part = vec![0; PART];
    loop {
        let read = file.read(&mut part).map_err(failed)?;
        if read == 0 {
            let sha256 = format!("{:x}", sha256.finalize());
            return Ok(Asset { sha256, bytes });
        }
        sha256.update(&part[..read]);
        bytes += read as u64;
    }
}

fn io_error(path: &Path, source: io::Error) -> AssetError {
    AssetError::Io {
        path: path.to_owned(),
        source,
    }
}
