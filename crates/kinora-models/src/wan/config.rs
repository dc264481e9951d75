//! Sizes of the networks, as their `config.json` files in diffusers folders state them.

use serde::{Deserialize, Serialize};

/// `transformer/config.json`. Fields that it has besides are the same for the whole family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// Latent frames, rows and columns that one token stands for.
    pub patch_size: [usize; 3],
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Channels of a head.
    pub attention_head_dim: usize,
    /// Channels of the latent, and of what conditions it if that is stacked on it.
    pub in_channels: usize,
    /// Channels of the velocity.
    pub out_channels: usize,
    /// Channels of the text's features.
    pub text_dim: usize,
    /// Channels of the sinusoidal embedding of the timestep.
    pub freq_dim: usize,
    /// Hidden width of a block's perceptron.
    pub ffn_dim: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Channels of a picture encoder's features, if it reads such.
    #[serde(default)]
    pub image_dim: Option<usize>,
}

impl TransformerConfig {
    /// Channels that are stacked on the latent.
    pub fn stacked(&self) -> usize {
        self.in_channels.saturating_sub(self.out_channels)
    }

    /// Width of the tokens.
    pub fn width(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }
}

/// `text_encoder/config.json`: umT5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextConfig {
    /// Tokens that there are.
    pub vocab_size: usize,
    /// Width of the features.
    pub d_model: usize,
    /// Channels of a head.
    pub d_kv: usize,
    /// Hidden width of a block's perceptron.
    pub d_ff: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Classes of distances between tokens.
    pub relative_attention_num_buckets: usize,
    /// Distance from which all are one class.
    pub relative_attention_max_distance: usize,
}

/// `vae/config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VaeConfig {
    /// Channels of the encoder's first level.
    pub base_dim: usize,
    /// Those of the decoder's last level, if they are others.
    #[serde(default)]
    pub decoder_base_dim: Option<usize>,
    /// Channels of the latent.
    pub z_dim: usize,
    /// Channels of each level over those of the first.
    pub dim_mult: Vec<usize>,
    /// Residual blocks of a level.
    pub num_res_blocks: usize,
    /// Which levels of the encoder halve the frames.
    pub temperal_downsample: Vec<bool>,
    /// Whether levels have shortcuts around them: Wan 2.2.
    #[serde(default)]
    pub is_residual: bool,
    /// Channels of the pixels, patches of them in Wan 2.2.
    #[serde(default = "rgb")]
    pub in_channels: usize,
    /// Those of the decoded pixels.
    #[serde(default = "rgb")]
    pub out_channels: usize,
    /// Pixels of a side of a patch.
    #[serde(default)]
    pub patch_size: Option<usize>,
    /// Mean of each latent channel.
    pub latents_mean: Vec<f32>,
    /// Deviation of each latent channel.
    pub latents_std: Vec<f32>,
}

fn rgb() -> usize {
    3
}
