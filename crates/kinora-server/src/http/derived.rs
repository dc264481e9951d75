//! Videos from videos: remixed, edited, extended.

use super::Refusals;
use super::parts::{Picture, Source, Video, draft};
use crate::app::{App, Caller, Draft};
use crate::render::{RenderRequest, Role, Task};
use crate::wire::{
    ApiError, EditRequest, ExtendRequest, Form, Options, RemixRequest, Upload, VideoObject,
};
use axum::extract::{Path, Request, State};
use std::sync::Arc;

/// Longest extension, in seconds.
const MAX_EXTENSION: f64 = 20.0;

/// What is to become of a video.
struct Change {
    task: Task,
    prompt: String,
    /// A model in the client's words; the source's if not given.
    model: Option<String>,
    strength: Option<f64>,
    seconds: Option<f64>,
    options: Options,
}

impl Change {
    /// A draft of the change of a video of this server or of one that was sent.
    async fn draft(
        self,
        app: &App,
        caller: &Caller,
        (id, upload): (Option<&str>, Option<Upload>),
    ) -> Result<Draft, ApiError> {
        let source = Source::find(app, caller, id, upload).await?;
        let (model, card) = app.model(self.model.as_deref().or(source.model()))?;
        let request = RenderRequest {
            strength: self.strength,
            seconds: self.seconds,
            ..self.options.request(card.name, self.task, self.prompt)?
        };
        let mut draft = draft(model, request)?;
        source.add(app, &mut draft).await?;
        Ok(draft)
    }
}

/// Paint a video again after another prompt
#[utoipa::path(post, path = "/v1/videos/{id}/remix", tag = "videos", params(("id" = String, Path)),
    request_body(content((RemixRequest = "application/json"), (RemixRequest = "multipart/form-data"))),
    responses((status = 200, body = VideoObject), Refusals))]
pub(super) async fn remix(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Video, ApiError> {
    let mut form = Form::read(request, app.settings.limits).await?;
    let options: Options = form.take()?;
    let asked: RemixRequest = form.rest()?;
    let change = Change {
        task: Task::Remix,
        prompt: asked.prompt,
        model: asked.model,
        strength: asked.strength,
        seconds: None,
        options,
    };
    let draft = change.draft(&app, &caller, (Some(&id), None)).await?;
    let job = app.accept(&caller, draft).await?;
    Ok(Video::new(&app, &job))
}

/// Paint a part of a video again, or a little of all of it
#[utoipa::path(post, path = "/v1/videos/edits", tag = "videos",
    request_body(content((EditRequest = "multipart/form-data"), (EditRequest = "application/json"))),
    responses((status = 200, body = VideoObject), Refusals))]
pub(super) async fn edit(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Video, ApiError> {
    let mut form = Form::read(request, app.settings.limits).await?;
    let options: Options = form.take()?;
    let (video, mask) = (form.file("video"), form.file("mask"));
    let asked: EditRequest = form.rest()?;
    let id = asked.video.as_ref().map(|video| video.id.as_str());
    let change = Change {
        task: Task::Edit,
        prompt: asked.prompt,
        model: asked.model,
        strength: asked.strength,
        seconds: None,
        options,
    };
    let mut draft = change.draft(&app, &caller, (id, video)).await?;
    let picture = Picture {
        name: "mask",
        role: Role::Mask,
    };
    picture
        .add(&app, &caller, &mut draft, mask, asked.mask)
        .await?;
    let job = app.accept(&caller, draft).await?;
    Ok(Video::new(&app, &job))
}

/// Let a video go on; the result is the whole
#[utoipa::path(post, path = "/v1/videos/extensions", tag = "videos",
    request_body(content((ExtendRequest = "multipart/form-data"), (ExtendRequest = "application/json"))),
    responses((status = 200, body = VideoObject), Refusals))]
pub(super) async fn extend(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Video, ApiError> {
    let mut form = Form::read(request, app.settings.limits).await?;
    let options: Options = form.take()?;
    let video = form.file("video");
    let asked: ExtendRequest = form.rest()?;
    let wrong = |message: String| ApiError::invalid(Some("seconds"), message);
    let seconds = asked
        .seconds
        .ok_or_else(|| wrong("say with seconds how much is added".into()))?;
    if !(seconds > 0.0 && seconds <= MAX_EXTENSION) {
        return Err(wrong(format!(
            "seconds is {seconds}; an extension has more than 0 and at most {MAX_EXTENSION}"
        )));
    }
    let id = asked.video.as_ref().map(|video| video.id.as_str());
    let change = Change {
        task: Task::Extend,
        prompt: asked.prompt,
        model: asked.model,
        strength: None,
        seconds: Some(seconds),
        options,
    };
    let draft = change.draft(&app, &caller, (id, video)).await?;
    let job = app.accept(&caller, draft).await?;
    Ok(Video::new(&app, &job))
}
