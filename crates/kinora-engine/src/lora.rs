//! LoRA files: what is asked for, and what a recipe keeps of it.

use crate::OpenError;
use crate::hashes::Hashes;
use crate::model::failed;
use crate::parts::{Header, damaged, mapped};
use kinora_models::kinora1::Defaults;
use kinora_models::wan::{self, Expert, LoraFile};
use kinora_nn::weights::read;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A file to be added to a model's transformers.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraRequest {
    /// Where it is.
    pub path: PathBuf,
    /// How much of it is added; 1 is as it was trained.
    pub weight: f64,
    /// Which of two transformers it is for; of none of them in particular, if its name does not tell.
    pub expert: Option<Expert>,
}

/// A LoRA in a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraId {
    /// Its name, without its folder.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How much of it was added.
    pub weight: f64,
    /// Which of two transformers it was added to; both, if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<Expert>,
}

impl LoraRequest {
    /// Its name, without its folder.
    pub fn file(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// The hash of its bytes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn sha256(&self) -> Result<String, OpenError> {
        let hash = Hashes::default().of(&self.path);
        hash.map_err(|source| failed(&self.path, source))
    }

    /// Its bytes.
    pub(crate) fn open(&self) -> Result<LoraFile, OpenError> {
        Ok(LoraFile {
            name: self.path.display().to_string(),
            file: mapped(&self.path)?,
            weight: self.weight as f32,
            expert: self.expert,
        })
    }
}

impl LoraId {
    pub(crate) fn new(lora: &LoraRequest) -> Result<Self, OpenError> {
        Ok(Self {
            file: lora.file(),
            sha256: lora.sha256()?,
            weight: lora.weight,
            expert: lora.expert,
        })
    }

    /// The same LoRA again, from `path`.
    pub(crate) fn request(&self, path: PathBuf) -> LoraRequest {
        LoraRequest {
            path,
            weight: self.weight,
            expert: self.expert,
        }
    }
}

/// Whether it makes a model paint in a few steps.
pub(crate) fn is_few_steps(lora: &LoraRequest) -> Result<bool, OpenError> {
    let file = mapped(&lora.path)?;
    let weights = read(&file).map_err(|error| damaged(&lora.path, error))?;
    Ok(wan::few_steps(&lora.file(), &weights.metadata))
}

/// Bytes that its factors take in memory, as 32-bit floats.
pub(crate) fn memory(lora: &LoraRequest) -> Result<u64, OpenError> {
    let header = Header::of(std::slice::from_ref(&lora.path))?;
    Ok(4 * header.precision.values().sum::<u64>())
}

/// The settings for a few steps: those that lightx2v states for its distillations.
pub(crate) fn few_steps(defaults: &mut Defaults) {
    defaults.steps = 4;
    defaults.guidance = 1.0;
    defaults.shift = 5.0;
    // A distillation was trained on steps of a straight line.
    "euler".clone_into(&mut defaults.sampler);
}
