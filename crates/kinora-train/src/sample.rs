//! Draws clips from a model in training: a batch of prompts at once, for sheets and evaluation.

use crate::pixels::{floats, to_bytes};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_diffusion::{Branches, Guidance, Sampler, denoiser, shifted};
use kinora_models::kinora1::{Kinora1, LatentStats, SPATIAL_COMPRESSION, Text, Tokenizer, Vae, latent_frames};
use kinora_nn::noise;
use std::convert::Infallible;

/// The parts that make a clip of a prompt.
pub(crate) struct Painter<'a> {
    pub model: &'a Kinora1,
    pub vae: &'a Vae,
    pub latent: &'a LatentStats,
    pub tokenizer: &'a Tokenizer,
}

/// How clips are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawing {
    pub width: usize,
    pub height: usize,
    /// 1 + 4k.
    pub frames: usize,
    pub steps: usize,
    pub guidance: f64,
    pub shift: f64,
    pub sampler: Sampler,
    pub seed: u64,
}

impl Painter<'_> {
    /// Raw RGB8 frames of one clip a prompt. The noise of a clip hangs on the seed and its place alone.
    pub fn draw(&self, prompts: &[String], drawing: &Drawing) -> Vec<Vec<u8>> {
        let device = Device::flex();
        let channels = self.latent.mean.len();
        let (h, w) = (drawing.height / SPATIAL_COMPRESSION, drawing.width / SPATIAL_COMPRESSION);
        let shape = [prompts.len(), latent_frames(drawing.frames), h, w, channels];
        let each: usize = shape[1..].iter().product();
        let noise: Vec<f32> =
            (0..prompts.len() as u64).flat_map(|clip| noise::normal(drawing.seed, clip, each)).collect();
        let noise = Tensor::<5>::from_data(TensorData::new(noise, shape), &device);
        let ids: Vec<Vec<u32>> = prompts.iter().map(|prompt| self.tokenizer.encode(prompt).ids).collect();
        let empty = vec![Vec::new(); ids.len()];
        let positive = self.model.text.forward(&ids, &device);
        let both = self.model.text.forward(&[ids, empty].concat(), &device);
        let velocity = |x: Tensor<5>, sigma: f64, branches: Branches| -> Result<Tensor<5>, Infallible> {
            let text: &Text = match branches {
                Branches::Positive => &positive,
                Branches::Both => &both,
            };
            let sigma = Tensor::<1>::full([x.dims()[0]], sigma, &device);
            Ok(self.model.dit.forward(x, sigma, text))
        };
        let denoise = denoiser(velocity, Guidance::everywhere(drawing.guidance));
        let sigmas = shifted(drawing.steps, drawing.shift, 1.0);
        let Ok(latent) = drawing.sampler.run(denoise, noise, &sigmas, |_| Ok(()));
        let video = floats(self.vae.decode(denormalise(latent, self.latent)));
        let bytes = to_bytes(&video);
        bytes.chunks_exact(bytes.len() / prompts.len()).map(<[u8]>::to_vec).collect()
    }
}

/// Latents as the autoencoder has them, from latents of zero mean and unit scale.
fn denormalise(latent: Tensor<5>, stats: &LatentStats) -> Tensor<5> {
    let row = |values: &[f32]| {
        let data = TensorData::new(values.to_vec(), [1, 1, 1, 1, values.len()]);
        Tensor::<5>::from_data(data, &latent.device())
    };
    let (mean, std) = (row(&stats.mean), row(&stats.std));
    latent * std + mean
}
