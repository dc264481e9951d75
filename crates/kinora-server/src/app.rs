//! The service behind the addresses: from an understood request to an accepted job.

use crate::assets::Assets;
use crate::fetch::Reach;
use crate::metrics::Metrics;
use crate::render::{
    Inputs, ModelCard, RenderError, RenderRequest, RenderSpec, Renderer, Role, Size, Task,
};
use crate::store::{Asked, Asset, Job, Key, KeyLimits, Mapped, Store};
use crate::wire::{ApiError, Limits};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

/// Longest prompt, in characters.
const MAX_PROMPT: usize = 32_000;
/// Most times that a video is extended.
const MAX_EXTENSIONS: u32 = 6;
/// Longest extended video, in seconds.
const MAX_EXTENDED: f64 = 120.0;

/// How an operator wants the service to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names that stand for a model, as `sora-2`.
    pub aliases: BTreeMap<String, String>,
    /// Whether a size that a model can't paint becomes the nearest that it can, and is recorded.
    pub map_sizes: bool,
    /// How much a request may bring.
    pub limits: Limits,
    /// Where pictures and webhooks may be.
    pub reach: Reach,
    /// How long clients are asked to wait between two looks at a job.
    pub poll_after: Duration,
}

/// The service.
pub struct App {
    /// The record.
    pub store: Store,
    /// The files.
    pub assets: Assets,
    /// What checks requests.
    pub renderer: Arc<dyn Renderer>,
    /// The operator's wishes.
    pub settings: Settings,
    /// Told when a job is accepted.
    pub wake: Arc<Notify>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// True once the server is to stop.
    pub stop: watch::Receiver<bool>,
    /// Whether a key was ever made, once that is known to be so.
    pub(crate) keyed: AtomicBool,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key, on a server that has any.
    pub key: Option<Key>,
}

/// What a job is made from, while it is being accepted.
pub(crate) struct Draft {
    /// The model in the client's words.
    pub model: String,
    /// What is asked.
    pub request: RenderRequest,
    /// Files of the request, on this machine.
    pub files: Inputs,
    /// The video that it is made from, if that is one of this server.
    pub source: Option<Job>,
    /// The id that was set aside for it, if one was.
    pub id: Option<String>,
    /// Keeps the files until the job is accepted.
    pub folder: TempDir,
}

impl Caller {
    /// Whose videos the caller sees.
    pub fn owner(&self) -> &str {
        self.key.as_ref().map_or("", |key| &key.id)
    }

    fn limits(&self) -> KeyLimits {
        let limits = self.key.as_ref().map(|key| key.limits.clone());
        limits.unwrap_or_default()
    }
}

