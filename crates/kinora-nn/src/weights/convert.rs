//! Weight files written anew in another container or number format, tensor by tensor: in memory is one at a time.

use super::encoding::{Encoding, gguf_file_type};
use super::parse::{Weights, WeightsView};
use super::{Dtype, WeightsError, gguf, write_whole};
use serde_json::{Map, json};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

/// The key that no GGUF file is without.
const ARCHITECTURE: &str = "general.architecture";
/// What GGUF says of the file itself, and no longer holds once it is written anew.
const OF_FILE: [&str; 3] = [
    "general.alignment",
    "general.file_type",
    "general.quantization_version",
];
/// The version of ggml's blocks.
const BLOCKS_VERSION: u32 = 2;
/// Kinds of values in the header of GGUF.
const KIND_U32: u32 = 4;
const KIND_TEXT: u32 = 8;

/// A kind of weight file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// safetensors: plain floats.
    Safetensors,
    /// GGUF: plain floats and ggml's blocks.
    Gguf,
}

/// How a file is written.
pub struct Conversion<'a> {
    /// The kind of file.
    pub container: Container,
    /// The number format of matrices; in safetensors of everything.
    pub encoding: Encoding,
    /// Names and shapes of matrices that blocks of few bits would harm.
    pub delicate: &'a dyn Fn(&str, &[usize]) -> bool,
    /// What the weights are of, for GGUF files that do not say it themselves.
    pub architecture: &'a str,
}

impl Conversion<'_> {
    /// The number format of a tensor. As llama.cpp and ComfyUI-GGUF do it, vectors, tables and kernels stay in 32 bits in
    /// GGUF, and so does in blocks whatever is delicate or has rows that do not fill them. Bytes stay bytes.
    fn encoding(&self, name: &str, view: &WeightsView<'_>) -> Encoding {
        let exact = Encoding::Plain(Dtype::F32);
        let shape = view.shape.as_slice();
        if view.encoding == Encoding::U8 {
            return Encoding::U8; // a file that is kept as a tensor: its bytes are no numbers
        }
        match (self.container, self.encoding) {
            (Container::Safetensors, encoding) => encoding,
            (Container::Gguf, Encoding::Plain(_)) if shape.len() > 1 => self.encoding,
            (Container::Gguf, encoding) => match *shape {
                [_, row]
                    if row.is_multiple_of(encoding.block().0) && !(self.delicate)(name, shape) =>
                {
                    encoding
                }
                _ => exact,
            },
        }
    }

    /// Writes `weights` to `path`, which has them whole or stays as it was. Texts of the metadata are kept. `step` is told
    /// the bytes of each tensor that is done, as they were, and may stop the work.
    ///
    /// # Errors
    /// [`WeightsError::OutOfRange`] if a value does not fit the format; [`WeightsError::Unwritable`] if there is no writing
    /// it, or not in this container; [`WeightsError::Stopped`]; [`WeightsError::Io`].
    pub fn write(
        &self,
        weights: &Weights<'_>,
        path: &Path,
        step: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), WeightsError> {
        let plain = matches!(self.encoding, Encoding::Plain(_));
        let blocks =
            self.container == Container::Gguf && Encoding::WRITABLE.contains(&self.encoding);
        if !plain && !blocks {
            return Err(WeightsError::Unwritable(self.encoding.name()));
        }
        let mut entries = Vec::new();
        for (name, view) in &weights.tensors {
            let encoding = self.encoding(name, view);
            let bytes = encoding.bytes(view.shape.iter().product());
            let bytes = bytes.ok_or(WeightsError::Unwritable(encoding.name()))?;
            entries.push(Entry {
                name,
                view,
                encoding,
                bytes,
            });
        }
        let (header, alignment) = match self.container {
            Container::Safetensors => (safetensors_header(weights, &entries), 1),
            Container::Gguf => (self.gguf_header(weights, &entries), gguf::ALIGNMENT),
        };
        write_whole(path, |out| {
            let io = |source| WeightsError::Io {
                action: "write",
                path: path.to_owned(),
                source,
            };
            out.write_all(&header).map_err(io)?;
            let mut data = Vec::new();
            for entry in &entries {
                entry.encode(&mut data)?;
                data.resize(entry.bytes.next_multiple_of(alignment), 0);
                out.write_all(&data).map_err(io)?;
                if step(entry.view.data.len() as u64).is_break() {
                    return Err(WeightsError::Stopped);
                }
            }
            Ok(())
        })
    }

    fn gguf_header(&self, weights: &Weights<'_>, entries: &[Entry<'_>]) -> Vec<u8> {
        let mut texts = weights.metadata.clone();
        texts.retain(|key, _| !OF_FILE.contains(&key.as_str()));
        let named = texts.entry(ARCHITECTURE.to_owned());
        named.or_insert_with(|| self.architecture.to_owned());
        let numbers = [
            (OF_FILE[1], gguf_file_type(self.encoding)),
            (OF_FILE[2], BLOCKS_VERSION),
        ];
        let mut out = gguf::MAGIC.to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((entries.len() as u64).to_le_bytes());
        out.extend(((texts.len() + numbers.len()) as u64).to_le_bytes());
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend((text.len() as u64).to_le_bytes());
            out.extend(text.as_bytes());
        };
        for (key, value) in &texts {
            text(&mut out, key);
            out.extend(KIND_TEXT.to_le_bytes());
            text(&mut out, value);
        }
        for (key, value) in numbers {
            text(&mut out, key);
            out.extend(KIND_U32.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        let mut at = 0u64;
        for entry in entries {
            text(&mut out, entry.name);
            // ggml knows no scalars, and has the innermost extent first.
            let shape: &[usize] = match entry.view.shape.is_empty() {
                true => &[1],
                false => &entry.view.shape,
            };
            out.extend((shape.len() as u32).to_le_bytes());
            for &extent in shape.iter().rev() {
                out.extend((extent as u64).to_le_bytes());
            }
            out.extend(entry.encoding.ggml().unwrap_or_default().to_le_bytes());
            out.extend(at.to_le_bytes());
            at += entry.bytes.next_multiple_of(gguf::ALIGNMENT) as u64;
        }
        out.resize(out.len().next_multiple_of(gguf::ALIGNMENT), 0);
        out
    }
}

