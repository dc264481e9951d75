//! The files of jobs, in a folder or an S3-compatible bucket, each in its job's folder under the hash of its content.
//!
//! A file belongs to one job alone, so that deleting a job deletes its files and nothing of another key's.

use crate::bucket::Bucket;
use crate::store::Asset;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
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
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes that are sent at once; a bucket takes no parts of less than 5 MiB.
const PART: usize = 8 << 20;
/// Bytes that are hashed at once.
const HASHED: usize = 1 << 20;

/// The store of files.
#[derive(Clone, Debug)]
pub struct Assets {
    store: Arc<dyn ObjectStore>,
    /// Where they lie, if that is a folder.
    folder: Option<PathBuf>,
}

/// Why a file can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// The store refuses.
    #[error("the store of files fails: {0}")]
    Store(#[from] object_store::Error),
    /// No address of a bucket can be made of what is said.
    #[error("{0}")]
    Settings(String),
    /// A file is not what was kept.
    #[error("the file {sha256} of {job} is not what was kept")]
    Changed {
        /// Whose.
        job: String,
        /// The hash that it had.
        sha256: String,
    },
    /// This machine refuses.
    #[error("{} can't be read or written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl AssetError {
    /// Whether the same may succeed a little later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Store(object_store::Error::NotFound { .. })
            | Self::Settings(_)
            | Self::Changed { .. } => false,
            Self::Store(_) | Self::Io { .. } => true,
        }
    }
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
            folder: Some(path.to_owned()),
        })
    }

    /// Files in a bucket, which must be there.
    ///
    /// # Errors
    /// When it can't be reached, or may not be read.
    pub async fn bucket(bucket: &Bucket) -> Result<Self, AssetError> {
        let store = bucket.open()?;
        if let Some(found) = store.list(None).next().await {
            found?;
        }
        Ok(Self {
            store,
            folder: None,
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
        let place = place(job, &asset);
        if asset.bytes <= PART as u64 {
            let whole = part(&mut from, file).await?;
            self.store.put(&place, whole.into()).await?;
            return Ok(asset);
        }
        let mut upload = self.store.put_multipart(&place).await?;
        let sent = async {
            loop {
                let part = part(&mut from, file).await?;
                if part.is_empty() {
                    break Ok(());
                }
                upload.put_part(part.into()).await?;
            }
        };
        let sent: Result<(), AssetError> = sent.await;
        let ended = match sent {
            Ok(()) => upload.complete().await.map_err(AssetError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            let _ = upload.abort().await; // the error that is told is the first one
            return Err(error);
        }
        Ok(asset)
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
        let mut sha256 = Sha256::new();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            sha256.update(&bytes);
            file.write_all(&bytes).await.map_err(|e| io_error(to, e))?;
        }
        file.flush().await.map_err(|e| io_error(to, e))?;
        if format!("{:x}", sha256.finalize()) != asset.sha256 {
            return Err(AssetError::Changed {
                job: job.to_owned(),
                sha256: asset.sha256.clone(),
            });
        }
        Ok(())
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
        // What a killed program began to write is not listed.
        if let Some(folder) = &self.folder {
            let path = folder.join(Place::from(job).as_ref());
            match tokio::fs::remove_dir_all(&path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error(&path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Files of which a part was written when the program was killed, and which nothing has touched for so long, as paths
    /// below the folder. A bucket does not show its own.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub async fn unfinished(&self, untouched: Duration) -> Result<Vec<String>, AssetError> {
        let Some(folder) = self.folder.clone() else {
            return Ok(Vec::new());
        };
        let path = folder.clone();
        let look = move || unfinished(&folder, untouched).map_err(|e| io_error(&folder, e));
        let looked = tokio::task::spawn_blocking(look).await;
        looked.map_err(|e| io_error(&path, io::Error::other(e)))?
    }

    /// Removes what [`Assets::unfinished`] found.
    ///
    /// # Errors
    /// When it can't be removed.
    pub async fn remove_unfinished(&self, file: &str) -> Result<(), AssetError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let path = folder.join(file);
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&path, error)),
            _ => Ok(()),
        }
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

/// The next bytes of a file, as many as are sent at once; none at its end.
async fn part(from: &mut tokio::fs::File, path: &Path) -> Result<Bytes, AssetError> {
    let mut part = Vec::new();
    let mut next = from.take(PART as u64);
    let read = next.read_to_end(&mut part).await;
    read.map_err(|e| io_error(path, e))?;
    Ok(part.into())
}

/// A file is written as `name#number` before it has its name.
fn unfinished(folder: &Path, untouched: Duration) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for job in fs::read_dir(folder)? {
        let job = job?;
        if !job.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(job.path())? {
            let file = file?;
            let (job, name) = (job.file_name(), file.file_name());
            let (job, name) = (job.to_string_lossy(), name.to_string_lossy());
            let numbered = |(_, number): (&str, &str)| number.bytes().all(|b| b.is_ascii_digit());
            let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
            if name.split_once('#').is_some_and(numbered) && age > untouched {
                found.push(format!("{job}/{name}"));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn hash(path: &Path) -> Result<Asset, AssetError> {
    let failed = |e| io_error(path, e);
    let mut file = File::open(path).map_err(failed)?;
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    let mut part = vec![0; HASHED];
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
