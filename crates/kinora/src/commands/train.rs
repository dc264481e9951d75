//! `kinora train`: render clips, train a model from a configuration, export it.

use crate::interrupt;
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use kinora_train::{
    ClipCache, Control, Event, LoopConfig, Outcome, Progress, RunFolder, Task,
    cast::CastTask,
    config::{
        self, CastTraining, DataConfig, DitTraining, ModelConfig, RecogniserTraining, VaeTraining,
    },
    dit::DitTask,
    recognition::RecogniserTask,
    run,
    vae::VaeTask,
};
use serde::Serialize;
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

/// Train Kinora's own models on the film stage
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora train vae --config configs/vae.toml
  kinora train dit --config configs/dit.toml --minutes 90
  kinora train dit --config configs/dit.toml --resume
  kinora train export dit --config configs/dit.toml --to models/kinora-1")]
pub struct TrainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Render the clips that training reads
    #[command(after_help = "Examples:
  kinora train data --config configs/data.toml")]
    Data {
        /// Data configuration, as configs/data.toml
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Train the video compression network
    #[command(after_help = "Examples:
  kinora train vae --config configs/vae.toml
  kinora train vae --config configs/vae.toml --resume")]
    Vae(RunArgs),
    /// Train the text encoder and the diffusion transformer
    #[command(after_help = "Examples:
  kinora train dit --config configs/dit.toml
  kinora train dit --config configs/dit.toml --resume --minutes 90")]
    Dit(RunArgs),
    /// Train the networks that stage a scene before it is painted
    #[command(after_help = "Examples:
  kinora train cast --config configs/cast.toml")]
    Cast(RunArgs),
    /// Train the recogniser that `kinora eval stage` measures with
    #[command(after_help = "Examples:
  kinora train recogniser --config configs/recogniser.toml")]
    Recogniser(RunArgs),
    /// Write the averaged weights of a run's newest checkpoint as a model
    #[command(after_help = "Examples:
  kinora train export dit --config configs/dit.toml --to models/kinora-1")]
    Export {
        /// What the run trains
        kind: Kind,
        /// The run's configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Folder to write; default is `model` in the run's folder
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Configuration of the run
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Go on from the newest checkpoint
    #[arg(long)]
    resume: bool,
    /// Pause with a checkpoint after this many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Vae,
    Dit,
    Cast,
    Recogniser,
}

/// Runs the command.
pub fn train(args: TrainArgs) -> Result<()> {
    let stop = interrupt::listen()?;
    let mut display = Display::new();
    match args.what {
        What::Data { config } => {
            let config = DataConfig::read(&config)?;
            ClipCache::fill(&config, &stop, &mut |event| display.show(event))?;
        }
        What::Vae(run) => {
            let mut task = Prepared::vae(&run.config, &stop, &mut display)?;
            let fresh = task.task.fresh()?;
            task.train(fresh, &run, &stop, &mut display)?;
        }
        What::Dit(run) => {
            let mut task = Prepared::dit(&run.config, &stop, &mut display)?;
            let fresh = task.task.fresh()?;
            task.train(fresh, &run, &stop, &mut display)?;
        }
        What::Cast(run) => {
            let mut task = Prepared::cast(&run.config)?;
            (task.task).gather(&stop, &mut |event| display.show(event))?;
            let fresh = task.task.fresh();
            task.train(fresh, &run, &stop, &mut display)?;
        }
        What::Recogniser(run) => {
            let mut task = Prepared::recogniser(&run.config, &stop, &mut display)?;
            let fresh = task.task.fresh()?;
            task.train(fresh, &run, &stop, &mut display)?;
        }
        What::Export {
            kind: Kind::Recogniser,
            config,
            to,
        } => {
            let task = Prepared::recogniser(&config, &stop, &mut display)?;
            let fresh = task.task.fresh()?;
            task.export(fresh, to)?;
        }
        What::Export {
            kind: Kind::Cast,
            config,
            to,
        } => {
            let task = Prepared::cast(&config)?;
            let fresh = task.task.fresh();
            task.export(fresh, to)?;
        }
        What::Export {
            kind: Kind::Vae,
            config,
            to,
        } => {
            let task = Prepared::vae(&config, &stop, &mut display)?;
            let fresh = task.task.fresh()?;
            task.export(fresh, to)?;
        }
        What::Export {
            kind: Kind::Dit,
            config,
            to,
        } => {
            let task = Prepared::dit(&config, &stop, &mut display)?;
            let fresh = task.task.fresh()?;
            task.export(fresh, to)?;
        }
    }
    Ok(())
}

/// A task with all that its run needs.
struct Prepared<T> {
    task: T,
    folder: RunFolder,
    training: LoopConfig,
    description: serde_json::Value,
}

impl Prepared<VaeTask> {
    fn vae(config: &Path, stop: &AtomicBool, display: &mut Display) -> Result<Self> {
        let config: VaeTraining = config::read(config)?;
        let (data, model) = (
            DataConfig::read(&config.data)?,
            config::read::<ModelConfig>(&config.model)?,
        );
        let description = describe(&config, &data, Some(&model))?;
        let clips = ClipCache::fill(&data, stop, &mut |event| display.show(event))?;
        let (folder, training) = (RunFolder::new(&config.run), config.training);
        Ok(Self {
            task: VaeTask::new(config, model, clips)?,
            folder,
            training,
            description,
        })
    }
}

impl Prepared<DitTask> {
    fn dit(config: &Path, stop: &AtomicBool, display: &mut Display) -> Result<Self> {
        let config: DitTraining = config::read(config)?;
        let (data, model) = (
            DataConfig::read(&config.data)?,
            config::read::<ModelConfig>(&config.model)?,
        );
        let description = describe(&config, &data, Some(&model))?;
        let mut show = |event| display.show(event);
        let clips = ClipCache::fill(&data, stop, &mut show)?;
        let (folder, training) = (RunFolder::new(&config.run), config.training);
        Ok(Self {
            task: DitTask::new(config, &model, &clips, stop, &mut show)?,
            folder,
            training,
            description,
        })
    }
}

impl Prepared<CastTask> {
    fn cast(config: &Path) -> Result<Self> {
        let config: CastTraining = config::read(config)?;
        let description = serde_json::json!({
            "training": serde_json::to_value(&config)?,
            "version": env!("CARGO_PKG_VERSION"),
        });
        let (folder, training) = (RunFolder::new(&config.run), config.training);
        Ok(Self {
            task: CastTask::new(config)?,
            folder,
            training,
            description,
        })
    }
}

impl Prepared<RecogniserTask> {
    fn recogniser(config: &Path, stop: &AtomicBool, display: &mut Display) -> Result<Self> {
        let config: RecogniserTraining = config::read(config)?;
        let data = DataConfig::read(&config.data)?;
        let description = describe(&config, &data, None)?;
        let clips = ClipCache::fill(&data, stop, &mut |event| display.show(event))?;
        let (folder, training) = (RunFolder::new(&config.run), config.training);
        Ok(Self {
            task: RecogniserTask::new(config, clips)?,
            folder,
            training,
            description,
        })
    }
}

impl<T: Task> Prepared<T> {
    fn train(
        &mut self,
        fresh: T::Model,
        args: &RunArgs,
        stop: &AtomicBool,
        display: &mut Display,
    ) -> Result<()> {
        let control = Control {
            resume: args.resume,
            minutes: args.minutes,
            stop,
            report: &mut |event| display.show(event),
        };
        let outcome = run(
            &mut self.task,
            fresh,
            &self.training,
            &self.description,
            &self.folder,
            control,
        )?;
        display.finish();
        match outcome {
            Outcome::Finished => println!(
                "finished; the model is in {}",
                self.folder.model().display()
            ),
            Outcome::Paused { step } => println!("paused after step {step}; add --resume to go on"),
        }
        Ok(())
    }

    fn export(&self, fresh: T::Model, to: Option<PathBuf>) -> Result<()> {
        let (model, step) = self.folder.newest_average(fresh)?;
        let to = to.unwrap_or_else(|| self.folder.model());
        self.task.export(&model, &to)?;
        println!("wrote the weights after step {step} to {}", to.display());
        Ok(())
    }
}

/// The whole configuration of a run, as its folder keeps it: a resumed run must have the same.
fn describe(
    config: &impl Serialize,
    data: &DataConfig,
    model: Option<&ModelConfig>,
) -> Result<serde_json::Value> {
    let json = serde_json::json!({
        "training": serde_json::to_value(config)?,
        "data": serde_json::to_value(data)?,
        "model": serde_json::to_value(model)?,
        "version": env!("CARGO_PKG_VERSION"),
    });
    Ok(json)
}

/// Seconds between lines where there is no terminal.
const LINE_SECONDS: u64 = 20;

/// Shows progress: a bar on a terminal, else a line now and then.
struct Display {
    bar: Option<ProgressBar>,
    terminal: bool,
    last: Option<Instant>,
}

impl Display {
    fn new() -> Self {
        Self {
            bar: None,
            terminal: std::io::stderr().is_terminal(),
            last: None,
        }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Note(note) => match &self.bar {
                Some(bar) => bar.println(note),
                None => eprintln!("{note}"),
            },
            Event::Step(progress) if self.terminal => self.draw(&progress),
            Event::Step(progress) => {
                let due = self
                    .last
                    .is_none_or(|last| last.elapsed() >= Duration::from_secs(LINE_SECONDS));
                if due || progress.step == progress.total {
                    self.last = Some(Instant::now());
                    eprintln!(
                        "step {} of {}, {}",
                        progress.step,
                        progress.total,
                        pace(&progress)
                    );
                }
            }
        }
    }

    fn draw(&mut self, progress: &Progress) {
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
                .expect("the template is well formed");
            ProgressBar::new(progress.total).with_style(style)
        });
        bar.set_position(progress.step);
        bar.set_message(pace(progress));
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }
}

fn pace(progress: &Progress) -> String {
    let left = progress.left.as_secs();
    let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
    format!(
        "loss {:.4}, {:.2} samples/s, {hours}:{minutes:02}:{seconds:02} left",
        progress.loss, progress.samples_per_second
    )
}
