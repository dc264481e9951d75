//! The configuration of a `kinora-1` model folder: sizes of its three networks, latent statistics, defaults.

use super::cast::CastConfig;
use serde::{Deserialize, Serialize};

/// One model folder's `config.json`. Every field is required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the model, as in `--model`.
    pub name: String,
    /// SPDX name of the weights' licence.
    pub licence: String,
    /// The video compression network.
    pub vae: VaeConfig,
    /// The text encoder.
    pub text: TextConfig,
    /// The diffusion transformer.
    pub dit: DitConfig,
    /// The networks that stage a scene, if there are any.
    pub cast: Option<CastConfig>,
    /// What brings latents to zero mean and unit scale.
    pub latent: LatentStats,
    /// What `generate` does when a flag is not given.
    pub defaults: Defaults,
}

/// Sizes of the causal 3-D autoencoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaeConfig {
    /// Channels of a latent position.
    pub latent_channels: usize,
    /// The decoder's refiner; the code is linear and has no sizes of its own.
    pub decoder: DecoderConfig,
}

/// Sizes of the network that refines the decoder's linear picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderConfig {
    /// Channels.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// Hidden width of a block's perceptron, in widths.
    pub expansion: usize,
}

/// Sizes of the text encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Number of token ids; ids at or above it are refused.
    pub vocabulary: usize,
    /// Longest prompt in tokens; what follows is cut.
    pub max_tokens: usize,
    /// Channels.
    pub width: usize,
    /// Transformer blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
}

/// Sizes of the diffusion transformer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DitConfig {
    /// Channels.
    pub width: usize,
    /// Transformer blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Hidden width of the perceptron, in widths.
    pub expansion: usize,
    /// Channels at a latent position, outside the transformer.
    pub fine_width: usize,
    /// Convolutional blocks at the latent positions before the transformer, and as many after it.
    pub fine_depth: usize,
    /// Channels at cells of 4 x 4 pixels.
    pub cell_width: usize,
    /// Channels at halves of a latent position, 8 x 8 pixels.
    pub half_width: usize,
    /// Convolutional blocks at cells and at halves before the coarser levels, and as many after them.
    pub cell_depth: usize,
    /// By how many names a half can be called: nobody or a subject, and that subject's colour.
    pub names: [usize; 2],
}

/// What normalises latents, `(z - mean) / std` per channel, what spread that leaves them, and how they last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentStats {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// What each channel is divided by.
    pub std: Vec<f32>,
    /// Deviation of each channel once it is normalised.
    pub spread: Vec<f32>,
    /// Correlation of each channel with itself one latent frame later; the noise has the same.
    pub persistence: Vec<f32>,
}

/// Settings for a request that leaves them open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Frames.
    pub frames: usize,
    /// Frames a second that the model's motion was trained at.
    pub fps: u32,
    /// Sampler steps.
    pub steps: usize,
    /// Guidance scale; 1 is none.
    pub guidance: f32,
    /// Sampler name.
    pub sampler: String,
    /// Shift of the sigma schedule.
    pub shift: f32,
    /// Scale of the starting noise in the fine channels; 1 is the noise that training saw.
    pub temperature: f32,
    /// How many clips are begun, of which the one that shows most plainly what it should goes on.
    pub candidates: usize,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ConfigError {
    /// Not the JSON of a `kinora-1` configuration.
    #[error("config.json is not a kinora-1 configuration: {0}")]
    Json(String),
    /// A number that no model can be built from.
    #[error("config.json: {field} is {value}, which must be {allowed}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: &'static str,
    },
}

impl Config {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// When the text is not such a file, or a size in it can't be built or is absurdly large.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            serde_json::from_str(text).map_err(|e| ConfigError::Json(e.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Checks all sizes, so that building the networks can neither panic nor exhaust memory.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vae.latent_channels", self.vae.latent_channels, 256),
            ("vae.decoder.width", self.vae.decoder.width, 1024),
            ("vae.decoder.depth", self.vae.decoder.depth, 64),
            ("vae.decoder.expansion", self.vae.decoder.expansion, 8),
            ("text.vocabulary", self.text.vocabulary, 65_536),
            ("text.max_tokens", self.text.max_tokens, 1024),
            ("text.width", self.text.width, 2048),
            ("text.depth", self.text.depth, 64),
            ("text.heads", self.text.heads, 64),
            ("dit.width", self.dit.width, 4096),
            ("dit.depth", self.dit.depth, 128),
            ("dit.heads", self.dit.heads, 64),
            ("dit.expansion", self.dit.expansion, 8),
            ("dit.fine_width", self.dit.fine_width, 4096),
            ("dit.fine_depth", self.dit.fine_depth, 64),
            ("dit.cell_width", self.dit.cell_width, 4096),
            ("dit.half_width", self.dit.half_width, 4096),
            ("dit.cell_depth", self.dit.cell_depth, 64),
            ("dit.names[0]", self.dit.names[0], 1024),
            ("dit.names[1]", self.dit.names[1], 1024),
        ];
        for (field, value, most) in sizes {
            if value == 0 || value > most {
                return Err(out_of_range(field, value, "above 0 and of a sensible size"));
            }
        }
        for classes in self.cast.iter().flat_map(CastConfig::classes) {
            if classes == 0 || classes > 1024 {
                return Err(out_of_range(
                    "cast",
                    classes,
                    "above 0 and of a sensible size",
                ));
            }
        }
        for (field, width, heads) in [
            ("text.heads", self.text.width, self.text.heads),
            ("dit.heads", self.dit.width, self.dit.heads),
        ] {
            if width % heads != 0 || !(width / heads).is_multiple_of(2) || width / heads < 6 {
                return Err(out_of_range(
                    field,
                    heads,
                    "a divisor of the width that leaves an even head of 6 or more",
                ));
            }
        }
        for (field, values) in [
            ("latent.mean", &self.latent.mean),
            ("latent.std", &self.latent.std),
            ("latent.spread", &self.latent.spread),
            ("latent.persistence", &self.latent.persistence),
        ] {
            if values.len() != self.vae.latent_channels || !values.iter().all(|v| v.is_finite()) {
                return Err(out_of_range(
                    field,
                    values.len(),
                    "one finite number a latent channel",
                ));
            }
        }
        for (field, values) in [
            ("latent.std", &self.latent.std),
            ("latent.spread", &self.latent.spread),
        ] {
            if values.iter().any(|&s| s <= 0.0) {
                return Err(out_of_range(field, "not positive", "above 0"));
            }
        }
        if self.latent.persistence.iter().any(|p| p.abs() >= 1.0) {
            let field = "latent.persistence";
            return Err(out_of_range(field, "no correlation", "between -1 and 1"));
        }
        if self.defaults.fps == 0 {
            return Err(out_of_range("defaults.fps", 0, "above 0"));
        }
        Ok(())
    }
}

fn out_of_range(field: &'static str, value: impl ToString, allowed: &'static str) -> ConfigError {
    ConfigError::Value {
        field,
        value: value.to_string(),
        allowed,
    }
}
