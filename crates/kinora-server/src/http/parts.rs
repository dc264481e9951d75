//! What requests for videos have in common: drafts, files, the answer.

use crate::app::{App, Caller, Draft, random_seed};
use crate::fetch;
use crate::pictures::{PictureError, normalised};
use crate::render::{Inputs, RenderRequest, Role, Task};
use crate::store::{Job, Status};
use crate::wire::{ApiError, Options, Reference, Upload, VideoObject};
use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// The answer that is a video, with the time after which to look again.
pub(super) struct Video {
    object: VideoObject,
    poll_after: HeaderValue,
}

/// A picture of a request.
#[derive(Clone, Copy)]
pub(super) struct Picture {
    /// The parameter.
    pub name: &'static str,
    /// What it is used as.
    pub role: Role,
}

impl Video {
    pub fn new(app: &App, job: &Job) -> Self {
        let milliseconds = app.settings.poll_after.as_millis();
        Self {
            object: VideoObject::new(job),
            poll_after: HeaderValue::from(u64::try_from(milliseconds).unwrap_or(1000)),
        }
    }
}

impl IntoResponse for Video {
    fn into_response(self) -> Response {
        let header = HeaderName::from_static("openai-poll-after-ms");
        ([(header, self.poll_after)], Json(self.object)).into_response()
    }
}

impl Options {
    /// A request that leaves all but this to the model.
    pub(super) fn request(
        self,
        model: String,
        task: Task,
        prompt: String,
    ) -> Result<RenderRequest, ApiError> {
        Ok(RenderRequest {
            model,
            task,
            prompt,
            shot: self.film(),
            negative_prompt: self.negative_prompt,
            size: None,
            seconds: None,
            fps: None,
            seed: self.seed.map_or_else(random_seed, Ok)?,
            steps: self.steps,
            guidance: self.guidance,
            strength: None,
            characters: Vec::new(),
        })
    }
}

/// A draft without files.
pub(super) fn draft(model: String, request: RenderRequest) -> Result<Draft, ApiError> {
    let folder = tempfile::tempdir().map_err(|error| {
        tracing::error!(%error, "no folder for a request's files");
        ApiError::unavailable("the server has no room for the request's files")
    })?;
    Ok(Draft {
        model,
        request,
        files: Inputs::new(),
        source: None,
        id: None,
        folder,
    })
}

impl Picture {
    /// Reads a picture that was sent or referred to, if one was, and adds it to the draft.
    pub async fn add(
        self,
        app: &App,
        caller: &Caller,
        draft: &mut Draft,
        upload: Option<Upload>,
        reference: Option<Reference>,
    ) -> Result<(), ApiError> {
        let wrong = |message: &str| ApiError::invalid(Some(self.name), message);
        let upload = match (upload, reference) {
            (None, None) => return Ok(()),
            (Some(upload), None) => upload,
            (Some(_), Some(_)) => return Err(wrong("give a file or a reference, not both")),
            (None, Some(reference)) => match (reference.image_url, reference.file_id) {
                (Some(url), None) => fetch::picture(app, self.name, &url).await?,
                (None, Some(id)) => app.file(caller, &id).await?,
                _ => return Err(wrong("give either image_url or file_id")),
            },
        };
        let path = draft.folder.path().join(format!("{:?}.png", self.role));
        let to = path.clone();
        let read = spawn_blocking(move || {
            let mut out = BufWriter::new(File::create(to)?);
            normalised(upload.file.reopen()?, &mut out)?;
            out.flush()?;
            Ok::<_, PictureError>(())
        });
        match read.await {
            Ok(Ok(())) => {}
            Ok(Err(PictureError::Io(error))) => {
                tracing::error!(%error, "a picture can't be kept");
                return Err(ApiError::unavailable(
                    "the server has no room for the picture",
                ));
            }
            Ok(Err(error)) => return Err(wrong(&error.to_string())),
            Err(error) => return Err(ApiError::internal(error.to_string())),
        }
        draft.files.insert(self.role, path);
        Ok(())
    }
}

/// The video that a request is about: one of this server, or a file that was sent.
pub(super) enum Source {
    Here(Box<Job>),
    Sent(Upload),
}

impl Source {
    /// The one that a request names.
    pub async fn find(
        app: &App,
        caller: &Caller,
        id: Option<&str>,
        upload: Option<Upload>,
    ) -> Result<Self, ApiError> {
        let wrong = |message: &str| Err(ApiError::invalid(Some("video"), message));
        let id = match (id, upload) {
            (Some(id), None) => id,
            (None, Some(upload)) => return Ok(Self::Sent(upload)),
            (None, None) => return wrong("give the video, as {\"id\": ...} or as a file"),
            (Some(_), Some(_)) => return wrong("give the video as an id or as a file, not both"),
        };
        let job = app.store.video(id, caller.owner()).await?;
        let job = job.ok_or_else(|| ApiError::not_found("video", id))?;
        if job.status != Status::Completed {
            let message =
                format!("the video {id} is not completed, so nothing can be made from it");
            return Err(ApiError::invalid(Some("video"), message).with_code("video_not_ready"));
        }
        Ok(Self::Here(Box::new(job)))
    }

    /// The model that made it, if one of this server did.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Here(job) => Some(&job.asked.model),
            Self::Sent(_) => None,
        }
    }

    /// Adds it to the draft.
    pub async fn add(self, app: &App, draft: &mut Draft) -> Result<(), ApiError> {
        let path = draft.folder.path().join("source");
        match self {
            Self::Here(job) => {
                let Some(outcome) = &job.outcome else {
                    return Err(ApiError::internal(format!("{} has no files", job.id)));
                };
                app.assets.fetch(&job.id, &outcome.video, &path).await?;
                draft.source = Some(*job);
            }
            Self::Sent(upload) => keep(upload, &path)?,
        }
        draft.files.insert(Role::Source, path);
        Ok(())
    }
}

/// Brings an upload to a path in the same file system.
pub(super) fn keep(upload: Upload, path: &Path) -> Result<(), ApiError> {
    let moved = upload
        .file
        .persist(path)
        .map(drop)
        .or_else(|error| fs::copy(error.file.path(), PathBuf::from(path)).map(drop));
    moved.map_err(|error| {
        tracing::error!(%error, "an upload can't be kept");
        ApiError::unavailable("the server has no room for the upload; try again later")
    })
}
