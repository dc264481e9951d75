//! Generation, from a plan to a clip, in one readable function.

use crate::{EngineError, Latents, Plan};
use burn::tensor::{Device, Tensor};
use kinora_diffusion::{Branches, Guidance, Step, denoiser, shifted};
use kinora_media::Clip;
use kinora_models::kinora1::{SPATIAL_COMPRESSION, Text, VaeCache};
use kinora_models::registry::Model;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Latent positions that are decoded at once: what bounds the decoder's memory.
const DECODE_POSITIONS: usize = 1024;

/// One clip to make.
#[derive(Debug)]
pub struct Job<'a> {
    /// The settings.
    pub plan: &'a Plan,
    /// The model they were planned for.
    pub model: &'a Model,
    /// Where the model's weights are.
    pub device: &'a Device,
    /// Where to begin; `None` is the noise of the plan's seed.
    pub start: Option<Latents>,
    /// Where to keep the finished latents, before they are decoded.
    pub save_latents: Option<&'a Path>,
    /// Ends the work within a step when it becomes true.
    pub cancel: &'a AtomicBool,
}

/// What happened in a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The sampler has finished a step.
    Sampled(Step),
    /// So many frames of so many are decoded.
    Decoded {
        /// Frames finished.
        done: usize,
        /// Frames in all.
        of: usize,
    },
}

/// Makes a clip.
///
/// # Errors
/// [`EngineError::Cancelled`] when the job's flag is set; when the latents can't be kept; when the model's numbers
/// are not finite.
pub fn generate(job: &Job<'_>, mut on_event: impl FnMut(Event)) -> Result<Clip, EngineError> {
    let Job {
        plan,
        model,
        device,
        ..
    } = *job;
    let positive = read(job, &[&plan.prompt]);
    let both = read(job, &[&plan.prompt, &plan.negative]);

    let start = match &job.start {
        Some(latents) => latents.clone(),
        None => Latents::noise(
            plan.seed,
            plan.latent_shape(model.config.vae.latent_channels),
            device,
        ),
    };
    let velocity = |x: Tensor<5>, sigma: f64, branches: Branches| {
        job.check()?;
        let text = match branches {
            Branches::Positive => &positive,
            Branches::Both => &both,
        };
        let sigma = Tensor::full([x.dims()[0]], sigma, device);
        Ok::<_, EngineError>(model.painter.dit.forward(x, sigma, None, text))
    };
    let denoise = denoiser(velocity, Guidance::everywhere(plan.guidance));
    let sigmas = shifted(plan.steps as usize, plan.shift, start.sigma);
    let values = plan.sampler.run(denoise, start.values, &sigmas, |step| {
        on_event(Event::Sampled(step));
        job.check()
    })?;
    if !values.clone().abs().max().into_scalar::<f32>().is_finite() {
        return Err(EngineError::NotFinite);
    }
    let latents = Latents { values, sigma: 0.0 };
    if let Some(path) = job.save_latents {
        latents.save(path)?;
    }
    decode(job, latents, on_event)
}

impl Job<'_> {
    fn check(&self) -> Result<(), EngineError> {
        if self.cancel.load(Ordering::Relaxed) {
            Err(EngineError::Cancelled)
        } else {
            Ok(())
        }
    }
}

fn read(job: &Job<'_>, prompts: &[&str]) -> Text {
    let ids: Vec<Vec<u32>> = prompts
        .iter()
        .map(|prompt| job.model.tokenizer.encode(prompt).ids)
        .collect();
    job.model.painter.text.forward(&ids, job.device)
}

/// Latents to frames, a few latent frames at a time; frames that the model made beyond the plan's are left out.
fn decode(
    job: &Job<'_>,
    latents: Latents,
    mut on_event: impl FnMut(Event),
) -> Result<Clip, EngineError> {
    let Job { plan, model, .. } = *job;
    let stats = &model.config.latent;
    let channels = |values: &[f32]| {
        Tensor::<1>::from_floats(values, job.device).reshape([1, 1, 1, 1, values.len()])
    };
    let latent = latents.values * channels(&stats.std) + channels(&stats.mean); // (1, T, h, w, C)

    let (mut cache, mut frames) = (VaeCache::default(), Vec::new());
    for chunk in latent.split(decode_frames(plan), 1) {
        job.check()?;
        let video = model.vae.decode_chunk(chunk, &mut cache); // (1, n, H, W, 3)
        frames.extend(pixels(video));
        on_event(Event::Decoded {
            done: frames.len().min(plan.frames as usize),
            of: plan.frames as usize,
        });
    }
    frames.truncate(plan.frames as usize);
    Ok(Clip::new(plan.width, plan.height, plan.fps, frames)?)
}

/// Latent frames that are decoded at once.
pub(crate) fn decode_frames(plan: &Plan) -> usize {
    let side = |pixels: u32| pixels as usize / SPATIAL_COMPRESSION;
    (DECODE_POSITIONS / (side(plan.width) * side(plan.height))).max(1)
}

/// The frames of a video `[1, T, H, W, 3]` of -1 to 1, in RGB8.
fn pixels(video: Tensor<5>) -> Vec<Vec<u8>> {
    let [_, _, h, w, c] = video.dims();
    let values: Vec<f32> = video.try_into_vec_as().expect("flex tensors are in memory");
    let byte = |v: &f32| ((v + 1.0) * 127.5).round() as u8; // saturates
    values
        .chunks_exact(h * w * c)
        .map(|frame| frame.iter().map(byte).collect())
        .collect()
}
