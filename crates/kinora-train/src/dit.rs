//! Training of the text encoder and the diffusion transformer by flow matching on cached latents.

use crate::{
    RunFolder, TrainError,
    attributes::Attribute,
    camera,
    clips::{ClipCache, Clips},
    config::{AttributesConfig, CELL, DitTraining, ModelConfig},
    export,
    gallery::gallery,
    given::given,
    heads::Heads,
    latents::{self, Latents},
    order::{Batch, Order, Source},
    pixels::floats,
    places::{Places, Targets, presence},
    random::{Purpose, generator, stream},
    recognition,
    run::{Event, Loss, Part, Task},
    sketch::sketch,
};
use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use kinora_diffusion::{Timesteps, noised, velocity};
use kinora_engine::Plan;
use kinora_media::{Fps, contact_sheet, save_png};
use kinora_models::{
    Model,
    kinora1::{
        CameraReader, Cells, Config, Defaults, Kinora1, Networks, TEMPORAL_COMPRESSION, Tokenizer,
        Vae, lasting, latent_frames,
    },
    registry::file,
};
use kinora_nn::{Init, Precision, noise, weights};
use kinora_stage::{Length, Scene, caption};
use rand::Rng;
use std::{collections::BTreeMap, ops::Range, path::Path, sync::atomic::AtomicBool};

/// What is trained: the model, and heads that only training uses.
#[derive(Module, Debug)]
pub struct Pupil {
    kinora1: Kinora1,
    heads: Heads,
    places: Places,
}

/// What a part of a step learns from: samples, latents normalised.
struct Samples {
    /// `[B, T, h, w, C]`.
    clean: Tensor<5>,
    captions: Vec<Vec<u32>>,
    classes: Vec<Vec<usize>>,
    places: Targets,
    /// The same of cells.
    cells: Targets,
    /// The share of each position that actors fill, `[B, T, h, w, 1]`.
    actors: Tensor<5>,
    /// The positions that are given, `[B, T, h, w, 1]`, if there are any.
    known: Option<Tensor<5>>,
    /// What those of which nothing is given should show, `[B, T, h, w, C]`, if any is staged.
    sketch: Option<Tensor<5>>,
}

/// Trains the text encoder and the transformer.
pub struct DitTask {
    config: DitTraining,
    model: Config,
    words: Vec<String>,
    tokenizer: Tokenizer,
    vae: Vae,
    /// The autoencoder's code, for the transformer's view of the picture.
    code: Cells,
    /// For each kind of batch, the clips and their latents.
    sources: Vec<(Clips, Latents)>,
    order: Order,
    device: Device,
}

impl DitTask {
    /// Prepares the task over rendered clips: encodes them, measures the latents and gathers the captions' words.
    ///
    /// # Errors
    /// When a share is no share, the autoencoder can't be read, a batch names no bucket or asks for more frames than its clips have, or
    /// the caches can't be written.
    pub fn new(
        config: DitTraining,
        model: &ModelConfig,
        clips: &ClipCache,
        stop: &AtomicBool,
        report: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let flow = &config.flow;
        let shares = flow.caption_lengths;
        let share = |share: f64| (0.0..=1.0).contains(&share);
        if !share(flow.caption_dropout)
            || !share(flow.sketched)
            || !config.batches.iter().all(|batch| share(batch.given))
            || shares.iter().any(|share| *share < 0.0)
            || shares.iter().sum::<f64>() <= 0.0
        {
            return Err(TrainError::Config(format!(
                "{flow:?}: caption_dropout, sketched and each batch's given are 0 to 1, and some caption_lengths are above 0"
            )));
        }
        let vae = export::read_vae(model, &config.vae)?;
        let mark = export::vae_mark(&config.vae)?;
        let mut sources = Vec::with_capacity(config.batches.len());
        let mut shares = Vec::with_capacity(config.batches.len());
        for batch in &config.batches {
            let clips = clips.bucket(&batch.bucket)?;
            if batch.frames % 4 != 1
                || batch.frames > clips.bucket.frames
                || !config.training.fills(batch.batch)
            {
                return Err(TrainError::Config(format!(
                    "{batch:?}: frames are 1 + 4k and at most the bucket's {}, a batch has at least 1 sample for each \
                     of training.parts",
                    clips.bucket.frames
                )));
            }
            let cache = Latents::fill(
                clips,
                &vae,
                &mark,
                model.vae.latent_channels,
                &config.latents,
                stop,
                report,
            )?;
            shares.push(Source {
                weight: batch.weight,
                batch: batch.batch,
                records: cache.len(),
            });
            sources.push((clips.clone(), cache));
        }
        if sources.is_empty() {
            return Err(TrainError::Config(
                "there must be at least one kind of batch".into(),
            ));
        }
        let (words, stats, cast) = match &config.start {
            Some(folder) => {
                let (words, Config { latent, cast, .. }) = export::read_words_and_config(folder)?;
                (words, latent, cast)
            }
            None => {
                let path = config.latents.join("statistics.json");
                (vocabulary(), latents::statistics(&sources, &path)?, None)
            }
        };
        let tokenizer =
            Tokenizer::new(words.clone()).map_err(|error| TrainError::Config(error.to_string()))?;
        let model = model.complete(words.len(), stats, cast)?;
        let order = Order::new(config.seed, shares);
        let device = Device::flex().autodiff();
        Ok(Self {
            code: vae.cells(&model.latent, &device),
            config,
            model,
            words,
            tokenizer,
            vae,
            sources,
            order,
            device,
        })
    }

