//! The training loop: one for all models.

use crate::{
    checkpoint::{RunFolder, State, Training},
    error::TrainError,
    journal::{Entry, Journal, read_journal},
    schedule::Schedule,
};
use burn::{module::Module, tensor::Tensor};
use kinora_media::{Chart, Series, save_png};
use kinora_nn::optim::{AdamW, AdamWConfig, Ema, Grads};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// The loss of one batch.
pub struct Loss {
    /// A scalar whose gradient is the loss' gradient.
    pub backward: Tensor<1>,
    /// The loss.
    pub value: f32,
    /// What it is made of, for the journal.
    pub parts: BTreeMap<String, f32>,
    /// Samples in the batch.
    pub samples: usize,
}

/// What is trained: the model, its data and its loss. The loop knows nothing else of them.
pub trait Task {
    /// The model.
    type Model: Module;

    /// The loss of the batch of `step`. It hangs on the model and the step alone, so that a resumed run is exact.
    fn loss(&mut self, model: &Self::Model, step: u64) -> Result<Loss, TrainError>;

    /// Looks at the averaged model after `step` steps: draws sheets, measures held-out clips. Says in a line what it saw.
    fn observe(
        &mut self,
        model: &Self::Model,
        step: u64,
        folder: &RunFolder,
    ) -> Result<String, TrainError>;

    /// Writes the averaged model into a folder, as it ships.
    fn export(&self, model: &Self::Model, folder: &Path) -> Result<(), TrainError>;
}

/// How long and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopConfig {
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// AdamW and the average.
    pub optimiser: OptimiserConfig,
    /// Minutes between checkpoints.
    pub checkpoint_minutes: f64,
    /// Minutes between observations.
    pub observe_minutes: f64,
}

/// Settings of AdamW, of gradient clipping and of the weights' average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserConfig {
    /// Decay of the gradient's mean.
    pub beta_1: f32,
    /// Decay of the gradient's square.
    pub beta_2: f32,
    /// Added to the root of the square.
    pub epsilon: f32,
    /// Decay of weights, for parameters of two or more dimensions.
    pub weight_decay: f32,
    /// Largest norm of the whole gradient.
    pub clip: f32,
    /// Decay of the weights' running average; shorter at the start.
    pub average: f32,
}

impl OptimiserConfig {
    fn adam(&self) -> AdamWConfig {
        let Self {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
            ..
        } = *self;
        AdamWConfig {
            beta1: beta_1,
            beta2: beta_2,
            eps: epsilon,
            weight_decay,
        }
    }

    /// Decay of the average after `step` steps, so that it forgets the first weights soon.
    fn average_after(&self, step: u64) -> f32 {
        self.average.min((1 + step) as f32 / (10 + step) as f32)
    }
}

/// How a run is steered from outside.
pub struct Control<'a> {
    /// Go on from the newest checkpoint.
    pub resume: bool,
    /// End after this many minutes, with a checkpoint, though the steps are not all done.
    pub minutes: Option<f64>,
    /// Set it to end after the current step, with a checkpoint.
    pub stop: &'a AtomicBool,
    /// Is told what happens.
    pub report: &'a mut dyn FnMut(Event),
}

/// What a run reports.
#[derive(Clone, Debug)]
pub enum Event {
    /// A step is done.
    Step(Progress),
    /// Something worth a line.
    Note(String),
}

/// Where a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub total: u64,
    /// Loss, averaged over the last steps.
    pub loss: f32,
    /// Samples a second, averaged over the last steps.
    pub samples_per_second: f64,
    /// Time left at this pace.
    pub left: Duration,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done and the model is exported.
    Finished,
    /// Ended before, with a checkpoint.
    Paused {
        /// Steps done.
        step: u64,
    },
}

/// Trains `model` from the start or from the newest checkpoint. `description` is the whole configuration; a resumed
/// run must have the same.
///
/// # Errors
/// Those of the task and the run folder, and [`TrainError::Diverged`].
pub fn run<T: Task>(
    task: &mut T,
    model: T::Model,
    config: &LoopConfig,
    description: &serde_json::Value,
    folder: &RunFolder,
    control: Control,
) -> Result<Outcome, TrainError> {
    let Control {
        resume,
        minutes,
        stop,
        report,
    } = control;
    folder.begin(description, resume)?;
    let mut training = Training {
        adam: AdamW::new(config.optimiser.adam()),
        average: Ema::new(&model),
        state: State::default(),
        model,
    };
    if resume {
        training = folder.restore(training)?;
    }
    report(Event::Note(format!(
        "{} weights, from step {}",
        training.model.num_params(),
        training.state.step
    )));
    let path = folder.journal();
    let mut journal = Journal::open(&path, training.state.step)?;
    let mut pace = Pace::default();
    let (mut checkpoint, mut observe) = (
        Timer::new(config.checkpoint_minutes)?,
        Timer::new(config.observe_minutes)?,
    );
    let mut end = minutes.map(Timer::new).transpose()?;
    let total = config.schedule.total;
    while training.state.step < total {
        let (next, entry) = step(task, training, config)?;
        training = next;
        journal.add(&path, &entry)?;
        report(Event::Step(pace.after(&entry, total)));

        let last = entry.step == total;
        let pause = stop.load(Ordering::Relaxed) || end.as_mut().is_some_and(Timer::due);
        if last || pause || checkpoint.due() {
            folder.save(&training)?;
        }
        if last || observe.due() {
            let seen = task.observe(&averaged(&training), entry.step, folder)?;
            draw_curve(folder)?;
            report(Event::Note(format!("step {}: {seen}", entry.step)));
        }
        if pause && !last {
            return Ok(Outcome::Paused { step: entry.step });
        }
    }
    task.export(&averaged(&training), &folder.model())?;
    Ok(Outcome::Finished)
}

