//! `kinora serve`, `worker` and `doctor`: the Videos API on one machine or several.

use crate::failure::BadInput;
use crate::place::PlaceArgs;
use crate::renderer::EngineRenderer;
use crate::sampling::{DEFAULT_MODEL, bytes};
use crate::service::{LogArgs, flag, runtime, settings, stop_signal, time};
use anyhow::{Result, bail};
use clap::Args;
use kinora_server::render::Renderer;
use kinora_server::wire::Limits;
use kinora_server::{Doctor, Metrics, Reach, ServeError, Server, Settings, StandIn, Watch, Worker};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Names that old programs ask for.
const OLD_NAMES: [&str; 2] = ["sora-2", "sora-2-pro"];
/// Bytes of all text of a request: a picture as a data URL has up to 20,971,520 characters.
const MAX_TEXT: usize = 24 << 20;
/// Bytes of a file that is sent, if the operator does not say.
const MAX_FILE: u64 = 256 << 20;
/// How long clients wait between two looks at a job.
const POLL_AFTER: Duration = Duration::from_millis(500);
/// How long a job may go on after the signal to stop, if the operator does not say.
const GRACE: Duration = Duration::from_secs(10);

/// Serve the Videos API that OpenAI's clients speak
///
/// Each flag may also stand in a file of settings (TOML, the flags' names without dashes before them) or in the
/// environment; a flag comes before the environment, and both before the file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[command(after_help = "Examples:
  kinora serve
  kinora serve --listen 127.0.0.1:9000 --data /srv/kinora --model kinora-1 --model wan2.1-t2v-1.3b
  kinora serve --map-sizes --keep 30d    (old programs' sizes become the model's; results are kept for 30 days)
  kinora serve --listen 0.0.0.0:8686     (needs a key: kinora keys add studio)
  kinora serve --no-worker --database postgres://kinora@db/kinora --assets s3://films/kinora")]
pub struct ServeArgs {
    /// A file of settings
    #[arg(long, value_name = "FILE", env = "KINORA_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Address and port; 127.0.0.1:8686 if not given
    #[arg(long, value_name = "ADDRESS", env = "KINORA_LISTEN")]
    listen: Option<SocketAddr>,
    /// Another name for a model, as sora-2=kinora-1; give it several times. sora-2 and sora-2-pro mean the default one
    /// if nothing else is said
    #[arg(
        long,
        value_name = "NAME=MODEL",
        env = "KINORA_ALIASES",
        value_delimiter = ','
    )]
    alias: Vec<String>,
    /// Let a size that a model can't make become the nearest that it was made for; videos say so in `mapped`
    #[arg(long, env = "KINORA_MAP_SIZES")]
    map_sizes: bool,
    /// Largest file that is taken; 256MiB if not given
    #[arg(long, value_name = "SIZE", env = "KINORA_MAX_FILE")]
    max_file: Option<String>,
    /// Accept jobs and leave the work to `kinora worker`
    #[arg(long, env = "KINORA_NO_WORKER")]
    no_worker: bool,
    /// Let pictures and webhooks be at addresses of the server's own network
    #[arg(long, env = "KINORA_ALLOW_PRIVATE_URLS")]
    allow_private_urls: bool,
    #[command(flatten)]
    #[serde(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    #[serde(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    #[serde(flatten)]
    log: LogArgs,
}

/// What works at jobs, in a server or by itself.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Work")]
struct WorkArgs {
    /// A model, by its name or folder; give it several times. The first is the default; kinora-1 if none is given
    #[arg(
        long,
        value_name = "NAME|DIR",
        env = "KINORA_MODELS",
        value_delimiter = ','
    )]
    model: Vec<String>,
    /// Take only jobs of this priority and above, as `kinora keys add --priority` gives them; all if not given
    #[arg(
        long,
        value_name = "N",
        env = "KINORA_MIN_PRIORITY",
        allow_hyphen_values = true
    )]
    min_priority: Option<i64>,
    /// Delete results after this time, as 30d; without it, never
    #[arg(long, value_name = "TIME", env = "KINORA_KEEP")]
    keep: Option<String>,
    /// How long a job may go on after the signal to stop, before it is handed back to the queue; 10s if not given
    #[arg(long, value_name = "TIME", env = "KINORA_GRACE")]
    grace: Option<String>,
    /// For tests: paint stripes instead of asking a model, so many milliseconds a step
    #[arg(long, value_name = "MS", hide = true)]
    #[serde(skip)]
    stand_in: Option<u64>,
}