    /// The model that training begins with.
    ///
    /// # Errors
    /// When the model to go on from can't be read or has another shape.
    pub fn fresh(&self) -> Result<Pupil, TrainError> {
        let mut init = Init::new(self.config.seed, &self.device).with_precision(Precision::Bf16);
        let mut kinora1 = Kinora1::new(&self.model, &mut init);
        if let Some(folder) = &self.config.start {
            kinora1 = weights::load_file(kinora1, &folder.join(file::DIT))?;
        }
        kinora1.cast = kinora1.cast.map(Module::no_grad); // it learns by itself
        if self.config.camera.steps > 0 {
            let reader = CameraReader::new(self.words.len(), &mut init);
            let (camera, seed) = (&self.config.camera, self.config.seed);
            kinora1.text.camera =
                camera::learn(reader, camera, &self.tokenizer, seed, &self.device)?;
        }
        let heads = Heads::new(self.model.text.width, &mut init);
        let places = Places::new(self.model.dit.width, &mut init);
        Ok(Pupil {
            kinora1,
            heads,
            places,
        })
    }

    /// How long the captions of a step are: all of a batch alike, so that no time goes into padding.
    fn length(&self, step: u64) -> Length {
        let shares = self.config.flow.caption_lengths;
        let mut rng = generator(self.config.seed, Purpose::Length, step);
        let mut ticket = rng.random::<f64>() * shares.iter().sum::<f64>();
        let chosen = shares.iter().position(|share| {
            ticket -= share;
            ticket < 0.0
        });
        chosen.map_or(Length::Paragraph, |place| Length::ALL[place])
    }

    /// The caption of a clip on one pass over the data, or nothing for the samples without.
    fn caption(&self, scene: &Scene, length: Length, index: u64) -> Vec<u32> {
        let mut rng = generator(self.config.seed, Purpose::Caption, index);
        if rng.random_bool(self.config.flow.caption_dropout) {
            return Vec::new();
        }
        self.tokenizer.encode(&caption(scene, length, &mut rng)).ids
    }

    /// The text encoder's loss at naming attributes from captions of scenes that are never rendered.
    fn naming_loss(&self, model: &Pupil, step: u64, part: Part) -> Loss {
        let AttributesConfig { batch, .. } = self.config.attributes;
        let length = self.length(step);
        let (mut captions, mut classes) = (Vec::new(), Vec::new());
        for sample in part.range(batch as usize) {
            let index = step * batch + sample as u64;
            let mut rng = generator(self.config.seed, Purpose::Naming, index);
            let scene = Scene::sample_training(rng.random());
            captions.push(
                self.tokenizer
                    .encode(&caption(&scene, length, &mut rng))
                    .ids,
            );
            classes.push(recognition::classes(&scene));
        }
        let text = model.kinora1.text.forward(&captions, &self.device);
        let shares = vec![1.0; captions.len()];
        let loss = model
            .heads
            .loss(text.pooled, &classes, &shares, &Attribute::ALL);
        let value = floats(loss.clone())[0];
        Loss {
            value,
            backward: loss,
            parts: BTreeMap::from([("attributes".to_string(), value)]),
            samples: captions.len(),
        }
    }

