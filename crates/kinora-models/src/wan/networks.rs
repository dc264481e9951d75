//! The networks of a checkpoint together, from the files of its diffusers folder.

use super::Renamed;
use super::lora::{Expert, LoraError, LoraFile, Merge};
use super::{
    Around, TextConfig, TextEncoder, Tiling, TokenizerFile, Transformer, TransformerConfig, Vae,
    VaeCache, VaeConfig, of_text, of_transformer, of_vae,
};
use crate::kinora1::channels;
use crate::model::{Blocks, Geometry, Levels, Reading};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kinora_nn::weights::{Change, Mapped, Store};
use kinora_nn::{Init, Precision, weights};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokenizers::Tokenizer;

/// Tokens of a prompt that are read; the rest of as many rows are zeros.
pub const TEXT_ROWS: usize = 512;
/// Most frames that are painted at once: those of the training, past which clips repeat themselves (Wan2.1#298).
const WHOLE: usize = 81;
/// The same of Wan 2.2 TI2V.
const WHOLE_TI2V: usize = 121;
/// The noise level from which frames beside given ones are painted.
pub(crate) const EASE: f64 = 0.65;
/// Channels that say which frames of a latent frame are given, before the latent of what is given.
const MASKS: usize = 4;
/// Timesteps in training.
const TIMESTEPS: f64 = 1000.0;

/// Why a checkpoint can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WanError {
    /// A configuration is not one.
    #[error("{file} is not what it should be: {reason}")]
    Config {
        /// Which.
        file: &'static str,
        /// Why.
        reason: String,
    },
    /// Weights are damaged or another network's.
    #[error("the weights of the {part} can't be used: {source}")]
    Weights {
        /// Of which network.
        part: &'static str,
        /// Why.
        source: weights::WeightsError,
    },
    /// The text encoder is of another model.
    #[error(
        "the text encoder gives features {text} wide and the transformer reads {wanted}: they do not belong together; Wan's text encoder is umT5-XXL, 4096 wide"
    )]
    TextWidth {
        /// Of the text encoder.
        text: usize,
        /// Of the transformer.
        wanted: usize,
    },
    /// The autoencoder is of another model.
    #[error(
        "the autoencoder's latents have {vae} channels and the transformer's {wanted}: they do not belong together; Wan 2.2 TI2V 5B takes the autoencoder of 2.2, all others that of 2.1"
    )]
    Latents {
        /// Of the autoencoder.
        vae: usize,
        /// Of the transformer.
        wanted: usize,
    },
    /// A LoRA is not one, or another model's.
    #[error("the LoRA {file} can't be used: {source}")]
    Lora {
        /// Its name.
        file: String,
        /// Why.
        source: Box<LoraError>,
    },
    /// A kind of checkpoint that is not there yet.
    #[error("{0} is not supported yet; Wan text-to-video, TI2V and 2.2 I2V are")]
    Unsupported(&'static str),
}

/// Sizes of the networks, and how the checkpoint is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `transformer/config.json`.
    pub transformer: TransformerConfig,
    /// `text_encoder/config.json`.
    pub text: TextConfig,
    /// `vae/config.json`.
    pub vae: VaeConfig,
    /// Shift of the sigma schedule, of `scheduler/scheduler_config.json`.
    pub flow_shift: f32,
    /// Whether each frame has a timestep of its own, so that a given one stays clean: Wan 2.2 TI2V.
    pub expand_timesteps: bool,
    /// The noise level below which a second transformer takes over: Wan 2.2 A14B.
    pub boundary: Option<f64>,
}

/// The texts of a folder's configurations.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each is the file of its name
pub struct ConfigFiles {
    pub model_index: String,
    pub transformer: String,
    pub text_encoder: String,
    pub vae: String,
    pub scheduler: String,
}

