//! The training loop: one for all models.

use crate::{
    checkpoint::{RunFolder, State, Training},
    error::TrainError,
    journal::{Entry, Journal, read_journal},
    schedule::Schedule,
};
use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::Tensor,
};
use kinora_media::{Chart, Series, save_png};
use kinora_nn::optim::{AdamW, AdamWConfig, Ema, Grads};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ops::Range,
    panic::resume_unwind,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The loss of one part of a batch.
pub struct Loss {
    /// A scalar whose gradient is the loss' gradient.
    pub backward: Tensor<1>,
    /// The loss.
    pub value: f32,
    /// What it is made of, for the journal.
    pub parts: BTreeMap<String, f32>,
    /// Samples in the part.
    pub samples: usize,
}

/// One of the parts that a batch is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Part {
    /// All of a batch.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Its share of `count` samples.
    pub fn range(self, count: usize) -> Range<usize> {
        self.index * count / self.of..(self.index + 1) * count / self.of
    }

    /// What tells its random streams at `step` from those of all other parts and steps.
    pub(crate) fn index_at(self, step: u64) -> u64 {
        step * self.of as u64 + self.index as u64
    }
}

/// What is trained: the model, its data and its loss. The loop knows nothing else of them.
pub trait Task: Sync {
    /// The model.
    type Model: Module + Sync;
    /// What a step learns from.
    type Batch: Sync;

    /// The batch of `step`. It hangs on the step alone, so that a resumed run is exact.
    fn batch(&mut self, step: u64) -> Self::Batch;

    /// The loss of a part of the batch of `step`.
    fn loss(
        &self,
        model: &Self::Model,
        batch: &Self::Batch,
        step: u64,
        part: Part,
    ) -> Result<Loss, TrainError>;

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
    /// Parts of a batch that are worked at side by side, each on its share of the cores: one a core keeps them all busy.
    /// The result hangs on it, and not on the cores that there are.
    pub parts: usize,
    /// Minutes between checkpoints.
    pub checkpoint_minutes: f64,
    /// Minutes between observations.
    pub observe_minutes: f64,
}

impl LoopConfig {
    /// Whether a batch of so many samples has one for each part.
    pub(crate) fn fills(&self, samples: usize) -> bool {
        samples >= self.parts.max(1)
    }
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
    if config.parts == 0 {
        return Err(TrainError::Config("a batch has at least 1 part".into()));
    }
    let threads = (rayon::current_num_threads() / config.parts).max(1);
    let worker = || ThreadPoolBuilder::new().num_threads(threads).build();
    let workers: Vec<ThreadPool> = (0..config.parts)
        .map(|_| worker().map_err(|error| TrainError::Config(error.to_string())))
        .collect::<Result<_, _>>()?;
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
        let (next, entry) = step(task, training, config, &workers)?;
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

/// The work of all parts of a step.
struct Step {
    /// Summed.
    grads: Grads,
    /// The mean.
    value: f32,
    /// Means.
    parts: BTreeMap<String, f32>,
    samples: usize,
}

/// Losses and gradients of the batch of `step`, a part on each of the workers.
fn gradient<T: Task>(
    task: &mut T,
    model: &T::Model,
    step: u64,
    workers: &[ThreadPool],
) -> Result<Step, TrainError> {
    let batch = task.batch(step);
    let (task, of) = (&*task, workers.len());
    let work = |index| -> Result<Step, TrainError> {
        // Parameters of its own, so that the parts' graphs have nothing in common.
        let model = forked(model);
        let Loss {
            backward,
            value,
            parts,
            samples,
        } = task.loss(&model, &batch, step, Part { index, of })?;
        Ok(Step {
            grads: Grads::take(&model, &mut backward.backward()),
            value,
            parts,
            samples,
        })
    };
    let steps: Vec<Result<Step, TrainError>> = thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (workers.iter().enumerate())
            .map(|(index, worker)| scope.spawn(move || worker.install(|| work(index))))
            .collect();
        let end = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        running.into_iter().map(end).collect()
    });
    let share = 1.0 / of as f32;
    let mut sum: Option<Step> = None;
    for step in steps {
        let mut step = step?;
        step.value *= share;
        step.parts.values_mut().for_each(|value| *value *= share);
        match &mut sum {
            None => sum = Some(step),
            Some(sum) => {
                sum.grads.add(step.grads);
                sum.value += step.value;
                sum.samples += step.samples;
                for (name, value) in step.parts {
                    *sum.parts.entry(name).or_insert(0.0) += value;
                }
            }
        }
    }
    Ok(sum.expect("there is at least one part"))
}

/// The same values as leaves of another graph.
fn forked<M: Module>(model: &M) -> M {
    struct Fork;
    impl ModuleMapper for Fork {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|values| values.detach().require_grad())
        }
    }
    model.clone().map(&mut Fork)
}

fn step<T: Task>(
    task: &mut T,
    training: Training<T::Model>,
    config: &LoopConfig,
    workers: &[ThreadPool],
) -> Result<(Training<T::Model>, Entry), TrainError> {
    let Training {
        model,
        mut adam,
        mut average,
        state,
    } = training;
    let start = Instant::now();
    let rate = config.schedule.at(state.step);
    let Step {
        grads,
        value,
        parts,
        samples,
    } = gradient(task, &model, state.step, workers)?;
    let diverged = |what| TrainError::Diverged {
        step: state.step,
        what,
    };
    if !value.is_finite() {
        return Err(diverged("loss"));
    }
    let share = 1.0 / workers.len() as f32;
    let norm = share * grads.norm();
    if !norm.is_finite() {
        return Err(diverged("gradient"));
    }
    let scale = (config.optimiser.clip / norm.max(f32::MIN_POSITIVE)).min(1.0);
    let model = adam.step(model, &grads, rate as f32, scale * share);
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