    /// The latent frame at which the window of a sample of `frames` begins, of a clip's `whole`: in half of the samples the
    /// first one, in the others any. A picture by itself is a clip's first frame.
    fn window(&self, index: u64, frames: usize, whole: usize) -> usize {
        let most = if frames == 1 { 0 } else { whole - frames };
        let mut rng = generator(self.config.seed, Purpose::Crop, index);
        match rng.random_bool(0.5) {
            true => 0,
            false => rng.random_range(0..=most),
        }
    }

    /// Part of the clips of `step`.
    fn samples(
        &self,
        model: &Pupil,
        batch: &Batch,
        step: u64,
        part: Part,
    ) -> Result<Samples, TrainError> {
        let kind = &self.config.batches[batch.source];
        let (clips, cache) = &self.sources[batch.source];
        let stats = &self.model.latent;
        let (t, [_, h, w, channels]) = (latent_frames(kind.frames), cache.dims);
        let (rows, columns) = (clips.bucket.height / CELL, clips.bucket.width / CELL);
        let length = self.length(step);
        let (mut clean, mut captions, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut places, mut cells) = (Targets::default(), Targets::default());
        let (mut actors, mut known, mut sketches) = (Vec::new(), Vec::new(), Vec::new());
        let records = &batch.records[part.range(batch.records.len())];
        for &(record, pass) in records {
            let index = (pass << 32 | record) << 8 | batch.source as u64;
            let start = self.window(index, t, cache.dims[0]);
            let latent = cache.read(record, start..start + t)?;
            let channels = stats.mean.iter().zip(&stats.std).cycle();
            clean.extend(
                latent
                    .into_iter()
                    .zip(channels)
                    .map(|(value, (mean, std))| (value - mean) / std),
            );
            let scene = &cache.label(record).scene;
            captions.push(self.caption(scene, length, index));
            classes.push(recognition::classes(scene));
            let owners = clips.owners(record, frames_of(start, kind.frames))?;
            places.clip(scene, &owners, rows, columns);
            cells.cells(scene, &owners, rows, columns);
            actors.extend(presence(&owners, rows, columns));
            let mut rng = generator(self.config.seed, Purpose::Given, index);
            // A clip begins with a single frame, what goes on from it with a latent frame that was there before.
            let before = usize::from(start > 0);
            let asked = rng.random_bool(kind.given);
            known.extend(vec![1.0; before * h * w]);
            known.extend(match asked {
                true => given(&mut rng, [t - before, h, w]),
                false => vec![0.0; (t - before) * h * w],
            });
            let cast = (model.kinora1.cast.as_ref())
                .filter(|_| before == 0 && !asked && rng.random_bool(self.config.flow.sketched));
            let sketch = match cast {
                Some(cast) => sketch(cast, &self.vae, clips, record, &Device::flex())?,
                None => None,
            };
            sketches.push(sketch.map(|sketch| floats(sketch.narrow(1, 0, t))));
        }
        let samples = records.len();
        let maps = [samples, t, h, w, 1];
        let some = known.iter().any(|&share| share > 0.0);
        Ok(Samples {
            clean: self.tensor(clean, [samples, t, h, w, channels]),
            captions,
            classes,
            places,
            cells,
            actors: self.tensor(actors, maps),
            known: some.then(|| self.tensor(known, maps)),
            sketch: self.sketches(sketches, [samples, t, h, w, channels]),
        })
    }

