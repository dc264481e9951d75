//! The networks of a model folder together.

use super::{Config, Kinora1, SIZE_MULTIPLE, SPATIAL_COMPRESSION, Text, Tokenizer, Vae, VaeCache};
use crate::model::{Geometry, Reading};
use crate::registry::{Files, ModelError, file};
use burn::tensor::{Device, Tensor};
use kinora_nn::{Init, Precision, weights};

/// Most frames that are painted at once: the longest clips of the training.
const WHOLE: usize = 49;

/// The whole of `kinora-1`, ready to run.
#[derive(Debug)]
pub struct Networks {
    /// Its configuration.
    pub config: Config,
    /// Turns prompts into ids.
    pub tokenizer: Tokenizer,
    /// Turns latents into video and back.
    pub vae: Vae,
    /// Reads the prompt and predicts the velocity.
    pub painter: Kinora1,
}

impl Networks {
    /// Builds the networks and fills in their weights.
    ///
    /// # Errors
    /// When a file is damaged, or the files do not belong together.
    pub fn load(files: &Files, precision: Precision, device: &Device) -> Result<Self, ModelError> {
        let config = Config::from_json(&files.config)?;
        let tokenizer = Tokenizer::from_json(&files.vocabulary)?;
        if tokenizer.len() > config.text.vocabulary {
            return Err(ModelError::Vocabulary {
                words: tokenizer.len(),
                rows: config.text.vocabulary,
            });
        }
        let mut init = Init::zeros(device);
        let vae =
            weights::load(Vae::new(&config.vae, &mut init), &files.vae).map_err(|source| {
                ModelError::Weights {
                    file: file::VAE,
                    source,
                }
            })?;
        let mut init = init.with_precision(precision);
        let painter =
            weights::load(Kinora1::new(&config, &mut init), &files.dit).map_err(|source| {
                ModelError::Weights {
                    file: file::DIT,
                    source,
                }
            })?;
        Ok(Self {
            config,
            tokenizer,
            vae,
            painter,
        })
    }

    /// See [`crate::Model::read`].
    pub(crate) fn read(&self, prompts: &[&str], device: &Device) -> Text {
        let ids = prompts
            .iter()
            .map(|prompt| self.tokenizer.encode(prompt).ids);
        self.painter.text.forward(&ids.collect::<Vec<_>>(), device)
    }

    /// See [`crate::Model::reading`].
    pub(crate) fn reading(&self, prompt: &str) -> Reading {
        let encoded = self.tokenizer.encode(prompt);
        Reading {
            tokens: encoded.ids.len(),
            most: self.config.text.max_tokens,
            unknown: encoded.unknown,
        }
    }

    /// See [`crate::Model::velocity`].
    pub(crate) fn velocity(
        &self,
        x: Tensor<5>,
        sigma: f64,
        known: Option<Tensor<5>>,
        text: &Text,
    ) -> Tensor<5> {
        let sigma = Tensor::full([x.dims()[0]], sigma, &x.device());
        self.painter.dit.forward(x, sigma, known, text)
    }

    /// See [`crate::Model::encode_chunk`].
    pub(crate) fn encode_chunk(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        self.normalised(self.vae.encode_chunk(video, cache))
    }

    /// See [`crate::Model::decode_chunk`].
    pub(crate) fn decode_chunk(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        self.vae.decode_chunk(self.plain(latent), cache)
    }

    /// See [`crate::Model::smooth`].
    pub(crate) fn smooth(&self, latent: Tensor<5>) -> Tensor<5> {
        self.normalised(self.vae.smooth(self.plain(latent)))
    }

    fn plain(&self, latent: Tensor<5>) -> Tensor<5> {
        let (stats, device) = (&self.config.latent, latent.device());
        latent * channels(&stats.std, &device) + channels(&stats.mean, &device)
    }

    fn normalised(&self, latent: Tensor<5>) -> Tensor<5> {
        let (stats, device) = (&self.config.latent, latent.device());
        (latent - channels(&stats.mean, &device)) / channels(&stats.std, &device)
    }
}

impl Config {
    /// How clips become latents.
    pub fn geometry(&self) -> Geometry {
        Geometry {
            spatial: SPATIAL_COMPRESSION,
            multiple: SIZE_MULTIPLE,
            channels: self.vae.latent_channels,
            whole: WHOLE,
        }
    }
}

/// One value for each latent channel, `[1, 1, 1, 1, C]`.
pub(crate) fn channels(values: &[f32], device: &Device) -> Tensor<5> {
    Tensor::<1>::from_floats(values, device).reshape([1, 1, 1, 1, values.len()])
}