/// Work at the jobs of servers elsewhere
///
/// Each flag may also stand in a file of settings or in the environment, as those of `kinora serve`.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[command(after_help = "Examples:
  kinora worker --database postgres://kinora@db/kinora --assets s3://films/kinora
  kinora worker --database postgres://kinora@db/kinora --assets s3://films/kinora --model wan2.1-t2v-1.3b
  kinora worker --database postgres://kinora@db/kinora --data /mnt/shared/kinora --min-priority 10")]
pub struct WorkerArgs {
    /// A file of settings
    #[arg(long, value_name = "FILE", env = "KINORA_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    #[command(flatten)]
    #[serde(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    #[serde(flatten)]
    work: WorkArgs,
    /// Answer /healthz, /readyz and /metrics (for Prometheus) at this address and port
    #[arg(long, value_name = "ADDRESS", env = "KINORA_METRICS")]
    metrics: Option<SocketAddr>,
    #[command(flatten)]
    #[serde(flatten)]
    log: LogArgs,
}

/// Find rows without files and files without rows, and mend what can be mended
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora doctor              (says what is wrong; status 1 if anything is)
  kinora doctor --mend       (videos without files fail with a reason, files without a row go)
  kinora doctor --data /srv/kinora --json")]
pub struct DoctorArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Mend it
    #[arg(long)]
    mend: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ServeArgs {
    /// These, and from the file what is not given here.
    fn or(self, file: Self) -> Self {
        Self {
            config: self.config,
            listen: self.listen.or(file.listen),
            place: self.place.or(file.place),
            work: self.work.or(file.work),
            alias: given(self.alias, file.alias),
            map_sizes: self.map_sizes || file.map_sizes,
            max_file: self.max_file.or(file.max_file),
            no_worker: self.no_worker || file.no_worker,
            allow_private_urls: self.allow_private_urls || file.allow_private_urls,
            log: self.log.or(file.log),
        }
    }

    fn settings(&self, renderer: &dyn Renderer) -> Result<Settings> {
        let max_file = self
            .max_file
            .as_deref()
            .map(|text| flag("--max-file", bytes(text)));
        let cards = renderer.models();
        let default = cards.first().map(|card| card.name.clone());
        let mut aliases: BTreeMap<String, String> = OLD_NAMES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), default.clone()?)))
            .collect();
        for alias in &self.alias {
            let Some((name, model)) = alias.split_once('=') else {
                bail!(BadInput(format!(
                    "--alias {alias}: write it as sora-2=kinora-1"
                )));
            };
            if !cards.iter().any(|card| card.name == model) {
                bail!(BadInput(format!(
                    "--alias {alias}: the server has no model {model}; name it with --model too"
                )));
            }
            aliases.insert(name.to_owned(), model.to_owned());
        }
        Ok(Settings {
            aliases,
            map_sizes: self.map_sizes,
            limits: Limits {
                text: MAX_TEXT,
                file: max_file.transpose()?.unwrap_or(MAX_FILE),
            },
            poll_after: POLL_AFTER,
            reach: match self.allow_private_urls {
                true => Reach::Anywhere,
                false => Reach::Public,
            },
        })
    }
}

/// Runs `kinora serve`.
pub fn serve(args: ServeArgs) -> Result<()> {
    let file: ServeArgs = settings(args.config.as_deref())?;
    let args = args.or(file);
    args.log.start()?;
    let listen = args
        .listen
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8686)));
    let renderer = args.work.renderer()?;
    let server = |store, assets| -> Result<Server> {
        Ok(Server {
            store,
            assets,
            settings: args.settings(renderer.as_ref())?,
            renderer: Arc::clone(&renderer),
            keep: args.work.keep()?,
            grace: args.work.grace()?,
            worker: (!args.no_worker).then(worker_name),
            min_priority: args.work.min_priority,
        })
    };
    runtime()?.block_on(async {
        let (store, assets) = args.place.open().await?;
        let stop = stop_signal()?;
        let run = server(store, assets)?.run(listen, stop, say).await;
        run.map_err(served)
    })
}

