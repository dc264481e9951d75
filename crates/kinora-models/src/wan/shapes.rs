//! Configurations from the names and shapes of tensors, for files that come without one.

use super::config::{TextConfig, TransformerConfig, VaeConfig};
use super::known;
use super::names::{Renamed, of_text, of_transformer, of_vae};
use super::networks::{Config, WanError};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Latent frames, rows and columns of a token in every Wan transformer.
const PATCH: [usize; 3] = [1, 2, 2];
/// Channels of a head in every published Wan transformer.
const HEAD: usize = 128;
/// Distance from which all are one class in umT5.
const FARTHEST: usize = 128;

/// The shapes of tensors by their names in a file, outermost extent first.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// A network's tensors, and the text of the `config.json` that lies beside their file, if one does.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// Its tensors.
    pub shapes: &'a Shapes,
    /// What the configuration says, in whichever layout.
    pub config: Option<&'a str>,
}

/// What shapes do not tell. The published networks agree in it, so a file without a configuration is enough for them.
#[derive(Debug, Default, Deserialize)]
struct Untold {
    num_attention_heads: Option<usize>,
    /// The original release's name of the same.
    num_heads: Option<usize>,
    relative_attention_max_distance: Option<usize>,
    latents_mean: Option<Vec<f32>>,
    latents_std: Option<Vec<f32>>,
    flow_shift: Option<f32>,
    boundary_ratio: Option<f64>,
    expand_timesteps: Option<bool>,
}

/// A network's tensors under the names that they have here.
struct Renaming<'a> {
    part: &'static str,
    shapes: BTreeMap<String, Vec<usize>>,
    config: Option<&'a str>,
}

impl<'a> Renaming<'a> {
    fn new(
        part: &'static str,
        of: Described<'a>,
        rename: impl Fn(&str, &[usize]) -> Renamed,
    ) -> Self {
        let shapes = of
            .shapes
            .iter()
            .filter_map(|(name, shape)| rename(name, shape));
        Self {
            part,
            shapes: shapes.collect(),
            config: of.config,
        }
    }

    fn untold(&self) -> Result<Untold, WanError> {
        let text = self.config.unwrap_or("{}");
        serde_json::from_str(text).map_err(|error| WanError::Config {
            file: "config.json",
            reason: error.to_string(),
        })
    }

    /// Extent `at` of the tensor `name`.
    fn extent(&self, name: &str, at: usize) -> Result<usize, WanError> {
        let extent = self.shapes.get(name).and_then(|shape| shape.get(at));
        extent.copied().filter(|&extent| extent > 0).ok_or_else(|| {
            self.refuse(format!(
                "its tensor {name} is missing or has another shape than Wan's"
            ))
        })
    }

    /// How many numbers follow `group` in names, from 0 on.
    fn count(&self, group: &str) -> usize {
        let index = |name: &String| {
            name.strip_prefix(group)?
                .split('.')
                .next()?
                .parse::<usize>()
                .ok()
        };
        let last = self.shapes.keys().filter_map(index).max();
        last.map_or(0, |last| last.saturating_add(1))
    }

    fn refuse(&self, reason: String) -> WanError {
        WanError::Config {
            file: self.part,
            reason,
        }
    }
}

impl TransformerConfig {
    /// The configuration of a transformer of these tensors.
    ///
    /// # Errors
    /// When they are not those of a Wan transformer.
    pub fn of_shapes(of: Described<'_>) -> Result<Self, WanError> {
        let found = Renaming::new("the transformer", of, of_transformer);
        let untold = found.untold()?;
        let patch: usize = PATCH.iter().product();
        let width = found.extent("patch.bias", 0)?;
        let heads = untold.num_attention_heads.or(untold.num_heads);
        let heads = heads.unwrap_or(width / HEAD);
        if heads == 0 || !width.is_multiple_of(heads) {
            return Err(found.refuse(format!(
                "its tokens are {width} wide, and how many heads that makes can't be told; put a config.json with num_attention_heads beside it"
            )));
        }
        Ok(Self {
            patch_size: PATCH,
            num_attention_heads: heads,
            attention_head_dim: width / heads,
            in_channels: found.extent("patch.weight", 1)? / patch,
            out_channels: found.extent("head.bias", 0)? / patch,
            text_dim: found.extent("text_in.weight", 1)?,
            freq_dim: found.extent("time_in.weight", 1)?,
            ffn_dim: found.extent("blocks.0.up.bias", 0)?,
            num_layers: found.count("blocks."),
            image_dim: image_dim(of.shapes),
        })
    }
}

/// Channels of the picture encoder's features, if a transformer has layers for them.
fn image_dim(shapes: &Shapes) -> Option<usize> {
    let marks = ["img_emb.", "image_embedder."];
    let norm = shapes
        .iter()
        .find(|(name, shape)| marks.iter().any(|mark| name.contains(mark)) && shape.len() == 1);
    norm.and_then(|(_, shape)| shape.first().copied())
}

impl TextConfig {
    /// The configuration of a umT5 encoder of these tensors.
    ///
    /// # Errors
    /// When they are not those of one.
    pub fn of_shapes(of: Described<'_>) -> Result<Self, WanError> {
        let found = Renaming::new("the text encoder", of, of_text);
        let heads = found.extent("blocks.0.distances", 1)?;
        let farthest = found.untold()?.relative_attention_max_distance;
        Ok(Self {
            vocab_size: found.extent("embedding.weight", 0)?,
            d_model: found.extent("embedding.weight", 1)?,
            d_kv: found.extent("blocks.0.q.weight", 0)? / heads,
            d_ff: found.extent("blocks.0.up.weight", 0)?,
            num_layers: found.count("blocks."),
            num_heads: heads,
            relative_attention_num_buckets: found.extent("blocks.0.distances", 0)?,
            relative_attention_max_distance: farthest.unwrap_or(FARTHEST),
        })
    }
}