    /// Sketches as one normalised tensor of `shape`, zeros where there is none; nothing if there is none at all.
    fn sketches(&self, sketches: Vec<Option<Vec<f32>>>, shape: [usize; 5]) -> Option<Tensor<5>> {
        sketches.iter().any(Option::is_some).then(|| {
            let stats = &self.model.latent;
            let one = shape[1..].iter().product();
            let normalised = |sketch: Option<Vec<f32>>| match sketch {
                None => vec![0.0; one],
                Some(sketch) => {
                    let channels = stats.mean.iter().zip(&stats.std).cycle();
                    let values = sketch.into_iter().zip(channels);
                    values
                        .map(|(value, (mean, std))| (value - mean) / std)
                        .collect()
                }
            };
            self.tensor(sketches.into_iter().flat_map(normalised).collect(), shape)
        })
    }

    /// The flow-matching loss on part of the clips of `step`, and beside it those of naming attributes and of who is where.
    fn flow_loss(
        &self,
        model: &Pupil,
        batch: &Batch,
        step: u64,
        part: Part,
    ) -> Result<Loss, TrainError> {
        let Samples {
            clean,
            captions,
            classes,
            places,
            cells,
            actors,
            known,
            sketch,
        } = self.samples(model, batch, step, part)?;
        let index = part.index_at(step);
        let (samples, seed, flow) = (captions.len(), self.config.seed, &self.config.flow);
        let noise = noise::normal(
            seed,
            stream(Purpose::Noise, index),
            clean.dims().iter().product(),
        );
        let noise = self.tensor(noise, clean.dims());
        let noise = lasting(noise, &self.model.latent.persistence);
        let levels = Timesteps {
            mean: flow.sigma_mean,
            std: flow.sigma_deviation,
            shift: flow.sigma_shift,
        };
        let sigma = levels.draw(seed, stream(Purpose::Level, index), samples);
        let sigma = self.tensor(sigma, [samples, 1, 1, 1, 1]);
        let open = match &known {
            None => Tensor::ones([1, 1, 1, 1, 1], &self.device),
            Some(known) => 1.0 - known.clone(), // (B, T, h, w, 1)
        };

        let whole = self.sources[batch.source].0.bucket.of;
        let text = (model.kinora1.text.forward(&captions, &self.device)).over(whole);
        let text = text.staged(sketch);
        let x = noised(clean.clone(), noise.clone(), sigma.clone() * open.clone()); // (B, T, h, w, C)
        let answer = (model.kinora1.dit).answer(
            x,
            sigma.clone().reshape([samples]),
            known,
            &text,
            &self.code,
        );
        let error = (answer.velocity - velocity(clean, noise)) * open; // (B, T, h, w, C)
        let error = error.square() * self.channel_weights();
        let of_latent = (error.clone() * sigma.clone().square()).mean();
        let of_flow = (error * self.place_weights(sigma, actors)).mean();
        let asked = captions.iter().map(|ids| f32::from(!ids.is_empty()));
        let named = (model.heads).loss(
            text.pooled,
            &classes,
            &asked.collect::<Vec<_>>(),
            &Attribute::ALL,
        );
        let placed = model.places.loss(answer.tokens, places);
        let [b, t, h, w, scores] = answer.names.dims();
        let called = cells.cross_entropy(answer.names.reshape([b * t * h * w, scores]));
        let part = |name: &str, loss: &Tensor<1>| (name.to_string(), floats(loss.clone())[0]);
        let parts = BTreeMap::from([
            part("latent", &of_latent),
            part("flow", &of_flow),
            part("attributes", &named),
            part("places", &placed),
            part("names", &called),
        ]);
        Ok(Loss {
            value: parts["flow"],
            backward: of_flow
                + named * self.config.attributes.weight
                + (placed + called) * self.config.places,
            parts,
            samples,
        })
    }

    /// Weights of the channels' squared errors, `[1, 1, 1, 1, C]`, such that the error of a model that knows the mean
    /// alone is one at the highest noise level.
    fn channel_weights(&self) -> Tensor<5> {
        let spread = &self.model.latent.spread;
        let power = self.config.flow.channel_power;
        let whole: f32 = spread.iter().map(|s| s.powf(2.0 + power)).sum();
        let weights: Vec<f32> = spread
            .iter()
            .map(|s| s.powf(power) * spread.len() as f32 / whole)
            .collect();
        self.tensor(weights, [1, 1, 1, 1, spread.len()])
    }

