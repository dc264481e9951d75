//! Videos: asked for, looked at, listed, cancelled, deleted.

use super::Refusals;
use super::parts::{Picture, Video, draft};
use crate::app::{App, Caller, size};
use crate::render::{Character, RenderRequest, Role, Task};
use crate::store::{Job, Order};
use crate::wire::{
    ApiError, CreateRequest, DeletedObject, Form, ListQuery, Options, VideoList, VideoObject,
};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use kinora_media::Fps;
use std::sync::Arc;

/// Most characters of a video.
const MAX_CHARACTERS: usize = 2;
/// Videos on a page, if the client does not say.
const PAGE: u32 = 20;
/// Most videos on a page.
const MAX_PAGE: u32 = 100;

/// Ask for a video
#[utoipa::path(post, path = "/v1/videos", tag = "videos",
    request_body(content((CreateRequest = "multipart/form-data"), (CreateRequest = "application/json"))),
    responses((status = 200, body = VideoObject), Refusals))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Video, ApiError> {
    let form = Form::read(request, app.settings.limits).await?;
    let job = app.create(&caller, form, None).await?;
    Ok(Video::new(&app, &job))
}

impl App {
    /// Accepts what a form asks for, under an id that was set aside for it or a new one.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        mut form: Form,
        id: Option<String>,
    ) -> Result<Job, ApiError> {
        let options: Options = form.take()?;
        let (first, last) = (form.file("input_reference"), form.file("last_frame"));
        let asked: CreateRequest = form.rest()?;
        let (model, card) = self.model(asked.model.as_deref())?;
        let characters = characters(self, caller, &asked).await?;
        let fps = asked.fps.as_deref().map(str::parse::<Fps>).transpose();
        let request = RenderRequest {
            size: size(asked.size.as_deref())?,
            seconds: asked.seconds,
            fps: fps.map_err(|error| ApiError::invalid(Some("fps"), error.to_string()))?,
            characters,
            ..options.request(card.name, Task::Create, asked.prompt)?
        };
        let mut draft = draft(model, request)?;
        let pictures = [
            ("input_reference", Role::First, first, asked.input_reference),
            ("last_frame", Role::Last, last, asked.last_frame),
        ];
        for (name, role, upload, reference) in pictures {
            let picture = Picture { name, role };
            picture
                .add(self, caller, &mut draft, upload, reference)
                .await?;
        }
        draft.id = id;
        self.accept(caller, draft).await
    }
}

async fn characters(
    app: &App,
    caller: &Caller,
    asked: &CreateRequest,
) -> Result<Vec<Character>, ApiError> {
    let wrong = |message: String| ApiError::invalid(Some("characters"), message);
    if asked.characters.len() > MAX_CHARACTERS {
        return Err(wrong(format!(
            "there are {} characters; {MAX_CHARACTERS} are the most",
            asked.characters.len()
        )));
    }
    let mut found = Vec::new();
    for character in &asked.characters {
        let row = app.store.character(&character.id, caller.owner()).await?;
        let row = row.ok_or_else(|| ApiError::not_found("character", &character.id))?;
        let named = asked.prompt.to_lowercase();
        if !named.contains(&row.name.to_lowercase()) {
            return Err(wrong(format!(
                "the prompt does not say what {} does; write the name in it",
                row.name
            )));
        }
        found.push(Character {
            name: row.name,
            description: row.description,
        });
    }
    Ok(found)
}

/// Videos, a page at a time
#[utoipa::path(get, path = "/v1/videos", tag = "videos", params(ListQuery),
    responses((status = 200, body = VideoList), Refusals))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<VideoList>, ApiError> {
    let Query(query) = query.map_err(|e| ApiError::invalid(None, e.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE);
    if limit > MAX_PAGE {
        let message = format!("the limit is {limit}; it can be 0 to {MAX_PAGE}");
        return Err(ApiError::invalid(Some("limit"), message));
    }
    let order = order(query.order.as_deref())?;
    if query.after.as_ref().is_some_and(|id| !is_id(id)) {
        let message = "after is no id of a video; give the last_id of the page before";
        return Err(ApiError::invalid(Some("after"), message));
    }
    let after = query.after.as_deref();
    let (jobs, more) = app.store.list(caller.owner(), after, order, limit).await?;
    Ok(Json(VideoList::new(&jobs, more)))
}

/// The order of a list.
pub(super) fn order(word: Option<&str>) -> Result<Order, ApiError> {
    match word {
        None | Some("desc") => Ok(Order::Descending),
        Some("asc") => Ok(Order::Ascending),
        Some(_) => {
            let message = "the order can be asc or desc";
            Err(ApiError::invalid(Some("order"), message))
        }
    }
}

/// Ids sort by time, so a page may begin behind one that is deleted by now.
fn is_id(id: &str) -> bool {
    id.strip_prefix("video_").is_some_and(|digits| {
        digits.len() == 32
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A video as it stands
#[utoipa::path(get, path = "/v1/videos/{id}", tag = "videos", params(("id" = String, Path)),
    responses((status = 200, body = VideoObject), Refusals))]
pub(super) async fn retrieve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Video, ApiError> {
    let job = app.store.video(&id, caller.owner()).await?;
    let job = job.ok_or_else(|| ApiError::not_found("video", &id))?;
    Ok(Video::new(&app, &job))
}

/// Delete a video and its files; work at it stops
#[utoipa::path(delete, path = "/v1/videos/{id}", tag = "videos", params(("id" = String, Path)),
    responses((status = 200, body = DeletedObject), Refusals))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DeletedObject>, ApiError> {
    if !app.store.remove(&id, caller.owner()).await? {
        return Err(ApiError::not_found("video", &id));
    }
    // The row is gone, so the files can't be had any more; what is left of them now, `kinora doctor` finds.
    app.assets.remove(&id).await?;
    tracing::info!(video = id, "deleted");
    Ok(Json(DeletedObject {
        id,
        object: "video.deleted",
        deleted: true,
    }))
}

/// End a job; work at it stops within a step
#[utoipa::path(post, path = "/v1/videos/{id}/cancel", tag = "videos", params(("id" = String, Path)),
    responses((status = 200, body = VideoObject), Refusals))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Video, ApiError> {
    let job = app.store.cancel(&id, caller.owner()).await?;
    let job = job.ok_or_else(|| ApiError::not_found("video", &id))?;
    Ok(Video::new(&app, &job))
}
