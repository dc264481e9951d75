//! Configuration files of training, as typed values. Every field is required; unknown ones are refused.

use crate::{error::TrainError, run::LoopConfig};
use kinora_models::kinora1::{
    Config, Defaults, DitConfig, LatentStats, TextConfig, VaeConfig, cast::CastConfig,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

/// Reads a TOML configuration.
///
/// # Errors
/// When the file can't be read or holds something else.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let text = std::fs::read_to_string(path).map_err(TrainError::io("read", path))?;
    toml::from_str(&text).map_err(TrainError::malformed("configuration", path))
}

/// The clips to render: `configs/data.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where the cache lies.
    pub folder: PathBuf,
    /// The formats.
    pub buckets: Vec<Bucket>,
}

/// Which scenes a bucket draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Scenes to learn from.
    Training,
    /// Of the scenes to learn from, those that show one subject from near: what it looks like is learned soonest there.
    Portraits,
    /// Combinations of attributes that training never shows.
    HeldOut,
    /// Any scene: what an instrument is calibrated on. One that learned from training scenes alone would learn that the
    /// held-out combinations do not exist, and name anything else.
    All,
}

/// Pixels of a side of the cells in which the place of each actor is kept.
pub(crate) const CELL: usize = 8;

/// Clips of one format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Its name, also of its folder.
    pub name: String,
    /// Seed of its scenes.
    pub seed: u64,
    /// Which scenes.
    pub split: Split,
    /// Pixels across, a multiple of 32.
    pub width: usize,
    /// Pixels down, a multiple of 32.
    pub height: usize,
    /// Frames that are kept, 1 + 4k.
    pub frames: usize,
    /// Frames of the clip that they are a part of, at a random place; equal to `frames` for a whole clip.
    pub of: usize,
    /// Frames a second.
    pub fps: f32,
    /// Number of clips.
    pub count: u64,
}

impl Bucket {
    /// Bytes of a frame.
    pub fn frame_bytes(&self) -> usize {
        self.width * self.height * 3
    }

    /// Cells of [`CELL`] x [`CELL`] pixels in a frame.
    pub(crate) fn frame_cells(&self) -> usize {
        self.width / CELL * (self.height / CELL)
    }

    /// Bytes of a clip: its pixels, and for each cell who is in it.
    pub fn bytes(&self) -> usize {
        self.frames * (self.frame_bytes() + self.frame_cells())
    }

    /// What makes the clips what they are: all but their number, which may grow.
    pub(crate) fn recipe(&self) -> serde_json::Value {
        let Self {
            seed,
            split,
            width,
            height,
            frames,
            of,
            fps,
            ..
        } = self;
        serde_json::json!({
            "seed": seed, "split": split, "width": width, "height": height, "frames": frames, "of": of, "fps": fps, "cell": CELL,
        })
    }

    fn check(&self) -> Result<(), TrainError> {
        let Self {
            name,
            width,
            height,
            frames,
            of,
            ..
        } = self;
        let bad = |rule: &str| Err(TrainError::Config(format!("bucket {name:?}: {rule}")));
        if name.is_empty() || name.contains(['/', '\\', '.']) {
            return bad("a name may not be empty nor hold a slash or a dot");
        }
        if width % 32 != 0 || height % 32 != 0 || width * height == 0 {
            return bad("width and height are multiples of 32");
        }
        if frames % 4 != 1 || of < frames {
            return bad("frames is 1 more than a multiple of 4, and of is at least frames");
        }
        if self.fps.is_nan() || self.fps <= 0.0 || self.count == 0 {
            return bad("fps and count are above 0");
        }
        Ok(())
    }
}

impl DataConfig {
    /// Reads and checks a data configuration.
    ///
    /// # Errors
    /// When it can't be read, or a bucket's numbers are not allowed.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let config: Self = read(path)?;
        config.buckets.iter().try_for_each(Bucket::check)?;
        Ok(config)
    }
}

/// The shape of the model: `configs/kinora-1.toml`, the same for its autoencoder and its transformer. What training
/// finds out, the vocabulary and the latents' statistics, is added when the model is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Name of the model, as in `--model`.
    pub name: String,
    /// SPDX name of the weights' licence.
    pub licence: String,
    /// The video compression network.
    pub vae: VaeConfig,
    /// The text encoder.
    pub text: TextShape,
    /// The diffusion transformer.
    pub dit: DitConfig,
    /// What `generate` does when a flag is not given.
    pub defaults: Defaults,
}

