//! Copies of true renders: what a model's autoencoder and smoother keep of them, which is the best that it could paint.

use crate::{error::TrainError, pixels};
use burn::tensor::Device;
use kinora_engine::{EngineError, Model, ModelFiles, Precision};
use kinora_models::Cache;

/// Copies clips by one model.
pub struct Copier<'a> {
    model: &'a Model,
    device: Device,
}

impl<'a> Copier<'a> {
    /// Copies by this model.
    pub fn new(model: &'a Model) -> Self {
        Self {
            model,
            device: Device::flex(),
        }
    }

    /// RGB8 frames as the model's decoder would paint them.
    pub fn copy(&self, frames: &[u8], width: usize, height: usize) -> Vec<u8> {
        let video = pixels::video(frames, width, height, &self.device);
        let latent = self.model.encode_chunk(video, &mut Cache::default()); // (1, t, h, w, C)
        let smooth = self.model.smooth(latent);
        let copy = self.model.decode_chunk(smooth, &mut Cache::default()); // (1, T, H, W, 3)
        pixels::to_bytes(&pixels::floats(copy))
    }
}

/// The model called `name`, or in the folder of that name, in full precision.
pub(crate) fn open(name: &str) -> Result<Model, TrainError> {
    let files = ModelFiles::open(name).map_err(EngineError::from)?;
    let model = files.load(Precision::F32, &Device::flex());
    Ok(model.map_err(EngineError::from)?)
}
