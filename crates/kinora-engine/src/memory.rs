//! How much memory a clip will take, before it is begun.

use crate::generate::decode_frames;
use crate::model::Kind;
use crate::{ModelFiles, Plan};
use kinora_models::kinora1::{DecoderConfig, latent_frames};
use kinora_models::wan::Config;

/// The program itself, its threads' stacks and the encoder's tables.
const PROGRAM: u64 = 64 << 20;
/// Bytes of an activation.
const F32: u64 = 4;
/// Tensors of the stream's width that are alive at once in a transformer block, besides the perceptron's.
const STREAMS: u64 = 10;

/// What a clip takes, in bytes, about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The program, the weights that are always there, activations and frames.
    pub fixed: u64,
    /// The weights of the largest network, if they stay in memory while it works.
    pub weights: u64,
    /// Most of a layer's weights in 32 bits, which are there while it works.
    pub layer: u64,
}

impl Need {
    /// The peak if nothing is short.
    pub fn peak(self) -> u64 {
        self.fixed + self.layer + self.weights
    }

    /// The peak if weights are read again at each use.
    pub fn least(self) -> u64 {
        self.fixed + self.layer + self.layer.min(self.weights)
    }

    /// How many bytes of weights may stay, of so much memory.
    pub fn room(self, memory: u64) -> u64 {
        memory.saturating_sub(self.fixed + self.layer)
    }
}

/// Bytes that [`crate::generate`] and writing the clip take at their peak, about.
///
/// Reading the prompt, sampling and decoding follow one another, so the largest counts; finished frames are kept in RGB8
/// and once more in the encoder's buffers. Of a clip that is painted in parts, one part at a time is sampled.
pub fn estimate(plan: &Plan, model: &ModelFiles) -> Need {
    let geometry = model.about.geometry;
    let part = Plan {
        frames: plan.frames.min(geometry.whole as u32),
        ..plan.clone()
    };
    let shape @ [_, t, h, w, channels] = part.latent_shape(geometry).map(|n| n as u64);
    let guided = |scale: f64| scale != 1.0;
    let batch = match guided(plan.guidance) || plan.guidance_2.is_some_and(guided) {
        true => 2,
        false => 1,
    };
    let chunk = decode_frames(plan, geometry).min(latent_frames(part.frames as usize)) as u64;
    let pixels = u64::from(plan.width) * u64::from(plan.height) * 3;
    let (network, decoding, layer) = match &model.kind {
        Kind::Kinora1(both) => {
            let (config, _) = both.as_ref();
            let tokens = batch * t * (h / 2) * (w / 2);
            let (width, expansion) = (config.dit.width as u64, config.dit.expansion as u64);
            let fine = 4 * config.dit.fine_width as u64;
            let network = tokens * (width * (STREAMS + 2 * expansion)).max(fine * STREAMS) * F32;
            let refining = refiner(&config.vae.decoder, chunk * h * w, h * w);
            (network, refining, 0)
        }
        Kind::Wan(files) => wan(&files.config, batch, shape, chunk),
    };
    let sampling = network + 9 * t * h * w * channels * F32;
    let chunk_pixels = chunk * 4 * pixels * F32 * 3;
    Need {
        fixed: PROGRAM
            + model.about.loaded_bytes
            + sampling.max(decoding + chunk_pixels)
            + 2 * u64::from(plan.frames) * pixels,
        weights: model
            .about
            .streamed_bytes
            .iter()
            .copied()
            .max()
            .unwrap_or(0),
        layer,
    }
}

/// A step's activations, those of decoding a chunk, and a layer's weights of a Wan checkpoint.
fn wan(config: &Config, batch: u64, [_, t, h, w, _]: [u64; 5], chunk: u64) -> (u64, u64, u64) {
    let [_, ph, pw] = config.transformer.patch_size.map(|p| p as u64);
    let tokens = batch * t * (h / ph) * (w / pw);
    let width = config.transformer.width() as u64;
    let network = tokens * (width * STREAMS + 2 * config.transformer.ffn_dim as u64) * F32;
    // The last levels of the decoder have the most positions; each convolution holds its input in columns of a kernel.
    let base = config.vae.decoder_base_dim.unwrap_or(config.vae.base_dim) as u64;
    let side = config.geometry().spatial as u64 / config.vae.patch_size.unwrap_or(1) as u64;
    let positions = chunk * 4 * h * w * side * side;
    let widest = config.transformer.ffn_dim.max(config.text.d_ff) as u64;
    let layer = widest * width.max(config.text.d_model as u64) * F32;
    (network, positions * base * 2 * 8 * F32, layer)
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
