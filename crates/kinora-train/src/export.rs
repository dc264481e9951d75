//! Models as they ship: averaged weights in f16 with their configuration, licence and origin.

use crate::{
    config::ModelConfig,
    error::TrainError,
    shards::{read_json, write_atomic, write_json},
};
use burn::tensor::Device;
use kinora_diffusion::{ParseSamplerError, Sampler};
use kinora_models::{
    kinora1::{Config, Defaults, Kinora1, Vae},
    registry::file,
};
use kinora_nn::{
    Init,
    weights::{self, Dtype},
};
use std::{collections::BTreeMap, path::Path};

/// What the header of a weight file says of its origin.
fn metadata(name: &str, licence: &str, part: &str) -> BTreeMap<String, String> {
    let training = "trained from scratch on clips of Kinora's own film stage, no other data";
    [
        ("model", name),
        ("part", part),
        ("license", licence),
        ("training", training),
    ]
    .map(|(key, value)| (key.to_string(), value.to_string()))
    .into()
}

/// Writes an autoencoder into `folder`.
pub(crate) fn write_vae(vae: &Vae, model: &ModelConfig, folder: &Path) -> Result<(), TrainError> {
    std::fs::create_dir_all(folder).map_err(TrainError::io("make", folder))?;
    Ok(weights::save(
        vae,
        &metadata(&model.name, &model.licence, "vae"),
        &folder.join(file::VAE),
        Dtype::F16,
    )?)
}

/// Reads the autoencoder in a model folder.
///
/// # Errors
/// When the file is missing or damaged, or the autoencoder has another shape than `model` says.
pub fn read_vae(model: &ModelConfig, folder: &Path) -> Result<Vae, TrainError> {
    let fresh = Vae::new(&model.vae, &mut Init::zeros(&Device::flex()));
    Ok(weights::load_file(fresh, &folder.join(file::VAE))?)
}

/// The words and the configuration of a whole model folder, for training that goes on from it.
pub(crate) fn read_words_and_config(folder: &Path) -> Result<(Vec<String>, Config), TrainError> {
    let config: Config = read_json("model configuration", &folder.join(file::CONFIG))?;
    let words = read_json("vocabulary", &folder.join(file::VOCABULARY))?;
    Ok((words, config))
}

/// A short mark of the code's weights, so that latents of others are told apart (FNV-1a, 64 bits). The refiner does
/// not count: latents stay what they are while it is trained on.
pub(crate) fn vae_mark(folder: &Path) -> Result<String, TrainError> {
    let path = folder.join(file::VAE);
    let bytes = std::fs::read(&path).map_err(TrainError::io("read", &path))?;
    let weights = weights::read(&bytes)?;
    let code = weights
        .tensors
        .iter()
        .filter(|(name, _)| name.starts_with(Vae::CODE))
        .flat_map(|(name, tensor)| name.bytes().chain(tensor.data.iter().copied()));
    let mark = code.fold(0xcbf2_9ce4_8422_2325u64, |mark, byte| {
        (mark ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    Ok(format!("{mark:016x}"))
}

/// Writes a whole model folder. A card that is there already stays; else one that says the little that is known.
pub(crate) fn write_model(
    model: &Kinora1,
    vae: &Vae,
    config: &Config,
    words: &[String],
    folder: &Path,
) -> Result<(), TrainError> {
    std::fs::create_dir_all(folder).map_err(TrainError::io("make", folder))?;
    let about = |part| metadata(&config.name, &config.licence, part);
    write_json(&folder.join(file::CONFIG), config)?;
    write_json(&folder.join(file::VOCABULARY), &words)?;
    let card = folder.join(file::CARD);
    if !card.exists() {
        let Config { name, licence, .. } = config;
        let text = format!(
            "# {name}\n\nTrained by `kinora train` and not described yet. Licence: {licence}.\n"
        );
        write_atomic(&card, text.as_bytes())?;
    }
    weights::save(vae, &about("vae"), &folder.join(file::VAE), Dtype::F16)?;
    Ok(weights::save(
        model,
        &about("text and dit"),
        &folder.join(file::DIT),
        Dtype::F16,
    )?)
}

/// The sampler that the defaults name.
pub(crate) fn sampler(defaults: &Defaults) -> Result<Sampler, TrainError> {
    defaults
        .sampler
        .parse()
        .map_err(|error: ParseSamplerError| TrainError::Config(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_models::kinora1::{DecoderConfig, VaeConfig};
    use kinora_nn::layers::randomised;

    #[test]
    fn the_mark_is_that_of_the_code_alone() {
        let config = VaeConfig {
            latent_channels: 4,
            decoder: DecoderConfig {
                width: 8,
                depth: 1,
                expansion: 2,
            },
        };
        let mark = |vae: &Vae| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(file::VAE);
            weights::save(vae, &BTreeMap::new(), &path, Dtype::F16).unwrap();
            vae_mark(folder.path()).unwrap()
        };
        // The code takes the initialiser's first values, so that a deeper refiner leaves it alike.
        let vae = Vae::new(&config, &mut Init::new(1, &Device::flex()));
        let mut deeper = config.clone();
        deeper.decoder.depth = 2;
        let other_refiner = Vae::new(&deeper, &mut Init::new(1, &Device::flex()));
        assert_eq!(mark(&vae), mark(&other_refiner));
        assert_ne!(mark(&vae), mark(&randomised(vae.clone(), 2)));
    }
}
