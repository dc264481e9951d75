//! Characters: known from a video, named in prompts.

use super::Refusals;
use super::parts::keep;
use crate::app::{App, Caller, new_id};
use crate::wire::{ApiError, CharacterObject, CharacterRequest, Form};
use axum::Json;
use axum::extract::{Path, Request, State};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Longest name, in characters.
const MAX_NAME: usize = 80;

/// Make a character from a video of it
#[utoipa::path(post, path = "/v1/videos/characters", tag = "characters",
    request_body(content = CharacterRequest, content_type = "multipart/form-data"),
    responses((status = 200, body = CharacterObject), Refusals))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Json<CharacterObject>, ApiError> {
    let mut form = Form::read(request, app.settings.limits).await?;
    let video = form.file("video");
    let asked: CharacterRequest = form.rest()?;
    let name = asked.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        let message = format!("a name has 1 to {MAX_NAME} characters");
        return Err(ApiError::invalid(Some("name"), message));
    }
    let Some(video) = video else {
        let message = "send a video of the character as the file \"video\"";
        return Err(ApiError::invalid(Some("video"), message));
    };
    let folder = tempfile::tempdir().map_err(|e| ApiError::unavailable(e.to_string()))?;
    let path = folder.path().join("video");
    keep(video, &path)?;
    let (renderer, called) = (Arc::clone(&app.renderer), name.clone());
    let described = spawn_blocking(move || renderer.describe(&called, &path)).await;
    let seen = described.map_err(|e| ApiError::internal(e.to_string()))??;
    let description = asked.description.filter(|words| !words.trim().is_empty());
    let description = description.unwrap_or(seen);
    let id = new_id("char")?;
    let row = app
        .store
        .add_character(&id, caller.owner(), &name, description.trim())
        .await?;
    Ok(Json(row.into()))
}

/// A character
#[utoipa::path(get, path = "/v1/videos/characters/{id}", tag = "characters", params(("id" = String, Path)),
    responses((status = 200, body = CharacterObject), Refusals))]
pub(super) async fn retrieve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CharacterObject>, ApiError> {
    let row = app.store.character(&id, caller.owner()).await?;
    let row = row.ok_or_else(|| ApiError::not_found("character", &id))?;
    Ok(Json(row.into()))
}
