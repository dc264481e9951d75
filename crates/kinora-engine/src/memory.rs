//! What a clip will take, before it is begun: memory and operations of each stage.

use crate::generate::decode_frames;
use crate::model::Kind;
use crate::{ModelFiles, Plan, Shortcuts};
use kinora_diffusion::Sampler;
use kinora_models::kinora1::{self, DecoderConfig, TEMPORAL_COMPRESSION, latent_frames};
use kinora_models::wan::{Config, TEXT_ROWS, Tiles, Tiling};
use kinora_models::{Family, Geometry};
use kinora_nn::Precision;
use serde::Serialize;

/// The program itself, its threads' stacks and what the allocator has at hand: measured.
const PROGRAM: u64 = 54 << 20;
/// Bytes for a pixel of a frame that the video encoder takes: measured.
const WRITER: u64 = 70;
/// Bytes of an activation.
const F32: u64 = 4;
/// Tensors of the stream's width that are alive at once in a block of kinora-1, besides the perceptron's.
const STREAMS: u64 = 10;
/// Columns of a weight that are decoded at once for a product in 32 bits.
const COLUMNS: u64 = 512;
/// Frames whose decode as a whole takes no more than this are divided no further than they must.
const UNDIVIDED: u64 = 2_000_000_000;
/// The stage in which latents become frames.
const DECODING: &str = "decoding";

/// What a clip takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Need {
    /// Bytes of the program and the weights that are always there.
    pub fixed: u64,
    /// Reading the prompt, sampling, decoding, writing.
    pub stages: Vec<Stage>,
    /// How decoding divides the frames.
    #[serde(skip)]
    pub tiles: Tiles,
}

/// What a stage takes; stages follow one another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// What is done.
    pub name: &'static str,
    /// Bytes of activations at the peak.
    pub activations: u64,
    /// Bytes of a layer's weights as they are multiplied.
    pub layer: u64,
    /// Bytes of the weights that are read from files, if all of them stay.
    pub weights: u64,
    /// Floating-point operations.
    pub operations: f64,
    /// The precision of most of them.
    pub precision: Precision,
}

impl Stage {
    /// One without weights of its own, of which no time is foreseen.
    fn plain(name: &'static str, activations: u64) -> Self {
        Self {
            name,
            activations,
            layer: 0,
            weights: 0,
            operations: 0.0,
            precision: Precision::F32,
        }
    }
}

/// What may be held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of a network's weights between their uses.
    pub weights: u64,
    /// How decoding divides the frames.
    pub tiles: Tiles,
}

impl Room {
    /// As much as there is.
    pub const ALL: Self = Self {
        weights: u64::MAX,
        tiles: Tiles::WHOLE,
    };
}

impl Need {
    /// The peak of each stage, if so many bytes of weights stay.
    pub fn peaks(&self, weights: u64) -> impl Iterator<Item = u64> + '_ {
        let peak = move |stage: &Stage| {
            self.fixed + stage.activations + stage.layer + stage.weights.min(weights)
        };
        self.stages.iter().map(peak)
    }

    /// The peak if so many bytes of weights stay.
    pub fn peak(&self, weights: u64) -> u64 {
        self.peaks(weights).max().unwrap_or(self.fixed)
    }

    /// The peak if weights are read again at each use.
    pub fn least(&self) -> u64 {
        self.peak(0)
    }

    /// What finishing a clip takes that is painted.
    pub fn of_painted(mut self) -> Self {
        let sampled = self.stages.iter().position(|s| s.name == DECODING);
        self.stages.drain(..sampled.unwrap_or(0));
        self
    }

    /// The stage in which latents become frames, which every need has.
    fn decoding(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == DECODING)
    }

    /// Bytes that are taken while latents become frames.
    fn to_decode(&self) -> u64 {
        self.fixed + self.decoding().map_or(0, |stage| stage.activations)
    }

    /// What may be held in so much memory; `None` is as much as is asked for.
    pub fn room(&self, memory: Option<u64>) -> Room {
        let streams = self.stages.iter().filter(|stage| stage.weights > 0);
        let left = |stage: &Stage| {
            let taken = self.fixed + stage.activations + stage.layer;
            memory.map_or(u64::MAX, |memory| memory.saturating_sub(taken))
        };
        Room {
            weights: streams.map(left).min().unwrap_or(u64::MAX),
            tiles: self.tiles,
        }
    }
}

