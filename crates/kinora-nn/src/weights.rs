//! Weight files: reading the parameters of a module from safetensors and GGUF, writing them as safetensors, and bringing
//! files from one format to another.
//!
//! The format is a little-endian u64 with the length of a JSON header, the header, and the tensors
//! one after another (<https://github.com/huggingface/safetensors>). A file may come from anyone:
//! each claim of its header is checked before it is used.

mod blocks;
mod convert;
mod encoding;
mod gguf;
mod mapped;
mod parse;
mod stored;

use burn::module::Module;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::layers::{Init, Slots};
use crate::optim::{update, visit};
pub use convert::{Container, Conversion, write};
pub use encoding::Encoding;
pub use mapped::Mapped;
pub use parse::{Weights, WeightsView};
pub use stored::{Change, Store, Stored};

/// The tensor that says that 8-bit floats have scales beside them.
const SCALED_MARK: &str = "scaled_fp8";

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not a well-formed safetensors file.
    #[error("the weight file is damaged: {0}; download or export it again")]
    Malformed(String),
    /// The file is well-formed but holds the weights of another model.
    #[error("the weight file does not fit the model: {0}")]
    Mismatch(Mismatch),
    /// A weight is no number.
    #[error(
        "`{0}` holds values that are not finite: the file is damaged, or was converted badly; download or convert it again"
    )]
    NotFinite(String),
    /// A value is too large for the number format asked for.
    #[error("`{name}` holds {value}, which {encoding} cannot hold; save it as F32")]
    OutOfRange {
        /// The parameter.
        name: String,
        /// The first such value.
        value: f32,
        /// The format asked for.
        encoding: &'static str,
    },
    /// The format is for reading alone, or not of this kind of file.
    #[error(
        "{0} can't be written; safetensors take F32, F16 and BF16, GGUF those and Q8_0, Q5_0 and Q4_0"
    )]
    Unwritable(&'static str),
    /// Somebody stopped the work.
    #[error("stopped")]
    Stopped,
    /// The file system refused.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
}

/// All differences between a file and a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Parameters of the model that the file lacks.
    pub missing: Vec<String>,
    /// Tensors of the file that the model lacks.
    pub unexpected: Vec<String>,
    /// Name, shape in the model and shape in the file, where they differ.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Matrices whose rows are no whole blocks of their number format.
    pub blocks: Vec<String>,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing {}", self.missing.join(", ")));
        }
        if !self.unexpected.is_empty() {
            parts.push(format!("unexpected {}", self.unexpected.join(", ")));
        }
        for (name, model, file) in &self.shapes {
            parts.push(format!("{name} is {file:?} and should be {model:?}"));
        }
        for name in &self.blocks {
            parts.push(format!("the rows of {name} are no whole blocks"));
        }
        f.write_str(&parts.join("; "))
    }
}

/// Number formats of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 16-bit float of IEEE 754.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::Bf16]
            .into_iter()
            .find(|d| d.name() == name)
    }

    /// Appends `values` in this format.
    fn encode(self, values: &[f32], out: &mut Vec<u8>) {
        match self {
            Self::F32 => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Self::F16 => {
                let mut half = vec![f16::ZERO; values.len()];
                half.convert_from_f32_slice(values);
                out.extend(half.iter().flat_map(|v| v.to_le_bytes()));
            }
            Self::Bf16 => {
                let mut half = vec![bf16::ZERO; values.len()];
                half.convert_from_f32_slice(values);
                out.extend(half.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
    }

    /// The greatest finite value.
    fn greatest(self) -> f32 {
        match self {
            Self::F32 => f32::MAX,
            Self::F16 => f16::MAX.to_f32(),
            Self::Bf16 => bf16::MAX.to_f32(),
        }
    }
}

impl WeightsView<'_> {
    /// The elements as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = self.encoding.decode(self.data);
        if self.scale != 1.0 {
            values.iter_mut().for_each(|value| *value *= self.scale);
        }
        values
    }
}

