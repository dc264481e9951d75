//! The registry: what a model folder holds, the models built into the program, and how either becomes a model.

use crate::kinora1::{Config, ConfigError, Kinora1, Tokenizer, TokenizerError, Vae};
use burn::tensor::Device;
use kinora_nn::{Init, weights};
use std::borrow::Cow;

/// File names in a model folder.
pub mod file {
    /// Sizes, latent statistics and defaults.
    pub const CONFIG: &str = "config.json";
    /// The tokenizer's words.
    pub const VOCABULARY: &str = "vocab.json";
    /// What the model is, in words.
    pub const CARD: &str = "card.md";
    /// Weights of the autoencoder.
    pub const VAE: &str = "vae.safetensors";
    /// Weights of the text encoder and the transformer.
    pub const DIT: &str = "dit.safetensors";
}

/// The contents of a model folder, from the program or from a disk.
#[derive(Clone, Debug)]
pub struct Files {
    /// [`file::CONFIG`].
    pub config: Cow<'static, str>,
    /// [`file::VOCABULARY`].
    pub vocabulary: Cow<'static, str>,
    /// [`file::CARD`].
    pub card: Cow<'static, str>,
    /// [`file::VAE`].
    pub vae: Cow<'static, [u8]>,
    /// [`file::DIT`].
    pub dit: Cow<'static, [u8]>,
}

/// A model that is built into the program.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// The name `--model` takes.
    pub name: &'static str,
    /// One line for a list.
    pub summary: &'static str,
    /// Its files.
    pub files: fn() -> Files,
}

macro_rules! shipped {
    (str $name:literal) => {
        Cow::Borrowed(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../models/",
            $name
        )))
    };
    (bytes $name:literal) => {
        Cow::Borrowed(
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/", $name)).as_slice(),
        )
    };
}

/// All models that are built in.
pub const BUILT_IN: &[BuiltIn] = &[BuiltIn {
    name: "kinora-1",
    summary: "small text-to-video model trained on Kinora's own film stage; made for a CPU",
    files: || Files {
        config: shipped!(str "kinora-1/config.json"),
        vocabulary: shipped!(str "kinora-1/vocab.json"),
        card: shipped!(str "kinora-1/card.md"),
        vae: shipped!(bytes "kinora-1/vae.safetensors"),
        dit: shipped!(bytes "kinora-1/dit.safetensors"),
    },
}];

/// The built-in model of that name.
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|model| model.name == name)
}

/// A model ready to run.
#[derive(Debug)]
pub struct Model {
    /// Its configuration.
    pub config: Config,
    /// Turns prompts into ids.
    pub tokenizer: Tokenizer,
    /// Turns latents into video and back.
    pub vae: Vae,
    /// Reads the prompt and predicts the velocity.
    pub painter: Kinora1,
}

/// Why a model folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The vocabulary is wrong.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The vocabulary has more words than the text encoder has rows.
    #[error("vocab.json has {words} words, but config.json has text.vocabulary {rows}")]
    Vocabulary {
        /// Words in the vocabulary.
        words: usize,
        /// Rows of the embedding.
        rows: usize,
    },
    /// A weight file is damaged or is another model's.
    #[error("{file}: {source}")]
    Weights {
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        source: weights::WeightsError,
    },
}

impl Model {
    /// Builds the networks and fills in their weights.
    ///
    /// # Errors
    /// When a file is damaged, or the files do not belong together.
    pub fn load(files: &Files, device: &Device) -> Result<Self, ModelError> {
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
}
