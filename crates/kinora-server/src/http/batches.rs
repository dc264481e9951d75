//! Batches: many requests in a file.

use super::Refusals;
use crate::app::{App, Caller, new_id};
use crate::store::{Batch, Line};
use crate::wire::{ApiError, BatchList, BatchObject, BatchRequest, Form, PageQuery};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// The address that a batch may ask.
const ENDPOINT: &str = "/v1/videos";
/// Most lines of a batch.
const MAX_LINES: usize = 10_000;
/// Largest file of lines, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Batches on a page.
const PAGE: u32 = 20;

/// A line of a batch's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    custom_id: String,
    method: String,
    url: String,
    body: serde_json::Map<String, Value>,
}

/// Ask for the videos of a file's lines
#[utoipa::path(post, path = "/v1/batches", tag = "batches", request_body = BatchRequest,
    responses((status = 200, body = BatchObject), Refusals))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Json<BatchObject>, ApiError> {
    let form = Form::read(request, app.settings.limits).await?;
    let asked: BatchRequest = form.rest()?;
    if asked.endpoint != ENDPOINT {
        let message = format!("a batch's endpoint can be {ENDPOINT}");
        return Err(ApiError::invalid(Some("endpoint"), message));
    }
    let wrong = |message: String| ApiError::invalid(Some("input_file_id"), message);
    let row = app.file_row(&caller, &asked.input_file_id).await?;
    if row.asset.bytes > MAX_BYTES {
        return Err(wrong(format!(
            "the file has {} bytes; {MAX_BYTES} are the most of a batch",
            row.asset.bytes
        )));
    }
    let upload = app.file(&caller, &row.id).await?;
    let text = tokio::fs::read_to_string(upload.file.path()).await;
    let text = text.map_err(|_| wrong("the file is no text of JSON lines".into()))?;
    let lines = lines(&text).map_err(wrong)?;
    let batch = Batch {
        id: new_id("batch")?,
        owner: caller.owner().to_owned(),
        status: "in_progress".into(),
        input_file: row.id,
        output_file: new_id("file")?,
        error_file: new_id("file")?,
        metadata: asked.metadata,
        created_at: 0,
        ended_at: None,
    };
    app.store.add_batch(&batch, &lines).await?;
    object(&app, &caller, &batch.id).await
}

/// Reads the lines, all of which must be requests for videos.
fn lines(text: &str) -> Result<Vec<Line>, String> {
    let mut names = HashSet::new();
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let at = |reason: String| format!("line {number}: {reason}");
        let read: Written = serde_json::from_str(line).map_err(|error| at(error.to_string()))?;
        if read.method != "POST" || read.url != ENDPOINT {
            return Err(at(format!("method and url must be POST and {ENDPOINT}")));
        }
        if !names.insert(read.custom_id.clone()) {
            return Err(at(format!(
                "the custom_id {:?} is there twice",
                read.custom_id
            )));
        }
        if lines.len() == MAX_LINES {
            return Err(format!("the file has more than {MAX_LINES} lines"));
        }
        lines.push(Line {
            line: number,
            custom_id: read.custom_id,
            body: Value::Object(read.body).to_string(),
            video: new_id("video").map_err(|error| error.message().to_owned())?,
            refusal: None,
        });
    }
    if lines.is_empty() {
        return Err("the file has no line".into());
    }
    Ok(lines)
}

/// Batches, newest first, a page at a time
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(PageQuery),
    responses((status = 200, body = BatchList), Refusals))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<BatchList>, ApiError> {
    let Query(query) = query.map_err(|e| ApiError::invalid(None, e.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE).min(100);
    let page = app
        .store
        .batches(caller.owner(), query.after.as_deref(), limit);
    let (batches, more) = page.await?;
    let mut data = Vec::new();
    for batch in &batches {
        data.push(BatchObject::new(
            batch,
            app.store.batch_counts(&batch.id).await?,
        ));
    }
    Ok(Json(BatchList::new(data, more)))
}

/// A batch as it stands
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches", params(("id" = String, Path)),
    responses((status = 200, body = BatchObject), Refusals))]
pub(super) async fn retrieve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BatchObject>, ApiError> {
    object(&app, &caller, &id).await
}

/// End a batch, and the videos of it that are not done
#[utoipa::path(post, path = "/v1/batches/{id}/cancel", tag = "batches", params(("id" = String, Path)),
    responses((status = 200, body = BatchObject), Refusals))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BatchObject>, ApiError> {
    let found = app.store.batch(&id, caller.owner()).await?;
    found.ok_or_else(|| ApiError::not_found("batch", &id))?;
    if app.store.end_batch(&id, "cancelled").await? {
        for line in app.store.batch_lines(&id, "accepted", i64::MAX).await? {
            app.store.cancel(&line.video, caller.owner()).await?;
        }
    }
    object(&app, &caller, &id).await
}

async fn object(app: &App, caller: &Caller, id: &str) -> Result<Json<BatchObject>, ApiError> {
    let batch = app.store.batch(id, caller.owner()).await?;
    let batch = batch.ok_or_else(|| ApiError::not_found("batch", id))?;
    let counts = app.store.batch_counts(id).await?;
    Ok(Json(BatchObject::new(&batch, counts)))
}
