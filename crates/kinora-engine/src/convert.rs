//! A weight file written anew in another precision.

use crate::parts::{damaged, mapped, weight_files};
use crate::{OpenError, checkpoint};
use kinora_models::wan::is_delicate;
use kinora_nn::weights::{Container, Conversion, Encoding, Mapped, Weights, WeightsError, read};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Why a file can't be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The source can't be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The name of the result does not say what it is to be.
    #[error("{} ends neither in .safetensors nor in .gguf, which says what to write", .0.display())]
    Ending(PathBuf),
    /// Files of one network have the same tensor.
    #[error("`{name}` is in several files of {}; convert one of them", folder.display())]
    Twice {
        /// The tensor.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// The result can't be written.
    #[error(transparent)]
    Write(#[from] WeightsError),
}

/// Writes the weights of `source`, a file or a folder with the files of one network, to `out`: safetensors or GGUF as its
/// name ends, in the number format `to`. Names and texts of metadata are kept; `out` appears whole or not at all. `step`
/// is told how many bytes of how many are done, and may stop the work.
///
/// # Errors
/// When the source can't be read, a value does not fit, or the result can't be written.
pub fn convert(
    source: &Path,
    out: &Path,
    to: Encoding,
    step: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), ConvertError> {
    let container = match out.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => Container::Safetensors,
        Some("gguf") => Container::Gguf,
        _ => return Err(ConvertError::Ending(out.to_owned())),
    };
    let paths = match source.is_dir() {
        true => weight_files(source)?,
        false => vec![source.to_owned()],
    };
    let files: Vec<Mapped> = paths
        .iter()
        .map(|path| mapped(path))
        .collect::<Result<_, _>>()?;
    let mut all = Weights {
        metadata: BTreeMap::new(),
        tensors: BTreeMap::new(),
    };
    for (path, file) in paths.iter().zip(&files) {
        let weights = read(file).map_err(|error| damaged(path, error))?;
        all.metadata.extend(weights.metadata);
        for (name, tensor) in weights.tensors {
            if all.tensors.insert(name.clone(), tensor).is_some() {
                let folder = source.to_owned();
                return Err(ConvertError::Twice { name, folder });
            }
        }
    }
    let whole = all
        .tensors
        .values()
        .map(|tensor| tensor.data.len() as u64)
        .sum();
    let conversion = Conversion {
        container,
        encoding: to,
        delicate: &is_delicate,
        architecture: checkpoint::architecture(&all),
    };
    let mut done = 0;
    conversion.write(&all, out, &mut |bytes| {
        done += bytes;
        step(done, whole)
    })?;
    Ok(())
}
