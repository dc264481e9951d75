//! Checkpoints as diffusers keeps them: a folder a network, with `model_index.json` beside them.

use crate::OpenError;
use crate::model::read_text;
use crate::parts::{Part, Parts, TokenizerAt, weight_files};
use kinora_models::wan::{Config, ConfigFiles};
use std::path::{Path, PathBuf};

/// What names the networks of a folder.
const INDEX: &str = "model_index.json";
/// What says how noise levels go.
const SCHEDULER: &str = "scheduler/scheduler_config.json";
/// The folder of the second transformer.
const SECOND: &str = "transformer_2";
/// Tokenizers, the best first.
const TOKENIZERS: [&str; 2] = ["tokenizer/tokenizer.json", "tokenizer/spiece.model"];

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
        scheduler: text(SCHEDULER)?,
    };
    Config::read(&files).map_err(|source| OpenError::Wan {
        path: folder.to_owned(),
        source: Box::new(source),
    })
}

/// Its files.
pub(crate) fn parts(folder: &Path, config: &Config) -> Result<Parts, OpenError> {
    Ok(Parts {
        transformer: part(folder, "transformer")?,
        second: config.boundary.map(|_| part(folder, SECOND)).transpose()?,
        text: part(folder, "text_encoder")?,
        vae: part(folder, "vae")?,
        tokenizer: tokenizer(folder).unwrap_or(TokenizerAt::Json(folder.join(TOKENIZERS[0]))),
        others: vec![folder.join(INDEX), folder.join(SCHEDULER)],
    })
}

fn part(folder: &Path, network: &str) -> Result<Part, OpenError> {
    Ok(Part {
        place: network.to_owned(),
        files: weight_files(&folder.join(network))?,
        config: Some(folder.join(network).join("config.json")),
    })
}

fn tokenizer(folder: &Path) -> Option<TokenizerAt> {
    let [json, pieces]: [PathBuf; 2] = TOKENIZERS.map(|name| folder.join(name));
    match (json.is_file(), pieces.is_file()) {
        (true, _) => Some(TokenizerAt::Json(json)),
        (_, true) => Some(TokenizerAt::SentencePiece(pieces)),
        _ => None,
    }
}

/// The networks that are there, and what is not.
pub(crate) fn found(folder: &Path) -> Result<(Vec<Part>, Vec<String>), OpenError> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let second = folder.join(SECOND).is_dir().then_some(SECOND);
    for network in ["transformer", "text_encoder", "vae"]
        .into_iter()
        .chain(second)
    {
        match part(folder, network) {
            Ok(part) => found.push(part),
            Err(OpenError::Read { .. }) => missing.push(format!("{network}/*.safetensors")),
            Err(OpenError::Shard { index, reason }) => {
                missing.push(format!("{network}: {} {reason}", index.display()));
            }
            Err(other) => return Err(other),
        }
        let config = format!("{network}/config.json");
        if !folder.join(&config).is_file() {
            missing.push(config);
        }
    }
    if tokenizer(folder).is_none() {
        missing.push(TOKENIZERS[0].to_owned());
    }
    if !folder.join(SCHEDULER).is_file() {
        missing.push(SCHEDULER.to_owned());
    }
    Ok((found, missing))
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