/// What [`crate::generate`] and writing the clip take, about. Of the ways to divide frames that `memory` allows, that is
/// taken which has the least work times the square of its memory: a decode is little beside sampling, so half the memory is
/// worth several times its work. A small decode is divided no further than `memory` demands.
///
/// Reading the prompt, sampling and decoding follow one another; of a clip that is painted in parts, one part
/// at a time is sampled. `pictures` tells whether some are given.
pub fn estimate(
    plan: &Plan,
    shortcuts: &Shortcuts,
    model: &ModelFiles,
    pictures: bool,
    memory: Option<u64>,
) -> Need {
    let tried = Tiles::TRIED
        .into_iter()
        .filter(|&tiles| tiles == Tiles::WHOLE || model.about.family == Family::Wan);
    let needs: Vec<Need> = tried
        .map(|tiles| divided(plan, shortcuts, model, pictures, tiles))
        .collect();
    let fits = |need: &&Need| memory.is_none_or(|memory| need.least() <= memory);
    let cost = |need: &&Need| {
        let work = need.decoding().map_or(0.0, |stage| stage.operations);
        work * (need.to_decode() as f64).powi(2)
    };
    let best = match needs[0].to_decode() <= UNDIVIDED {
        true => needs.iter().find(fits),
        false => (needs.iter().filter(fits)).min_by(|a, b| cost(a).total_cmp(&cost(b))),
    };
    let best = best.or_else(|| needs.iter().min_by_key(|need| need.least()));
    best.expect("the whole is tried").clone()
}

/// What the clip takes with frames divided like this.
fn divided(
    plan: &Plan,
    shortcuts: &Shortcuts,
    model: &ModelFiles,
    pictures: bool,
    tiles: Tiles,
) -> Need {
    let about = &model.about;
    let part = Plan {
        frames: plan.frames.min(about.geometry.whole as u32),
        ..plan.clone()
    };
    let pixels = u64::from(plan.width) * u64::from(plan.height) * 3;
    let frames = u64::from(plan.frames) * pixels;
    let mut stages = match &model.kind {
        Kind::Kinora1(both) => kinora1(&part, &both.as_ref().0, about.geometry, pictures),
        Kind::Wan(files) => wan(&part, plan, shortcuts, (model, &files.config), tiles),
    };
    if let Kind::Wan(files) = &model.kind {
        // A later part continues the frames before it; a model that is told of pictures is told that there are none.
        let told = files.config.transformer.stacked() > 0;
        if pictures || part.frames < plan.frames || told {
            stages.insert(0, reading(&part, about.geometry, &files.config, frames));
        }
    }
    // Frames are kept in RGB8 from when they are decoded.
    if let Some(decoding) = stages.last_mut() {
        decoding.activations += frames;
    }
    // Decoded frames are joined to those that are there before the encoder begins.
    let writing = (2 * frames).max(frames + WRITER * pixels / 3);
    stages.push(Stage::plain("writing", writing));
    Need {
        fixed: PROGRAM + about.loaded_bytes,
        stages,
        tiles,
    }
}

/// Whether it guides at some step.
fn is_guided(plan: &Plan) -> bool {
    let guided = |scale: f64| scale != 1.0;
    guided(plan.guidance) || plan.guidance_2.is_some_and(guided)
}

/// The stages of a Wan checkpoint, of a `part` of the plan.
fn wan(
    part: &Plan,
    plan: &Plan,
    shortcuts: &Shortcuts,
    (model, config): (&ModelFiles, &Config),
    tiles: Tiles,
) -> Vec<Stage> {
    let (about, precision) = (&model.about, part.precision);
    let [_, t, h, w, channels] = part.latent_shape(about.geometry);
    let parts = f64::from(plan.frames) / f64::from(part.frames);
    let prompts = [&part.prompt, &part.negative];
    let tokens = prompts.map(|text| (text.chars().count() / 3 + 2).min(TEXT_ROWS));
    let read = tokens.map(|tokens| config.text.footprint(tokens));
    let batch = if is_guided(part) { 2 } else { 1 };
    let sample = config.transformer.footprint(batch, [t, h, w], TEXT_ROWS);
    let [_, ph, pw] = config.transformer.patch_size;
    let kept = match shortcuts.step_cache {
        Some(_) => 3 * batch * t * (h / ph) * (w / pw) * config.transformer.width(),
        None => 0,
    };
    let latents = 9 * t * h * w * channels + kept;
    let calls = match part.sampler {
        Sampler::Heun => 2 * part.steps - 1,
        _ => part.steps,
    };
    let guided = match (&shortcuts.guidance_span, batch) {
        (Some(span), 2) => (1.0 + span.end - span.start) / 2.0,
        _ => 1.0,
    };
    let Tiling { scale, halo } = config.vae.tiling();
    let decode = config.vae.decoding(t, [h, w], tiles);
    // The frames of a latent frame, which wait for each other.
    let spans = tiles.spans([scale * h, scale * w], halo);
    let [rows, columns] = spans.map(|spans| spans.iter().map(|s| s.keep.len()).max());
    let positions = rows.unwrap_or(0) * columns.unwrap_or(0);
    let cell = about.geometry.spatial / scale;
    let chunk = (4 * 3 * positions * cell * cell) as u64;
    let layer = |precision, (numbers, columns): (u64, u64)| {
        let packed = match precision {
            Precision::F32 => 0,
            Precision::Bf16 => 2 * numbers,
            Precision::Int8 => numbers,
        };
        packed + COLUMNS * columns * F32
    };
    vec![
        Stage {
            name: "reading the prompt",
            activations: read.map(|read| read.bytes).into_iter().max().unwrap_or(0),
            layer: layer(precision.of_delicate(), config.text.largest()),
            weights: about.text_bytes,
            operations: parts * read.map(|read| read.operations).iter().sum::<f64>(),
            precision: precision.of_delicate(),
        },
        Stage {
            name: "sampling",
            activations: sample.bytes + latents as u64 * F32,
            layer: layer(precision, config.transformer.largest()),
            weights: about.transformer_bytes,
            operations: parts * f64::from(calls) * guided * sample.operations,
            precision,
        },
        Stage {
            operations: parts * decode.operations,
            ..Stage::plain(DECODING, decode.bytes + chunk * F32)
        },
    ]
}