    /// Weights of the squared errors of velocity, `[B, T, h, w, 1]`, at noise levels `level` `[B, 1, 1, 1, 1]` and for
    /// the shares `actors` of each position that actors fill.
    ///
    /// The velocity's error is the latent's divided by sigma: weighed alike, a few samples of little noise outweigh all
    /// others, and weighed as the latent's, detail that is decided near the end hardly counts. Actors weigh more, for
    /// they fill a tenth of the frames and are what a sentence is about, but only where the noise leaves no doubt about
    /// where they are: above that, a weight would teach that they are everywhere.
    fn place_weights(&self, level: Tensor<5>, actors: Tensor<5>) -> Tensor<5> {
        const OPEN: f32 = 0.8;
        let flow = &self.config.flow;
        let quiet: Tensor<5> = 1.0 - level.clone();
        let settled = (quiet / (1.0 - OPEN)).clamp_max(1.0);
        let weight: Tensor<5> = settled * actors * (flow.actor_weight - 1.0) + 1.0;
        weight * level.powf_scalar(flow.sigma_power)
    }

    fn tensor(&self, values: Vec<f32>, shape: [usize; 5]) -> Tensor<5> {
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// The frames of a window of `1 + 4k` that begins at the latent frame `start`: of the first latent frame, the last one.
fn frames_of(start: usize, frames: usize) -> Range<usize> {
    let first = start * TEMPORAL_COMPRESSION;
    first..first + frames
}

/// The words of all captions and the marks the tokenizer keeps.
fn vocabulary() -> Vec<String> {
    let marks = [",", ".", ":", ";"].map(String::from);
    marks.into_iter().chain(kinora_stage::words()).collect()
}

impl Task for DitTask {
    type Model = Pupil;

    /// Nothing while the text encoder learns alone.
    type Batch = Option<Batch>;

    fn batch(&mut self, step: u64) -> Option<Batch> {
        let step = step.checked_sub(self.config.attributes.steps)?;
        Some(self.order.at(step))
    }

    fn loss(
        &self,
        model: &Pupil,
        batch: &Option<Batch>,
        step: u64,
        part: Part,
    ) -> Result<Loss, TrainError> {
        match batch {
            None => Ok(self.naming_loss(model, step, part)),
            Some(batch) => self.flow_loss(model, batch, step - self.config.attributes.steps, part),
        }
    }

    fn observe(
        &mut self,
        model: &Pupil,
        step: u64,
        folder: &RunFolder,
    ) -> Result<String, TrainError> {
        let model = Model::Kinora1(Box::new(Networks {
            config: self.model.clone(),
            tokenizer: self.tokenizer.clone(),
            vae: self.vae.clone(),
            painter: model.kinora1.clone(),
        }));
        let Defaults {
            width,
            height,
            frames,
            ..
        } = self.model.defaults;
        let plan = |(prompt, seed): (&String, u64)| {
            Ok(Plan {
                prompt: prompt.clone(),
                negative: String::new(),
                seed,
                width: width as u32,
                height: height as u32,
                frames: frames as u32,
                fps: Fps::new(self.model.defaults.fps, 1)?,
                steps: self.config.sheet_steps,
                guidance: f64::from(self.model.defaults.guidance),
                guidance_2: None,
                precision: Precision::F32,
                sampler: export::sampler(&self.model.defaults)?,
                shift: f64::from(self.model.defaults.shift),
                temperature: f64::from(self.model.defaults.temperature),
                candidates: self.model.defaults.candidates as u32,
            })
        };
        let plans = (self.config.prompts.iter().zip(0..))
            .map(plan)
            .collect::<Result<Vec<_>, TrainError>>()?;
        let rows = gallery(&model, &plans, &AtomicBool::new(false))?;
        let path = folder.sheets().join(format!("samples-{step:06}.png"));
        save_png(&contact_sheet(&rows), &path)?;
        Ok(format!("samples in {}", path.display()))
    }

    fn export(&self, model: &Pupil, folder: &Path) -> Result<(), TrainError> {
        export::write_model(&model.kinora1, &self.vae, &self.model, &self.words, folder)
    }
}