/// Runs `kinora worker`.
pub fn worker(args: WorkerArgs) -> Result<()> {
    let file: WorkerArgs = settings(args.config.as_deref())?;
    let args = args.or(file);
    args.log.start()?;
    let renderer = args.work.renderer()?;
    let models = renderer.models().into_iter().map(|card| card.name);
    runtime()?.block_on(async {
        let (store, assets) = args.place.open().await?;
        let metrics = Arc::new(Metrics::new());
        let worker = Worker {
            store: store.clone(),
            assets,
            models: models.collect(),
            renderer: Arc::clone(&renderer),
            name: worker_name(),
            min_priority: args.work.min_priority,
            keep: args.work.keep()?,
            grace: args.work.grace()?,
            wake: Arc::new(Notify::new()),
            ended: Arc::new(Notify::new()),
            metrics: Arc::clone(&metrics),
        };
        let stop = stop_signal()?;
        let watch = Watch { store, metrics };
        let watched = async {
            match args.metrics {
                Some(address) => watch.run(address, stop.clone(), say).await.map_err(served),
                None => Ok(()),
            }
        };
        tracing::info!(worker = worker.name, models = ?worker.models, "waiting for work");
        let worked = async {
            worker.run(stop.clone()).await;
            Ok(())
        };
        tokio::try_join!(watched, worked).map(|_| ())
    })
}

/// Prints the address at which the program answers.
fn say(address: SocketAddr) {
    let url = format!("http://{address}");
    let _ = writeln!(io::stdout(), "{url}"); // nobody may be listening
    tracing::info!(url, "answering");
}

/// Whose fault it is that an address is not served.
fn served(error: ServeError) -> anyhow::Error {
    match error {
        open @ ServeError::Open(_) => BadInput(open.to_string()).into(),
        error => error.into(),
    }
}

/// Runs `kinora doctor`.
pub fn doctor(args: DoctorArgs) -> Result<()> {
    runtime()?.block_on(async {
        let (store, assets) = args.place.open().await?;
        let doctor = Doctor { store, assets };
        let found = doctor.examine().await?;
        let mut out = io::stdout().lock();
        if args.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        } else {
            for line in found.lines() {
                writeln!(out, "{line}")?;
            }
        }
        if args.mend {
            doctor.mend(&found).await?;
        } else if !found.is_well() {
            bail!("the record and the files do not agree; `kinora doctor --mend` mends it");
        }
        Ok(())
    })
}

/// What is given, or else what the file says.
fn given(own: Vec<String>, file: Vec<String>) -> Vec<String> {
    if own.is_empty() { file } else { own }
}

impl WorkerArgs {
    /// These, and from the file what is not given here.
    fn or(self, file: Self) -> Self {
        Self {
            config: self.config,
            place: self.place.or(file.place),
            work: self.work.or(file.work),
            metrics: self.metrics.or(file.metrics),
            log: self.log.or(file.log),
        }
    }
}

impl WorkArgs {
    /// These, and from `file` what is not given here.
    fn or(self, file: Self) -> Self {
        Self {
            model: given(self.model, file.model),
            min_priority: self.min_priority.or(file.min_priority),
            keep: self.keep.or(file.keep),
            grace: self.grace.or(file.grace),
            stand_in: self.stand_in,
        }
    }

    fn renderer(&self) -> Result<Arc<dyn Renderer>> {
        if let Some(milliseconds) = self.stand_in {
            let step = Duration::from_millis(milliseconds);
            return Ok(Arc::new(StandIn {
                step,
                models: self.model.clone(),
            }));
        }
        let default = [DEFAULT_MODEL.to_owned()];
        let names = if self.model.is_empty() {
            &default
        } else {
            &self.model[..]
        };
        Ok(Arc::new(EngineRenderer::open(names)?))
    }

    fn keep(&self) -> Result<Option<Duration>> {
        let keep = self.keep.as_deref();
        keep.map(|text| flag("--keep", time(text))).transpose()
    }

    fn grace(&self) -> Result<Duration> {
        let given = self.grace.as_deref();
        let given = given.map(|text| flag("--grace", time(text))).transpose()?;
        Ok(given.unwrap_or(GRACE))
    }
}

/// No other worker's name: of this machine, this process and this moment.
fn worker_name() -> String {
    let host = sysinfo::System::host_name().unwrap_or_else(|| "worker".to_owned());
    let time = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{host}-{}-{}", std::process::id(), time.as_micros())
}
