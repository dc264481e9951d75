//! How a clip was made, in its own metadata, so that it can be made again.

use crate::{LoraId, LoraRequest, ModelFiles, Plan, Request, Shortcuts};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// All that decides the bytes of a clip, besides the kind of file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The program and its version, as in `kinora 0.1.0`.
    pub program: String,
    /// The model.
    pub model: ModelId,
    /// Every setting.
    #[serde(flatten)]
    pub plan: Plan,
    /// What was left out of the work.
    #[serde(flatten)]
    pub shortcuts: Shortcuts,
    /// SHA-256 of the latents file it began from, if it did not begin from the seed's noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_latents: Option<String>,
    /// What it was made from besides the prompt, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// The files that a clip was made from, and what was done with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The command, as in `extend`.
    pub command: String,
    /// Its files, in order.
    pub inputs: Vec<Input>,
    /// Its own settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

/// A file that a clip was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it was used as.
    pub role: String,
    /// Its name, without its folder.
    pub file: String,
    /// SHA-256 of its bytes; of a folder, of its files' in the order of their names.
    pub sha256: String,
    /// How it was brought to the clip's size, if it had another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<String>,
}

/// Which model, and which weights of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelId {
    /// The model's own name.
    pub name: String,
    /// Where it was, if that was below the folder that the program worked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// See [`ModelFiles::sha256`].
    pub sha256: String,
    /// What was added to its transformers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loras: Vec<LoraId>,
}

/// Why a recipe can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// Not a recipe.
    #[error("the file's recipe can't be read: {0}")]
    Invalid(#[from] serde_json::Error),
    /// The weights are not those that made the clip.
    #[error(
        "the clip was made by other weights of {name} (sha256 {}...) than these ({}...); give --model to use these all the same",
        short(.wanted),
        short(.found)
    )]
    OtherWeights {
        /// The model's name.
        name: String,
        /// The hash in the recipe.
        wanted: String,
        /// The hash of the model at hand.
        found: String,
    },
    /// A LoRA is not at hand or is another.
    #[error("the clip was made with the LoRA {file} with sha256 {}...; give that file with --lora", short(.sha256))]
    NeedsLora {
        /// Its name.
        file: String,
        /// Its hash.
        sha256: String,
    },
    /// It began from a latents file, which is not at hand or is another.
    #[error("the clip began from a latents file with sha256 {}...; give that file with --init-latents", short(.0))]
    NeedsLatents(String),
    /// It was made by another command.
    #[error(
        "the clip was made by `kinora {command}` from {files}; give that command the same files and --seed {seed}"
    )]
    OtherCommand {
        /// The command.
        command: String,
        /// The names of its files.
        files: String,
        /// The seed.
        seed: u64,
    },
    /// It was made from files, which are not at hand or are others.
    #[error("the clip was made from {role} {file} with sha256 {}...; give that file with the same flag", short(.sha256))]
    NeedsInput {
        /// What it was used as.
        role: String,
        /// Its name.
        file: String,
        /// Its hash.
        sha256: String,
    },
}

impl Recipe {
    /// The recipe of a clip that `plan` and `model` make.
    pub fn new(
        plan: &Plan,
        shortcuts: &Shortcuts,
        model: &ModelFiles,
        init_latents: Option<String>,
        source: Option<Source>,
    ) -> Self {
        Self {
            program: concat!("kinora ", env!("CARGO_PKG_VERSION")).to_owned(),
            model: ModelId {
                name: model.about.name.clone(),
                path: model.about.place.clone(),
                sha256: model.sha256().to_owned(),
                loras: model.about.loras.clone(),
            },
            plan: plan.clone(),
            shortcuts: shortcuts.clone(),
            init_latents,
            source,
        }
    }

    /// Reads a file's recipe. Its settings are checked again when they are planned.
    ///
    /// # Errors
    /// When a field is missing or of the wrong kind.
    pub fn from_json(json: serde_json::Value) -> Result<Self, RecipeError> {
        Ok(serde_json::from_value(json)?)
    }

    /// The recipe as JSON, for a file's metadata.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a recipe is plain data with text keys")
    }

    /// The request that makes the clip again.
    pub fn request(&self) -> Request {
        Request {
            shortcuts: self.shortcuts.clone(),
            ..self.plan.clone().request()
        }
    }

    /// Checks that these are the weights that made the clip.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_model(&self, model: &ModelFiles) -> Result<(), RecipeError> {
        if self.model.sha256 == model.sha256() {
            return Ok(());
        }
        let (name, wanted) = (self.model.name.clone(), self.model.sha256.clone());
        Err(RecipeError::OtherWeights {
            name,
            wanted,
            found: model.sha256().to_owned(),
        })
    }

    /// The LoRAs that the clip was made with, as they lie in the first of `folders` that has them.
    ///
    /// # Errors
    /// When one is in none of them, or is another file.
    pub fn loras(&self, folders: &[&Path]) -> Result<Vec<LoraRequest>, RecipeError> {
        let find = |id: &LoraId| {
            let there = folders.iter().map(|folder| folder.join(&id.file));
            let there = there.map(|path| id.request(path));
            let same = |lora: &LoraRequest| lora.sha256().is_ok_and(|hash| hash == id.sha256);
            // A name with a folder in it would be a path into somebody else's machine.
            let plain = Path::new(&id.file)
                .file_name()
                .is_some_and(|name| name == id.file.as_str());
            let found = there.into_iter().filter(|_| plain).find(same);
            found.ok_or_else(|| RecipeError::NeedsLora {
                file: id.file.clone(),
                sha256: id.sha256.clone(),
            })
        };
        self.model.loras.iter().map(find).collect()
    }

    /// Checks that `command` with `inputs` is what made the clip.
    ///
    /// # Errors
    /// When another command did, or other files were given to it.
    pub fn check_source(&self, command: &str, inputs: &[Input]) -> Result<(), RecipeError> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        if source.command != command {
            let names: Vec<&str> = source.inputs.iter().map(|i| i.file.as_str()).collect();
            return Err(RecipeError::OtherCommand {
                command: source.command.clone(),
                files: names.join(" and "),
                seed: self.plan.seed,
            });
        }
        for (index, wanted) in source.inputs.iter().enumerate() {
            if inputs.get(index).map(|found| &found.sha256) != Some(&wanted.sha256) {
                return Err(RecipeError::NeedsInput {
                    role: wanted.role.clone(),
                    file: wanted.file.clone(),
                    sha256: wanted.sha256.clone(),
                });
            }
        }
        Ok(())
    }

    /// Checks that `sha256` is that of the latents file the clip began from.
    ///
    /// # Errors
    /// When the clip began from a file, and this is another or none.
    pub fn check_latents(&self, sha256: Option<&str>) -> Result<(), RecipeError> {
        match &self.init_latents {
            Some(wanted) if sha256 != Some(wanted) => {
                Err(RecipeError::NeedsLatents(wanted.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// Enough of a hash to tell it by.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
