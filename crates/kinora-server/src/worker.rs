//! A worker: takes the next job, renders it, and gives signs of life until the result is recorded.

use crate::assets::{AssetError, Assets};
use crate::metrics::Metrics;
use crate::pictures;
use crate::render::{Inputs, Progress, RenderError, Rendered, Renderer, Stage};
use crate::store::{Asset, Beat, Failure, Job, Lease, Outcome, Store, StoreError};
use kinora_media::{MediaError, write_mp4};
use std::any::Any;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

/// How often a worker gives a sign of life, and learns whether to go on.
const BEAT: Duration = Duration::from_millis(300);
/// How often a worker without work looks for some that another server accepted.
const LOOK: Duration = Duration::from_secs(1);
/// How long a worker without a database waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a result is held for a database or store that is away.
const HOLD: Duration = Duration::from_secs(600);

/// What works at jobs.
#[derive(Clone)]
pub struct Worker {
    /// The record.
    pub store: Store,
    /// The files.
    pub assets: Assets,
    /// What makes clips.
    pub renderer: Arc<dyn Renderer>,
    /// Its name in the record, of no other worker.
    pub name: String,
    /// The models that it works with.
    pub models: Vec<String>,
    /// How long results are kept; `None` is until they are deleted.
    pub keep: Option<Duration>,
    /// How long a job may go on once the worker is to stop.
    pub grace: Duration,
    /// Told when this server accepts a job.
    pub wake: Arc<Notify>,
    /// Tells when a job ended.
    pub ended: Arc<Notify>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// What became of a job.
#[derive(Debug)]
enum End {
    Done(Rendered),
    /// Another has it, or nobody wants it any more.
    Lost,
    /// The worker is to stop.
    Stopped,
    Failed(Failure),
}

/// The files of a clip, on this machine.
struct Files {
    folder: TempDir,
}

#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Assets(#[from] AssetError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("pictures of the clip can't be written: {0}")]
    Picture(#[from] image::ImageError),
    #[error("the machine has no room for the work's files: {0}")]
    Io(#[from] io::Error),
}

impl Worker {
    /// Works until `stop` is true, then ends or hands back the job at hand.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut away = false;
        while !*stop.borrow() {
            match self.store.claim(&self.name, &self.models).await {
                Ok(Some((job, lease))) => self.work(&job, &lease, stop.clone()).await,
                Ok(None) => {
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = sleep(LOOK) => {}
                        _ = stop.changed() => {}
                    }
                }
                Err(error) => {
                    if !away {
                        tracing::error!(%error, "no job can be taken; trying again each second");
                    }
                    away = true;
                    sleep(PAUSE).await;
                    continue;
                }
            }
            away = false;
        }
    }

    /// Works at one job to its end.
    async fn work(&self, job: &Job, lease: &Lease, stop: watch::Receiver<bool>) {
        let began = Instant::now();
        tracing::info!(video = job.id, attempt = lease.attempt, "begun");
        let end = match self.render(job, lease, stop).await {
            Ok(end) => end,
            Err(error) => End::Failed(failure("server_error", error.to_string())),
        };
        let end = match end {
            End::Done(rendered) => self.deliver(lease, rendered).await,
            other => other,
        };
        let seconds = began.elapsed().as_secs_f64();
        match end {
            End::Done(_) => {
                self.metrics.job("completed");
                tracing::info!(video = job.id, seconds, "completed");
            }
            End::Lost => {
                self.metrics.job("stopped");
                tracing::info!(
                    video = job.id,
                    seconds,
                    "stopped: cancelled, deleted or another's"
                );
            }
            End::Stopped => {
                tracing::info!(video = job.id, seconds, "handed back");
                if let Err(error) = self.store.hand_back(lease).await {
                    tracing::error!(%error, "the job can't be handed back; it waits for its lease to end");
                }
            }
            End::Failed(failure) => {
                self.metrics.job("failed");
                tracing::error!(
                    video = job.id,
                    code = failure.code,
                    message = failure.message,
                    "failed"
                );
                let fail = || self.store.fail(lease, &failure);
                if let Err(error) = patiently(fail).await {
                    tracing::error!(%error, "the failure can't be recorded; the job waits for its lease to end");
                }
            }
        }
        self.ended.notify_one();
    }

    /// Renders on a thread of its own, and gives signs of life beside it.
    async fn render(
        &self,
        job: &Job,
        lease: &Lease,
        mut stop: watch::Receiver<bool>,
    ) -> Result<End, WorkError> {
        let folder = tempfile::tempdir()?;
        let mut inputs = Inputs::new();
        for (role, asset) in &job.asked.inputs {
            let path = folder.path().join(&asset.sha256);
            self.assets.fetch(&job.id, asset, &path).await?;
            inputs.insert(*role, path);
        }
        let cancel = Arc::new(AtomicBool::new(false));
        let (progress, mut seen) = watch::channel(None);
        let mut thread = self.start(job, inputs, Arc::clone(&cancel), progress);
        let mut beats = interval(BEAT);
        let (mut lost, mut stopped) = (false, false);
        let mut give_back_at = None;
        let rendered = loop {
            tokio::select! {
                rendered = &mut thread => break rendered,
                _ = beats.tick() => {
                    let progress = *seen.borrow_and_update();
                    match self.store.beat(lease, progress).await {
                        Ok(Beat::Go) => {}
                        Ok(Beat::Lost) => {
                            lost = true;
                            cancel.store(true, Ordering::Relaxed);
                        }
                        // The lease may end; the result counts if nobody takes the job until then.
                        Err(error) => tracing::warn!(%error, "no sign of life"),
                    }
                    if give_back_at.is_some_and(|at| Instant::now() >= at) {
                        stopped = true;
                        cancel.store(true, Ordering::Relaxed);
                    }
                }
                _ = stop.changed(), if give_back_at.is_none() => {
                    give_back_at = Some(Instant::now() + self.grace);
                }
            }
        };
        Ok(match rendered {
            _ if lost => End::Lost,
            Ok(Ok(rendered)) => End::Done(rendered),
            Ok(Err(RenderError::Cancelled)) if stopped => End::Stopped,
            Ok(Err(RenderError::Cancelled)) => End::Failed(Failure::cancelled()),
            Ok(Err(RenderError::Refused { message, .. })) => {
                End::Failed(failure("invalid_request", message))
            }
            Ok(Err(RenderError::Failed(message))) => End::Failed(failure("server_error", message)),
            Err(error) => End::Failed(failure("server_error", format!("the work ended: {error}"))),
        })
    }

