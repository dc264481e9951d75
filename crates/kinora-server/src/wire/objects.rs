//! Objects that are sent.

use crate::render::{ModelCard, Stage};
use crate::store::{Batch, CharacterRow, Counts, Failure, FileRow, Job, Mapped, Status};
use serde::Serialize;
use utoipa::ToSchema;

/// A video. Every key is always there.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct VideoObject {
    /// Its id.
    #[schema(example = "video_019ac1b2c3d44f1e2d3c4b5a69788796")]
    pub id: String,
    /// Always `video`.
    pub object: &'static str,
    /// The model in the words of the request.
    pub model: String,
    /// Where it stands.
    pub status: Status,
    /// Percent of the work that is done.
    #[schema(minimum = 0, maximum = 100)]
    pub progress: i64,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When it ended, either way.
    #[schema(required)]
    pub completed_at: Option<i64>,
    /// When its files will be gone; null: not before it is deleted.
    #[schema(required)]
    pub expires_at: Option<i64>,
    /// What it shows.
    #[schema(required)]
    pub prompt: Option<String>,
    /// Width and height in pixels.
    #[schema(example = "192x128")]
    pub size: String,
    /// Its length.
    #[schema(example = "4")]
    pub seconds: String,
    /// The video that it was made from, if that is one of this server.
    #[schema(required)]
    pub remixed_from_video_id: Option<String>,
    /// Why there is no result.
    #[schema(required)]
    pub error: Option<Failure>,
    /// The model that paints it.
    pub rendered_by: String,
    /// Decides all that the prompt leaves open: the same again gives the same bytes.
    pub seed: u64,
    /// What was changed of the request, with the operator's leave.
    #[schema(required)]
    pub mapped: Option<Mapped>,
}

impl VideoObject {
    /// A job as clients see it.
    pub fn new(job: &Job) -> Self {
        let request = &job.asked.spec.request;
        Self {
            id: job.id.clone(),
            object: "video",
            model: job.asked.model.clone(),
            status: job.status,
            progress: job.percent(),
            created_at: job.created_at / 1000,
            completed_at: job.completed_at.map(|time| time / 1000),
            expires_at: job.expires_at.map(|time| time / 1000),
            prompt: Some(request.prompt.clone()),
            size: job.asked.spec.size.to_string(),
            seconds: seconds(job.asked.spec.seconds()),
            remixed_from_video_id: job.asked.source.clone(),
            error: job.failure.clone(),
            rendered_by: request.model.clone(),
            seed: request.seed,
            mapped: job.asked.mapped.clone(),
        }
    }
}

/// Seconds as clients write them: `4`, `2.083`.
fn seconds(seconds: f64) -> String {
    ((seconds * 1000.0).round() / 1000.0).to_string()
}

/// A page of videos.
#[derive(Debug, Serialize, ToSchema)]
pub struct VideoList {
    /// Always `list`.
    pub object: &'static str,
    /// The videos.
    pub data: Vec<VideoObject>,
    /// The first one's id.
    #[schema(required)]
    pub first_id: Option<String>,
    /// The last one's id: the next page's `after`.
    #[schema(required)]
    pub last_id: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl VideoList {
    /// A page of jobs.
    pub fn new(jobs: &[Job], has_more: bool) -> Self {
        let id = |job: Option<&Job>| job.map(|job| job.id.clone());
        Self {
            object: "list",
            first_id: id(jobs.first()),
            last_id: id(jobs.last()),
            data: jobs.iter().map(VideoObject::new).collect(),
            has_more,
        }
    }
}

/// Something that is gone now.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedObject {
    /// Its id.
    pub id: String,
    /// What it was, as `video.deleted`.
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
}

/// A character.
#[derive(Debug, Serialize, ToSchema)]
pub struct CharacterObject {
    /// Its id.
    pub id: String,
    /// What prompts call it.
    pub name: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// What models are told in its place.
    pub description: String,
}

impl From<CharacterRow> for CharacterObject {
    fn from(row: CharacterRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: row.created_at / 1000,
            description: row.description,
        }
    }
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileObject {
    /// Its id.
    pub id: String,
    /// Always `file`.
    pub object: &'static str,
    /// How many bytes it has.
    pub bytes: u64,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When it will be gone; null: not before it is deleted.
    #[schema(required)]
    pub expires_at: Option<i64>,
    /// The name that the client gave it.
    pub filename: String,
    /// What it is for.
    pub purpose: String,
    /// Always `processed`.
    pub status: &'static str,
}

impl From<FileRow> for FileObject {
    fn from(row: FileRow) -> Self {
        Self {
            id: row.id,
            object: "file",
            bytes: row.asset.bytes,
            created_at: row.created_at / 1000,
            expires_at: None,
            filename: row.name,
            purpose: row.purpose,
            status: "processed",
        }
    }
}