fn averaged<M: Module>(training: &Training<M>) -> M {
    training.average.apply(training.model.valid())
}

fn step<T: Task>(
    task: &mut T,
    training: Training<T::Model>,
    config: &LoopConfig,
) -> Result<(Training<T::Model>, Entry), TrainError> {
    let Training {
        model,
        mut adam,
        mut average,
        state,
    } = training;
    let start = Instant::now();
    let rate = config.schedule.at(state.step);
    let Loss {
        backward,
        value,
        parts,
        samples,
    } = task.loss(&model, state.step)?;
    let diverged = |what| TrainError::Diverged {
        step: state.step,
        what,
    };
    if !value.is_finite() {
        return Err(diverged("loss"));
    }
    let grads = Grads::take(&model, &mut backward.backward());
    let norm = grads.norm();
    if !norm.is_finite() {
        return Err(diverged("gradient"));
    }
    let scale = (config.optimiser.clip / norm.max(f32::MIN_POSITIVE)).min(1.0);
    let model = adam.step(model, &grads, rate as f32, scale);
    average.update(&model, config.optimiser.average_after(state.step));
    let seconds = start.elapsed().as_secs_f64();
    let state = State {
        step: state.step + 1,
        seconds: state.seconds + seconds,
    };
    let entry = Entry {
        step: state.step,
        loss: value,
        parts,
        rate,
        norm,
        samples,
        seconds,
    };
    Ok((
        Training {
            model,
            adam,
            average,
            state,
        },
        entry,
    ))
}

/// Draws the loss of the journal, averaged over a hundredth of the run at a time.
pub fn draw_curve(folder: &RunFolder) -> Result<(), TrainError> {
    let entries = read_journal(&folder.journal())?;
    let window = entries.len().div_ceil(100).max(1);
    let mean = |part: &[Entry]| {
        part.iter().map(|entry| f64::from(entry.loss)).sum::<f64>() / part.len() as f64
    };
    let points = entries
        .chunks(window)
        .map(|part| (part[part.len() - 1].step as f64, mean(part)))
        .collect();
    let hours = entries.iter().map(|entry| entry.seconds).sum::<f64>() / 3600.0;
    let chart = Chart {
        title: format!("{} steps, {hours:.2} h", entries.len()),
        x_label: "step".to_string(),
        y_label: "loss".to_string(),
        log_y: true,
        series: vec![Series {
            name: format!("mean of {window} steps"),
            points,
        }],
    };
    Ok(save_png(
        &chart.draw(960, 540),
        &folder.sheets().join("loss.png"),
    )?)
}

/// Says when an interval is over.
struct Timer {
    interval: Duration,
    since: Instant,
}

impl Timer {
    fn new(minutes: f64) -> Result<Self, TrainError> {
        let interval = Duration::try_from_secs_f64(minutes * 60.0)
            .map_err(|_| TrainError::Config(format!("{minutes} is no number of minutes")))?;
        Ok(Self {
            interval,
            since: Instant::now(),
        })
    }

    /// True once after each interval.
    fn due(&mut self) -> bool {
        let due = self.since.elapsed() >= self.interval;
        if due {
            self.since = Instant::now();
        }
        due
    }
}

/// Running means of the loss and of the pace.
#[derive(Default)]
struct Pace {
    weight: f64,
    loss: f64,
    samples: f64,
    seconds: f64,
}

impl Pace {
    fn after(&mut self, entry: &Entry, total: u64) -> Progress {
        const KEEP: f64 = 0.98;
        let fold = |mean: &mut f64, value: f64| *mean = *mean * KEEP + value * (1.0 - KEEP);
        fold(&mut self.weight, 1.0);
        fold(&mut self.loss, f64::from(entry.loss));
        fold(&mut self.samples, entry.samples as f64);
        fold(&mut self.seconds, entry.seconds);
        Progress {
            step: entry.step,
            total,
            loss: (self.loss / self.weight) as f32,
            samples_per_second: self.samples / self.seconds,
            left: Duration::from_secs_f64(self.seconds / self.weight * (total - entry.step) as f64),
        }
    }
}
