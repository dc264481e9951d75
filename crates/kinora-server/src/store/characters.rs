//! Rows of characters.

use super::{Store, StoreError};
use sqlx::Row;

/// A character of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharacterRow {
    /// `char_` and 32 hexadecimal digits.
    pub id: String,
    /// What prompts call it.
    pub name: String,
    /// What models are told instead.
    pub description: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl Store {
    /// Keeps a character.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_character(
        &self,
        id: &str,
        owner: &str,
        name: &str,
        description: &str,
    ) -> Result<CharacterRow, StoreError> {
        let text = "INSERT INTO characters (id, owner, name, description, created_at) \
            VALUES ($1, $2, $3, $4, {now}) RETURNING *";
        let row = sqlx::query(self.sql(text))
            .bind(id)
            .bind(owner)
            .bind(name)
            .bind(description)
            .fetch_one(&self.writer)
            .await?;
        read(&row)
    }

    /// The character of an id, if it is the owner's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn character(
        &self,
        id: &str,
        owner: &str,
    ) -> Result<Option<CharacterRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM characters WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &sqlx::any::AnyRow) -> Result<CharacterRow, StoreError> {
    Ok(CharacterRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        created_at: row.try_get("created_at")?,
    })
}