/// Parses a weight file: safetensors, or GGUF as its first bytes tell. What scales 8-bit floats layer by layer
/// (`scale_weight` beside `weight`, ComfyUI's layout) is taken into account, and left out of the tensors.
///
/// # Errors
/// [`WeightsError::Malformed`] if the file is not well-formed.
pub fn read(bytes: &[u8]) -> Result<Weights<'_>, WeightsError> {
    let mut weights = match bytes.starts_with(gguf::MAGIC) {
        true => gguf::read(bytes)?,
        false => parse::read(bytes)?,
    };
    if weights.tensors.remove(SCALED_MARK).is_none() {
        return Ok(weights);
    }
    let beside = |name: &String| name.ends_with(".scale_weight") || name.ends_with(".scale_input");
    let names: Vec<String> = weights
        .tensors
        .keys()
        .filter(|name| beside(name))
        .cloned()
        .collect();
    for name in names {
        let scale = weights.tensors.remove(&name).map(|tensor| tensor.to_f32());
        let layer = name.strip_suffix(".scale_weight");
        let weight = layer.and_then(|layer| weights.tensors.get_mut(&format!("{layer}.weight")));
        match (weight, scale.as_deref()) {
            (Some(weight), Some(&[scale])) => weight.scale = scale,
            (Some(_), _) => {
                return Err(WeightsError::Malformed(format!(
                    "`{name}` is not a single number"
                )));
            }
            _ => {}
        }
    }
    Ok(weights)
}

/// Writes the float parameters of `module`, named by their fields joined with dots, and
/// `metadata`. The file appears whole or not at all.
///
/// # Errors
/// [`WeightsError::OutOfRange`] if a finite value does not fit `dtype`; [`WeightsError::Io`].
pub fn save(
    module: &impl Module,
    metadata: &BTreeMap<String, String>,
    path: &Path,
    dtype: Dtype,
) -> Result<(), WeightsError> {
    let bytes = encode(module, metadata, dtype)?;
    write_whole(path, |out| {
        out.write_all(&bytes).map_err(|source| WeightsError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    })
}

/// A file at `path` that appears whole or not at all.
fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), WeightsError>,
) -> Result<(), WeightsError> {
    let io = |source| WeightsError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let mut out = BufWriter::new(File::create(&partial).map_err(io)?);
    let written = fill(&mut out).and_then(|()| {
        out.flush().map_err(io)?;
        out.get_ref().sync_all().map_err(io)?;
        fs::rename(&partial, path).map_err(io)
    });
    if written.is_err() {
        let _ = fs::remove_file(&partial); // the first failure is the one to tell
    }
    written
}

/// A header of safetensors with its length before it. Spaces behind it keep the tensors aligned to eight bytes.
fn header_bytes(header: Map<String, Value>) -> Vec<u8> {
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    bytes
}