/// A page of files.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileList {
    /// Always `list`.
    pub object: &'static str,
    /// The files.
    pub data: Vec<FileObject>,
    /// The first one's id.
    #[schema(required)]
    pub first_id: Option<String>,
    /// The last one's id: the next page's `after`.
    #[schema(required)]
    pub last_id: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl FileList {
    /// A page of files.
    pub fn new(files: Vec<FileRow>, has_more: bool) -> Self {
        let id = |row: Option<&FileRow>| row.map(|row| row.id.clone());
        Self {
            object: "list",
            first_id: id(files.first()),
            last_id: id(files.last()),
            data: files.into_iter().map(FileObject::from).collect(),
            has_more,
        }
    }
}

/// Many requests in one file.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchObject {
    /// Its id.
    pub id: String,
    /// Always `batch`.
    pub object: &'static str,
    /// Always `/v1/videos`.
    pub endpoint: &'static str,
    /// `in_progress`, `completed` or `cancelled`.
    pub status: String,
    /// The file of its lines.
    pub input_file_id: String,
    /// The file of its answers, once it is completed.
    #[schema(required)]
    pub output_file_id: Option<String>,
    /// The file of its refusals, once it is completed and if there are any.
    #[schema(required)]
    pub error_file_id: Option<String>,
    /// Always `24h`; it goes on after that, too.
    pub completion_window: &'static str,
    /// Seconds since 1970.
    pub created_at: i64,
    /// The same: it is begun at once.
    pub in_progress_at: i64,
    /// When it was completed.
    #[schema(required)]
    pub completed_at: Option<i64>,
    /// When it was cancelled.
    #[schema(required)]
    pub cancelled_at: Option<i64>,
    /// How many requests stand where.
    pub request_counts: RequestCounts,
    /// What the client wants to remember with it.
    #[schema(required)]
    pub metadata: Option<serde_json::Value>,
}

/// How many requests of a batch stand where.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestCounts {
    /// All.
    pub total: i64,
    /// Completed.
    pub completed: i64,
    /// Refused, failed, cancelled, or deleted since.
    pub failed: i64,
}

impl BatchObject {
    /// A batch as clients see it.
    pub fn new(batch: &Batch, counts: Counts) -> Self {
        let ended = |status: &str| {
            let ended = batch.ended_at.filter(|_| batch.status == status);
            ended.map(|time| time / 1000)
        };
        let completed = batch.status == "completed";
        Self {
            id: batch.id.clone(),
            object: "batch",
            endpoint: "/v1/videos",
            status: batch.status.clone(),
            input_file_id: batch.input_file.clone(),
            output_file_id: completed.then(|| batch.output_file.clone()),
            error_file_id: (completed && counts.failed() > 0).then(|| batch.error_file.clone()),
            completion_window: "24h",
            created_at: batch.created_at / 1000,
            in_progress_at: batch.created_at / 1000,
            completed_at: ended("completed"),
            cancelled_at: ended("cancelled"),
            request_counts: RequestCounts {
                total: counts.total,
                completed: counts.completed,
                failed: counts.failed(),
            },
            metadata: batch.metadata.clone(),
        }
    }
}

/// A page of batches.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchList {
    /// Always `list`.
    pub object: &'static str,
    /// The batches.
    pub data: Vec<BatchObject>,
    /// The first one's id.
    #[schema(required)]
    pub first_id: Option<String>,
    /// The last one's id: the next page's `after`.
    #[schema(required)]
    pub last_id: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl BatchList {
    /// A page of batches.
    pub fn new(data: Vec<BatchObject>, has_more: bool) -> Self {
        let id = |batch: Option<&BatchObject>| batch.map(|batch| batch.id.clone());
        Self {
            object: "list",
            first_id: id(data.first()),
            last_id: id(data.last()),
            data,
            has_more,
        }
    }
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelObject {
    /// Its name.
    pub id: String,
    /// Always `model`.
    pub object: &'static str,
    /// Always 0: models have no date here.
    pub created: i64,
    /// Whose it is.
    pub owned_by: String,
    /// The model that an alias stands for, or its own name.
    pub rendered_by: String,
    /// The size that it was made for.
    pub size: String,
    /// What widths and heights are multiples of.
    pub multiple: u32,
}

impl ModelObject {
    /// A model under a name.
    pub fn new(name: &str, card: &ModelCard) -> Self {
        Self {
            id: name.to_owned(),
            object: "model",
            created: 0,
            owned_by: card.owned_by.clone(),
            rendered_by: card.name.clone(),
            size: card.size.to_string(),
            multiple: card.multiple,
        }
    }
}

/// All models.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// Always `list`.
    pub object: &'static str,
    /// The models.
    pub data: Vec<ModelObject>,
}

/// What an event stream tells of a video.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// The video.
    pub video: VideoObject,
    /// How many wait before it; null once it is begun.
    #[schema(required)]
    pub queue_place: Option<i64>,
    /// What is being done.
    #[schema(required)]
    pub stage: Option<Stage>,
    /// Steps or frames that are done.
    #[schema(required)]
    pub done: Option<u32>,
    /// Of so many.
    #[schema(required)]
    pub of: Option<u32>,
    /// Seconds that the rest of this stage will take, if it goes on like this.
    #[schema(required)]
    pub seconds_left: Option<f64>,
    /// What a frame of the video is becoming, a small JPEG picture as a `data:` URL, if there is one that was not told yet.
    #[schema(required)]
    pub preview: Option<String>,
}