impl VaeConfig {
    /// The configuration of an autoencoder of these tensors.
    ///
    /// # Errors
    /// When they are not those of one, or its latents have other statistics than those that are known.
    pub fn of_shapes(of: Described<'_>) -> Result<Self, WanError> {
        // Names depend on how blocks are grouped, and little else of a configuration.
        let grouped = grouping(of.shapes);
        let found = Renaming::new("the autoencoder", of, |name, shape| {
            of_vae(name, shape, &grouped)
        });
        let untold = found.untold()?;
        let z_dim = found.extent("post_quant_conv.bias", 0)?;
        let base_dim = found.extent("encoder.conv_in.bias", 0)?;
        let in_channels = found.extent("encoder.conv_in.weight", 1)?;
        let decoder = found.extent("decoder.norm_out.gain", 0)?;
        let levels = found.count("encoder.levels.");
        let width =
            |level| found.extent(&format!("encoder.levels.{level}.resnets.0.conv1.bias"), 0);
        let widths = (0..levels).map(width).collect::<Result<Vec<_>, _>>()?;
        let halves_time = |level: usize| {
            let name = format!("encoder.levels.{level}.resample.time_conv.bias");
            found.shapes.contains_key(&name)
        };
        let (mean, std) = known::latents(z_dim).unzip();
        let (Some(mean), Some(std)) = (
            untold.latents_mean.or(mean.map(<[f32]>::to_vec)),
            untold.latents_std.or(std.map(<[f32]>::to_vec)),
        ) else {
            return Err(found.refuse(format!(
                "the means and deviations of its {z_dim} channels are not known; put a config.json with latents_mean and latents_std beside it"
            )));
        };
        let patch = (in_channels / 3).isqrt();
        Ok(Self {
            base_dim,
            decoder_base_dim: Some(
                decoder / (widths.first().unwrap_or(&base_dim) / base_dim).max(1),
            ),
            z_dim,
            dim_mult: widths.iter().map(|width| width / base_dim).collect(),
            num_res_blocks: grouped.num_res_blocks,
            temperal_downsample: (0..levels.saturating_sub(1)).map(halves_time).collect(),
            is_residual: grouped.is_residual,
            in_channels,
            out_channels: found.extent("decoder.conv_out.bias", 0)?,
            patch_size: (patch > 1).then_some(patch),
            latents_mean: mean,
            latents_std: std,
        })
    }
}

/// The number of a block within a level, and what of it.
fn inner(part: &str) -> Option<(&str, &str)> {
    let rest = part
        .strip_prefix("resnets.")
        .or(part.strip_prefix("downsamples."))?;
    rest.split_once('.')
}

/// How the blocks of an autoencoder are grouped: all in one row as in Wan 2.1, or level by level.
fn grouping(shapes: &Shapes) -> VaeConfig {
    let rows = ["encoder.downsamples.", "encoder.down_blocks."];
    let blocks: Vec<(usize, &str)> = shapes
        .keys()
        .filter_map(|name| {
            rows.iter()
                .find_map(|row| name.strip_prefix(row))?
                .split_once('.')
        })
        .filter_map(|(at, part)| Some((at.parse().ok()?, part)))
        .collect();
    let is_residual = blocks.iter().any(|(_, part)| inner(part).is_some());
    let num_res_blocks = match is_residual {
        false => blocks
            .iter()
            .filter(|(_, part)| part.starts_with("resample."))
            .map(|(at, _)| *at)
            .min(),
        true => blocks
            .iter()
            .filter(|(at, _)| *at == 0)
            .filter_map(|(_, part)| inner(part))
            .filter(|(_, part)| !part.starts_with("resample.") && !part.starts_with("time_conv."))
            .filter_map(|(block, _)| block.parse::<usize>().ok())
            .max()
            .map(|last| last.saturating_add(1)),
    };
    VaeConfig {
        base_dim: 0,
        decoder_base_dim: None,
        z_dim: 0,
        dim_mult: Vec::new(),
        num_res_blocks: num_res_blocks.unwrap_or(0).min(16),
        temperal_downsample: Vec::new(),
        is_residual,
        in_channels: 0,
        out_channels: 0,
        patch_size: None,
        latents_mean: Vec::new(),
        latents_std: Vec::new(),
    }
}

impl Config {
    /// The configuration of a checkpoint of these networks, with one transformer or two.
    ///
    /// # Errors
    /// When one is not Wan's, sizes do not go together, or the checkpoint is of a kind that is not supported.
    pub fn of_shapes(
        transformer: Described<'_>,
        text: Described<'_>,
        vae: Described<'_>,
        two_transformers: bool,
    ) -> Result<Self, WanError> {
        let untold = Renaming::new("the transformer", transformer, of_transformer).untold()?;
        let transformer = TransformerConfig::of_shapes(transformer)?;
        let known = known::nearest(&transformer, two_transformers);
        let config = Self {
            text: TextConfig::of_shapes(text)?,
            vae: VaeConfig::of_shapes(vae)?,
            flow_shift: untold.flow_shift.unwrap_or(known.shift),
            expand_timesteps: untold.expand_timesteps.unwrap_or(known.expand_timesteps),
            boundary: untold
                .boundary_ratio
                .or(known.boundary)
                .filter(|_| two_transformers),
            transformer,
        };
        config.check()?;
        Ok(config)
    }
}
