//! Rows of batches and of their lines.

use super::job::json;
use super::{Store, StoreError};
use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

/// Many requests in one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `batch_` and 32 hexadecimal digits.
    pub id: String,
    /// The key that asked for it.
    pub owner: String,
    /// `in_progress`, `completed` or `cancelled`.
    pub status: String,
    /// The file of its lines.
    pub input_file: String,
    /// The id that the file of its answers has once it has ended.
    pub output_file: String,
    /// The same for the file of its refusals.
    pub error_file: String,
    /// What the client wants to remember with it.
    pub metadata: Option<Value>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// One request of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number, from 1.
    pub line: i64,
    /// The client's name for it.
    pub custom_id: String,
    /// Its body, JSON.
    pub body: String,
    /// The id that its video has or will have.
    pub video: String,
    /// The answer, if it was refused: status and body.
    pub refusal: Option<(u16, Value)>,
}

/// How many lines stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub total: i64,
    /// Not asked for yet.
    pub waiting: i64,
    /// Asked for, and not over yet.
    pub running: i64,
    /// Completed.
    pub completed: i64,
}

impl Counts {
    /// Refused, failed, cancelled, or deleted since.
    pub fn failed(self) -> i64 {
        self.total - self.waiting - self.running - self.completed
    }
}

impl Store {
    /// Keeps a batch and its lines, together.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_batch(&self, batch: &Batch, lines: &[Line]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let text = "INSERT INTO batches \
            (id, owner, status, input_file, output_file, error_file, metadata, created_at) \
            VALUES ($1, $2, 'in_progress', $3, $4, $5, $6, {now})";
        sqlx::query(self.sql(text))
            .bind(&batch.id)
            .bind(&batch.owner)
            .bind(&batch.input_file)
            .bind(&batch.output_file)
            .bind(&batch.error_file)
            .bind(batch.metadata.as_ref().map(json))
            .execute(&mut *tx)
            .await?;
        for line in lines {
            let text = "INSERT INTO batch_lines (batch, line, custom_id, body, video, state) \
                VALUES ($1, $2, $3, $4, $5, 'waiting')";
            sqlx::query(text)
                .bind(&batch.id)
                .bind(line.line)
                .bind(&line.custom_id)
                .bind(&line.body)
                .bind(&line.video)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The batch of an id, if it is the owner's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn batch(&self, id: &str, owner: &str) -> Result<Option<Batch>, StoreError> {
        let row = sqlx::query("SELECT * FROM batches WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// At most `limit` of the owner's batches behind the id `after`, newest first, and whether more follow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn batches(
        &self,
        owner: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Batch>, bool), StoreError> {
        let text = "SELECT * FROM batches WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
        let rows = sqlx::query(text)
            .bind(owner)
            .bind(after.unwrap_or("z"))
            .bind(i64::from(limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        let mut batches = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let more = batches.len() > limit as usize;
        batches.truncate(limit as usize);
        Ok((batches, more))
    }

    /// All batches that have not ended, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_batches(&self) -> Result<Vec<Batch>, StoreError> {
        let rows = sqlx::query("SELECT * FROM batches WHERE status = 'in_progress' ORDER BY id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// How many lines of a batch stand where.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn batch_counts(&self, id: &str) -> Result<Counts, StoreError> {
        let text = "SELECT COUNT(*) AS total, \
            COUNT(CASE WHEN l.state = 'waiting' THEN 1 END) AS waiting, \
            COUNT(CASE WHEN v.status IN ('queued', 'in_progress') THEN 1 END) AS running, \
            COUNT(CASE WHEN v.status = 'completed' THEN 1 END) AS completed \
            FROM batch_lines l LEFT JOIN videos v ON v.id = l.video AND l.state = 'accepted' \
            WHERE l.batch = $1";
        let row = sqlx::query(text).bind(id).fetch_one(&self.pool).await?;
        Ok(Counts {
            total: row.try_get("total")?,
            waiting: row.try_get("waiting")?,
            running: row.try_get("running")?,
            completed: row.try_get("completed")?,
        })
    }

    /// At most `limit` lines of a batch that are in `state`, from the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn batch_lines(
        &self,
        id: &str,
        state: &str,
        limit: i64,
    ) -> Result<Vec<Line>, StoreError> {
        let text =
            "SELECT * FROM batch_lines WHERE batch = $1 AND state = $2 ORDER BY line LIMIT $3";
        let rows = sqlx::query(text)
            .bind(id)
            .bind(state)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(line).collect()
    }

    /// Notes that a line was asked for, or the answer that refused it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_line(
        &self,
        batch: &str,
        line: i64,
        refusal: Option<&(u16, Value)>,
    ) -> Result<(), StoreError> {
        let state = if refusal.is_some() {
            "refused"
        } else {
            "accepted"
        };
        let text = "UPDATE batch_lines SET state = $3, refusal = $4 WHERE batch = $1 AND line = $2";
        sqlx::query(text)
            .bind(batch)
            .bind(line)
            .bind(state)
            .bind(refusal.map(json))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Ends a batch as `completed` or `cancelled`. Tells whether it had not ended before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_batch(&self, id: &str, status: &str) -> Result<bool, StoreError> {
        let text = "UPDATE batches SET status = $2, ended_at = {now} \
            WHERE id = $1 AND status = 'in_progress'";
        let done = sqlx::query(self.sql(text))
            .bind(id)
            .bind(status)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read(row: &AnyRow) -> Result<Batch, StoreError> {
    let metadata: Option<String> = row.try_get("metadata")?;
    Ok(Batch {
        id: row.try_get("id")?,
        owner: row.try_get("owner")?,
        status: row.try_get("status")?,
        input_file: row.try_get("input_file")?,
        output_file: row.try_get("output_file")?,
        error_file: row.try_get("error_file")?,
        metadata: metadata.and_then(|text| serde_json::from_str(&text).ok()),
        created_at: row.try_get("created_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}

fn line(row: &AnyRow) -> Result<Line, StoreError> {
    let refusal: Option<String> = row.try_get("refusal")?;
    Ok(Line {
        line: row.try_get("line")?,
        custom_id: row.try_get("custom_id")?,
        body: row.try_get("body")?,
        video: row.try_get("video")?,
        refusal: refusal.and_then(|text| serde_json::from_str(&text).ok()),
    })
}