/// Given pictures to latents, of `frames` bytes of frames.
fn reading(part: &Plan, geometry: Geometry, config: &Config, frames: u64) -> Stage {
    let [_, t, h, w, _] = part.latent_shape(geometry);
    let encode = config.vae.encoding(t, [h, w]);
    // The frames that are read at once, and their patches.
    let chunk = 1 + TEMPORAL_COMPRESSION * decode_frames(part, geometry).min(t);
    let pixels = chunk as u64 * u64::from(part.width) * u64::from(part.height) * 3;
    Stage {
        operations: encode.operations,
        ..Stage::plain("reading pictures", encode.bytes + 2 * pixels * F32 + frames)
    }
}

/// Values for each cell of 4 x 4 pixels of kinora-1's view of the picture: four frames of it and of its gates, some times.
const PIXELS: u64 = 9 * 192;

/// Bytes of portraits, and for a pixel of a frame, that a sketch takes: four copies of the clip while it is encoded, the portraits
/// that are imagined at once.
const SKETCHED: u64 = 64 << 20;
const SKETCH: u64 = 4 * 3 * F32;

/// The stages of kinora-1, whose weights are all there; they take seconds, which are not foreseen.
fn kinora1(
    part: &Plan,
    config: &kinora1::Config,
    geometry: Geometry,
    pictures: bool,
) -> Vec<Stage> {
    let [_, t, h, w, channels] = part.latent_shape(geometry).map(|n| n as u64);
    let batch = if is_guided(part) { 2 } else { 1 };
    let candidates = u64::from(part.candidates);
    // Where no pictures are given, one is painted, and then all around it.
    let at_once = match geometry.around && !pictures {
        true => candidates.max(t),
        false => candidates * t,
    };
    let tokens = batch * at_once * (h / 2) * (w / 2);
    let (width, expansion) = (config.dit.width as u64, config.dit.expansion as u64);
    let [fine, cell, half] = [
        config.dit.fine_width,
        config.dit.cell_width,
        config.dit.half_width,
    ]
    .map(|n| n as u64);
    // A token stands for 4 latent positions, 16 halves and 64 cells.
    let grids = 4 * fine + 16 * half + 64 * cell;
    let grids = grids * STREAMS + 64 * PIXELS;
    let network = tokens * (width * (STREAMS + 2 * expansion)).max(grids);
    let chunk = decode_frames(part, geometry).min(latent_frames(part.frames as usize)) as u64;
    let pixels = chunk * 4 * u64::from(part.width) * u64::from(part.height) * 3;
    let refining = refiner(&config.vae.decoder, chunk * h * w, h * w);
    let latents = (4 * batch * at_once + (5 + candidates) * t) * h * w * channels;
    // A sketch comes before the first step: portraits, and a clip that is put together of them and encoded.
    let frames = u64::from(part.frames);
    let sketch = match config.cast.is_some() && !pictures {
        true => SKETCHED + SKETCH * frames * u64::from(part.width) * u64::from(part.height),
        false => 0,
    };
    vec![
        Stage::plain("sampling", ((network + latents) * F32).max(sketch)),
        Stage::plain(DECODING, (refining + 3 * pixels) * F32),
    ]
}

/// The refiner's numbers for a chunk of latent `positions`, and what it remembers of the chunk before: two of the
/// `frame` positions for each convolution. It works on patches of an eighth of a latent position's side.
fn refiner(config: &DecoderConfig, positions: u64, frame: u64) -> u64 {
    let [width, depth, expansion] =
        [config.width, config.depth, config.expansion].map(|n| n as u64);
    64 * width * (positions * (4 + 2 * expansion) + 2 * frame * depth)
}

/// Bytes for people: `1.4 GB`.
pub fn human(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b => format!("{:.0} MB", b / 1e6),
    }
}
