//! The networks of a model folder together.

use super::animatic::{Animatic, Clip};
use super::camera::{foresee, in_motion};
use super::{
    Config, Kinora1, SIZE_MULTIPLE, SPATIAL_COMPRESSION, Text, Tokenizer, Vae, VaeCache, seams,
};
use crate::model::{Geometry, Reading};
use crate::registry::{Files, ModelError, file};
use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use kinora_nn::{Init, Precision, weights};
use std::ops::Range;

/// Most frames that are painted at once: the longest clips of the training.
const WHOLE: usize = 49;
/// The noise level from which frames beside given ones are painted: in rows of pictures looked at, who and what is given stays sharp and
/// itself along the camera's move at 0.1, softens at 0.3 and dissolves at 0.65.
pub(crate) const EASE: f64 = 0.15;

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
        let code = self.vae.cells(&self.config.latent, &x.device());
        self.painter.dit.forward(x, sigma, known, text, &code)
    }

    /// See [`crate::Model::foresee`].
    pub(crate) fn foresee(
        &self,
        latent: &Tensor<5>,
        given: Range<usize>,
        text: &Text,
    ) -> Tensor<5> {
        let code = self.vae.cells(&self.config.latent, &latent.device());
        foresee(latent, given, &text.camera, &code)
    }

    /// See [`crate::Model::in_motion`].
    pub(crate) fn in_motion(&self, picture: Tensor<5>, text: &Text) -> Tensor<5> {
        let code = self.vae.cells(&self.config.latent, &picture.device());
        in_motion(picture, &text.camera, &code)
    }

    /// See [`crate::Model::stage`].
    pub(crate) fn stage(
        &self,
        prompt: &str,
        part: (Clip, Range<usize>),
        seed: u64,
        device: &Device,
    ) -> Option<Animatic> {
        let cast = self.painter.cast.as_ref()?;
        let mut ids = self.tokenizer.encode(prompt).ids;
        ids.truncate(self.config.text.max_tokens);
        let facts = cast.reader.cast(&[ids], device).remove(0);
        let anybody = !facts.roles.is_empty();
        anybody.then(|| Animatic::new(cast, &facts, part, seed, device))
    }

    /// See [`crate::Model::sketch`].
    pub(crate) fn sketch(
        &self,
        animatic: &Animatic,
        picture: Option<Tensor<5>>,
        frames: Range<usize>,
        device: &Device,
    ) -> Tensor<5> {
        let picture = picture.map(|picture| {
            let picture = self.decode_chunk(picture, &mut VaeCache::default());
            (picture.try_into_vec_as::<f32>()).expect("flex tensors are in memory")
        });
        let video = animatic.video(picture.as_deref(), frames, device);
        self.encode_chunk(video, &mut VaeCache::default())
    }

    /// See [`crate::Model::plainness`].
    pub(crate) fn plainness(
        &self,
        x: Tensor<5>,
        sigma: f64,
        known: Option<Tensor<5>>,
        text: &Text,
    ) -> Vec<f32> {
        let (batch, device) = (x.dims()[0], x.device());
        let twice = |x: Tensor<5>| x.repeat_dim(0, 2);
        let level = Tensor::full([2 * batch], sigma, &device);
        let code = self.vae.cells(&self.config.latent, &device);
        let answer = (self.painter.dit).answer(twice(x), level, known.map(twice), text, &code);
        let names: Tensor<3> = answer.names.flatten(1, 3); // (2B, N, names)
        let halves = |part: usize| names.clone().narrow(0, part * batch, batch);
        plainness(halves(0), halves(1), self.config.dit.names)
    }

    /// See [`crate::Model::encode_chunk`].
    pub(crate) fn encode_chunk(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        self.normalised(self.vae.encode_chunk(video, cache))
    }

    /// See [`crate::Model::decode_chunk`].
    pub(crate) fn decode_chunk(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let video = self.vae.decode_chunk(self.plain(latent), cache);
        let shape @ [_, _, height, width, c] = video.dims();
        let device = video.device();
        let mut values: Vec<f32> = video.try_into_vec_as().expect("flex tensors are in memory");
        for picture in values.chunks_exact_mut(height * width * c) {
            seams::mend(picture, [height, width]);
        }
        Tensor::from_data(TensorData::new(values, shape), &device)
    }

    /// See [`crate::Model::smooth`].
    pub(crate) fn smooth(&self, latent: Tensor<5>) -> Tensor<5> {
        self.normalised(self.vae.smooth(self.plain(latent)))
    }

    /// See [`crate::Model::noise`].
    pub(crate) fn noise(&self, white: Tensor<5>) -> Tensor<5> {
        lasting(white, &self.config.latent.persistence)
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
            around: true,
        }
    }
}

