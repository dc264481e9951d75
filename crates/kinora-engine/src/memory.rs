//! How much memory a clip will take, before it is begun.

use crate::generate::decode_frames;
use crate::windows::WHOLE;
use crate::{ModelFiles, Plan};
use kinora_models::kinora1::{DecoderConfig, latent_frames};

/// The program itself, its threads' stacks and the encoder's tables.
const PROGRAM: u64 = 64 << 20;
/// Bytes of an activation.
const F32: u64 = 4;
/// Tensors of the stream's width that are alive at once in a transformer block, besides the perceptron's.
const STREAMS: u64 = 10;

/// Bytes that [`crate::generate`] and writing the clip take at their peak, about.
///
/// Weights are kept in 32 bits beside the 16-bit files they come from. Sampling and decoding follow one another, so
/// the larger counts; finished frames are kept in RGB8 and once more in the encoder's buffers. Of a clip that is painted
/// in parts, one part at a time is sampled.
pub fn estimate(plan: &Plan, model: &ModelFiles) -> u64 {
    let config = &model.config;
    let weights = 3 * model.weight_bytes();

    let part = Plan {
        frames: plan.frames.min(WHOLE as u32),
        ..plan.clone()
    };
    let [_, t, h, w, channels] = part
        .latent_shape(config.vae.latent_channels)
        .map(|n| n as u64);
    let batch = if plan.guidance == 1.0 { 1 } else { 2 };
    let tokens = batch * t * (h / 2) * (w / 2);
    let (width, expansion) = (config.dit.width as u64, config.dit.expansion as u64);
    let fine = 4 * config.dit.fine_width as u64;
    let sampling = tokens * (width * (STREAMS + 2 * expansion)).max(fine * STREAMS) * F32
        + 9 * t * h * w * channels * F32;

    let chunk = decode_frames(plan).min(latent_frames(part.frames as usize)) as u64;
    let refining = refiner(&config.vae.decoder, chunk * h * w, h * w);

    let pixels = u64::from(plan.width) * u64::from(plan.height) * 3;
    let chunk_pixels = chunk * 4 * pixels * F32 * 3;
    PROGRAM + weights + sampling.max(refining + chunk_pixels) + 2 * u64::from(plan.frames) * pixels
}

/// The refiner's activations for a chunk of latent `positions`, and what it remembers of the chunk before: two of the
/// `frame` positions for each convolution. It works on patches of an eighth of a latent position's side.
fn refiner(config: &DecoderConfig, positions: u64, frame: u64) -> u64 {
    let [width, depth, expansion] =
        [config.width, config.depth, config.expansion].map(|n| n as u64);
    64 * width * (positions * (4 + 2 * expansion) + 2 * frame * depth) * F32
}

/// Bytes for people: `1.4 GB`.
pub(crate) fn human(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b => format!("{:.0} MB", b / 1e6),
    }
}
