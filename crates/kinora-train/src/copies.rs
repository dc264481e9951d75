//! Copies of true renders: what a model's autoencoder and smoother keep of them, which is the best that it could paint.

use crate::{error::TrainError, pixels};
use burn::tensor::Device;
use kinora_engine::{EngineError, Model, ModelFiles, Precision};
use kinora_models::Cache;

/// RGB8 frames as the model's decoder would paint them.
pub(crate) fn copy(model: &Model, frames: &[u8], width: usize, height: usize) -> Vec<u8> {
    let video = pixels::video(frames, width, height, &Device::flex());
    let latent = model.encode_chunk(video, &mut Cache::default()); // (1, t, h, w, C)
    let copy = model.decode_chunk(model.smooth(latent), &mut Cache::default()); // (1, T, H, W, 3)
    pixels::to_bytes(&pixels::floats(copy))
}

/// The model called `name`, or in the folder of that name, in full precision.
pub(crate) fn open(name: &str) -> Result<Model, TrainError> {
    let files = ModelFiles::open(name).map_err(EngineError::from)?;
    let model = files.load(Precision::F32, &Device::flex());
    Ok(model.map_err(EngineError::from)?)
}
