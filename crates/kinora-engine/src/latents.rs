//! Latents: what the sampler works on and the autoencoder decodes, in memory and in a file.

use crate::{Geometry, Model, Plan};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::noise;
use kinora_nn::weights::{self, Mapped, Weights, WeightsError};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// The tensor of a latents file.
pub(crate) const LATENTS: &str = "latents";
/// The metadata key of the noise level.
pub(crate) const SIGMA: &str = "sigma";

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
    Write(WeightsError),
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

impl Latents {
    /// The pure noise of `plan`'s seed and of a part of the clip, its stream, for latents of this model; once for each of
    /// the plan's candidates, `[candidates, T, h, w, C]`.
    ///
    /// All but the first sixteenth of the channels, the coarse ones, are scaled by the temperature: a flow whose model
    /// knows a fine channel's spread alone would answer independent draws of it, which is grain.
    pub(crate) fn noise(plan: &Plan, stream: u64, model: &Model, device: &Device) -> Self {
        let geometry = model.geometry();
        let (one, channels) = (plan.latent_shape(geometry), geometry.channels);
        let values: Vec<f32> = (0..u64::from(plan.candidates))
            .flat_map(|candidate| {
                let stream = stream | candidate << 32;
                noise::normal(plan.seed, stream, one.iter().product())
            })
            .collect();
        let [_, t, h, w, _] = one;
        let shape = [plan.candidates as usize, t, h, w, channels];
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
            values: model.noise(values * scale.reshape([1, 1, 1, 1, channels])),
            sigma: 1.0,
        }
    }

    /// Reads what [`Painted::save`](crate::Painted::save) wrote, or any safetensors file with a tensor `latents`: without a
    /// noise level in its metadata it counts as pure noise. Also gives the file's SHA-256, for the recipe.
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
        let file = open(path)?;
        let weights = weights::read(&file).map_err(|e| invalid(path, e.to_string()))?;
        let latents = Self::of(&weights, path, device)?;
        latents.check_shape(plan.latent_shape(geometry), path)?;
        Ok((latents, format!("{:x}", Sha256::digest(&*file))))
    }

    /// The latents of a file at `path`.
    pub(crate) fn of(
        weights: &Weights<'_>,
        path: &Path,
        device: &Device,
    ) -> Result<Self, LatentsError> {
        let invalid = |reason: &str| invalid(path, reason.to_owned());
        let tensor = weights.tensors.get(LATENTS);
        let tensor = tensor.ok_or_else(|| invalid("it has no tensor \"latents\""))?;
        let shape: [usize; 5] = tensor.shape.as_slice().try_into().map_err(|_| {
            invalid("its latents have not the five extents 1, frames, height, width, channels")
        })?;
        let values = tensor.to_f32();
        if !values.iter().all(|v| v.is_finite()) {
            return Err(invalid("some of its values are not finite"));
        }
        let sigma = match weights.metadata.get(SIGMA) {
            None => 1.0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|s| (0.0..=1.0).contains(s))
                .ok_or_else(|| invalid(&format!("its sigma is {text:?}, and must be 0 to 1")))?,
        };
        let values = Tensor::from_data(TensorData::new(values, shape), device);
        Ok(Self { values, sigma })
    }

    /// Checks that they have this shape.
    pub(crate) fn check_shape(&self, wanted: [usize; 5], path: &Path) -> Result<(), LatentsError> {
        match self.values.dims() {
            found if found == wanted => Ok(()),
            found => Err(LatentsError::Shape {
                path: path.to_owned(),
                found: found.to_vec(),
                wanted,
            }),
        }
    }
}

/// Maps a latents file.
pub(crate) fn open(path: &Path) -> Result<Mapped, LatentsError> {
    Mapped::open(path).map_err(|error| match error {
        WeightsError::Io { source, .. } => LatentsError::Read {
            path: path.to_owned(),
            source,
        },
        other => invalid(path, other.to_string()),
    })
}

pub(crate) fn invalid(path: &Path, reason: String) -> LatentsError {
    LatentsError::Invalid {
        path: path.to_owned(),
        reason,
    }
}
