//! Training of the cast: to read who is in a caption, to stage a scene, and to imagine actors. All three learn in the same steps,
//! each from batches of its own.

use crate::{
    RunFolder, TrainError,
    config::CastTraining,
    export,
    pixels::{floats, to_bytes},
    random::{Purpose, generator, stream},
    run::{Event, Loss, Part, Task},
    staged::{Staged, Still, classes, facts},
};
use burn::{
    module::Module,
    tensor::{
        Device, Tensor, TensorData,
        activation::{log_softmax, softplus},
    },
};
use image::RgbImage;
use kinora_diffusion::Timesteps;
use kinora_media::{SheetRow, contact_sheet, save_png};
use kinora_models::{
    kinora1::{
        Config, Kinora1, Tokenizer, Vae,
        cast::{Cast, Facts, LAYOUT, MOST, PORTRAIT, Scores, Sight},
    },
    registry::file,
};
use kinora_nn::{Init, Precision, noise, weights};
use kinora_stage::{Length, Scene, Subject, caption};
use rand::Rng;
use std::{collections::BTreeMap, path::Path, sync::atomic::AtomicBool};

/// Trains the cast of a model.
pub struct CastTask {
    config: CastTraining,
    model: Config,
    words: Vec<String>,
    tokenizer: Tokenizer,
    vae: Vae,
    /// What the cast belongs to.
    kinora1: Kinora1,
    /// The cast to go on from.
    start: Option<Cast>,
    staged: Vec<Staged>,
    stills: Vec<Still>,
    device: Device,
}

impl CastTask {
    /// Prepares the task over a model; it has nothing to learn from yet, see [`Self::gather`].
    ///
    /// # Errors
    /// When the model can't be read.
    pub fn new(config: CastTraining) -> Result<Self, TrainError> {
        let device = Device::flex().autodiff();
        let (words, mut model) = export::read_words_and_config(&config.start)?;
        let tokenizer =
            Tokenizer::new(words.clone()).map_err(|error| TrainError::Config(error.to_string()))?;
        let mut init = Init::new(config.seed, &device).with_precision(Precision::Bf16);
        let kinora1 = Kinora1::new(&model, &mut init);
        let mut kinora1 = weights::load_file(kinora1, &config.start.join(file::DIT))?;
        let start = kinora1.cast.take().filter(|_| !config.fresh);
        model.cast = Some(classes());
        let vae = Vae::new(&model.vae, &mut Init::zeros(&Device::flex()));
        let vae = weights::load_file(vae, &config.start.join(file::VAE))?;
        Ok(Self {
            config,
            model,
            words,
            tokenizer,
            vae,
            start,
            kinora1: kinora1.no_grad(),
            staged: Vec::new(),
            stills: Vec::new(),
            device,
        })
    }

    /// Stages scenes and takes pictures of actors and sets.
    ///
    /// # Errors
    /// When a scene can't be rendered, there are none, or `stop` was set.
    pub fn gather(
        &mut self,
        stop: &AtomicBool,
        report: &mut dyn FnMut(Event),
    ) -> Result<(), TrainError> {
        let CastTraining {
            seed,
            scenes,
            pictures,
            portraits,
            training,
            ..
        } = self.config;
        self.staged = Staged::all(seed, scenes, stop)?;
        report(Event::Note(format!(
            "{} scenes are staged",
            self.staged.len()
        )));
        self.stills = Still::all(seed, pictures, stop)?;
        report(Event::Note(format!(
            "{} pictures of actors and sets are taken",
            self.stills.len()
        )));
        if self.staged.is_empty() || self.stills.is_empty() || !training.fills(portraits) {
            return Err(TrainError::Config(
                "scenes, pictures and portraits are above 0, portraits at least training.parts"
                    .into(),
            ));
        }
        Ok(())
    }

    /// The cast that training begins with.
    pub fn fresh(&self) -> Cast {
        let mut init = Init::new(self.config.seed, &self.device).with_precision(Precision::Bf16);
        let sizes = self
            .model
            .cast
            .as_ref()
            .expect("it is set when the task is made");
        let fresh = || Cast::new(sizes, self.words.len(), &mut init);
        let mut cast = self.start.clone().unwrap_or_else(fresh);
        cast.blocking = cast.blocking.with_statistics(self.statistics());
        cast
    }