/// Sizes of the text encoder but for its vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextShape {
    /// Longest prompt in tokens.
    pub max_tokens: usize,
    /// Channels.
    pub width: usize,
    /// Transformer blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
}

impl ModelConfig {
    /// The whole configuration of a model folder.
    ///
    /// # Errors
    /// [`TrainError::Config`] if a size is out of range.
    pub fn complete(
        &self,
        vocabulary: usize,
        latent: LatentStats,
        cast: Option<CastConfig>,
    ) -> Result<Config, TrainError> {
        let Self {
            name,
            licence,
            vae,
            text,
            dit,
            defaults,
        } = self.clone();
        let TextShape {
            max_tokens,
            width,
            depth,
            heads,
        } = text;
        let text = TextConfig {
            vocabulary,
            max_tokens,
            width,
            depth,
            heads,
        };
        let config = Config {
            name,
            licence,
            vae,
            text,
            dit,
            cast,
            latent,
            defaults,
        };
        config
            .check()
            .map_err(|error| TrainError::Config(error.to_string()))?;
        Ok(config)
    }
}

/// Training of the autoencoder: `configs/vae.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaeTraining {
    /// Folder of the run.
    pub run: PathBuf,
    /// The data configuration.
    pub data: PathBuf,
    /// The model configuration.
    pub model: PathBuf,
    /// A model folder whose autoencoder this training goes on from. Its code stays as it is, bit for bit, so that
    /// latents keep their meaning; if left out, the code is computed from the clips.
    pub start: Option<PathBuf>,
    /// Seed of the weights, the crops and the noise.
    pub seed: u64,
    /// How long and how fast.
    pub training: LoopConfig,
    /// What is cut from the clips.
    pub crops: Vec<CropConfig>,
    /// What is minimised.
    pub loss: VaeLossConfig,
    /// The noise level that painted latents are smoothed as if they came from; the mean deviation of channels is 1.
    pub smoothing: f64,
    /// Held-out clips that each observation measures.
    pub observe_clips: u64,
}

/// One kind of crop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropConfig {
    /// Pixels across, a multiple of 16.
    pub width: usize,
    /// Pixels down, a multiple of 16.
    pub height: usize,
    /// Frames, 1 + 4k.
    pub frames: usize,
    /// Crops in a batch.
    pub batch: usize,
    /// How often it is chosen, relative to the others.
    pub weight: f64,
}

/// Weights of the autoencoder's loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaeLossConfig {
    /// Of the absolute difference of pixels.
    pub absolute: f32,
    /// Of the squared difference of pixels.
    pub square: f32,
    /// Of the absolute difference of neighbouring pixels' differences, across, down and in time.
    pub gradient: f32,
    /// Deviation of the noise on the latents, so that near latents decode alike.
    pub latent_noise: f32,
}

/// Training of the text encoder and the transformer: `configs/dit.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DitTraining {
    /// Folder of the run.
    pub run: PathBuf,
    /// The data configuration.
    pub data: PathBuf,
    /// Folder of the trained autoencoder: the exported model of its run.
    pub vae: PathBuf,
    /// Where latents are cached.
    pub latents: PathBuf,
    /// The model configuration.
    pub model: PathBuf,
    /// A model folder whose weights, words and latent statistics this training goes on from; fresh ones if left out.
    pub start: Option<PathBuf>,
    /// Seed of the weights, the order, the captions and the noise.
    pub seed: u64,
    /// How long and how fast.
    pub training: LoopConfig,
    /// What batches are made of.
    pub batches: Vec<BatchConfig>,
    /// Captions and noise levels.
    pub flow: FlowConfig,
    /// The extra task that teaches the text encoder: to name a scene's attributes from its caption.
    pub attributes: AttributesConfig,
    /// How the camera's moves are learned from words, before the rest.
    pub camera: CameraConfig,
    /// Weight of the extra task that teaches the transformer: to name who shows at each place.
    pub places: f32,
    /// Prompts of the sample sheet.
    pub prompts: Vec<String>,
    /// Sampler steps of the sample sheet.
    pub sheet_steps: u32,
}

