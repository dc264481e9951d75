//! Where the server and its workers keep things: the record of jobs and their files.

use crate::failure::BadInput;
use crate::machine;
use crate::service::{flag, time};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use kinora_server::store::{Database, Store};
use kinora_server::{AssetError, Assets, Bucket, BucketKeys};
use serde::Deserialize;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How long a worker is believed to be at its job without a sign of life, if the operator does not say.
const LEASE: Duration = Duration::from_secs(15);

/// Where the record of jobs and their files are
#[derive(Clone, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Where things are kept")]
pub struct PlaceArgs {
    /// Folder of the record and the files; `kinora/server` in the folder for data if not given
    #[arg(long, value_name = "DIR", global = true, env = "KINORA_DATA")]
    pub data: Option<PathBuf>,
    /// A PostgreSQL database for the record, as postgres://user:password@host/name, instead of SQLite
    #[arg(
        long,
        value_name = "URL",
        global = true,
        env = "KINORA_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// A bucket of an S3-compatible store for the files, as s3://bucket/prefix, instead of a folder
    #[arg(long, value_name = "URL", global = true, env = "KINORA_ASSETS")]
    pub assets: Option<String>,
    /// Address of the S3-compatible store, as https://host:port; Amazon's if not given
    #[arg(long, value_name = "URL", global = true, env = "AWS_ENDPOINT_URL")]
    pub s3_endpoint: Option<String>,
    /// Region of the store; us-east-1 if not given
    #[arg(long, value_name = "NAME", global = true, env = "AWS_REGION")]
    pub s3_region: Option<String>,
    /// Name the bucket in the host's name instead of the path
    #[arg(long, global = true, env = "KINORA_S3_VIRTUAL_HOSTS")]
    pub s3_virtual_hosts: bool,
    /// Access key of the store; without keys, a machine of Amazon's opens it by its role
    #[arg(
        long,
        value_name = "KEY",
        global = true,
        env = "AWS_ACCESS_KEY_ID",
        hide_env_values = true
    )]
    pub s3_access_key: Option<String>,
    /// Secret key of the store; others of this machine can see flags, so better say it in the environment or the file
    #[arg(
        long,
        value_name = "KEY",
        global = true,
        env = "AWS_SECRET_ACCESS_KEY",
        hide_env_values = true
    )]
    pub s3_secret_key: Option<String>,
    /// Token of a session, if the keys are those of one
    #[arg(
        long,
        value_name = "TOKEN",
        global = true,
        env = "AWS_SESSION_TOKEN",
        hide_env_values = true
    )]
    pub s3_session_token: Option<String>,
    /// How long a worker that gives no sign of life is waited for before another takes its job; 15s if not given
    #[arg(long, value_name = "TIME", global = true, env = "KINORA_LEASE")]
    pub lease: Option<String>,
}

/// Without the keys.
impl std::fmt::Debug for PlaceArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaceArgs")
            .field("data", &self.data)
            .field("assets", &self.assets)
            .finish_non_exhaustive()
    }
}

impl PlaceArgs {
    /// These, and from `file` what is not given here.
    pub fn or(self, file: Self) -> Self {
        Self {
            data: self.data.or(file.data),
            database: self.database.or(file.database),
            assets: self.assets.or(file.assets),
            s3_endpoint: self.s3_endpoint.or(file.s3_endpoint),
            s3_region: self.s3_region.or(file.s3_region),
            s3_virtual_hosts: self.s3_virtual_hosts || file.s3_virtual_hosts,
            s3_access_key: self.s3_access_key.or(file.s3_access_key),
            s3_secret_key: self.s3_secret_key.or(file.s3_secret_key),
            s3_session_token: self.s3_session_token.or(file.s3_session_token),
            lease: self.lease.or(file.lease),
        }
    }

    /// Opens the record and the store of files.
    pub async fn open(&self) -> Result<(Store, Assets)> {
        Ok((self.record().await?, self.files().await?))
    }

    /// Opens the record.
    pub async fn record(&self) -> Result<Store> {
        let lease = self.lease.as_deref();
        let lease = lease.map(|text| flag("--lease", time(text))).transpose()?;
        let database = match &self.database {
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Database::Postgres(url.clone())
            }
            Some(_) => bail!(BadInput(
                "--database is an address that begins with postgres://; without it, SQLite is used"
                    .to_owned()
            )),
            None => Database::Sqlite(self.folder()?.join("kinora.db")),
        };
        let opened = Store::open(&database, lease.unwrap_or(LEASE)).await;
        opened.context("the record can't be opened")
    }

    /// Opens the store of files.
    async fn files(&self) -> Result<Assets> {
        if let Some(bucket) = self.bucket()? {
            return match Assets::bucket(&bucket).await {
                Err(AssetError::Settings(wrong)) => Err(BadInput(wrong).into()),
                opened => {
                    opened.with_context(|| format!("the bucket {} can't be used", bucket.name))
                }
            };
        }
        let files = self.folder()?.join("files");
        Assets::folder(&files).with_context(|| format!("{} can't be used", files.display()))
    }

    fn bucket(&self) -> Result<Option<Bucket>> {
        let Some(address) = &self.assets else {
            return Ok(None);
        };
        let place = address.strip_prefix("s3://");
        let (name, prefix) = place
            .map(|place| place.split_once('/').unwrap_or((place, "")))
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| {
                BadInput(
                    "--assets is an address as s3://bucket/prefix; without it, files lie in --data"
                        .to_owned(),
                )
            })?;
        let keys = match (&self.s3_access_key, &self.s3_secret_key) {
            (Some(id), Some(secret)) => Some(BucketKeys {
                id: id.clone(),
                secret: secret.clone(),
                token: self.s3_session_token.clone(),
            }),
            (None, None) => None,
            _ => bail!(BadInput(
                "--s3-access-key and --s3-secret-key go together; one of them is missing"
                    .to_owned()
            )),
        };
        Ok(Some(Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: self.s3_endpoint.clone(),
            region: self.s3_region.clone(),
            keys,
            virtual_hosts: self.s3_virtual_hosts,
        }))
    }

    /// The folder on this machine, which is made if it is not there.
    fn folder(&self) -> Result<PathBuf> {
        let otherwise = || machine::data_folder().map(|folder| folder.join("server"));
        let folder = self.data.clone().or_else(otherwise).ok_or_else(|| {
            anyhow!(BadInput(
                "there is no home folder to keep the server's data in; name a folder with --data"
                    .to_owned()
            ))
        })?;
        fs::create_dir_all(&folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
        Ok(folder)
    }
}