/// The weights of a folder, in one or several files each, and its tokenizer.
#[derive(Debug)]
#[allow(missing_docs)] // each of the others is the folder of its name
pub struct WeightFiles {
    pub tokenizer: TokenizerFile,
    pub transformer: Vec<Mapped>,
    pub transformer_2: Vec<Mapped>,
    pub text_encoder: Vec<Mapped>,
    pub vae: Vec<Mapped>,
    /// What is added to the transformers.
    pub loras: Vec<LoraFile>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    expand_timesteps: bool,
    #[serde(default)]
    boundary_ratio: Option<f64>,
}

#[derive(Deserialize)]
struct Scheduler {
    #[serde(default = "no_shift")]
    flow_shift: f32,
}

fn no_shift() -> f32 {
    1.0
}

fn parse<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, WanError> {
    serde_json::from_str(text).map_err(|error| WanError::Config {
        file,
        reason: error.to_string(),
    })
}

impl Config {
    /// Reads the configurations of a diffusers folder.
    ///
    /// # Errors
    /// When one is malformed, sizes do not go together, or the checkpoint is of a kind that is not supported.
    pub fn read(files: &ConfigFiles) -> Result<Self, WanError> {
        let index: Index = parse("model_index.json", &files.model_index)?;
        let scheduler: Scheduler = parse("scheduler_config.json", &files.scheduler)?;
        let config = Self {
            transformer: parse("transformer/config.json", &files.transformer)?,
            text: parse("text_encoder/config.json", &files.text_encoder)?,
            vae: parse("vae/config.json", &files.vae)?,
            flow_shift: scheduler.flow_shift,
            expand_timesteps: index.expand_timesteps,
            boundary: index.boundary_ratio,
        };
        config.check()?;
        Ok(config)
    }

    /// Checks the sizes, so that building the networks can neither panic nor take absurd memory.
    pub(super) fn check(&self) -> Result<(), WanError> {
        let refuse = |file, reason: &str| {
            Err(WanError::Config {
                file,
                reason: reason.to_owned(),
            })
        };
        let Self {
            transformer,
            text,
            vae,
            boundary,
            ..
        } = self;
        if boundary.is_some_and(|boundary| !(0.0..=1.0).contains(&boundary)) {
            return refuse("model_index.json", "its boundary_ratio is not 0 to 1");
        }
        let sizes = [
            (transformer.num_attention_heads, 128),
            (transformer.attention_head_dim, 512),
            (transformer.in_channels, 256),
            (transformer.out_channels, 256),
            (transformer.text_dim, 16_384),
            (transformer.freq_dim, 4096),
            (transformer.ffn_dim, 65_536),
            (transformer.num_layers, 256),
        ];
        let patch = transformer.patch_size;
        let fits = |(size, most): (usize, usize)| (1..=most).contains(&size);
        let even = transformer.attention_head_dim >= 6
            && transformer.attention_head_dim.is_multiple_of(2)
            && transformer.freq_dim.is_multiple_of(2);
        if !sizes.into_iter().all(fits) || !patch.iter().all(|&p| fits((p, 8))) || !even {
            return refuse(
                "transformer/config.json",
                "a size is zero, odd or absurdly large",
            );
        }
        if patch[0] != 1 {
            return refuse(
                "transformer/config.json",
                "patches of several latent frames are not known",
            );
        }
        if transformer.image_dim.is_some() {
            return Err(WanError::Unsupported(
                "Wan image-to-video with a picture encoder (2.1 I2V)",
            ));
        }
        let beside = MASKS + transformer.out_channels;
        if transformer.in_channels < transformer.out_channels
            || ![0, beside].contains(&transformer.stacked())
        {
            return Err(WanError::Unsupported("this kind of conditioned Wan"));
        }
        let sizes = [
            (text.vocab_size, 1 << 20),
            (text.d_model, 16_384),
            (text.d_kv, 1024),
            (text.d_ff, 65_536),
            (text.num_layers, 256),
            (text.num_heads, 256),
            (text.relative_attention_max_distance, 1 << 16),
        ];
        let buckets = text.relative_attention_num_buckets;
        if !sizes.into_iter().all(fits)
            || !(4..=1024).contains(&buckets)
            || text.relative_attention_max_distance <= buckets / 4
        {
            return refuse(
                "text_encoder/config.json",
                "a size is zero or absurdly large",
            );
        }
        if text.d_model != transformer.text_dim {
            return Err(WanError::TextWidth {
                text: text.d_model,
                wanted: transformer.text_dim,
            });
        }
        let levels = vae.dim_mult.len();
        let decoder = vae.decoder_base_dim.unwrap_or(vae.base_dim);
        let sizes = [
            (vae.base_dim, 4096),
            (decoder, 4096),
            (vae.z_dim, 256),
            (vae.num_res_blocks, 16),
            (levels, 8),
            (vae.in_channels, 64),
            (vae.out_channels, 64),
        ];
        let patch = vae.patch_size.unwrap_or(1);
        if !sizes.into_iter().all(fits)
            || !vae.dim_mult.iter().all(|&m| fits((m, 64)))
            || vae.temperal_downsample.len() + 1 != levels
            || vae.temperal_downsample.iter().filter(|&&time| time).count() != 2
            || !fits((patch, 8))
            || vae.in_channels != 3 * patch * patch
            || vae.out_channels != vae.in_channels
        {
            return refuse(
                "vae/config.json",
                "a size is zero, absurdly large or does not fit the others",
            );
        }
        let stats = [&vae.latents_mean, &vae.latents_std];
        let finite = |values: &&Vec<f32>| {
            values.len() == vae.z_dim && values.iter().all(|value| value.is_finite())
        };
        if !stats.iter().all(finite) || vae.latents_std.iter().any(|&std| std <= 0.0) {
            return refuse(
                "vae/config.json",
                "latents_mean and latents_std have one number a channel, deviations above 0",
            );
        }
        if vae.z_dim != transformer.out_channels {
            return Err(WanError::Latents {
                vae: vae.z_dim,
                wanted: transformer.out_channels,
            });
        }
        Ok(())
    }

