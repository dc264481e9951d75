//! Finding a model: one that is built in, by its name, or a folder with the same files.

use crate::checkpoint;
use crate::hashes::Hashes;
use crate::lora::{self, LoraId, LoraRequest};
use crate::parts::Parts;
use crate::{diffusers, repack};
use burn::tensor::Device;
use kinora_models::kinora1::{self, Config, ConfigError, Defaults};
use kinora_models::registry::{self, Files, ModelError, file};
use kinora_models::{Family, Geometry, Model, wan};
use kinora_nn::Precision;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// Largest text file of a model folder: umT5's tokenizer.json has 17 MB.
const MAX_TEXT: u64 = 64 << 20;
/// Largest weight file of a model folder.
const MAX_WEIGHTS: u64 = 8 << 30;

/// The files of a model, and what is known of it before it is loaded.
#[derive(Debug)]
pub struct ModelFiles {
    /// What it is.
    pub about: About,
    /// Of files in memory, once it was asked for.
    sha256: OnceLock<String>,
    /// Its files.
    pub(crate) kind: Kind,
}

/// What a model is.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name, as in `--model`.
    pub name: String,
    /// Where it is, if that is below the folder that the program works in: `models/wan`. Recipes keep it, and so tell nothing
    /// of other folders.
    pub place: Option<String>,
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
    /// Bytes in memory of the weights that are there all the time once it is loaded.
    pub loaded_bytes: u64,
    /// Bytes of the text encoder's weights, if they are read from files while it works and need not stay.
    pub text_bytes: u64,
    /// The same of the transformer, of two the larger.
    pub transformer_bytes: u64,
    /// Precision of the transformer's products, if none is asked for: that in which the weights are kept.
    pub precision: Precision,
    /// What it can and can't do, as Markdown.
    pub card: String,
    /// What is added to its transformers.
    pub loras: Vec<LoraId>,
}

/// The files of each family.
#[derive(Debug)]
pub(crate) enum Kind {
    /// In memory.
    Kinora1(Box<(Config, Files)>),
    /// Of a folder; weights are read when it is loaded.
    Wan(Box<WanFiles>),
}

/// A Wan checkpoint on a disk.
#[derive(Debug)]
pub(crate) struct WanFiles {
    pub sha256: String,
    pub folder: PathBuf,
    pub config: wan::Config,
    pub parts: Parts,
    pub loras: Vec<LoraRequest>,
}