    /// Mean and deviation of what layouts say, `[2, LAYOUT]`.
    fn statistics(&self) -> Tensor<2> {
        let mut sums = [[0.0f64; LAYOUT]; 3];
        for Staged { layout, .. } in &self.staged {
            for (index, (&value, &there)) in layout.0.iter().zip(&layout.1).enumerate() {
                let (value, there) = (f64::from(value), f64::from(there));
                sums[0][index] += there;
                sums[1][index] += there * value;
                sums[2][index] += there * value * value;
            }
        }
        let [counts, values, squares] = &sums;
        let mean = |index: usize| values[index] / counts[index].max(1.0);
        let deviation = |index: usize| {
            let variance = squares[index] / counts[index].max(1.0) - mean(index).powi(2);
            variance.max(1e-6).sqrt()
        };
        let means = (0..LAYOUT).map(|index| mean(index) as f32);
        let all = means.chain((0..LAYOUT).map(|index| deviation(index) as f32));
        Tensor::from_data(TensorData::new(all.collect(), [2, LAYOUT]), &self.device)
    }

    /// How badly captions are read: the cross-entropy of each fact, of actors' colour, action and emotion where they are.
    fn reading_loss(&self, cast: &Cast, step: u64, part: Part) -> Tensor<1> {
        let (mut captions, mut told) = (Vec::new(), Vec::new());
        for sample in part.range(self.config.captions) {
            let index = step * self.config.captions as u64 + sample as u64;
            let mut rng = generator(self.config.seed, Purpose::Naming, index);
            let scene = Scene::sample_training(rng.random());
            let length = Length::ALL[rng.random_range(0..Length::ALL.len())];
            let words = caption(&scene, length, &mut rng);
            captions.push(self.tokenizer.encode(&words).ids);
            told.push(facts(&scene));
        }
        let Scores { roles, scene } = cast.reader.forward(&captions, &self.device);
        let nobody = self.model.cast.as_ref().map_or(0, |sizes| sizes.role[0]);
        let mut loss = Tensor::<1>::zeros([1], &self.device);
        for (actor, scores) in roles.into_iter().enumerate() {
            for (fact, scores) in scores.into_iter().enumerate() {
                let class = |facts: &Facts| match (facts.roles.get(actor), fact) {
                    (Some(role), _) => Some(role[fact]),
                    (None, 0) => Some(nobody),
                    (None, _) => None,
                };
                loss = loss + cross_entropy(scores, told.iter().map(class));
            }
        }
        for (fact, scores) in scene.into_iter().enumerate() {
            let class = |facts: &Facts| Some([facts.scenery, facts.shot].concat()[fact]);
            loss = loss + cross_entropy(scores, told.iter().map(class));
        }
        loss / (4 * MOST + 8) as f64
    }

    /// The flow-matching loss over layouts, in units of their deviation.
    fn blocking_loss(&self, cast: &Cast, step: u64, part: Part) -> Tensor<1> {
        let range = part.range(self.config.layouts);
        let mut rng = generator(self.config.seed, Purpose::Order, part.index_at(step));
        let rows = range.len();
        let drawn: Vec<&Staged> = (0..rows)
            .map(|_| &self.staged[rng.random_range(0..self.staged.len())])
            .collect();
        let tensor = |values: Vec<f32>| {
            Tensor::<2>::from_data(TensorData::new(values, [rows, LAYOUT]), &self.device)
        };
        let clean = tensor(drawn.iter().flat_map(|staged| staged.layout.0).collect());
        let there = tensor(drawn.iter().flat_map(|staged| staged.layout.1).collect());
        let clean = cast.blocking.normalised(clean) * there.clone();
        let index = part.index_at(step);
        let noise = tensor(noise::normal(
            self.config.seed,
            stream(Purpose::Noise, index),
            rows * LAYOUT,
        ));
        let levels = Timesteps {
            mean: 0.0,
            std: 1.2,
            shift: 1.0,
        };
        let sigmas = levels.draw(self.config.seed, stream(Purpose::Level, index), rows);
        let sigma =
            Tensor::<2>::from_data(TensorData::new(sigmas.clone(), [rows, 1]), &self.device);
        let noisy = clean.clone() * (1.0 - sigma.clone()) + noise.clone() * sigma;
        let told: Vec<(Facts, f32)> = (drawn.iter())
            .map(|staged| (facts(&staged.scene), staged.aspect))
            .collect();
        let velocity = cast.blocking.forward(noisy, &sigmas, &told);
        let error = (velocity - (noise - clean)).square() * there.clone();
        error.sum() / there.sum()
    }