    /// How clips become latents.
    pub fn geometry(&self) -> Geometry {
        let spatial = (1 << (self.vae.dim_mult.len() - 1)) * self.vae.patch_size.unwrap_or(1);
        Geometry {
            spatial,
            multiple: spatial * self.transformer.patch_size[1].max(self.transformer.patch_size[2]),
            channels: self.vae.z_dim,
            whole: if self.expand_timesteps {
                WHOLE_TI2V
            } else {
                WHOLE
            },
            around: false,
        }
    }
}

/// The whole of a checkpoint, ready to run.
#[derive(Debug)]
pub struct Networks {
    /// Its configuration.
    pub config: Config,
    tokenizer: Tokenizer,
    text: Part<TextEncoder>,
    transformer: Part<Transformer>,
    /// Of low noise levels, if there are two.
    second: Option<Part<Transformer>>,
    vae: Vae,
}

/// A network whose large weights stay in their files.
#[derive(Debug)]
struct Part<M> {
    network: M,
    store: Arc<Store>,
}

impl<M: Module> Part<M> {
    /// Fills in the weights of a network that `init` made.
    fn load(
        name: &'static str,
        files: Vec<Mapped>,
        init: &mut Init,
        build: impl FnOnce(&mut Init) -> M,
        rename: impl Fn(&str, &[usize]) -> Renamed,
        changes: impl Fn(&str) -> Vec<Change>,
    ) -> Result<Self, WanError> {
        let store = Store::new(files);
        init.take_slots();
        let network = build(init);
        let slots = init.take_slots();
        let network = weights::load_stored(network, &slots, &store, rename, changes);
        Ok(Self {
            network: network.map_err(|source| WanError::Weights { part: name, source })?,
            store,
        })
    }
}

