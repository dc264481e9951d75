//! The registry: what a model folder holds, and the models built into the program.

use crate::kinora1::{ConfigError, TokenizerError};
use kinora_nn::weights;
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