/// The mean log-likelihood, under the scores `without` a prompt, of the names of somebody's places and of their colours under
/// the scores `with` one, both `[B, N, names]`.
fn plainness(with: Tensor<3>, without: Tensor<3>, [subjects, colours]: [usize; 2]) -> Vec<f32> {
    let who = |scores: &Tensor<3>| log_softmax(scores.clone().narrow(2, 0, subjects), 2);
    let colour = |scores: &Tensor<3>| log_softmax(scores.clone().narrow(2, subjects, colours), 2);
    let somebody = |x: Tensor<3>| x.narrow(2, 1, subjects - 1);
    let shares = somebody(who(&with).exp()); // (B, N, subjects - 1)
    let taken = shares.clone().sum_dim(2); // (B, N, 1)
    let of_who = (shares * somebody(who(&without))).sum_dim(2);
    let of_colour = (colour(&with).exp() * colour(&without)).sum_dim(2) * taken.clone();
    let mean = (of_who + of_colour).sum_dim(1) / taken.sum_dim(1).clamp_min(1e-3); // (B, 1, 1)
    mean.try_into_vec_as().expect("flex tensors are in memory")
}

/// White noise `[B, T, h, w, C]` as noise of which each channel keeps the share `persistence` from one latent frame to the
/// next, as the latents of clips do: what a painter makes of a frame alone then lasts by itself, and what it learns is how
/// frames differ (compare the progressive noise of arXiv:2305.10474). Each value stays standard normal.
pub fn lasting(white: Tensor<5>, persistence: &[f32]) -> Tensor<5> {
    let keep: Tensor<5> = channels(persistence, &white.device());
    let rest: Tensor<5> = 1.0 - keep.clone().square();
    let fresh = rest.sqrt();
    let mut frames: Vec<Tensor<5>> = Vec::with_capacity(white.dims()[1]);
    for new in white.split(1, 1) {
        frames.push(match frames.last() {
            None => new,
            Some(last) => last.clone() * keep.clone() + new * fresh.clone(),
        });
    }
    Tensor::cat(frames, 1)
}

/// One value for each latent channel, `[1, 1, 1, 1, C]`.
pub(crate) fn channels(values: &[f32], device: &Device) -> Tensor<5> {
    Tensor::<1>::from_floats(values, device).reshape([1, 1, 1, 1, values.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_nn::noise;

    #[test]
    fn what_looks_like_itself_without_words_is_plain() {
        let device = Device::flex();
        // Two halves: the second is somebody's, of the second kind and the first colour.
        let with = [[9.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 9.0, 9.0, 0.0]];
        let other = [[9.0, 0.0, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0, 9.0]];
        let vague = [[9.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0, 1.0]];
        let batch = |clips: [[[f32; 5]; 2]; 3]| Tensor::<3>::from_data(clips, &device);
        let told = plainness(batch([with; 3]), batch([with, vague, other]), [3, 2]);
        assert!(
            told[0] > -0.01 && told[0] > told[1] && told[1] > told[2],
            "{told:?}"
        );
    }

    #[test]
    fn noise_lasts_as_it_is_told_and_stays_standard_normal() {
        let shape = [1, 4, 32, 32, 3];
        let values = noise::normal(5, 0, shape.iter().product());
        let white = Tensor::from_data(TensorData::new(values, shape), &Device::flex());
        let told = [0.0, 0.6, 0.95];
        let noise = lasting(white.clone(), &told);
        assert_eq!(
            noise.clone().narrow(4, 0, 1).into_data(),
            white.narrow(4, 0, 1).into_data()
        );
        for (channel, told) in told.into_iter().enumerate() {
            let frame = |t| noise.clone().narrow(4, channel, 1).narrow(1, t, 1);
            for t in 0..3 {
                let [product, square] = [frame(t + 1), frame(t)]
                    .map(|other| (other * frame(t)).mean().into_scalar::<f32>());
                assert!((square - 1.0).abs() < 0.15, "variance {square} at {t}");
                assert!(
                    (product / square - told).abs() < 0.1,
                    "{product} for {told} at {t}"
                );
            }
        }
    }
}