impl Networks {
    /// Builds the networks and fills in their weights; those of linear layers stay in their files. Transformers multiply in
    /// `precision`; where 8 bits would harm, in bf16.
    ///
    /// # Errors
    /// When a file is damaged, or the files do not belong together.
    pub fn load(
        config: Config,
        files: WeightFiles,
        precision: Precision,
        device: &Device,
    ) -> Result<Self, WanError> {
        let tokenizer = files.tokenizer.open(config.text.vocab_size)?;
        let mut init = Init::stored(device).with_precision(precision);
        let shapes = weights::shapes(&Transformer::new(&config.transformer, &mut init), &init);
        let mut transformer = |name, files, expert, loras: &[LoraFile]| {
            let build = |init: &mut Init| Transformer::new(&config.transformer, init);
            let added = Merge::new(loras, expert, &shapes)?;
            let changes = |name: &str| added.of(name);
            Part::load(name, files, &mut init, build, of_transformer, changes)
        };
        let loras = &files.loras;
        let first = transformer("transformer", files.transformer, Expert::High, loras)?;
        let second = match config.boundary {
            Some(_) => {
                let files = files.transformer_2;
                Some(transformer(
                    "second transformer",
                    files,
                    Expert::Low,
                    loras,
                )?)
            }
            None => None,
        };
        let build = |init: &mut Init| TextEncoder::new(&config.text, init);
        // T5's features have outliers that 8 bits would round everything else away for.
        let mut init = init.with_precision(precision.of_delicate());
        let text = Part::load(
            "text encoder",
            files.text_encoder,
            &mut init,
            build,
            of_text,
            |_| Vec::new(),
        )?;
        let parts: Vec<&[u8]> = files.vae.iter().map(|file| &**file).collect();
        let of_vae = |name: &str, shape: &[usize]| of_vae(name, shape, &config.vae);
        let vae = Vae::new(&config.vae, &mut Init::zeros(device));
        let vae = weights::load_renamed(vae, &parts, of_vae);
        Ok(Self {
            tokenizer,
            text,
            transformer: first,
            second,
            vae: vae.map_err(|source| WanError::Weights {
                part: "autoencoder",
                source,
            })?,
            config,
        })
    }

    /// Lets at most so many bytes of a network's weights stay in memory between their uses.
    pub fn limit(&self, most: u64) {
        let second = self.second.iter().map(|part| &part.store);
        for store in second.chain([&self.text.store, &self.transformer.store]) {
            store.limit(most);
        }
    }

    /// Gives back the memory of all transformers, for what comes next needs none.
    fn rest_transformers(&self) {
        self.transformer.store.rest();
        if let Some(second) = &self.second {
            second.store.rest();
        }
    }

    /// The ids of a prompt, the end mark included: of its words with single blanks between them, as the reference
    /// cleans it.
    /// `None` if the tokenizer has no tokens for it.
    fn ids(&self, prompt: &str) -> Option<Vec<u32>> {
        let clean = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
        let encoded = self.tokenizer.encode(clean, true).ok()?;
        Some(encoded.get_ids().to_vec())
    }

    /// See [`crate::Model::reading`].
    pub(crate) fn reading(&self, prompt: &str) -> Reading {
        let ids = self.ids(prompt);
        let lost = ids.is_none().then(|| prompt.to_owned());
        Reading {
            tokens: ids.map_or(0, |ids| ids.len()),
            most: TEXT_ROWS,
            unknown: lost.into_iter().collect(),
        }
    }