/// The bytes [`save`] writes.
///
/// # Errors
/// [`WeightsError::OutOfRange`] if a finite value does not fit `dtype`.
pub fn encode(
    module: &impl Module,
    metadata: &BTreeMap<String, String>,
    dtype: Dtype,
) -> Result<Vec<u8>, WeightsError> {
    let mut arrays = BTreeMap::new();
    visit(module, |name, parameter| {
        arrays.insert(name.to_owned(), parameter.value);
    });
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut data = Vec::new();
    for (name, array) in &arrays {
        Encoding::Plain(dtype).check(name, array.data())?;
        let start = data.len();
        dtype.encode(array.data(), &mut data);
        let entry = json!({
            "dtype": dtype.name(),
            "shape": array.shape(),
            "data_offsets": [start, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let mut bytes = header_bytes(header);
    bytes.append(&mut data);
    Ok(bytes)
}

/// `module` with the weights of a safetensors file, converted to f32. Strict: the names and
/// shapes of the file and of the module must be the same.
///
/// # Errors
/// [`WeightsError::Malformed`]; [`WeightsError::Mismatch`], which lists all differences.
pub fn load<M: Module>(module: M, bytes: &[u8]) -> Result<M, WeightsError> {
    load_renamed(module, &[bytes], |name, shape| {
        Some((name.to_owned(), shape.to_vec()))
    })
}

/// [`load`] of one or several files in which parameters have other names, or shapes of as many elements: `rename` tells
/// those of the module from those of the files, or `None` for a tensor that the module does not need.
///
/// # Errors
/// As [`load`], and [`WeightsError::NotFinite`].
pub fn load_renamed<M: Module>(
    module: M,
    files: &[&[u8]],
    rename: impl Fn(&str, &[usize]) -> Option<(String, Vec<usize>)>,
) -> Result<M, WeightsError> {
    load_parts(module, None, files, rename, |_| Vec::new())
}

/// [`load_renamed`] of the files of a network, where the weights of layers that have a place in `slots` stay in their files.
/// `changes` tells what is added to the parameter of each name.
///
/// # Errors
/// As [`load`].
pub fn load_stored<M: Module>(
    module: M,
    slots: &Slots,
    store: &Arc<Store>,
    rename: impl Fn(&str, &[usize]) -> Option<(String, Vec<usize>)>,
    changes: impl Fn(&str) -> Vec<Change>,
) -> Result<M, WeightsError> {
    load_parts(
        module,
        Some((slots, store)),
        &store.files(),
        rename,
        changes,
    )
}

fn load_parts<M: Module>(
    module: M,
    stored: Option<(&Slots, &Arc<Store>)>,
    files: &[&[u8]],
    rename: impl Fn(&str, &[usize]) -> Option<(String, Vec<usize>)>,
    changes: impl Fn(&str) -> Vec<Change>,
) -> Result<M, WeightsError> {
    let mut tensors = BTreeMap::new();
    for file in files {
        for (name, tensor) in read(file)?.tensors {
            let Some((name, shape)) = rename(&name, &tensor.shape) else {
                continue;
            };
            let same = shape.iter().product::<usize>() == tensor.shape.iter().product::<usize>();
            let shape = if same { shape } else { tensor.shape };
            tensors.insert(name, WeightsView { shape, ..tensor });
        }
    }
    let mut mismatch = Mismatch::default();
    let mut unexpected = tensors.clone();
    let mut placed = BTreeSet::new();
    let mut damaged = None;
    visit(&module, |name, parameter| {
        let slot = stored.and_then(|(slots, store)| Some((slots.get(parameter.id)?, store)));
        let shape = match &slot {
            Some((slot, _)) => slot.shape().to_vec(),
            None => parameter.value.shape().to_vec(),
        };
        match unexpected.remove(name) {
            None => mismatch.missing.push(name.to_owned()),
            Some(tensor) if tensor.shape != shape => {
                mismatch.shapes.push((name.to_owned(), shape, tensor.shape));
            }
            Some(tensor) => {
                if let Some((slot, store)) = slot {
                    match slot.fill(store, &tensor, changes(name)) {
                        None => mismatch.blocks.push(name.to_owned()),
                        Some(weight) if !weight.is_finite() => damaged = Some(name.to_owned()),
                        Some(_) => {}
                    }
                    placed.insert(name.to_owned());
                }
            }
        }
    });
    mismatch.unexpected = unexpected.into_keys().collect();
    if mismatch != Mismatch::default() {
        return Err(WeightsError::Mismatch(mismatch));
    }
    let module = update(module, |name, _, values| {
        if placed.contains(name) {
            return;
        }
        values.copy_from_slice(&tensors[name].to_f32());
        let rows = tensors[name].shape.first().copied().unwrap_or(1);
        for change in changes(name) {
            change.add(0..rows, values);
        }
        if damaged.is_none() && !values.iter().all(|value| value.is_finite()) {
            damaged = Some(name.to_owned());
        }
    });
    match damaged {
        Some(name) => Err(WeightsError::NotFinite(name)),
        None => Ok(module),
    }
}

/// The name and shape of each float parameter of a module, those included whose values stay in files.
pub fn shapes(module: &impl Module, init: &Init) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = BTreeMap::new();
    visit(module, |name, parameter| {
        let slot = init.slots().and_then(|slots| slots.get(parameter.id));
        let shape = match slot {
            Some(slot) => slot.shape().to_vec(),
            None => parameter.value.shape().to_vec(),
        };
        shapes.insert(name.to_owned(), shape);
    });
    shapes
}

/// [`load`] of the file at `path`.
///
/// # Errors
/// As [`load`], and [`WeightsError::Io`].
pub fn load_file<M: Module>(module: M, path: &Path) -> Result<M, WeightsError> {
    let bytes = fs::read(path).map_err(|source| WeightsError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    load(module, &bytes)
}