/// Why no model was found.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither a built-in model nor a folder.
    #[error("no model is called \"{name}\"{}; there is {}, fetch others with kinora pull, or name a model folder or a file in it", nearest(.name, &names()), names().join(", "))]
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
    /// A list of shards does not fit the files.
    #[error("{} {reason}", index.display())]
    Shard {
        /// The list.
        index: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Weights that would have to be run.
    #[error("{} is a pickle, which can run programs when it is read; convert it to safetensors, or take a repack in safetensors", .0.display())]
    Pickle(PathBuf),
    /// A file of something else where a transformer belongs.
    #[error("{} is no transformer of Wan; name the transformer's file, or the folder with all parts (kinora inspect says what a file is)", .0.display())]
    NoTransformer(PathBuf),
    /// A part of a checkpoint is not there.
    #[error("the model folder {} has no {what}; put it there", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A part of a checkpoint is there twice.
    #[error("the model folder {} has two of a kind, the {what}s {first} and {second}; leave one of them there (two transformers are taken for high and low noise levels if their names say so)", folder.display())]
    Several {
        /// The folder.
        folder: PathBuf,
        /// Which part.
        what: &'static str,
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
    /// A LoRA is missing or can't be read.
    #[error("the LoRA {} can't be read: {source}", path.display())]
    Lora {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A LoRA for a model that takes none.
    #[error("{0} takes no LoRA; leave --lora out, or name a Wan checkpoint with --model")]
    NoLora(String),
    /// A LoRA for one of two transformers, and there is one.
    #[error("{model} has one transformer; leave out what stands behind the @ of {lora}")]
    NoExpert {
        /// The model.
        model: String,
        /// The LoRA.
        lora: String,
    },
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
    /// checkpoint in whichever layout. A file is the transformer; the rest is in its folder, or in the one above, as ComfyUI
    /// has it.
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
        let mut files = Self::found(name, folder, hashes)?;
        if Path::new(name) == folder && registry::built_in(name).is_none() {
            files.about.place = plain(folder).filter(|place| *place != files.about.name);
        }
        Ok(files)
    }

    fn found(name: &str, folder: &Path, hashes: Option<&Path>) -> Result<Self, OpenError> {
        match registry::built_in(name) {
            Some(model) => Self::kinora1((model.files)()),
            None if diffusers::is_folder(folder) => {
                let config = diffusers::config(folder)?;
                let parts = diffusers::parts(folder, &config)?;
                Self::of_parts(called(name, folder), folder, config, parts, hashes)
            }
            None if folder.join(file::VOCABULARY).exists() => Self::kinora1(read_folder(folder)?),
            None if folder.is_file() && checkpoint::is_checkpoint(folder) => {
                let (folder, found) = repack::around(folder)?;
                let (config, parts) = found.open()?;
                Self::of_parts(
                    called(name, Path::new(name)),
                    &folder,
                    config,
                    parts,
                    hashes,
                )
            }
            None if folder.is_dir() => {
                let found = repack::find(folder)?;
                match found.is_wan() {
                    true => {
                        let (config, parts) = found.open()?;
                        Self::of_parts(called(name, folder), folder, config, parts, hashes)
                    }
                    false => Self::kinora1(read_folder(folder)?),
                }
            }
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
        Ok(Self {
            about: About {
                name: config.name.clone(),
                place: None,
                licence: config.licence.clone(),
                family: Family::Kinora1,
                geometry: config.geometry(),
                two_transformers: false,
                defaults: config.defaults.clone(),
                weight_bytes: (files.vae.len() + files.dit.len()) as u64,
                // In 32 bits, beside the 16-bit files.
                loaded_bytes: 3 * (files.vae.len() + files.dit.len()) as u64,
                text_bytes: 0,
                transformer_bytes: 0,
                precision: Precision::Bf16, // as it was trained
                card: files.card.to_string(),
                loras: Vec::new(),
            },
            sha256: OnceLock::new(),
            kind: Kind::Kinora1(Box::new((config, files))),
        })
    }

    fn of_parts(
        name: String,
        folder: &Path,
        config: wan::Config,
        parts: Parts,
        hashes: Option<&Path>,
    ) -> Result<Self, OpenError> {
        let networks = checkpoint::of_parts(&parts)?;
        let mut hashes = Hashes::read(hashes);
        let sha256 = parts.sha256(&mut hashes)?;
        hashes.keep();
        let card = diffusers::card(folder)?;
        let unstated = "as its publisher states; Wan's own is Apache-2.0";
        let at = |place: &str| {
            let place = place.to_owned();
            networks
                .iter()
                .filter(move |network| network.place == place)
        };
        let bytes = |place: &str| at(place).map(|network| network.bytes).max().unwrap_or(0);
        let transformer = at(&parts.transformer.place).next();
        let second = parts.second.as_ref().map(|second| bytes(&second.place));
        // Of the text encoder's table of tokens, a prompt's rows are read.
        let (rows, width) = (config.text.vocab_size as u64, config.text.d_model as u64);
        let table = at(&parts.text.place).map(|network| {
            let numbers: u64 = network.precision.values().sum();
            (network.bytes as f64 * (rows * width) as f64 / numbers.max(1) as f64) as u64
        });
        let table = table.sum::<u64>();
        Ok(Self {
            about: About {
                name,
                place: None,
                licence: diffusers::licence(&card).unwrap_or(unstated).to_owned(),
                family: Family::Wan,
                geometry: config.geometry(),
                two_transformers: config.boundary.is_some(),
                defaults: config.defaults(),
                weight_bytes: networks.iter().map(|network| network.bytes).sum(),
                loaded_bytes: at(&parts.vae.place).map(|network| network.memory).sum(),
                text_bytes: bytes(&parts.text.place).saturating_sub(table),
                transformer_bytes: bytes(&parts.transformer.place).max(second.unwrap_or(0)),
                precision: match transformer.is_some_and(|network| network.is_f32()) {
                    true => Precision::F32,
                    false => Precision::Bf16,
                },
                card,
                loras: Vec::new(),
            },
            sha256: OnceLock::new(),
            kind: Kind::Wan(Box::new(WanFiles {
                sha256,
                folder: folder.to_owned(),
                config,
                parts,
                loras: Vec::new(),
            })),
        })
    }

    /// The same model with these LoRAs added to it. One that makes the model paint in a few steps brings the settings for
    /// that, and is named in the second place.
    ///
    /// # Errors
    /// When a file can't be read or is damaged, or the model takes none. Whether their layers fit is checked by
    /// [`ModelFiles::load`].
    pub fn with_loras(
        mut self,
        loras: Vec<LoraRequest>,
    ) -> Result<(Self, Option<String>), OpenError> {
        let name = self.about.name.clone();
        let Kind::Wan(files) = &mut self.kind else {
            return match loras.is_empty() {
                true => Ok((self, None)),
                false => Err(OpenError::NoLora(name)),
            };
        };
        let mut few_steps = None;
        for mut lora in loras {
            let told = lora.expert.is_some();
            if told && !self.about.two_transformers {
                let lora = lora.path.display().to_string();
                return Err(OpenError::NoExpert { model: name, lora });
            }
            if !told && self.about.two_transformers {
                lora.expert = wan::expert_of(&lora.file());
            }
            if lora::is_few_steps(&lora).map_err(of_lora)? {
                few_steps = Some(lora.file());
                lora::few_steps(&mut self.about.defaults);
            }
            self.about.loaded_bytes += lora::memory(&lora).map_err(of_lora)?;
            self.about.loras.push(LoraId::new(&lora).map_err(of_lora)?);
            files.loras.push(lora);
        }
        Ok((self, few_steps))
    }

    /// The SHA-256 of its configuration, vocabulary and weights: two models with the same make the same clips. That of files
    /// in memory is made when it is first asked for, as it brings all of them there from the program's file.
    pub fn sha256(&self) -> &str {
        match &self.kind {
            Kind::Kinora1(both) => self.sha256.get_or_init(|| sha256_of(&both.1)),
            Kind::Wan(files) => &files.sha256,
        }
    }

    /// The folder of its files, if it has one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Kinora1(_) => None,
            Kind::Wan(files) => Some(&files.folder),
        }
    }

    /// The model card, as Markdown.
    pub fn card(&self) -> &str {
        &self.about.card
    }

    /// Bytes of its weight files.
    pub fn weight_bytes(&self) -> u64 {
        self.about.weight_bytes
    }

    /// Builds the networks with their weights, to multiply in this precision.
    ///
    /// # Errors
    /// When a file can't be read or is damaged, or the files do not belong together.
    pub fn load(&self, precision: Precision, device: &Device) -> Result<Model, LoadError> {
        match &self.kind {
            Kind::Kinora1(both) => {
                let networks = kinora1::Networks::load(&both.1, precision, device)?;
                Ok(Model::Kinora1(Box::new(networks)))
            }
            Kind::Wan(wan) => {
                let loras = wan.loras.iter().map(LoraRequest::open);
                let files = wan.parts.weights(loras.collect::<Result<_, _>>()?)?;
                let networks = wan::Networks::load(wan.config.clone(), files, precision, device);
                let networks = networks.map_err(|source| OpenError::Wan {
                    path: wan.folder.clone(),
                    source: Box::new(source),
                })?;
                Ok(Model::Wan(Box::new(networks)))
            }
        }
    }
}

