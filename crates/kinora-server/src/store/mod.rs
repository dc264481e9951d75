//! The record of jobs and the queue, one table in one database: SQLite by default, PostgreSQL for several machines.
//!
//! The SQL is what both read. What they say differently is in [`Dialect`]. The database's clock is the only clock, so
//! machines need not agree about the time.

mod batches;
mod characters;
mod files;
mod job;
mod keys;
mod queue;
mod videos;
mod webhooks;

pub use batches::{Batch, Counts, Line};
pub use characters::CharacterRow;
pub use files::FileRow;
pub use job::{Asked, Asset, Failure, Job, Mapped, Outcome, Status};
pub use keys::{Key, KeyLimits, NewKey, Scope};
pub use queue::{Beat, Lease, MAX_ATTEMPTS};
pub use videos::{Order, QuotaError};
pub use webhooks::{Delivery, Webhook};

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, AssertSqlSafe, Connection, Transaction};
use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections to PostgreSQL, and those that read from SQLite.
const CONNECTIONS: u32 = 8;
const READERS: u32 = 4;

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "videos",
        include_str!("../../migrations/0001_videos.sql"),
    ),
    (
        2,
        "webhooks",
        include_str!("../../migrations/0002_webhooks.sql"),
    ),
    (
        3,
        "batches",
        include_str!("../../migrations/0003_batches.sql"),
    ),
    (
        4,
        "previews",
        include_str!("../../migrations/0004_previews.sql"),
    ),
];

/// Where the record is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file on this machine.
    Sqlite(std::path::PathBuf),
    /// A server, by its address.
    Postgres(String),
}

/// The open database.
#[derive(Clone, Debug)]
pub struct Store {
    /// What reads.
    pool: AnyPool,
    /// What writes. SQLite has one writer at a time: its requests wait here in order, and readers wait for none of them.
    writer: AnyPool,
    dialect: Dialect,
    /// How long a worker is believed to be at its job without a sign of life.
    lease: Duration,
}

/// What the databases say differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

/// Why the record can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses or is away.
    #[error("the database fails: {0}")]
    Database(#[from] sqlx::Error),
    /// The database is of another version.
    #[error("the database can't be brought to this version: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// What a row holds was not written by this program.
    #[error("the row of {id} can't be read: {reason}")]
    Row {
        /// Whose.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no id for a new row.
    #[error("{0}")]
    Id(String),
}

impl Store {
    /// Opens the database and brings it to this version. A worker is believed to be at its job for the time of `lease`
    /// after each sign of life.
    ///
    /// # Errors
    /// When it can't be reached or was made by a later version.
    pub async fn open(database: &Database, lease: Duration) -> Result<Self, StoreError> {
        install_default_drivers();
        let (url, dialect) = match database {
            Database::Sqlite(path) => (sqlite_url(path), Dialect::Sqlite),
            Database::Postgres(url) => (url.clone(), Dialect::Postgres),
        };
        let connections = |most: u32, pragmas: &'static [&'static str]| {
            AnyPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(PATIENCE)
                // A file does not go away as a server does, and asking costs as much as a query.
                .test_before_acquire(dialect == Dialect::Postgres)
                // After a full disk, SQLite has undone a transaction that sqlx believes to be open. One that was left open by
                // its dropping is undone before the answer to the ping.
                .after_release(|connection, _| {
                    Box::pin(async move {
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        for pragma in pragmas {
                            sqlx::query(*pragma).execute(&mut *connection).await?;
                        }
                        Ok(())
                    })
                })
        };
        let (pool, writer) = match dialect {
            Dialect::Postgres => {
                let pool = connections(CONNECTIONS, &[]).connect(&url).await?;
                (pool.clone(), pool)
            }
            Dialect::Sqlite => {
                let writer = connections(1, &WRITES).connect(&url).await?;
                (connections(READERS, &READS).connect(&url).await?, writer)
            }
        };
        let store = Self {
            pool,
            writer,
            dialect,
            lease,
        };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
            let sql = sqlx::SqlStr::from_static(sql);
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        };
        let migrator = Migrator {
            migrations: Cow::Owned(MIGRATIONS.iter().map(migration).collect()),
            ..Migrator::DEFAULT
        };
        Ok(migrator.run(&self.writer).await?)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// A statement with the dialect's own words in the place of `{now}` and `{skip_locked}`.
    fn sql(&self, text: &str) -> AssertSqlSafe<String> {
        let text = text
            .replace("{now}", self.dialect.now())
            .replace("{skip_locked}", self.dialect.skip_locked());
        AssertSqlSafe(text)
    }

    /// A transaction that may write. SQLite's takes its lock at once, so it never fails half-way for want of it.
    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(match self.dialect {
            Dialect::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            Dialect::Postgres => self.writer.begin().await?,
        })
    }
}

impl Dialect {
    fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(extract(epoch from clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "", // has one writer
            Self::Postgres => "FOR UPDATE OF v SKIP LOCKED",
        }
    }
}

/// What a connection to SQLite that writes is told first. Other programs may write to the same file.
const WRITES: [&str; 3] = [
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
];

/// What one that reads is told.
const READS: [&str; 2] = ["PRAGMA busy_timeout = 10000", "PRAGMA query_only = ON"];

fn sqlite_url(path: &Path) -> String {
    let mut url = "sqlite:".to_owned();
    for c in path.to_string_lossy().chars() {
        match c {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            c => url.push(c),
        }
    }
    url + "?mode=rwc"
}
