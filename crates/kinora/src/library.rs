//! Models that are on this machine or can be fetched to it, by name: built in, pulled from the hub, or in a folder.

use crate::failure::BadInput;
use crate::hub::{self, MAIN, Repo};
use crate::machine;
use anyhow::{Result, anyhow, bail};
use kinora_engine::{EngineError, ModelFiles, ModelId};
use kinora_models::registry::built_in;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A model of the hub that has a short name.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The short name.
    pub name: &'static str,
    /// Its repository, in the layout of diffusers.
    pub repository: &'static str,
    /// The repository that has its transformers in GGUF.
    pub gguf: Option<&'static str>,
}

const fn known(name: &'static str, repository: &'static str, gguf: &'static str) -> Known {
    Known {
        name,
        repository,
        gguf: Some(gguf),
    }
}

/// All short names.
pub const KNOWN: [Known; 7] = [
    known(
        "wan2.1-t2v-1.3b",
        "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        "samuelchristlie/Wan2.1-T2V-1.3B-GGUF",
    ),
    known(
        "wan2.1-t2v-14b",
        "Wan-AI/Wan2.1-T2V-14B-Diffusers",
        "city96/Wan2.1-T2V-14B-gguf",
    ),
    known(
        "wan2.1-i2v-14b-480p",
        "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
        "city96/Wan2.1-I2V-14B-480P-gguf",
    ),
    known(
        "wan2.1-i2v-14b-720p",
        "Wan-AI/Wan2.1-I2V-14B-720P-Diffusers",
        "city96/Wan2.1-I2V-14B-720P-gguf",
    ),
    known(
        "wan2.2-t2v-a14b",
        "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
        "QuantStack/Wan2.2-T2V-A14B-GGUF",
    ),
    known(
        "wan2.2-i2v-a14b",
        "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
        "QuantStack/Wan2.2-I2V-A14B-GGUF",
    ),
    known(
        "wan2.2-ti2v-5b",
        "Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        "QuantStack/Wan2.2-TI2V-5B-GGUF",
    ),
];

/// Precisions of GGUF that can be read, as files are named after them.
pub const QUANTS: [&str; 13] = [
    "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0", "bf16",
    "f16", "f32",
];

/// The model of that short name.
pub fn known_by(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// The repository that `name` means: that of a short name, or `owner/name` itself.
///
/// # Errors
/// When it is neither.
pub fn repository(name: &str) -> Result<Repo> {
    match known_by(name) {
        Some(known) => Repo::parse(known.repository),
        None => Repo::parse(name).map_err(|_| {
            let names = KNOWN.map(|known| known.name).join(", ");
            anyhow!(BadInput(format!(
                "no model of the hub is called {name:?}: name one of {names}, or owner/name"
            )))
        }),
    }
}

/// Where folders of links are kept that put a model together from several repositories.
pub fn own_folder() -> Option<PathBuf> {
    Some(machine::data_folder()?.join("models"))
}

/// What a model with other transformers is called.
pub fn quantised(name: &str, quant: &str) -> String {
    format!("{}-{quant}", name.replace('/', "--"))
}

/// Opens the model called `name`: built in, a folder, or pulled.
///
/// # Errors
/// When there is none, or its files can't be used.
pub fn open(name: &str) -> Result<ModelFiles> {
    let hashes = machine::cache_folder().map(|folder| folder.join("hashes.json"));
    let folder = Path::new(name);
    let folder = match built_in(name).is_some() || folder.exists() {
        true => folder.to_owned(),
        false => pulled(name)?.unwrap_or_else(|| folder.to_owned()),
    };
    if let Some(known) = known_by(name)
        && !folder.exists()
    {
        bail!(BadInput(format!(
            "{name} is not on this machine; fetch it with: kinora pull {}",
            known.name
        )));
    }
    let files = ModelFiles::open_as(name, &folder, hashes.as_deref());
    Ok(files.map_err(EngineError::from)?)
}

/// Opens the model of a recipe: where it was, if it is still there, or else by its name.
///
/// # Errors
/// As [`open`].
pub fn open_again(model: &ModelId) -> Result<ModelFiles> {
    // A recipe may come from anyone: what leads out of this folder is not looked at.
    let is_below = |path: &&str| {
        let mut parts = Path::new(path).components();
        parts.all(|part| matches!(part, Component::Normal(_))) && Path::new(path).exists()
    };
    open(
        model
            .path
            .as_deref()
            .filter(is_below)
            .unwrap_or(&model.name),
    )
}

/// The folder of the pulled model `name`: a short name, `owner/name`, either with `@revision`, or the name of one put
/// together with other transformers. A short name alone means those too if nothing else is there.
fn pulled(name: &str) -> Result<Option<PathBuf>> {
    let (base, revision) = name.split_once('@').unwrap_or((name, MAIN));
    let whole = hub::cache().zip(repository(base).ok());
    if let Some(folder) = whole.and_then(|(cache, repo)| cache.find(&repo, revision)) {
        return Ok(Some(folder));
    }
    let Some(own) = own_folder().filter(|_| !name.contains(['/', '\\']) && !name.starts_with('.'))
    else {
        return Ok(None);
    };
    let there = |name: &String| own.join(name).is_dir();
    let names = QUANTS.map(|quant| quantised(name, quant));
    let mut names = [name.to_owned()].into_iter().chain(names).filter(there);
    let Some(found) = names.next() else {
        return Ok(None);
    };
    match names.next().filter(|_| found != name) {
        Some(other) => bail!(BadInput(format!(
            "{name} is there in several precisions: name {found} or {other}"
        ))),
        None => Ok(Some(own.join(found))),
    }
}

/// The names of all pulled models, to be given to [`open`].
pub fn installed() -> Vec<String> {
    let mut names = Vec::new();
    if let Some(cache) = hub::cache() {
        for repo in cache.repos() {
            let folder = cache.find(&repo, MAIN);
            if folder.is_some_and(|folder| ModelFiles::is_checkpoint(&folder)) {
                let short = KNOWN.iter().find(|known| known.repository == repo.name());
                names.push(short.map_or(repo.name(), |known| known.name).to_owned());
            }
        }
    }
    let own = own_folder().and_then(|folder| fs::read_dir(folder).ok());
    for entry in own.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    names
}
