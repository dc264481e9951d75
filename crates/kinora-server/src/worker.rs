//! A worker: takes the next job, renders it, and gives signs of life until the result is recorded.

use crate::assets::{AssetError, Assets};
use crate::metrics::Metrics;
use crate::pictures;
use crate::priority::step_back;
use crate::render::{Inputs, News, Progress, RenderError, Rendered, Renderer, Stage};
use crate::store::{Asset, Beat, Failure, Job, Lease, Outcome, Store, StoreError};
use kinora_media::{MediaError, write_mp4};
use std::any::Any;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

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
    /// The least priority of its jobs; `None` is any.
    pub min_priority: Option<i64>,
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

/// What is seen of a job while it is worked at.
#[derive(Clone, Default)]
struct Seen {
    progress: Option<Progress>,
    /// A picture of what it is becoming, as a `data:` URL.
    preview: Option<Arc<str>>,
}

/// What became of a job.
#[derive(Debug)]
enum End {
    Done,
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
            let claimed = self
                .store
                .claim(&self.name, &self.models, self.min_priority);
            match claimed.await {
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
        let end = self.carry_out(job, lease, stop).await;
        let seconds = began.elapsed().as_secs_f64();
        match end {
            End::Done => {
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
                self.clear(&job.id).await;
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

    /// Works at a job under signs of life, from the fetching of its inputs to the record of its result.
    async fn carry_out(&self, job: &Job, lease: &Lease, stop: watch::Receiver<bool>) -> End {
        let cancel = Arc::new(AtomicBool::new(false));
        let (tell, seen) = watch::channel(Seen::default());
        let mut over = pin!(self.over(lease, seen, stop));
        let rendered = {
            let mut rendering = pin!(self.render(job, &cancel, tell.clone()));
            tokio::select! {
                rendered = &mut rendering => rendered,
                end = &mut over => {
                    cancel.store(true, Ordering::Relaxed);
                    let _ = rendering.await; // the next job finds the machine free
                    return end;
                }
            }
        };
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(failure) => return End::Failed(failure),
        };
        tokio::select! {
            end = self.deliver(lease, rendered, &tell) => end,
            end = &mut over => end,
        }
    }

    /// Gives signs of life until the job is another's or nobody's, or the worker is to stop and its grace is over.
    async fn over(
        &self,
        lease: &Lease,
        mut seen: watch::Receiver<Seen>,
        mut stop: watch::Receiver<bool>,
    ) -> End {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let beating = async {
            let mut told = None;
            loop {
                beats.tick().await;
                let Seen { progress, preview } = seen.borrow_and_update().clone();
                let fresh = preview.as_deref().filter(|_| preview != told);
                match self.store.beat(lease, progress, fresh).await {
                    Ok(Beat::Go) => {}
                    Ok(Beat::Lost) => break,
                    // The lease may end; the result counts if nobody takes the job until then.
                    Err(error) => tracing::warn!(%error, "no sign of life"),
                }
                told = preview;
            }
        };
        let stopping = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await; // nobody will ask for it any more
            }
            sleep(self.grace).await;
        };
        tokio::select! {
            () = beating => End::Lost,
            () = stopping => End::Stopped,
        }
    }

    /// Renders on a thread of its own.
    async fn render(
        &self,
        job: &Job,
        cancel: &Arc<AtomicBool>,
        tell: watch::Sender<Seen>,
    ) -> Result<Rendered, Failure> {
        let (_folder, inputs) = self.inputs(job).await.map_err(|error| {
            failure(
                "server_error",
                format!("what was sent can't be read: {error}"),
            )
        })?;
        let ended = self.start(job, inputs, Arc::clone(cancel), tell);
        let ended = ended.map_err(|error| failure("server_error", error.to_string()))?;
        ended
            .await
            .unwrap_or_else(|error| Err(RenderError::Failed(format!("the work ended: {error}"))))
            .map_err(|error| match error {
                RenderError::Cancelled => Failure::cancelled(),
                RenderError::Refused { message, .. } => failure("invalid_request", message),
                RenderError::Failed(message) => failure("server_error", message),
            })
    }