    /// How badly actors are imagined: the cross-entropy of who shows at each pixel, and the error of its colour.
    fn portrait_loss(&self, cast: &Cast, step: u64, part: Part) -> [Tensor<1>; 2] {
        let rows = part.range(self.config.portraits).len();
        let mut rng = generator(self.config.seed, Purpose::Crop, part.index_at(step));
        let drawn: Vec<&Still> = (0..rows)
            .map(|_| &self.stills[rng.random_range(0..self.stills.len())])
            .collect();
        let values = drawn
            .iter()
            .flat_map(|still| &still.pixels)
            .map(|&byte| f32::from(byte) / 255.0);
        let shape = [rows, PORTRAIT, PORTRAIT, Still::PIXEL];
        let target = Tensor::<4>::from_data(TensorData::new(values.collect(), shape), &self.device);
        let of = |first, count| target.clone().narrow(3, first, count);
        let (shows, known, colour) = (of(0, 1), of(1, 1), of(2, 3) * 2.0 - 1.0);
        let sights: Vec<Sight> = drawn.iter().map(|still| still.sight).collect();
        let painted = cast.portraits.forward(&sights, &self.device);
        let logit = painted.clone().narrow(3, 0, 1);
        // Of what is not known, where somebody else stands before the actor, nothing is asked.
        let entropy = softplus(logit.clone(), 1.0) * known.clone() - logit * shows.clone();
        let outline = entropy.sum() / known.sum();
        let error = (painted.narrow(3, 1, 3) - colour).abs().sum_dim(3) * shows.clone();
        [outline, error.sum() / shows.sum().clamp_min(1.0)]
    }

    /// How captions of scenes that training never shows are read: the shares of who is first in them, in which colour and doing
    /// what, of how many there are, of setting and of shot size, for each length.
    fn reading(&self, cast: &Cast) -> String {
        const ASKED: u64 = 192;
        let seeds = 0..ASKED;
        let scenes: Vec<Scene> = seeds
            .map(|index| generator(self.config.seed, Purpose::Scene, index).random())
            .map(Scene::sample_held_out)
            .collect();
        let of_length = |&length: &Length| {
            let read = |(scene, index): (&Scene, u64)| {
                let mut rng = generator(self.config.seed, Purpose::Caption, index);
                self.tokenizer.encode(&caption(scene, length, &mut rng)).ids
            };
            let captions: Vec<Vec<u32>> = scenes.iter().zip(0..).map(read).collect();
            let cast = cast.reader.cast(&captions, &self.device);
            let share = |right: fn(&Facts, &Facts) -> bool| {
                let pairs = cast.iter().zip(&scenes);
                let count = pairs
                    .filter(|(cast, scene)| right(cast, &facts(scene)))
                    .count();
                (100.0 * count as f64 / scenes.len() as f64).round()
            };
            format!(
                "{length:?}: who {} %, how many {} %, colour {} %, action {} %, setting {} %, size {} %",
                share(|a, b| a.roles.first().map(|role| role[0])
                    == b.roles.first().map(|role| role[0])),
                share(|a, b| a.roles.len() == b.roles.len()),
                share(|a, b| a.roles.first().map(|role| role[1])
                    == b.roles.first().map(|role| role[1])),
                share(|a, b| a.roles.first().map(|role| role[2])
                    == b.roles.first().map(|role| role[2])),
                share(|a, b| a.scenery[0] == b.scenery[0]),
                share(|a, b| a.shot[1] == b.shot[1]),
            )
        };
        let all: Vec<String> = Length::ALL.iter().map(of_length).collect();
        all.join("; ")
    }