fn sha256_of(files: &Files) -> String {
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
    format!("{:x}", hash.finalize())
}

/// An error of a LoRA's file, which is of no model folder.
fn of_lora(error: OpenError) -> OpenError {
    match error {
        OpenError::Read { path, source } => OpenError::Lora { path, source },
        other => other,
    }
}

/// What a model in a folder is called: by what it was asked for, or of a path the last part.
fn called(name: &str, folder: &Path) -> String {
    let called = match Path::new(name) == folder {
        true => folder.file_name().unwrap_or(folder.as_os_str()),
        false => name.as_ref(),
    };
    called.to_string_lossy().into_owned()
}

/// A path of plain names from the folder that the program works in, with `/` between them; `None` of others.
fn plain(path: &Path) -> Option<String> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let names = parts.map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let names: Vec<&str> = names.collect::<Option<_>>()?;
    (!names.is_empty()).then(|| names.join("/"))
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
    let invalid = |e| failed(path, io::Error::new(io::ErrorKind::InvalidData, e));
    String::from_utf8(read_bytes(path)?).map_err(invalid)
}

/// Reads an ordinary file that is not large.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, OpenError> {
    read(path, MAX_TEXT)
}

pub(crate) fn failed(path: &Path, source: io::Error) -> OpenError {
    OpenError::Read {
        path: path.to_owned(),
        source,
    }
}

/// Reads an ordinary file of at most `most` bytes: a pipe or a device could last for ever.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, OpenError> {
    let failed = |source| failed(path, source);
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