impl App {
    /// A service of these parts.
    pub fn new(
        (store, assets): (Store, Assets),
        renderer: Arc<dyn Renderer>,
        settings: Settings,
        (wake, metrics): (Arc<Notify>, Arc<Metrics>),
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            store,
            assets,
            renderer,
            settings,
            wake,
            metrics,
            stop,
            keyed: AtomicBool::new(false),
        }
    }

    /// The model of a name or alias; the first without one. Gives the client's word for it too.
    pub(crate) fn model(&self, name: Option<&str>) -> Result<(String, ModelCard), ApiError> {
        let cards = self.renderer.models();
        let Some(name) = name else {
            let card = cards.into_iter().next();
            return card
                .map(|card| (card.name.clone(), card))
                .ok_or_else(|| ApiError::unavailable("this server has no model"));
        };
        let meant = self.settings.aliases.get(name).map_or(name, String::as_str);
        let names: Vec<String> = self.model_names(&cards);
        let card = cards.into_iter().find(|card| card.name == meant);
        card.map(|card| (name.to_owned(), card)).ok_or_else(|| {
            let shown: String = name.chars().take(80).collect();
            let message = format!(
                "there is no model called {shown:?} here; there is {}",
                names.join(", ")
            );
            ApiError::invalid(Some("model"), message).with_code("model_not_found")
        })
    }

    /// Names of models and aliases.
    pub(crate) fn model_names(&self, cards: &[ModelCard]) -> Vec<String> {
        let own = cards.iter().map(|card| card.name.clone());
        let there = |name: &String| cards.iter().any(|card| card.name == *name);
        let aliases = self.settings.aliases.iter();
        let aliases = aliases.filter(|(_, model)| there(model));
        own.chain(aliases.map(|(alias, _)| alias.clone())).collect()
    }

    /// Plans a draft, keeps its files, and writes its row. From then on it is not lost.
    pub(crate) async fn accept(&self, caller: &Caller, draft: Draft) -> Result<Job, ApiError> {
        check_prompt(&draft.request.prompt)?;
        let (spec, mapped) = self.plan(&draft).await?;
        let extensions = draft.extensions(spec.seconds())?;
        let id = draft.id.clone().map_or_else(|| new_id("video"), Ok)?;
        let kept = async {
            let mut inputs = BTreeMap::new();
            for (role, path) in &draft.files {
                inputs.insert(*role, self.keep(&id, *role, path, &draft).await?);
            }
            let asked = Asked {
                model: draft.model.clone(),
                spec,
                inputs,
                mapped,
                source: draft.source.as_ref().map(|job| job.id.clone()),
                extensions,
            };
            let (owner, limits) = (caller.owner(), caller.limits());
            Ok::<_, ApiError>(self.store.create(&id, owner, &limits, &asked).await?)
        };
        match kept.await {
            Ok(job) => {
                self.wake.notify_one();
                tracing::info!(video = job.id, model = draft.request.model, "accepted");
                Ok(job)
            }
            Err(error) => {
                if let Err(error) = self.assets.remove(&id).await {
                    tracing::warn!(%error, video = id, "files of a refused job are left");
                }
                Err(error)
            }
        }
    }

    async fn keep(
        &self,
        id: &str,
        role: Role,
        path: &Path,
        draft: &Draft,
    ) -> Result<Asset, ApiError> {
        let video = draft.source.as_ref().zip(
            draft
                .source
                .as_ref()
                .and_then(|job| job.outcome.as_ref())
                .map(|outcome| &outcome.video),
        );
        match video {
            Some((source, video)) if role == Role::Source => {
                self.assets.keep_too(&source.id, video, id).await?;
                Ok(video.clone())
            }
            _ => Ok(self.assets.keep(id, path).await?),
        }
    }

    /// The form of the result; of another size if the asked one can't be had and the operator lets it be.
    async fn plan(&self, draft: &Draft) -> Result<(RenderSpec, Option<Mapped>), ApiError> {
        let asked = draft.request.size;
        match (self.planned(&draft.request, &draft.files).await, asked) {
            (
                Err(RenderError::Refused {
                    param: Some("size"),
                    ..
                }),
                Some(size),
            ) if self.settings.map_sizes => {
                let (_, card) = self.model(Some(&draft.request.model))?;
                let request = RenderRequest {
                    size: Some(card.nearest(size)),
                    ..draft.request.clone()
                };
                let spec = self.planned(&request, &draft.files).await?;
                Ok((spec, Some(Mapped { size })))
            }
            (planned, _) => Ok((planned?, None)),
        }
    }

    async fn planned(
        &self,
        request: &RenderRequest,
        files: &Inputs,
    ) -> Result<RenderSpec, RenderError> {
        let renderer = Arc::clone(&self.renderer);
        let (request, files) = (request.clone(), files.clone());
        let planned = tokio::task::spawn_blocking(move || renderer.plan(&request, &files)).await;
        planned.unwrap_or_else(|error| Err(RenderError::Failed(error.to_string())))
    }
}

impl Draft {
    /// How often the result will have been extended.
    fn extensions(&self, seconds: f64) -> Result<u32, ApiError> {
        if self.request.task != Task::Extend {
            return Ok(0);
        }
        let before = self.source.as_ref().map_or(0, |job| job.asked.extensions);
        if before >= MAX_EXTENSIONS {
            return Err(ApiError::invalid(
                Some("video"),
                format!("the video was extended {before} times; {MAX_EXTENSIONS} are the most"),
            ));
        }
        if seconds > MAX_EXTENDED {
            return Err(ApiError::invalid(
                Some("seconds"),
                format!(
                    "the extended video would have {seconds:.1} seconds; {MAX_EXTENDED} are the most"
                ),
            ));
        }
        Ok(before + 1)
    }
}

/// Reads a size that a client wrote.
pub(crate) fn size(text: Option<&str>) -> Result<Option<Size>, ApiError> {
    let read = |text: &str| text.parse::<Size>();
    let size = text.map(read).transpose();
    size.map_err(|error| ApiError::invalid(Some("size"), error.to_string()))
}

fn check_prompt(prompt: &str) -> Result<(), ApiError> {
    match prompt.chars().count() {
        0 => Err(ApiError::invalid(
            Some("prompt"),
            "the prompt is empty; say in a sentence what the video shows",
        )),
        1..=MAX_PROMPT => Ok(()),
        count => Err(ApiError::invalid(
            Some("prompt"),
            format!("the prompt has {count} characters; at most {MAX_PROMPT} are allowed"),
        )),
    }
}

/// An id that nobody can guess, in order of time: `prefix_`, 12 hexadecimal digits of milliseconds, 20 random ones.
pub(crate) fn new_id(prefix: &str) -> Result<String, ApiError> {
    let time = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let random = random::<10>()?;
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{prefix}_{:012x}{random}", time.as_millis()))
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        ApiError::internal("the server's system gives no random numbers")
    })?;
    Ok(bytes)
}

/// A seed that any JSON reader keeps exactly.
pub(crate) fn random_seed() -> Result<u64, ApiError> {
    Ok(u32::from_le_bytes(random::<4>()?).into())
}