    /// Pictures of every subject and of sets, each beside what the cast imagines from there.
    fn sheet(&self, cast: &Cast) -> Vec<SheetRow> {
        let row = |subject: Option<usize>| {
            let like = |still: &&Still| still.sight.role.map(|role| role[0]) == subject;
            let stills: Vec<&Still> = self.stills.iter().filter(like).take(5).collect();
            let sights: Vec<Sight> = stills.iter().map(|still| still.sight).collect();
            let mut frames = Vec::new();
            if !sights.is_empty() {
                let painted = floats(cast.portraits.forward(&sights, &self.device));
                let painted = painted.chunks_exact(PORTRAIT * PORTRAIT * 4);
                for (still, painted) in stills.iter().zip(painted) {
                    frames.push(picture(still.pixels.chunks_exact(Still::PIXEL).map(
                        |pixel| {
                            let value = |c: usize| f32::from(pixel[2 + c]) / 127.5 - 1.0;
                            (f32::from(pixel[0]) / 255.0, [value(0), value(1), value(2)])
                        },
                    )));
                    frames.push(picture(painted.chunks_exact(4).map(|pixel| {
                        let share = 1.0 / (1.0 + (-pixel[0]).exp());
                        (share, [pixel[1], pixel[2], pixel[3]])
                    })));
                }
            }
            SheetRow {
                label: match subject {
                    Some(subject) => format!("{:?}: rendered, imagined", Subject::ALL[subject]),
                    None => "sets: rendered, imagined".to_string(),
                },
                frames,
            }
        };
        let subjects = (0..Subject::ALL.len()).map(Some);
        subjects.chain([None]).map(row).collect()
    }
}

/// A portrait on grey, from the share and the colour of each pixel.
fn picture(pixels: impl Iterator<Item = (f32, [f32; 3])>) -> RgbImage {
    let on_grey = |(share, colour): (f32, [f32; 3])| colour.map(|value| value * share);
    let values: Vec<f32> = pixels.flat_map(on_grey).collect();
    RgbImage::from_raw(PORTRAIT as u32, PORTRAIT as u32, to_bytes(&values))
        .expect("a portrait fills its size")
}

/// The mean cross-entropy of `scores` `[B, classes]` over the rows that have a class.
fn cross_entropy(scores: Tensor<2>, classes: impl Iterator<Item = Option<usize>>) -> Tensor<1> {
    let [rows, width] = scores.dims();
    let mut target = vec![0.0; rows * width];
    let mut asked = 0.0f32;
    for (row, class) in classes.enumerate() {
        if let Some(class) = class {
            target[row * width + class] = 1.0;
            asked += 1.0;
        }
    }
    let target = Tensor::<2>::from_data(TensorData::new(target, [rows, width]), &scores.device());
    -(log_softmax(scores, 1) * target).sum() / asked.max(1.0)
}

impl Task for CastTask {
    type Model = Cast;
    /// Each part draws its own samples.
    type Batch = ();

    fn batch(&mut self, _: u64) {}

    fn loss(&self, model: &Cast, (): &(), step: u64, part: Part) -> Result<Loss, TrainError> {
        let [outline, colour] = self.portrait_loss(model, step, part);
        let losses = [
            ("outline", outline),
            ("colour", colour),
            ("blocking", self.blocking_loss(model, step, part)),
            ("reading", self.reading_loss(model, step, part)),
        ];
        let value = |loss: &Tensor<1>| floats(loss.clone())[0];
        let parts: BTreeMap<String, f32> = losses
            .iter()
            .map(|(name, loss)| (name.to_string(), value(loss)))
            .collect();
        let [outline, colour, blocking, reading] = losses.map(|(_, loss)| loss);
        Ok(Loss {
            backward: outline + colour + blocking + reading,
            value: parts.values().sum(),
            parts,
            samples: part.range(self.config.portraits).len(),
        })
    }

    fn observe(
        &mut self,
        model: &Cast,
        step: u64,
        folder: &RunFolder,
    ) -> Result<String, TrainError> {
        let path = folder.sheets().join(format!("portraits-{step:06}.png"));
        save_png(&contact_sheet(&self.sheet(model)), &path)?;
        Ok(format!(
            "{}; portraits in {}",
            self.reading(model),
            path.display()
        ))
    }

    fn export(&self, model: &Cast, folder: &Path) -> Result<(), TrainError> {
        let kinora1 = Kinora1 {
            cast: Some(model.clone()),
            ..self.kinora1.clone()
        };
        export::write_model(&kinora1, &self.vae, &self.model, &self.words, folder)
    }
}
