//! What happens to a video, as it happens: server-sent events.

use super::Refusals;
use crate::app::{App, Caller};
use crate::store::{Job, Status, StoreError};
use crate::wire::{ApiError, Event, VideoObject};
use axum::extract::{Path, State};
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::{Stream, stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often the record is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A stream over one video.
struct Watch {
    app: Arc<App>,
    owner: String,
    id: String,
    /// The one that was told last.
    last: Option<Event>,
    /// The preview that was told last.
    preview: Option<String>,
    /// When this stage began and how far it was, to tell how long it will take.
    since: Option<(crate::render::Progress, Instant)>,
    over: bool,
}

/// What happens to a video, until it ends: queue place, stage, step, time left, previews
#[utoipa::path(get, path = "/v1/videos/{id}/events", tag = "videos", params(("id" = String, Path)),
    responses((status = 200, body = Event, content_type = "text/event-stream"), Refusals))]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    let owner = caller.owner().to_owned();
    let job = app.store.video(&id, &owner).await?;
    job.ok_or_else(|| ApiError::not_found("video", &id))?;
    let watch = Watch {
        app,
        owner,
        id,
        last: None,
        preview: None,
        since: None,
        over: false,
    };
    let events = stream::unfold(watch, async |mut watch| {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

impl Watch {
    async fn next(&mut self) -> Option<sse::Event> {
        while !self.over && !*self.app.stop.borrow() {
            if self.last.is_some() {
                sleep(LOOK).await;
            }
            let event = match self.look().await {
                Ok(Some(event)) => event,
                Ok(None) => {
                    self.over = true;
                    let gone = serde_json::json!({ "id": self.id });
                    return Some(named("video.deleted", &gone));
                }
                Err(error) => {
                    tracing::warn!(%error, "an event stream waits for the record");
                    sleep(LOOK).await;
                    continue;
                }
            };
            let same = self.last.as_ref().is_some_and(|last| {
                let lasting = |event: &Event| Event {
                    seconds_left: None,
                    preview: None,
                    ..event.clone()
                };
                event.preview.is_none() && lasting(last) == lasting(&event)
            });
            if same {
                continue;
            }
            let name = match event.video.status {
                Status::Queued => "video.queued",
                Status::InProgress => "video.in_progress",
                Status::Completed => "video.completed",
                Status::Failed => "video.failed",
            };
            self.over = event.video.status.is_final();
            let told = named(name, &event);
            self.last = Some(event);
            return Some(told);
        }
        None
    }

    async fn look(&mut self) -> Result<Option<Event>, StoreError> {
        let Some(job) = self.app.store.video(&self.id, &self.owner).await? else {
            return Ok(None);
        };
        let ahead = match job.status {
            Status::Queued => Some(self.app.store.ahead(&job).await?),
            _ => None,
        };
        let progress = job.progress.filter(|_| job.status == Status::InProgress);
        let fresh = job.preview.is_some() && job.preview != self.preview;
        let preview = job.preview.clone().filter(|_| fresh);
        if fresh {
            self.preview.clone_from(&preview);
        }
        Ok(Some(Event {
            video: VideoObject::new(&job),
            queue_place: ahead,
            stage: progress.map(|progress| progress.stage),
            done: progress.map(|progress| progress.done),
            of: progress.map(|progress| progress.of),
            seconds_left: self.left(&job),
            preview,
        }))
    }

    /// Seconds left of the stage, from its pace since this stream saw it first.
    fn left(&mut self, job: &Job) -> Option<f64> {
        let now = job.progress?;
        let (first, since) = match self.since {
            Some((first, since)) if first.stage == now.stage && first.done <= now.done => {
                (first, since)
            }
            _ => *self.since.insert((now, Instant::now())),
        };
        let done = now.done - first.done;
        let pace = since.elapsed().as_secs_f64() / f64::from(done);
        (done > 0).then(|| pace * f64::from(now.of.saturating_sub(now.done)))
    }
}

fn named(name: &str, data: &impl serde::Serialize) -> sse::Event {
    let text = serde_json::to_string(data).expect("plain data with text keys");
    sse::Event::default().event(name).data(text)
}