    /// The thread that renders. A panic there is the job's failure and nothing more.
    fn start(
        &self,
        job: &Job,
        inputs: Inputs,
        cancel: Arc<AtomicBool>,
        progress: watch::Sender<Option<Progress>>,
    ) -> JoinHandle<Result<Rendered, RenderError>> {
        let (renderer, metrics) = (Arc::clone(&self.renderer), Arc::clone(&self.metrics));
        let spec = job.asked.spec.clone();
        tokio::task::spawn_blocking(move || {
            let mut clock = metrics.stages();
            let mut on_progress = |now: Progress| {
                clock.at(now);
                progress.send_replace(Some(now));
            };
            let work = || renderer.render(&spec, &inputs, &cancel, &mut on_progress);
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
                let said = said(panic.as_ref());
                Err(RenderError::Failed(format!(
                    "the model's program broke off: {said}"
                )))
            })
        })
    }

    /// Writes the result's files, then records them: files without a row can be found, rows without files must not be.
    async fn deliver(&self, lease: &Lease, rendered: Rendered) -> End {
        let began = Instant::now();
        let progress = Progress {
            stage: Stage::Encoding,
            done: 0,
            of: 1,
        };
        let encode = tokio::task::spawn_blocking(move || {
            Files::write(&rendered).map(|files| (files, rendered))
        });
        let keeping = async {
            let (files, rendered) = encode.await.map_err(io::Error::other)??;
            let outcome = self.keep_files(lease, &files).await?;
            let complete = || self.store.complete(lease, &outcome, self.keep);
            let held = patiently(complete).await?;
            Ok::<_, WorkError>(if held { End::Done(rendered) } else { End::Lost })
        };
        tokio::pin!(keeping);
        let mut beats = interval(BEAT);
        loop {
            tokio::select! {
                end = &mut keeping => {
                    self.metrics.stage(Stage::Encoding, began.elapsed());
                    return end.unwrap_or_else(|error| {
                        End::Failed(failure("server_error", format!("the result can't be kept: {error}")))
                    });
                }
                _ = beats.tick() => {
                    if let Err(error) = self.store.beat(lease, Some(progress)).await {
                        tracing::warn!(%error, "no sign of life");
                    }
                }
            }
        }
    }

    async fn keep_files(&self, lease: &Lease, files: &Files) -> Result<Outcome, WorkError> {
        let keep = async |path: PathBuf| -> Result<Asset, AssetError> {
            patiently(|| self.assets.keep(&lease.id, &path)).await
        };
        Ok(Outcome {
            video: keep(files.video()).await?,
            thumbnail: keep(files.thumbnail()).await?,
            spritesheet: keep(files.spritesheet()).await?,
        })
    }
}

impl Files {
    fn write(rendered: &Rendered) -> Result<Self, WorkError> {
        let files = Self {
            folder: tempfile::tempdir()?,
        };
        let create = |path: &Path| File::create(path).map(BufWriter::new);
        let mut out = create(&files.video())?;
        write_mp4(&rendered.clip, &rendered.recipe, &mut out)?;
        out.flush()?;
        let mut out = create(&files.thumbnail())?;
        pictures::thumbnail(&rendered.clip, &mut out)?;
        out.flush()?;
        let mut out = create(&files.spritesheet())?;
        pictures::spritesheet(&rendered.clip, &mut out)?;
        out.flush()?;
        Ok(files)
    }

    fn video(&self) -> PathBuf {
        self.folder.path().join("video.mp4")
    }

    fn thumbnail(&self) -> PathBuf {
        self.folder.path().join("thumbnail.webp")
    }

    fn spritesheet(&self) -> PathBuf {
        self.folder.path().join("spritesheet.jpg")
    }
}

/// Does something that may fail for a while, again and again until it does or [`HOLD`] is over.
async fn patiently<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
    mut act: impl FnMut() -> F,
) -> Result<T, E> {
    let began = Instant::now();
    loop {
        match act().await {
            Err(error) if began.elapsed() < HOLD => {
                tracing::warn!(%error, "trying again in a second");
                sleep(PAUSE).await;
            }
            end => return end,
        }
    }
}

fn failure(code: &str, message: String) -> Failure {
    Failure {
        code: code.to_owned(),
        message,
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("it said nothing")
}