    /// Brings a job's inputs to this machine.
    async fn inputs(&self, job: &Job) -> Result<(TempDir, Inputs), WorkError> {
        let folder = tempfile::tempdir()?;
        let mut inputs = Inputs::new();
        for (role, asset) in &job.asked.inputs {
            let path = folder.path().join(&asset.sha256);
            patiently(|| self.assets.fetch(&job.id, asset, &path)).await?;
            inputs.insert(*role, path);
        }
        Ok((folder, inputs))
    }

    /// The thread that renders. A panic there is the job's failure and nothing more.
    fn start(
        &self,
        job: &Job,
        inputs: Inputs,
        cancel: Arc<AtomicBool>,
        tell: watch::Sender<Seen>,
    ) -> io::Result<oneshot::Receiver<Result<Rendered, RenderError>>> {
        let (renderer, metrics) = (Arc::clone(&self.renderer), Arc::clone(&self.metrics));
        let spec = job.asked.spec.clone();
        let (ended, end) = oneshot::channel();
        // Not one of the runtime's: those answer requests at other times, and a priority that was lowered stays low.
        let thread = thread::Builder::new().name("render".into());
        thread.spawn(move || {
            step_back();
            let mut clock = metrics.stages();
            let mut on_news = |news: News| match news {
                News::Progress(now) => {
                    clock.at(now);
                    tell.send_modify(|seen| seen.progress = Some(now));
                }
                News::Preview(clip) => match pictures::preview(&clip) {
                    Ok(url) => tell.send_modify(|seen| seen.preview = Some(url.into())),
                    Err(error) => tracing::debug!(%error, "no preview"),
                },
            };
            let work = || renderer.render(&spec, &inputs, &cancel, &mut on_news);
            let rendered = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
                let said = said(panic.as_ref());
                Err(RenderError::Failed(format!(
                    "the model's program broke off: {said}"
                )))
            });
            let _ = ended.send(rendered); // the worker itself may be gone
        })?;
        Ok(end)
    }

    /// Writes the result's files, then records them: files without a row can be found, rows without files must not be.
    async fn deliver(&self, lease: &Lease, rendered: Rendered, tell: &watch::Sender<Seen>) -> End {
        let began = Instant::now();
        let encoding = Progress {
            stage: Stage::Encoding,
            done: 0,
            of: 1,
        };
        tell.send_modify(|seen| seen.progress = Some(encoding));
        let end = self.record(lease, rendered).await;
        self.metrics.stage(Stage::Encoding, began.elapsed());
        end.unwrap_or_else(|error| {
            End::Failed(failure(
                "server_error",
                format!("the result can't be kept: {error}"),
            ))
        })
    }

    async fn record(&self, lease: &Lease, rendered: Rendered) -> Result<End, WorkError> {
        let encode = tokio::task::spawn_blocking(move || Files::write(&rendered));
        let files = encode.await.map_err(io::Error::other)??;
        let outcome = self.keep_files(lease, &files).await?;
        let held = patiently(|| self.store.complete(lease, &outcome, self.keep)).await?;
        Ok(if held { End::Done } else { End::Lost })
    }

    /// Removes what was kept for a job that was deleted meanwhile.
    async fn clear(&self, job: &str) {
        let cleared = async {
            if !self.store.known(job).await? {
                self.assets.remove(job).await?;
            }
            Ok::<_, WorkError>(())
        };
        if let Err(error) = cleared.await {
            tracing::warn!(%error, video = job, "files of a deleted video may be left; `kinora doctor` finds them");
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

/// An error after which the same may succeed a little later.
trait Passing: std::fmt::Display {
    fn may_pass(&self) -> bool;
}

impl Passing for AssetError {
    fn may_pass(&self) -> bool {
        self.may_pass()
    }
}

impl Passing for StoreError {
    fn may_pass(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}

/// Does something that may fail for a while, again and again until it does or [`HOLD`] is over.
async fn patiently<T, E: Passing, F: Future<Output = Result<T, E>>>(
    mut act: impl FnMut() -> F,
) -> Result<T, E> {
    let began = Instant::now();
    loop {
        match act().await {
            Err(error) if error.may_pass() && began.elapsed() < HOLD => {
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
