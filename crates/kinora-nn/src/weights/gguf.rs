//! The parser of GGUF files (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>), versions 2 and 3.
//!
//! A file may come from anyone: each length is checked against the bytes that there are before it is used.

use super::WeightsError;
use super::encoding::Encoding;
use super::parse::{Weights, WeightsView, elements};
use std::collections::BTreeMap;

/// What a GGUF file begins with.
pub(super) const MAGIC: &[u8; 4] = b"GGUF";
/// Where tensors begin, if the file does not say otherwise.
pub(super) const ALIGNMENT: usize = 32;
/// Arrays within arrays deeper than this are taken for damage.
const DEEPEST: usize = 4;
/// Most dimensions of a tensor.
const MOST_DIMENSIONS: u32 = 8;

/// Parses a GGUF file. Text values of its header become the metadata; numbers are kept as they print.
///
/// # Errors
/// [`WeightsError::Malformed`] if the header is not well-formed, a tensor is named twice, in a number format that is not
/// known, or lies outside the file.
pub(super) fn read(bytes: &[u8]) -> Result<Weights<'_>, WeightsError> {
    let mut at = Reader {
        bytes,
        at: MAGIC.len(),
    };
    let version = at.u32()?;
    if !(2..=3).contains(&version) {
        return Err(damaged(format!(
            "it is of version {version} of GGUF, and 2 and 3 are known"
        )));
    }
    let (tensors, values) = (at.u64()?, at.u64()?);
    let mut metadata = BTreeMap::new();
    for _ in 0..values {
        let key = at.text()?.to_owned();
        let kind = at.u32()?;
        if let Some(text) = at.value(kind, 0)? {
            metadata.insert(key, text);
        }
    }
    let mut found = Vec::new();
    for _ in 0..tensors {
        found.push(at.tensor()?);
    }
    let alignment = metadata
        .get("general.alignment")
        .and_then(|text| text.parse().ok());
    let alignment = alignment.filter(|&a| a > 0).unwrap_or(ALIGNMENT);
    let data = at
        .at
        .checked_next_multiple_of(alignment)
        .and_then(|start| bytes.get(start.min(bytes.len())..))
        .unwrap_or_default();
    let mut tensors = BTreeMap::new();
    for Found {
        name,
        encoding,
        shape,
        offset,
    } in found
    {
        let length = elements(&shape)
            .and_then(|elements| encoding.bytes(elements))
            .ok_or_else(|| {
                damaged(format!(
                    "`{name}` of shape {shape:?} does not fill blocks of {}",
                    encoding.name()
                ))
            })?;
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| data.get(start..start.checked_add(length)?));
        let Some(data) = part else {
            return Err(damaged(format!("`{name}` ends behind the file")));
        };
        let view = WeightsView {
            encoding,
            shape,
            data,
            scale: 1.0,
        };
        if tensors.insert(name.to_owned(), view).is_some() {
            return Err(damaged(format!("`{name}` stands twice")));
        }
    }
    Ok(Weights { metadata, tensors })
}

fn damaged(what: String) -> WeightsError {
    WeightsError::Malformed(what)
}

/// A tensor's entry.
struct Found<'a> {
    name: &'a str,
    encoding: Encoding,
    shape: Vec<usize>,
    offset: u64,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], WeightsError> {
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| self.at.checked_add(count));
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or_else(|| damaged("it ends inside its header".to_owned()))?;
        self.at += part.len();
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WeightsError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N as u64)?);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, WeightsError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, WeightsError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<&'a str, WeightsError> {
        let length = self.u64()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes)
            .map_err(|_| damaged("a text of its header is not UTF-8".to_owned()))
    }

    /// A value of the header as text; `None` of an array.
    fn value(&mut self, kind: u32, depth: usize) -> Result<Option<String>, WeightsError> {
        Ok(Some(match kind {
            0 => u8::from_le_bytes(self.array()?).to_string(),
            1 => i8::from_le_bytes(self.array()?).to_string(),
            2 => u16::from_le_bytes(self.array()?).to_string(),
            3 => i16::from_le_bytes(self.array()?).to_string(),
            4 => self.u32()?.to_string(),
            5 => i32::from_le_bytes(self.array()?).to_string(),
            6 => f32::from_le_bytes(self.array()?).to_string(),
            7 => (self.array::<1>()? != [0]).to_string(),
            8 => self.text()?.to_owned(),
            9 if depth < DEEPEST => {
                let (kind, count) = (self.u32()?, self.u64()?);
                for _ in 0..count {
                    self.value(kind, depth + 1)?;
                }
                return Ok(None);
            }
            10 => self.u64()?.to_string(),
            11 => i64::from_le_bytes(self.array()?).to_string(),
            12 => f64::from_le_bytes(self.array()?).to_string(),
            kind => {
                return Err(damaged(format!(
                    "its header has a value of the unknown kind {kind}"
                )));
            }
        }))
    }

    fn tensor(&mut self) -> Result<Found<'a>, WeightsError> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > MOST_DIMENSIONS {
            return Err(damaged(format!("`{name}` claims {dimensions} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let extent = usize::try_from(self.u64()?);
            shape.push(extent.map_err(|_| damaged(format!("`{name}` has an absurd extent")))?);
        }
        shape.reverse(); // the innermost comes first
        let number = self.u32()?;
        let encoding = Encoding::from_ggml(number).ok_or_else(|| {
            damaged(format!(
                "`{name}` has the number format {number} of ggml; F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K are known"
            ))
        })?;
        Ok(Found {
            name,
            encoding,
            shape,
            offset: self.u64()?,
        })
    }
}
