//! `kinora-1`: the small text-to-video model that this repository trains from scratch on the film stage.
//!
//! A causal autoencoder ([`Vae`]) brings a video to one latent position for 16 x 16 pixels and 4 frames; a text
//! encoder ([`TextEncoder`]) reads the caption; a diffusion transformer ([`Dit`]) predicts the velocity of a flow
//! from noise to latents.

mod animatic;
mod camera;
pub mod cast;
mod cells;
mod config;
mod denoiser;
mod dit;
mod networks;
mod seams;
mod smooth;
mod text;
mod tokenizer;
mod vae;

pub use animatic::{Animatic, Clip, Seen};
pub use camera::{CameraReader, MOTION, TERMS, given_run, terms};
pub use cells::Cells;
pub use config::{
    Config, ConfigError, DecoderConfig, Defaults, DitConfig, LatentStats, TextConfig, VaeConfig,
};
pub use dit::{Answer, Dit};
pub(crate) use networks::EASE;
pub(crate) use networks::channels;
pub use networks::{Networks, lasting};
pub use smooth::Smoother;
pub use text::{Text, TextEncoder};
pub use tokenizer::{Encoded, Tokenizer, TokenizerError};
pub use vae::{LinearCode, Vae, VaeCache};

use burn::module::Module;
use cast::Cast;
use kinora_nn::Init;

/// Pixels across or down that one latent position stands for.
pub const SPATIAL_COMPRESSION: usize = 16;
/// Frames that one latent frame after the first stands for.
pub const TEMPORAL_COMPRESSION: usize = 4;
/// Sizes in pixels are multiples of this: a latent position times the transformer's patch.
pub const SIZE_MULTIPLE: usize = SPATIAL_COMPRESSION * dit::PATCH;

/// Latent frames of a clip of `frames` frames: the first stands alone, then one for every four.
pub fn latent_frames(frames: usize) -> usize {
    1 + frames.saturating_sub(1).div_ceil(TEMPORAL_COMPRESSION)
}

/// What reads a prompt and paints latents: the part of the model that is trained by flow matching.
#[derive(Module, Debug)]
pub struct Kinora1 {
    /// Reads the caption.
    pub text: TextEncoder,
    /// Predicts the velocity.
    pub dit: Dit,
    /// Stages the scene before it is painted, in a model that has learned to.
    pub cast: Option<Cast>,
}

impl Kinora1 {
    /// Fresh weights from the initialiser's seed.
    pub fn new(config: &Config, init: &mut Init) -> Self {
        Self {
            text: TextEncoder::new(&config.text, init),
            dit: Dit::new(&config.dit, &config.latent, config.text.width, init),
            cast: (config.cast.as_ref()).map(|cast| Cast::new(cast, config.text.vocabulary, init)),
        }
    }
}
