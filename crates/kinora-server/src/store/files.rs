//! Rows of files that clients uploaded or a batch wrote.

use super::job::json;
use super::{Asset, Order, Store, StoreError};
use sqlx::Row;
use sqlx::any::AnyRow;

/// A file of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// `file_` and 32 hexadecimal digits; the folder of its content.
    pub id: String,
    /// The name that the client gave it.
    pub name: String,
    /// What it is for, in the client's words.
    pub purpose: String,
    /// Its content.
    pub asset: Asset,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl Store {
    /// Writes the row of a file whose content is kept already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_file(
        &self,
        id: &str,
        owner: &str,
        (name, purpose): (&str, &str),
        asset: &Asset,
    ) -> Result<FileRow, StoreError> {
        let text = "INSERT INTO files (id, owner, name, purpose, asset, created_at) \
            VALUES ($1, $2, $3, $4, $5, {now}) RETURNING *";
        let row = sqlx::query(self.sql(text))
            .bind(id)
            .bind(owner)
            .bind(name)
            .bind(purpose)
            .bind(json(asset))
            .fetch_one(&self.writer)
            .await?;
        read(&row)
    }

    /// The file of an id, if it is the owner's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn file(&self, id: &str, owner: &str) -> Result<Option<FileRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM files WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// At most `limit` of the owner's files behind the id `after`, and whether more follow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn files(
        &self,
        owner: &str,
        purpose: Option<&str>,
        (after, order): (Option<&str>, Order),
        limit: u32,
    ) -> Result<(Vec<FileRow>, bool), StoreError> {
        let (text, start) = match order {
            Order::Ascending => (
                "SELECT * FROM files WHERE owner = $1 AND id > $2 AND ($3 = '' OR purpose = $3) \
                ORDER BY id LIMIT $4",
                "",
            ),
            Order::Descending => (
                "SELECT * FROM files WHERE owner = $1 AND id < $2 AND ($3 = '' OR purpose = $3) \
                ORDER BY id DESC LIMIT $4",
                "z",
            ),
        };
        let rows = sqlx::query(text)
            .bind(owner)
            .bind(after.unwrap_or(start))
            .bind(purpose.unwrap_or_default())
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        let mut files = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let more = files.len() > limit as usize;
        files.truncate(limit as usize);
        Ok((files, more))
    }

    /// Takes the owner's file out of the record. Tells whether it was there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_file(&self, id: &str, owner: &str) -> Result<bool, StoreError> {
        let gone = sqlx::query("DELETE FROM files WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .execute(&self.writer)
            .await?;
        Ok(gone.rows_affected() > 0)
    }
}

fn read(row: &AnyRow) -> Result<FileRow, StoreError> {
    let id: String = row.try_get("id")?;
    let asset: String = row.try_get("asset")?;
    Ok(FileRow {
        name: row.try_get("name")?,
        purpose: row.try_get("purpose")?,
        asset: serde_json::from_str(&asset).map_err(|error| StoreError::Row {
            id: id.clone(),
            reason: error.to_string(),
        })?,
        created_at: row.try_get("created_at")?,
        id,
    })
}
