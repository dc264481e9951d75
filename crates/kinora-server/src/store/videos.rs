//! Rows of videos: made, read, listed, removed.

use super::job::json;
use super::{Asked, Failure, Job, KeyLimits, Status, Store, StoreError};
use crate::render::RenderSpec;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// The order of a list, by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// Why a key may not ask for more now.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// Too many wait.
    #[error("this key has {0} videos waiting, which is its limit; wait until one is done")]
    Queued(i64),
    /// The day's seconds are spent.
    #[error("this key may ask for {0} seconds of video in 24 hours, and they are spent")]
    Seconds(i64),
    /// The day's pixels are spent.
    #[error(
        "this key may ask for {0} megapixels in 24 hours, all frames together, and this would be more"
    )]
    Megapixels(i64),
    /// The record fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for QuotaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Accepts a job: its row and its place in the queue are written together.
    ///
    /// # Errors
    /// When the key's limits are reached, or the database fails.
    pub async fn create(
        &self,
        id: &str,
        owner: &str,
        limits: &KeyLimits,
        asked: &Asked,
    ) -> Result<Job, QuotaError> {
        let mut tx = self.begin().await?;
        // The counter's row is locked until the end, so those of one key can't overtake each other's count.
        let seq: i64 = sqlx::query_scalar(
            "UPDATE counters SET value = value + 1 WHERE name = 'videos' RETURNING value",
        )
        .fetch_one(&mut *tx)
        .await?;
        if let Some(most) = limits.max_queued {
            let text = "SELECT COUNT(*) FROM videos WHERE owner = $1 AND status = 'queued'";
            let waiting: i64 = sqlx::query_scalar(text)
                .bind(owner)
                .fetch_one(&mut *tx)
                .await?;
            if waiting >= most {
                return Err(QuotaError::Queued(most));
            }
        }
        if limits.seconds_a_day.is_some() || limits.megapixels_a_day.is_some() {
            let text = "SELECT job FROM videos WHERE owner = $1 AND created_at > {now} - $2";
            let jobs: Vec<String> = sqlx::query_scalar(self.sql(text))
                .bind(owner)
                .bind(DAY)
                .fetch_all(&mut *tx)
                .await?;
            let before = jobs.iter().flat_map(|job| serde_json::from_str(job));
            let specs: Vec<RenderSpec> = before.map(|asked: Asked| asked.spec).collect();
            let all = || specs.iter().chain([&asked.spec]);
            let seconds: f64 = all().map(RenderSpec::seconds).sum();
            if let Some(most) = limits.seconds_a_day.filter(|most| seconds > *most as f64) {
                return Err(QuotaError::Seconds(most));
            }
            let megapixels: f64 = all().map(RenderSpec::megapixels).sum();
            let over = |most: &i64| megapixels > *most as f64;
            if let Some(most) = limits.megapixels_a_day.filter(over) {
                return Err(QuotaError::Megapixels(most));
            }
        }
        let text = "INSERT INTO videos \
            (id, seq, owner, status, priority, model, job, created_at, attempt) \
            VALUES ($1, $2, $3, 'queued', $4, $5, $6, {now}, 0) RETURNING *";
        let row = sqlx::query(self.sql(text))
            .bind(id)
            .bind(seq)
            .bind(owner)
            .bind(limits.priority)
            .bind(&asked.spec.request.model)
            .bind(json(asked))
            .fetch_one(&mut *tx)
            .await?;
        let job = Job::read(&row)?;
        tx.commit().await?;
        Ok(job)
    }

    /// The video of an id, if it is the owner's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn video(&self, id: &str, owner: &str) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query("SELECT * FROM videos WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(Job::read).transpose()
    }

    /// At most `limit` of the owner's videos behind the id `after`, which need not be there any more, and whether more
    /// follow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        owner: &str,
        after: Option<&str>,
        order: Order,
        limit: u32,
    ) -> Result<(Vec<Job>, bool), StoreError> {
        let (text, start) = match order {
            Order::Ascending => (
                "SELECT * FROM videos WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3",
                "",
            ),
            Order::Descending => (
                "SELECT * FROM videos WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                "z",
            ),
        };
        let rows = sqlx::query(text)
            .bind(owner)
            .bind(after.unwrap_or(start))
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        let mut jobs = rows.iter().map(Job::read).collect::<Result<Vec<_>, _>>()?;
        let more = jobs.len() > limit as usize;
        jobs.truncate(limit as usize);
        Ok((jobs, more))
    }

    /// Takes the owner's video out of the record; a worker that is at it stops. Tells whether it was there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, id: &str, owner: &str) -> Result<bool, StoreError> {
        let gone = sqlx::query("DELETE FROM videos WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .execute(&self.writer)
            .await?;
        Ok(gone.rows_affected() > 0)
    }

    /// Ends the owner's job unless it has ended; a worker that is at it stops. Gives it as it then stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, id: &str, owner: &str) -> Result<Option<Job>, StoreError> {
        let mut tx = self.begin().await?;
        let Failure { code, message } = Failure::cancelled();
        let text = "UPDATE videos SET status = 'failed', completed_at = {now}, worker = NULL, \
            lease_until = NULL, preview = NULL, error_code = $3, error_message = $4 \
            WHERE id = $1 AND owner = $2 AND status IN ('queued', 'in_progress')";
        sqlx::query(self.sql(text))
            .bind(id)
            .bind(owner)
            .bind(code)
            .bind(message)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.video(id, owner).await
    }

    /// How many wait before a job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ahead(&self, job: &Job) -> Result<i64, StoreError> {
        if job.status != Status::Queued {
            return Ok(0);
        }
        let text = "SELECT COUNT(*) FROM videos o JOIN videos v ON v.id = $1 WHERE o.status = 'queued' \
            AND (o.priority > v.priority OR (o.priority = v.priority AND o.seq < v.seq))";
        Ok(sqlx::query_scalar(text)
            .bind(&job.id)
            .fetch_one(&self.pool)
            .await?)
    }

    /// Takes out the videos whose time is over, and gives their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire(&self) -> Result<Vec<String>, StoreError> {
        let text =
            "DELETE FROM videos WHERE expires_at IS NOT NULL AND expires_at < {now} RETURNING id";
        Ok(sqlx::query_scalar(self.sql(text))
            .fetch_all(&self.writer)
            .await?)
    }

    /// Whether a video or a file has this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known(&self, id: &str) -> Result<bool, StoreError> {
        let text = "SELECT (SELECT COUNT(*) FROM videos WHERE id = $1) \
            + (SELECT COUNT(*) FROM files WHERE id = $1)";
        let count: i64 = sqlx::query_scalar(text)
            .bind(id)
            .fetch_one(&self.pool)
            .await?;
        Ok(count > 0)
    }

    /// Notes that a completed video's files are lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lost_files(&self, id: &str) -> Result<(), StoreError> {
        let text = "UPDATE videos SET status = 'failed', error_code = 'files_lost', error_message = $2 \
            WHERE id = $1 AND status = 'completed'";
        sqlx::query(text)
            .bind(id)
            .bind("the video was completed, but its files are lost; ask for it again with the same seed")
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// All completed videos, in order of acceptance.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn completed(&self) -> Result<Vec<Job>, StoreError> {
        let rows = sqlx::query("SELECT * FROM videos WHERE status = 'completed' ORDER BY seq")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(Job::read).collect()
    }
}
