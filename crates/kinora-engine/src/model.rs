//! Finding a model: one that is built in, by its name, or a folder with the same files.

use crate::hashes::Hashes;
use crate::{checkpoint, diffusers};
use burn::tensor::Device;
use kinora_models::kinora1::{self, Config, ConfigError, Defaults};
use kinora_models::registry::{self, Files, ModelError, file};
use kinora_models::{Family, Geometry, Model, wan};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest text file of a model folder.
const MAX_TEXT: u64 = 16 << 20;
/// Largest weight file of a model folder.
const MAX_WEIGHTS: u64 = 8 << 30;

/// The files of a model, and what is known of it before it is loaded.
#[derive(Debug)]
pub struct ModelFiles {
    /// What it is.
    pub about: About,
    /// The SHA-256 of its configuration, vocabulary and weights: two models with the same make the same clips.
    pub sha256: String,
    /// Its files.
    pub(crate) kind: Kind,
}

/// What a model is.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name, as in `--model`.
    pub name: String,
    /// SPDX name of the weights' licence.
    pub licence: String,
    /// Its family.
    pub family: Family,
    /// How clips become latents.
    pub geometry: Geometry,
    /// Whether a second transformer takes over at low noise levels.
    pub two_transformers: bool,
    /// What `generate` does when a flag is not given.
    pub defaults: Defaults,
    /// Bytes of its weight files.
    pub weight_bytes: u64,
    /// Bytes in memory of its weights once it is loaded.
    pub loaded_bytes: u64,
    /// What it can and can't do, as Markdown.
    pub card: String,
}

/// The files of each family.
#[derive(Debug)]
pub(crate) enum Kind {
    /// In memory.
    Kinora1(Box<(Config, Files)>),
    /// Of a folder in the layout of diffusers; weights are read when it is loaded.
    Wan(Box<(wan::Config, PathBuf)>),
}

/// Why no model was found.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither a built-in model nor a folder.
    #[error("no model is called \"{name}\"{}; there is {}, or name a model folder", nearest(.name, &names()), names().join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A file of the folder is missing or can't be read.
    #[error("the model folder's {} can't be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the folder is larger than any model's.
    #[error("the model folder's {} has {bytes} bytes; at most {most} are allowed", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// What is allowed.
        most: u64,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The checkpoint can't be used.
    #[error("the model folder {}: {source}", path.display())]
    Wan {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<wan::WanError>,
    },
}

/// Why a model can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file of the folder is missing or can't be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file is damaged, or the files do not belong together.
    #[error("the model can't be used: {0}")]
    Model(#[from] ModelError),
}

impl ModelFiles {
    /// Opens the built-in model of this name, or else the folder of this path: one that `kinora train` wrote, or a Wan
    /// checkpoint in the layout of diffusers.
    ///
    /// # Errors
    /// When there is neither, a file can't be read, or the configuration is wrong. Weights are checked by
    /// [`ModelFiles::load`].
    pub fn open(name_or_folder: &str) -> Result<Self, OpenError> {
        Self::open_as(name_or_folder, Path::new(name_or_folder), None)
    }

    /// [`ModelFiles::open`] of a model whose files are in `folder` if it is not built in. Hashes of great files are
    /// remembered in the file `hashes`.
    ///
    /// # Errors
    /// As [`ModelFiles::open`].
    pub fn open_as(name: &str, folder: &Path, hashes: Option<&Path>) -> Result<Self, OpenError> {
        match registry::built_in(name) {
            Some(model) => Self::kinora1((model.files)()),
            None if diffusers::is_folder(folder) => {
                // A folder by its path is called by its last part, as ever.
                let called = match Path::new(name) == folder {
                    true => folder.file_name().unwrap_or(folder.as_os_str()),
                    false => name.as_ref(),
                };
                Self::wan(&called.to_string_lossy(), folder, Hashes::read(hashes))
            }
            None if folder.is_dir() => Self::kinora1(read_folder(folder)?),
            None => Err(OpenError::Unknown {
                name: name.to_owned(),
            }),
        }
    }

    /// Whether `folder` is a checkpoint in the layout of diffusers.
    pub fn is_checkpoint(folder: &Path) -> bool {
        diffusers::is_folder(folder)
    }

    /// Checks the configurations of a checkpoint in the layout of diffusers, without its weights.
    ///
    /// # Errors
    /// When one is missing, wrong, or of a model that is not supported.
    pub fn check_config(folder: &Path) -> Result<(), OpenError> {
        diffusers::config(folder).map(drop)
    }

