//! Works through batches: asks for each line's video once, and writes the answers when all have ended.

use crate::app::{App, Caller};
use crate::store::{Batch, Line, StoreError};
use crate::wire::{ApiError, Form, Upload, VideoObject};
use axum::body::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often batches are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Lines that are asked for in one go.
const LINES: i64 = 50;
/// Largest answer file, in bytes.
const MAX_ANSWERS: u64 = 1 << 30;

/// Works through all batches until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    while !*app.stop.borrow() {
        match app.store.open_batches().await {
            Ok(batches) => {
                for batch in batches {
                    if let Err(error) = step(&app, &batch).await {
                        tracing::warn!(
                            message = error.message(),
                            batch = batch.id,
                            "a batch waits"
                        );
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "batches wait"),
        }
        sleep(LOOK).await;
    }
}

/// Asks for the next lines of a batch, or ends it.
async fn step(app: &App, batch: &Batch) -> Result<(), ApiError> {
    let caller = caller(app, batch).await?;
    for line in app.store.batch_lines(&batch.id, "waiting", LINES).await? {
        let refusal = match ask(app, &caller, &line).await {
            Ok(()) => None,
            // A limit or a fault will pass: the line waits.
            Err(error) if error.status().as_u16() == 429 || error.status().is_server_error() => {
                return Ok(());
            }
            Err(error) => Some((error.status().as_u16(), json!(error.body()))),
        };
        let settled = app
            .store
            .settle_line(&batch.id, line.line, refusal.as_ref());
        settled.await?;
    }
    let counts = app.store.batch_counts(&batch.id).await?;
    if counts.waiting + counts.running > 0 {
        return Ok(());
    }
    finish(app, &caller, batch).await
}

/// Who asked for the batch.
async fn caller(app: &App, batch: &Batch) -> Result<Caller, StoreError> {
    let keys = app.store.keys().await?;
    let key = keys.into_iter().find(|key| key.id == batch.owner);
    Ok(Caller { key })
}

/// Asks for a line's video, under the id that it was given when the batch was made.
async fn ask(app: &App, caller: &Caller, line: &Line) -> Result<(), ApiError> {
    if app
        .store
        .video(&line.video, caller.owner())
        .await?
        .is_some()
    {
        return Ok(()); // it was, just before a crash
    }
    let form = Form::json(&Bytes::from(line.body.clone()))?;
    app.create(caller, form, Some(line.video.clone())).await?;
    Ok(())
}

/// Writes the files of answers and of refusals, then ends the batch.
async fn finish(app: &App, caller: &Caller, batch: &Batch) -> Result<(), ApiError> {
    let (mut answers, mut refusals) = (Upload::new(None)?, Upload::new(None)?);
    for line in app
        .store
        .batch_lines(&batch.id, "accepted", i64::MAX)
        .await?
    {
        let job = app.store.video(&line.video, caller.owner()).await?;
        let answer = match &job {
            Some(job) => (200, json!(VideoObject::new(job))),
            None => {
                let gone = ApiError::not_found("video", &line.video);
                (404, json!(gone.body()))
            }
        };
        write(&mut answers, batch, &line, &answer)?;
    }
    for line in app
        .store
        .batch_lines(&batch.id, "refused", i64::MAX)
        .await?
    {
        if let Some(refusal) = &line.refusal {
            write(&mut refusals, batch, &line, refusal)?;
        }
    }
    for (id, name, upload) in [
        (&batch.output_file, "output", answers),
        (&batch.error_file, "errors", refusals),
    ] {
        let there = app.store.file(id, &batch.owner).await?.is_some();
        if upload.bytes > 0 && !there {
            let asset = app.assets.keep(id, upload.file.path()).await?;
            let name = format!("{}_{name}.jsonl", batch.id);
            let named = (name.as_str(), "batch_output");
            app.store.add_file(id, &batch.owner, named, &asset).await?;
        }
    }
    app.store.end_batch(&batch.id, "completed").await?;
    tracing::info!(batch = batch.id, "completed");
    Ok(())
}

fn write(
    to: &mut Upload,
    batch: &Batch,
    line: &Line,
    (status, body): &(u16, Value),
) -> Result<(), ApiError> {
    let answer = json!({
        "id": format!("batch_req_{}_{}", batch.id.trim_start_matches("batch_"), line.line),
        "custom_id": line.custom_id,
        "response": { "status_code": status, "request_id": line.video, "body": body },
        "error": null,
    });
    to.write(format!("{answer}\n").as_bytes(), MAX_ANSWERS, "answers")
}
