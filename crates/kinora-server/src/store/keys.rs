//! API keys: only their hashes are kept.

use super::{Store, StoreError};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::fmt;
use std::str::FromStr;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Ask for videos, cancel and delete them.
    Write,
    /// Read what is there.
    Read,
    /// Read the metrics of the whole server.
    Metrics,
}

/// How much a key may ask for; `None` is as much as there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// Its jobs come before those of a lower number.
    pub priority: i64,
    /// Jobs that wait.
    pub max_queued: Option<i64>,
    /// Jobs that are worked at.
    pub max_running: Option<i64>,
    /// Seconds of video in 24 hours.
    pub seconds_a_day: Option<i64>,
    /// Pixels of all frames in 24 hours, in millions: what bounds sizes and rates, too.
    pub megapixels_a_day: Option<i64>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How much.
    pub limits: KeyLimits,
}

/// A key as the record keeps it.
#[derive(Clone, Debug)]
pub struct Key {
    /// `key_` and 32 hexadecimal digits; the owner of its videos.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How much.
    pub limits: KeyLimits,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<i64>,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Metrics];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Metrics => "metrics",
        })
    }
}

impl FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|s| s.to_string() == text);
        found.ok_or_else(|| format!("{text:?} is no scope; there are write, read and metrics"))
    }
}

impl Store {
    /// Makes a key. The secret can't be had again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_key(&self, id: &str, secret: &str, new: &NewKey) -> Result<Key, StoreError> {
        let scopes: Vec<String> = new.scopes.iter().map(Scope::to_string).collect();
        let text = "INSERT INTO keys \
            (id, name, hash, scopes, priority, max_queued, max_running, seconds_a_day, \
            megapixels_a_day, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now}) RETURNING *";
        let row = sqlx::query(self.sql(text))
            .bind(id)
            .bind(&new.name)
            .bind(hash(secret))
            .bind(scopes.join(" "))
            .bind(new.limits.priority)
            .bind(new.limits.max_queued)
            .bind(new.limits.max_running)
            .bind(new.limits.seconds_a_day)
            .bind(new.limits.megapixels_a_day)
            .fetch_one(&self.writer)
            .await?;
        read(&row)
    }

    /// All keys, in order of their making.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self) -> Result<Vec<Key>, StoreError> {
        let rows = sqlx::query("SELECT * FROM keys ORDER BY created_at, id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The key of a secret, unless it was revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key(&self, secret: &str) -> Result<Option<Key>, StoreError> {
        let row = sqlx::query("SELECT * FROM keys WHERE hash = $1 AND revoked_at IS NULL")
            .bind(hash(secret))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Whether any key was ever made: from then on, requests need one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_keys(&self) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT created_at FROM keys LIMIT 1")
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    /// Revokes a key, by its id or its name. Tells how many it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, key: &str) -> Result<u64, StoreError> {
        let text = "UPDATE keys SET revoked_at = {now} \
            WHERE (id = $1 OR name = $1) AND revoked_at IS NULL";
        let done = sqlx::query(self.sql(text))
            .bind(key)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }
}

/// A secret has 256 random bits, so a fast hash keeps it.
fn hash(secret: &str) -> String {
    format!("{:x}", Sha256::digest(secret))
}

fn read(row: &AnyRow) -> Result<Key, StoreError> {
    let id: String = row.try_get("id")?;
    let scopes: String = row.try_get("scopes")?;
    let scopes = scopes.split(' ').filter(|word| !word.is_empty());
    Ok(Key {
        name: row.try_get("name")?,
        scopes: scopes
            .map(Scope::from_str)
            .collect::<Result<_, _>>()
            .map_err(|reason| StoreError::Row {
                id: id.clone(),
                reason,
            })?,
        limits: KeyLimits {
            priority: row.try_get("priority")?,
            max_queued: row.try_get("max_queued")?,
            max_running: row.try_get("max_running")?,
            seconds_a_day: row.try_get("seconds_a_day")?,
            megapixels_a_day: row.try_get("megapixels_a_day")?,
        },
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
        id,
    })
}
