//! Latents: what the sampler works on and the autoencoder decodes, in memory and in a file.

use crate::{Geometry, Plan};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{noise, weights};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Room for the header of a latents file.
const MAX_HEADER: u64 = 1 << 20;
/// The metadata key of the noise level.
const SIGMA: &str = "sigma";

/// One channel in so many is coarse: the first ones, which hold brightness, colour and their slopes.
const COARSE_SHARE: usize = 16;

/// Normalised latents at a noise level.
#[derive(Clone, Debug)]
pub struct Latents {
    /// `[1, frames, height, width, channels]`, of zero mean and unit scale.
    pub values: Tensor<5>,
    /// 1 is pure noise, 0 a finished clip.
    pub sigma: f64,
}

/// Why latents can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LatentsError {
    /// The file system refused.
    #[error("the latents file {} can't be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file can't be written.
    #[error(transparent)]
    Write(weights::WeightsError),
    /// The file is damaged or holds something else.
    #[error("{} holds no usable latents: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The latents are those of a clip of another size, length or model.
    #[error("{} holds latents of shape {found:?}, and this clip's are {wanted:?} (1, frames, height, width, channels)", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The file's shape.
        found: Vec<usize>,
        /// The clip's shape.
        wanted: [usize; 5],
    },
}

/// The one tensor of a latents file.
#[derive(Module, Debug)]
struct Stored {
    latents: Param<Tensor<5>>,
}

impl Latents {
    /// The pure noise of `plan`'s seed and of a part of the clip, its stream, for latents of this
    /// geometry.
    ///
    /// All but the first sixteenth of the channels, the coarse ones, are scaled by the temperature: a flow whose model
    /// knows a fine channel's spread alone would answer independent draws of it, which is grain.
    pub(crate) fn noise(plan: &Plan, stream: u64, geometry: Geometry, device: &Device) -> Self {
        let (shape, channels) = (plan.latent_shape(geometry), geometry.channels);
        let values = noise::normal(plan.seed, stream, shape.iter().product());
        let coarse = channels.div_ceil(COARSE_SHARE);
        let scale = (0..channels).map(|c| {
            if c < coarse {
                1.0
            } else {
                plan.temperature as f32
            }
        });
        let scale = Tensor::<1>::from_floats(scale.collect::<Vec<_>>().as_slice(), device);
        let values = Tensor::<5>::from_data(TensorData::new(values, shape), device);
        Self {
            values: values * scale.reshape([1, 1, 1, 1, channels]),
            sigma: 1.0,
        }
    }

    /// Writes a safetensors file with the tensor `latents` and its noise level in the metadata.
    ///
    /// # Errors
    /// When the file can't be written; nothing is left then.
    pub fn save(&self, path: &Path) -> Result<(), LatentsError> {
        let metadata = BTreeMap::from([(SIGMA.to_owned(), self.sigma.to_string())]);
        let stored = Stored {
            latents: Param::from_tensor(self.values.clone()),
        };
        weights::save(&stored, &metadata, path, weights::Dtype::F32).map_err(LatentsError::Write)
    }

    /// Reads what [`Latents::save`] wrote, or any safetensors file with a tensor `latents`: without a noise level in
    /// its metadata it counts as pure noise. Also gives the file's SHA-256, for the recipe.
    ///
    /// # Errors
    /// When the file is damaged, holds values that are not finite, or its shape is not that of a clip of `plan` in
    /// this geometry.
    pub fn load(
        path: &Path,
        plan: &Plan,
        geometry: Geometry,
        device: &Device,
    ) -> Result<(Self, String), LatentsError> {
        let wanted = plan.latent_shape(geometry);
        let invalid = |reason: String| LatentsError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let read = |source| LatentsError::Read {
            path: path.to_owned(),
            source,
        };

        let found = fs::metadata(path).map_err(read)?;
        let most = wanted.iter().product::<usize>() as u64 * 4 + MAX_HEADER;
        if !found.is_file() {
            return Err(invalid("it is not an ordinary file".to_owned()));
        }
        if found.len() > most {
            return Err(invalid(format!(
                "it has {} bytes, and this clip's latents at most {most}",
                found.len()
            )));
        }
        let bytes = fs::read(path).map_err(read)?;
        let file = weights::read(&bytes).map_err(|e| invalid(e.to_string()))?;
        let tensor = file
            .tensors
            .get("latents")
            .ok_or_else(|| invalid("it has no tensor \"latents\"".to_owned()))?;
        if tensor.shape != wanted {
            return Err(LatentsError::Shape {
                path: path.to_owned(),
                found: tensor.shape.clone(),
                wanted,
            });
        }
        let values = tensor.to_f32();
        if !values.iter().all(|v| v.is_finite()) {
            return Err(invalid("some of its values are not finite".to_owned()));
        }
        let sigma = match file.metadata.get(SIGMA) {
            None => 1.0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|s| (0.0..=1.0).contains(s))
                .ok_or_else(|| invalid(format!("its sigma is {text:?}, and must be 0 to 1")))?,
        };
        let values = Tensor::from_data(TensorData::new(values, wanted), device);
        Ok((
            Self { values, sigma },
            format!("{:x}", Sha256::digest(&bytes)),
        ))
    }
}
