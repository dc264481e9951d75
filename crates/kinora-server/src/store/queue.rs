//! The queue: who works at what, and for how long that is believed without a sign of life.

use super::job::json;
use super::{Failure, Job, Outcome, Store, StoreError};
use crate::render::Progress;
use std::time::Duration;

/// After so many workers died at a job, it is given up.
pub const MAX_ATTEMPTS: i64 = 3;

/// A worker's right to a job. What it writes counts only while it has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub id: String,
    /// The worker.
    pub worker: String,
    /// Which attempt at the job this is.
    pub attempt: i64,
}

/// What a worker hears at a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Go on.
    Go,
    /// The job is another's, cancelled or gone: stop.
    Lost,
}

impl Store {
    /// The next job for a worker that has these models and takes jobs of this priority and above: one that waits, or one
    /// whose worker gives no sign of life.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(
        &self,
        worker: &str,
        models: &[String],
        min_priority: Option<i64>,
    ) -> Result<Option<(Job, Lease)>, StoreError> {
        self.give_up().await?;
        let marks: Vec<String> = (4..4 + models.len()).map(|n| format!("${n}")).collect();
        if marks.is_empty() {
            return Ok(None);
        }
        // A lease that ends later than any can was given before the clock was put back.
        let text = format!(
            "UPDATE videos SET status = 'in_progress', worker = $1, attempt = attempt + 1, \
             lease_until = {{now}} + $2, progress = NULL, preview = NULL WHERE id = (\
             SELECT v.id FROM videos v WHERE (v.status = 'queued' OR (v.status = 'in_progress' \
             AND (v.lease_until < {{now}} OR v.lease_until > {{now}} + 2 * $2))) AND v.priority >= $3 AND v.model IN ({}) \
             AND NOT EXISTS (SELECT 1 FROM keys k WHERE k.id = v.owner AND v.status = 'queued' \
             AND k.max_running <= (SELECT COUNT(*) FROM videos r WHERE r.owner = v.owner \
             AND r.status = 'in_progress')) \
             ORDER BY v.priority DESC, v.seq LIMIT 1 {{skip_locked}}) RETURNING *",
            marks.join(", ")
        );
        let mut query = sqlx::query(self.sql(&text))
            .bind(worker)
            .bind(milliseconds(self.lease))
            .bind(min_priority.unwrap_or(i64::MIN));
        for model in models {
            query = query.bind(model);
        }
        let Some(row) = query.fetch_optional(&self.writer).await? else {
            return Ok(None);
        };
        let job = Job::read(&row)?;
        let lease = Lease {
            id: job.id.clone(),
            worker: worker.to_owned(),
            attempt: job.attempt,
        };
        Ok(Some((job, lease)))
    }

    /// Ends jobs at which too many workers died.
    async fn give_up(&self) -> Result<(), StoreError> {
        let text = "UPDATE videos SET status = 'failed', completed_at = {now}, worker = NULL, \
            lease_until = NULL, preview = NULL, error_code = 'worker_died', error_message = $2 \
            WHERE status = 'in_progress' AND attempt >= $1 \
            AND (lease_until < {now} OR lease_until > {now} + 2 * $3)";
        let message = format!(
            "{MAX_ATTEMPTS} workers ended without a word while they were at this job; it may need more memory than the machine has"
        );
        sqlx::query(self.sql(text))
            .bind(MAX_ATTEMPTS)
            .bind(message)
            .bind(milliseconds(self.lease))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// A worker's sign of life, with how far it is and a new picture of its work, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn beat(
        &self,
        lease: &Lease,
        progress: Option<Progress>,
        preview: Option<&str>,
    ) -> Result<Beat, StoreError> {
        let text = "UPDATE videos SET lease_until = {now} + $4, progress = $5, \
            preview = COALESCE($6, preview) \
            WHERE id = $1 AND worker = $2 AND attempt = $3 AND status = 'in_progress'";
        let done = sqlx::query(self.sql(text))
            .bind(&lease.id)
            .bind(&lease.worker)
            .bind(lease.attempt)
            .bind(milliseconds(self.lease))
            .bind(progress.as_ref().map(json))
            .bind(preview)
            .execute(&self.writer)
            .await?;
        Ok(match done.rows_affected() {
            0 => Beat::Lost,
            _ => Beat::Go,
        })
    }

    /// Ends a job with its result, which is kept for so long. Tells whether the lease still held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn complete(
        &self,
        lease: &Lease,
        outcome: &Outcome,
        keep: Option<Duration>,
    ) -> Result<bool, StoreError> {
        let text = "UPDATE videos SET status = 'completed', completed_at = {now}, worker = NULL, \
            lease_until = NULL, preview = NULL, result = $4, expires_at = {now} + $5 \
            WHERE id = $1 AND worker = $2 AND attempt = $3 AND status = 'in_progress'";
        let done = sqlx::query(self.sql(text))
            .bind(&lease.id)
            .bind(&lease.worker)
            .bind(lease.attempt)
            .bind(json(outcome))
            .bind(keep.map(milliseconds))
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Ends a job without a result. Tells whether the lease still held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fail(&self, lease: &Lease, failure: &Failure) -> Result<bool, StoreError> {
        let text = "UPDATE videos SET status = 'failed', completed_at = {now}, worker = NULL, \
            lease_until = NULL, preview = NULL, error_code = $4, error_message = $5 \
            WHERE id = $1 AND worker = $2 AND attempt = $3 AND status = 'in_progress'";
        let done = sqlx::query(self.sql(text))
            .bind(&lease.id)
            .bind(&lease.worker)
            .bind(lease.attempt)
            .bind(&failure.code)
            .bind(&failure.message)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Gives a job back to its old place in the queue; the attempt does not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError> {
        let text = "UPDATE videos SET status = 'queued', worker = NULL, lease_until = NULL, \
            progress = NULL, preview = NULL, attempt = attempt - 1 \
            WHERE id = $1 AND worker = $2 AND attempt = $3 AND status = 'in_progress'";
        sqlx::query(text)
            .bind(&lease.id)
            .bind(&lease.worker)
            .bind(lease.attempt)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// How many jobs wait, and how long the first of them has waited.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn depth(&self) -> Result<(i64, Duration), StoreError> {
        let text = "SELECT COUNT(*), COALESCE(MAX({now} - created_at), 0) FROM videos WHERE status = 'queued'";
        let (count, age): (i64, i64) = sqlx::query_as(self.sql(text)).fetch_one(&self.pool).await?;
        Ok((count, Duration::from_millis(age.max(0) as u64)))
    }
}

pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}
