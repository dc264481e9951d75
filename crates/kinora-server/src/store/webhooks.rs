//! Rows of webhooks, and of what they are to be told.
//!
//! That a video ended is not written a second time when it ends: it is read from the videos that nobody was told of yet.
//! So no end can be forgotten, whoever or whatever ended it.

use super::queue::milliseconds;
use super::{Store, StoreError};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::time::Duration;

/// An address that is told of the end of videos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `wh_` and 32 hexadecimal digits.
    pub id: String,
    /// The key whose videos it hears of; empty: all.
    pub owner: String,
    /// The address.
    pub url: String,
    /// `whsec_` and base64; signs what is sent.
    pub secret: String,
}

/// Something to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event's id, the same at each attempt.
    pub id: String,
    /// To whom.
    pub url: String,
    /// Signs it.
    pub secret: String,
    /// The video.
    pub video: String,
    /// `video.completed` or `video.failed`.
    pub kind: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Which attempt this is.
    pub attempt: i64,
}

impl Store {
    /// Keeps a webhook; it hears of what ends from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_webhook(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let text = "INSERT INTO webhooks (id, owner, url, secret, created_at) \
            VALUES ($1, $2, $3, $4, {now})";
        sqlx::query(self.sql(text))
            .bind(&webhook.id)
            .bind(&webhook.owner)
            .bind(&webhook.url)
            .bind(&webhook.secret)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// All webhooks, in order of their making.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows = sqlx::query("SELECT * FROM webhooks ORDER BY created_at, id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Webhook {
                    id: row.try_get("id")?,
                    owner: row.try_get("owner")?,
                    url: row.try_get("url")?,
                    secret: row.try_get("secret")?,
                })
            })
            .collect()
    }

    /// Forgets a webhook, by its id or address, and what it was to be told. Tells how many it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_webhook(&self, webhook: &str) -> Result<u64, StoreError> {
        let gone = sqlx::query("DELETE FROM webhooks WHERE id = $1 OR url = $1")
            .bind(webhook)
            .execute(&self.writer)
            .await?;
        sqlx::query("DELETE FROM deliveries WHERE webhook NOT IN (SELECT id FROM webhooks)")
            .execute(&self.writer)
            .await?;
        Ok(gone.rows_affected())
    }

    /// Notes for each video that ended who is to be told; `id` makes the ids of events.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_ends(
        &self,
        mut id: impl FnMut() -> Result<String, StoreError>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let text = "UPDATE videos SET told = 1 WHERE told = 0 AND status IN ('completed', 'failed') \
            RETURNING id, owner, status, completed_at";
        let ended = sqlx::query(text).fetch_all(&mut *tx).await?;
        for row in &ended {
            let owner: String = row.try_get("owner")?;
            let status: String = row.try_get("status")?;
            let text =
                "SELECT id FROM webhooks WHERE (owner = '' OR owner = $1) AND created_at <= $2";
            let webhooks: Vec<String> = sqlx::query_scalar(text)
                .bind(owner)
                .bind(row.try_get::<Option<i64>, _>("completed_at")?)
                .fetch_all(&mut *tx)
                .await?;
            for webhook in webhooks {
                let text = "INSERT INTO deliveries (id, webhook, video, kind, created_at, attempts, due_at) \
                    VALUES ($1, $2, $3, $4, {now}, 0, {now})";
                sqlx::query(self.sql(text))
                    .bind(id()?)
                    .bind(webhook)
                    .bind(row.try_get::<String, _>("id")?)
                    .bind(format!("video.{status}"))
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// What is to be sent now. It is this caller's for the time of `lease`, and due again after it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due(&self, lease: Duration) -> Result<Option<Delivery>, StoreError> {
        let text = "UPDATE deliveries SET attempts = attempts + 1, due_at = {now} + $1 \
            WHERE id = (SELECT v.id FROM deliveries v WHERE v.due_at <= {now} \
            ORDER BY v.due_at LIMIT 1 {skip_locked}) RETURNING *";
        let row = sqlx::query(self.sql(text))
            .bind(milliseconds(lease))
            .fetch_optional(&self.writer)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let webhook: String = row.try_get("webhook")?;
        let target = sqlx::query("SELECT url, secret FROM webhooks WHERE id = $1")
            .bind(&webhook)
            .fetch_optional(&self.writer)
            .await?;
        match target {
            Some(target) => Ok(Some(read(&row, &target)?)),
            None => {
                let id: String = row.try_get("id")?;
                self.settle(&id, None, "the webhook was removed").await?;
                Ok(None)
            }
        }
    }

    /// Notes that something arrived.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivered(&self, id: &str, answer: &str) -> Result<(), StoreError> {
        let text =
            "UPDATE deliveries SET due_at = NULL, delivered_at = {now}, answer = $2 WHERE id = $1";
        sqlx::query(self.sql(text))
            .bind(id)
            .bind(answer)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Notes that something did not arrive, and when it is sent again; `None` is never.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(
        &self,
        id: &str,
        again: Option<Duration>,
        answer: &str,
    ) -> Result<(), StoreError> {
        let text = "UPDATE deliveries SET due_at = {now} + $2, answer = $3 WHERE id = $1";
        sqlx::query(self.sql(text))
            .bind(id)
            .bind(again.map(milliseconds))
            .bind(answer)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

fn read(row: &AnyRow, target: &AnyRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.try_get("id")?,
        url: target.try_get("url")?,
        secret: target.try_get("secret")?,
        video: row.try_get("video")?,
        kind: row.try_get("kind")?,
        created_at: row.try_get("created_at")?,
        attempt: row.try_get("attempts")?,
    })
}
