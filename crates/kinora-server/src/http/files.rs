//! Files that requests refer to: pictures, and the lines of batches.

use super::Refusals;
use super::content::send;
use super::videos::order;
use crate::app::{App, Caller, new_id};
use crate::store::FileRow;
use crate::wire::{
    ApiError, DeletedObject, FileList, FileObject, FileRequest, FilesQuery, Form, Upload,
};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::Arc;

/// Files on a page, if the client does not say.
const PAGE: u32 = 100;
/// Most files on a page.
const MAX_PAGE: u32 = 10_000;

/// Upload a file
#[utoipa::path(post, path = "/v1/files", tag = "files",
    request_body(content = FileRequest, content_type = "multipart/form-data"),
    responses((status = 200, body = FileObject), Refusals))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Json<FileObject>, ApiError> {
    let mut form = Form::read(request, app.settings.limits).await?;
    let upload = form.file("file");
    let asked: FileRequest = form.rest()?;
    let Some(upload) = upload else {
        let message = "send the file as the part \"file\"";
        return Err(ApiError::invalid(Some("file"), message));
    };
    let name = upload.name.clone().unwrap_or_default();
    let row = app
        .add_file(&caller, upload, (&name, &asked.purpose))
        .await?;
    Ok(Json(row.into()))
}

/// Files, a page at a time
#[utoipa::path(get, path = "/v1/files", tag = "files", params(FilesQuery),
    responses((status = 200, body = FileList), Refusals))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Result<Query<FilesQuery>, QueryRejection>,
) -> Result<Json<FileList>, ApiError> {
    let Query(query) = query.map_err(|e| ApiError::invalid(None, e.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE).min(MAX_PAGE);
    let page = (query.after.as_deref(), order(query.order.as_deref())?);
    let purpose = query.purpose.as_deref();
    let (files, more) = app
        .store
        .files(caller.owner(), purpose, page, limit)
        .await?;
    Ok(Json(FileList::new(files, more)))
}

/// What is known of a file
#[utoipa::path(get, path = "/v1/files/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = FileObject), Refusals))]
pub(super) async fn retrieve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<FileObject>, ApiError> {
    Ok(Json(app.file_row(&caller, &id).await?.into()))
}

/// A file's bytes
#[utoipa::path(get, path = "/v1/files/{id}/content", tag = "files", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "A range of it", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "It is what the client has"),
        (status = 416, description = "No such bytes", body = crate::wire::ErrorBody),
        Refusals))]
pub(super) async fn content(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = app.file_row(&caller, &id).await?;
    let kind = ("application/octet-stream", id.as_str());
    send(&app, &id, &row.asset, kind, &headers).await
}

/// Delete a file
#[utoipa::path(delete, path = "/v1/files/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = DeletedObject), Refusals))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DeletedObject>, ApiError> {
    if !app.store.remove_file(&id, caller.owner()).await? {
        return Err(ApiError::not_found("file", &id));
    }
    app.assets.remove(&id).await?;
    Ok(Json(DeletedObject {
        id,
        object: "file",
        deleted: true,
    }))
}

impl App {
    /// Keeps a file: its content first, then its row.
    pub(crate) async fn add_file(
        &self,
        caller: &Caller,
        upload: Upload,
        named: (&str, &str),
    ) -> Result<FileRow, ApiError> {
        let id = new_id("file")?;
        let asset = self.assets.keep(&id, upload.file.path()).await?;
        let row = self
            .store
            .add_file(&id, caller.owner(), named, &asset)
            .await;
        if row.is_err()
            && let Err(error) = self.assets.remove(&id).await
        {
            tracing::warn!(%error, file = id, "the content of a refused file is left");
        }
        Ok(row?)
    }

    pub(crate) async fn file_row(&self, caller: &Caller, id: &str) -> Result<FileRow, ApiError> {
        let row = self.store.file(id, caller.owner()).await?;
        row.ok_or_else(|| ApiError::not_found("file", id))
    }

    /// The content of a file that a request refers to.
    pub(crate) async fn file(&self, caller: &Caller, id: &str) -> Result<Upload, ApiError> {
        let row = self.file_row(caller, id).await?;
        let upload = Upload::new(Some(&row.name))?;
        self.assets
            .fetch(id, &row.asset, upload.file.path())
            .await?;
        Ok(upload)
    }
}
