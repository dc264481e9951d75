//! Models, under their own names and the operator's aliases.

use super::Refusals;
use crate::app::{App, Caller};
use crate::wire::{ApiError, ModelList, ModelObject};
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;

/// All models
#[utoipa::path(get, path = "/v1/models", tag = "models", responses((status = 200, body = ModelList), Refusals))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _caller: Caller,
) -> Result<Json<ModelList>, ApiError> {
    let names = app.model_names(&app.renderer.models());
    let object = |name: String| {
        let (name, card) = app.model(Some(&name))?;
        Ok(ModelObject::new(&name, &card))
    };
    let data = names
        .into_iter()
        .map(object)
        .collect::<Result<_, ApiError>>()?;
    Ok(Json(ModelList {
        object: "list",
        data,
    }))
}

/// A model
#[utoipa::path(get, path = "/v1/models/{id}", tag = "models", params(("id" = String, Path)),
    responses((status = 200, body = ModelObject), Refusals))]
pub(super) async fn retrieve(
    State(app): State<Arc<App>>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ModelObject>, ApiError> {
    let found = app.model(Some(&id));
    let (name, card) = found.map_err(|_| ApiError::not_found("model", &id))?;
    Ok(Json(ModelObject::new(&name, &card)))
}