/// How the cast of a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CastTraining {
    /// Folder of the run.
    pub run: PathBuf,
    /// The model folder that the cast is for.
    pub start: PathBuf,
    /// Whether the cast begins anew, as it does in a model without one.
    pub fresh: bool,
    /// Seed of the weights, the scenes and all that is drawn.
    pub seed: u64,
    /// How long and how fast.
    pub training: LoopConfig,
    /// Scenes whose layout is learned from.
    pub scenes: u64,
    /// Scenes of which the actors are pictured.
    pub pictures: u64,
    /// Portraits, layouts and captions of a batch.
    pub portraits: usize,
    /// See [`Self::portraits`].
    pub layouts: usize,
    /// See [`Self::portraits`].
    pub captions: usize,
}

/// One kind of batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// The bucket.
    pub bucket: String,
    /// Frames, 1 + 4k. Of longer clips they are the start, which is a clip of its own, for the autoencoder is causal, or
    /// the latent frames of as long a window.
    pub frames: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// How often it is chosen, relative to the others.
    pub weight: f64,
    /// Share of samples of which a part is given and the rest is painted, so that the model can go on from pictures.
    pub given: f64,
}

/// Captions and noise levels of flow matching.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// Share of samples without a caption, for guidance.
    pub caption_dropout: f64,
    /// How often a caption is a few words, a sentence, a paragraph, relative to each other.
    pub caption_lengths: [f64; 3],
    /// Share of the samples of which nothing is given that are staged by the model's cast, if it has one, so that the painter
    /// learns to paint over its sketches.
    pub sketched: f64,
    /// Mean of the normal variable whose logistic is the noise level (Esser et al., 2024).
    pub sigma_mean: f64,
    /// Its deviation.
    pub sigma_deviation: f64,
    /// Shift of the noise level towards noise: `s sigma / (1 + (s - 1) sigma)`.
    pub sigma_shift: f64,
    /// A channel's squared error weighs as its deviation to this power: 0 weighs normalised latents alike, 2 pixels.
    pub channel_power: f32,
    /// A sample's squared error of velocity weighs as its noise level to this power: 0 weighs velocities alike, 2 latents.
    pub sigma_power: f32,
    /// How much more a latent position that actors fill weighs than one without, below the noise level at which it is
    /// still open where they will be.
    pub actor_weight: f32,
}

/// The extra task: name the scene's attributes from the caption alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributesConfig {
    /// Steps at the start in which the text encoder learns it alone, from captions of scenes that are never rendered.
    pub steps: u64,
    /// Captions in each of those steps.
    pub batch: u64,
    /// Weight of its loss beside the flow's in all later steps.
    pub weight: f32,
}

/// How the reader of the camera's moves learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Scenes whose motion is measured.
    pub scenes: u64,
    /// Steps, with a learning rate that falls to zero; after none it stays as it was.
    pub steps: u64,
    /// Captions in each.
    pub batch: u64,
    /// Learning rate of the first step.
    pub learning_rate: f64,
}

/// What the recogniser looks at in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gaze {
    /// The whole picture.
    Whole,
    /// Each actor, cut out.
    Actors,
}

/// Training of the recogniser that evaluation measures with: `configs/recogniser.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecogniserTraining {
    /// Folder of the run.
    pub run: PathBuf,
    /// The data configuration.
    pub data: PathBuf,
    /// Seed of the weights and the order.
    pub seed: u64,
    /// How long and how fast.
    pub training: LoopConfig,
    /// What batches are made of.
    pub batches: Vec<RecogniserBatch>,
    /// The bucket of clips whose camera moves serve as examples.
    pub moves_bucket: String,
    /// How many of them.
    pub moves_clips: u64,
    /// Held-out clips that each observation measures.
    pub observe_clips: u64,
    /// Folder of a judge whose weights it goes on from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// The model whose copies it also learns from, so that it can name what a painter leaves of a subject's detail.
    pub copies_of: String,
    /// Share of the samples that are copies.
    pub copies: f64,
}

/// One kind of batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecogniserBatch {
    /// The bucket.
    pub bucket: String,
    /// What is looked at.
    pub gaze: Gaze,
    /// Samples in a batch.
    pub batch: usize,
    /// How often it is chosen, relative to the others.
    pub weight: f64,
}