    /// See [`crate::Model::read`]: `[B, 512, D]`.
    pub(crate) fn read(&self, prompts: &[&str], device: &Device) -> Tensor<3> {
        self.rest_transformers();
        let rows = prompts.iter().map(|prompt| {
            let mut ids = self.ids(prompt).unwrap_or_default();
            if ids.len() > TEXT_ROWS {
                // A cut text ends with the end mark all the same.
                let end = ids.last().copied();
                ids.truncate(TEXT_ROWS - 1);
                ids.extend(end);
            }
            let width = self.config.text.d_model;
            let rest = Tensor::zeros([TEXT_ROWS - ids.len(), width], device);
            if ids.is_empty() {
                return rest.unsqueeze::<3>();
            }
            let rows = Tensor::cat(vec![self.text.network.forward(&ids, device), rest], 0);
            rows.unsqueeze::<3>()
        });
        let rows = Tensor::cat(rows.collect(), 0);
        self.text.store.rest();
        rows
    }

    /// See [`crate::Model::levels`].
    pub(crate) fn levels(&self) -> Levels {
        match (
            self.config.transformer.stacked(),
            self.config.expand_timesteps,
        ) {
            (0, true) => Levels::Frames,
            (0, false) => Levels::One,
            _ => Levels::Beside,
        }
    }

    /// See [`crate::Model::velocity`]. The reference's timesteps are whole numbers.
    pub(crate) fn velocity(
        &self,
        x: Tensor<5>,
        sigma: f64,
        known: Option<Tensor<5>>,
        text: &Tensor<3>,
        blocks: Blocks<'_>,
    ) -> Tensor<5> {
        let [b, t, h, w, _] = x.dims();
        let stacked = self.config.transformer.stacked();
        let x = match &known {
            _ if stacked == 0 => x,
            Some(beside) => Tensor::cat(vec![x, beside.clone()], 4), // (B, T, h, w, C + 4 + C)
            None => {
                let nothing = Tensor::zeros([b, t, h, w, stacked], &x.device());
                Tensor::cat(vec![x, nothing], 4)
            }
        };
        let timestep = (sigma.min(1.0 - 1e-6) * TIMESTEPS).floor();
        let timesteps = match known {
            Some(known) if self.config.expand_timesteps && stacked == 0 => {
                (1.0 - known.reshape([b, t])) * timestep // (B, T): 0 where a frame is given
            }
            _ => Tensor::full([b, 1], timestep, &x.device()),
        };
        let late = |boundary: f64| timestep < boundary * TIMESTEPS;
        let (working, resting) = match (&self.second, self.config.boundary) {
            (Some(second), Some(boundary)) if late(boundary) => (second, Some(&self.transformer)),
            _ => (&self.transformer, self.second.as_ref()),
        };
        if let Some(resting) = resting {
            resting.store.rest();
        }
        working.network.pass(x, timesteps, text.clone(), blocks)
    }

    /// See [`crate::Model::encode_chunk`].
    pub(crate) fn encode_chunk(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        self.rest_transformers();
        let (vae, device) = (&self.config.vae, video.device());
        let latent = self.vae.encode_chunk(video, cache);
        (latent - channels(&vae.latents_mean, &device)) / channels(&vae.latents_std, &device)
    }

    /// See [`crate::Model::decode_chunk`].
    pub(crate) fn decode_chunk(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let features = self.decode_whole(latent, cache);
        self.decode_tile(features, Around::default(), cache)
    }

    /// See [`crate::Model::tiling`].
    pub(crate) fn tiling(&self) -> Tiling {
        self.config.vae.tiling()
    }

    /// See [`crate::Model::decode_whole`].
    pub(crate) fn decode_whole(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        self.rest_transformers();
        let (vae, device) = (&self.config.vae, latent.device());
        let latent = latent * channels(&vae.latents_std, &device);
        self.vae
            .decode_whole(latent + channels(&vae.latents_mean, &device), cache)
    }

    /// See [`crate::Model::decode_tile`].
    pub(crate) fn decode_tile(
        &self,
        features: Tensor<5>,
        around: Around,
        cache: &mut VaeCache,
    ) -> Tensor<5> {
        self.vae.decode_tile(features, around, cache)
    }
}
