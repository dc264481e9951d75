//! Checkpoints as diffusers keeps them: a folder a network, with `model_index.json` beside them.

use crate::OpenError;
use crate::hashes::Hashes;
use crate::model::read_text;
use kinora_models::kinora1::Defaults;
use kinora_models::wan::{Config, ConfigFiles, WeightFiles};
use kinora_nn::weights::{Mapped, WeightsError};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What names the networks of a folder.
const INDEX: &str = "model_index.json";
/// The folder of the second transformer.
pub(crate) const SECOND: &str = "transformer_2";

/// The folders with weights.
fn networks(config: &Config) -> impl Iterator<Item = &'static str> {
    let second = config.boundary.map(|_| SECOND);
    ["transformer", "text_encoder", "vae"]
        .into_iter()
        .chain(second)
}

/// Whether a folder has this layout.
pub(crate) fn is_folder(folder: &Path) -> bool {
    folder.join(INDEX).is_file()
}

/// Its configurations.
pub(crate) fn config(folder: &Path) -> Result<Config, OpenError> {
    let text = |name: &str| read_text(&folder.join(name));
    let files = ConfigFiles {
        model_index: text(INDEX)?,
        transformer: text("transformer/config.json")?,
        text_encoder: text("text_encoder/config.json")?,
        vae: text("vae/config.json")?,
        scheduler: text("scheduler/scheduler_config.json")?,
    };
    Config::read(&files).map_err(|source| OpenError::Wan {
        path: folder.to_owned(),
        source: Box::new(source),
    })
}

/// Its tokenizer and all its weights.
pub(crate) fn weights(folder: &Path, config: &Config) -> Result<WeightFiles, OpenError> {
    let all = |network: &str| -> Result<Vec<Mapped>, OpenError> {
        let files = weight_files(&folder.join(network))?;
        files.iter().map(|file| mapped(file)).collect()
    };
    Ok(WeightFiles {
        tokenizer: read_text(&folder.join("tokenizer/tokenizer.json"))?,
        transformer: all("transformer")?,
        transformer_2: match config.boundary {
            Some(_) => all(SECOND)?,
            None => Vec::new(),
        },
        text_encoder: all("text_encoder")?,
        vae: all("vae")?,
    })
}

/// The hash of its configurations, tokenizer and weights: of each file's length and hash, in order.
pub(crate) fn sha256(
    folder: &Path,
    config: &Config,
    hashes: &mut Hashes,
) -> Result<String, OpenError> {
    let mut files = vec![
        folder.join(INDEX),
        folder.join("scheduler/scheduler_config.json"),
        folder.join("tokenizer/tokenizer.json"),
    ];
    for network in networks(config) {
        files.push(folder.join(network).join("config.json"));
        files.extend(weight_files(&folder.join(network))?);
    }
    let mut hash = Sha256::new();
    for path in files {
        let found = fs::metadata(&path).map_err(|source| failed(&path, source))?;
        hash.update(found.len().to_le_bytes());
        hash.update(hashes.of(&path).map_err(|source| failed(&path, source))?);
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// Its card, if it has one.
pub(crate) fn card(folder: &Path) -> Result<String, OpenError> {
    let path = folder.join("README.md");
    match path.is_file() {
        true => read_text(&path),
        false => Ok("A Wan checkpoint without a card.".to_owned()),
    }
}

/// The licence that a card states in its head, as the hub's cards have one.
pub(crate) fn licence(card: &str) -> Option<&str> {
    let (head, _) = card.strip_prefix("---")?.split_once("\n---")?;
    let line = head.lines().find_map(|line| line.strip_prefix("license:"));
    line.map(|licence| licence.trim().trim_matches(['"', '\'']))
}

/// What the reference does with such a checkpoint (the examples of diffusers 0.42.1 and of the original release).
pub(crate) fn defaults(config: &Config) -> Defaults {
    let wan_2_1 = Defaults {
        width: 832,
        height: 480,
        frames: 81,
        fps: 16,
        steps: 50,
        guidance: 5.0,
        sampler: "unipc".to_owned(),
        shift: config.flow_shift,
        temperature: 1.0,
    };
    if config.expand_timesteps {
        return Defaults {
            width: 1280,
            height: 704,
            frames: 121,
            fps: 24,
            ..wan_2_1
        };
    }
    if config.boundary.is_some() {
        return Defaults {
            steps: 40,
            guidance: 4.0,
            ..wan_2_1
        };
    }
    wan_2_1
}

/// The files of a network, safetensors or GGUF, in order of their names.
pub(crate) fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "safetensors" || extension == "gguf")
        {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(failed(
            folder,
            io::Error::new(
                io::ErrorKind::NotFound,
                "it holds no .safetensors or .gguf file",
            ),
        )),
        false => Ok(files),
    }
}

/// A file of weights in memory.
pub(crate) fn mapped(path: &Path) -> Result<Mapped, OpenError> {
    Mapped::open(path).map_err(|error| match error {
        WeightsError::Io { source, .. } => failed(path, source),
        other => damaged(path, other),
    })
}

/// A file of weights that is there and is none.
pub(crate) fn damaged(path: &Path, error: WeightsError) -> OpenError {
    failed(path, io::Error::new(io::ErrorKind::InvalidData, error))
}

fn failed(path: &Path, source: io::Error) -> OpenError {
    OpenError::Read {
        path: path.to_owned(),
        source,
    }
}