    fn kinora1(files: Files) -> Result<Self, OpenError> {
        let config = Config::from_json(&files.config)?;
        let mut hash = Sha256::new();
        for part in [
            files.config.as_bytes(),
            files.vocabulary.as_bytes(),
            &files.vae,
            &files.dit,
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Ok(Self {
            about: About {
                name: config.name.clone(),
                licence: config.licence.clone(),
                family: Family::Kinora1,
                geometry: config.geometry(),
                two_transformers: false,
                defaults: config.defaults.clone(),
                weight_bytes: (files.vae.len() + files.dit.len()) as u64,
                // In 32 bits, beside the 16-bit files.
                loaded_bytes: 3 * (files.vae.len() + files.dit.len()) as u64,
                card: files.card.to_string(),
            },
            sha256: format!("{:x}", hash.finalize()),
            kind: Kind::Kinora1(Box::new((config, files))),
        })
    }

    fn wan(name: &str, folder: &Path, mut hashes: Hashes) -> Result<Self, OpenError> {
        let config = diffusers::config(folder)?;
        let (networks, _) = checkpoint::networks(folder)?;
        let sha256 = diffusers::sha256(folder, &config, &mut hashes)?;
        hashes.keep();
        let card = diffusers::card(folder)?;
        let unstated = "as its publisher states; Wan's own is Apache-2.0";
        Ok(Self {
            about: About {
                name: name.to_owned(),
                licence: diffusers::licence(&card).unwrap_or(unstated).to_owned(),
                family: Family::Wan,
                geometry: config.geometry(),
                two_transformers: config.boundary.is_some(),
                defaults: diffusers::defaults(&config),
                weight_bytes: networks.iter().map(|network| network.bytes).sum(),
                loaded_bytes: networks.iter().map(|network| network.memory).sum(),
                card,
            },
            sha256,
            kind: Kind::Wan(Box::new((config, folder.to_owned()))),
        })
    }

    /// The model card, as Markdown.
    pub fn card(&self) -> &str {
        &self.about.card
    }

    /// Bytes of its weight files.
    pub fn weight_bytes(&self) -> u64 {
        self.about.weight_bytes
    }

    /// Builds the networks with their weights.
    ///
    /// # Errors
    /// When a file can't be read or is damaged, or the files do not belong together.
    pub fn load(&self, device: &Device) -> Result<Model, LoadError> {
        match &self.kind {
            Kind::Kinora1(both) => {
                let networks = kinora1::Networks::load(&both.1, device)?;
                Ok(Model::Kinora1(Box::new(networks)))
            }
            Kind::Wan(both) => {
                let (config, folder) = both.as_ref();
                let files = diffusers::weights(folder, config)?;
                let networks = wan::Networks::load(config.clone(), &files, device);
                let networks = networks.map_err(|source| OpenError::Wan {
                    path: folder.clone(),
                    source: Box::new(source),
                })?;
                Ok(Model::Wan(Box::new(networks)))
            }
        }
    }
}

fn read_folder(folder: &Path) -> Result<Files, OpenError> {
    let text = |name| read_text(&folder.join(name)).map(Cow::Owned);
    let weights = |name| read(&folder.join(name), MAX_WEIGHTS).map(Cow::Owned);
    Ok(Files {
        config: text(file::CONFIG)?,
        vocabulary: text(file::VOCABULARY)?,
        card: text(file::CARD)?,
        vae: weights(file::VAE)?,
        dit: weights(file::DIT)?,
    })
}

pub(crate) fn read_text(path: &Path) -> Result<String, OpenError> {
    let invalid = |e| OpenError::Read {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, e),
    };
    String::from_utf8(read(path, MAX_TEXT)?).map_err(invalid)
}

/// Reads an ordinary file of at most `most` bytes: a pipe or a device could last for ever.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, OpenError> {
    let failed = |source| OpenError::Read {
        path: path.to_owned(),
        source,
    };
    let found = fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not an ordinary file",
        )));
    }
    if found.len() > most {
        return Err(OpenError::TooLarge {
            path: path.to_owned(),
            bytes: found.len(),
            most,
        });
    }
    let mut bytes = Vec::with_capacity(found.len() as usize);
    File::open(path)
        .and_then(|f| f.take(most).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok(bytes)
}

fn names() -> Vec<&'static str> {
    registry::BUILT_IN.iter().map(|model| model.name).collect()
}

/// `" (did you mean \"...\"?)"` if one of `names` is close to `name`.
pub(crate) fn nearest(name: &str, names: &[&str]) -> String {
    let name = name.to_lowercase();
    let close = |other: &&&str| strsim::damerau_levenshtein(&name, other) <= 1 + other.len() / 4;
    let best = names
        .iter()
        .filter(close)
        .min_by_key(|other| strsim::damerau_levenshtein(&name, other));
    best.map_or_else(String::new, |best| format!(" (did you mean \"{best}\"?)"))
}