/// Writes `weights` as they are, as safetensors. The file appears whole or not at all.
///
/// # Errors
/// [`WeightsError::Unwritable`] if safetensors have no name for a number format; [`WeightsError::Io`].
pub fn write(weights: &Weights<'_>, path: &Path) -> Result<(), WeightsError> {
    let mut entries = Vec::new();
    for (name, view) in &weights.tensors {
        if Encoding::from_safetensors(view.encoding.name()).is_none() {
            return Err(WeightsError::Unwritable(view.encoding.name()));
        }
        entries.push(Entry {
            name,
            view,
            encoding: view.encoding,
            bytes: view.data.len(),
        });
    }
    write_whole(path, |out| {
        let io = |source| WeightsError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        };
        out.write_all(&safetensors_header(weights, &entries))
            .map_err(io)?;
        entries
            .iter()
            .try_for_each(|entry| out.write_all(entry.view.data).map_err(io))
    })
}

/// A tensor and how it is written.
struct Entry<'a> {
    name: &'a str,
    view: &'a WeightsView<'a>,
    encoding: Encoding,
    bytes: usize,
}

impl Entry<'_> {
    /// Its bytes, in the place of what `out` holds.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), WeightsError> {
        out.clear();
        let same = self.encoding == self.view.encoding && self.view.scale == 1.0;
        if same {
            out.extend(self.view.data);
            return Ok(());
        }
        let values = self.view.to_f32();
        self.encoding.check(self.name, &values)?;
        self.encoding.encode(&values, out);
        Ok(())
    }
}

fn safetensors_header(weights: &Weights<'_>, entries: &[Entry<'_>]) -> Vec<u8> {
    let mut header = Map::new();
    if !weights.metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(weights.metadata));
    }
    let mut at = 0;
    for entry in entries {
        let value = json!({
            "dtype": entry.encoding.name(),
            "shape": entry.view.shape,
            "data_offsets": [at, at + entry.bytes],
        });
        header.insert(entry.name.to_owned(), value);
        at += entry.bytes;
    }
    super::header_bytes(header)
}
