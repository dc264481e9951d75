//! The parser of safetensors headers.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

use super::WeightsError;
use super::encoding::Encoding;

/// Headers longer than this are taken for damage; those of the largest models are below 1 MB.
const LONGEST_HEADER: u64 = 64 << 20;

/// A parsed file. Tensors borrow its bytes.
#[derive(Clone, Debug)]
pub struct Weights<'a> {
    /// The free text entries of the header.
    pub metadata: BTreeMap<String, String>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, WeightsView<'a>>,
}

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightsView<'a> {
    /// Number format.
    pub encoding: Encoding,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Row-major little-endian elements or blocks; the length fits the encoding and the shape.
    pub data: &'a [u8],
    /// What each element is multiplied with.
    pub scale: f32,
}

/// Parses a safetensors file.
///
/// # Errors
/// [`WeightsError::Malformed`] if the header is too long, is not JSON of the right form, names a
/// tensor twice or in an unknown number format, or if the tensors do not cover the data exactly,
/// without gap or overlap.
pub(super) fn read(bytes: &[u8]) -> Result<Weights<'_>, WeightsError> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(damaged(format!(
            "it has {} bytes, fewer than the eight of the header length",
            bytes.len()
        )));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST_HEADER {
        return Err(damaged(format!("it claims a header of {length} bytes")));
    }
    let Some((header, data)) = rest.split_at_checked(length as usize) else {
        return Err(damaged(format!(
            "it ends inside its header of {length} bytes"
        )));
    };
    let header: Header = serde_json::from_slice(header)
        .map_err(|error| damaged(format!("its header is not valid: {error}")))?;
    let mut tensors = BTreeMap::new();
    let mut spans = Vec::new();
    for (name, entry) in header.tensors {
        let view = view(&name, entry, data, &mut spans)?;
        tensors.insert(name, view);
    }
    check_cover(spans, data.len())?;
    Ok(Weights {
        metadata: header.metadata,
        tensors,
    })
}

fn damaged(what: String) -> WeightsError {
    WeightsError::Malformed(what)
}

/// Elements of a shape; `None` if no address could count them, nor if a zero alone hides that: parts of shapes are multiplied
/// elsewhere.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    let mut extents = shape.iter();
    let bound = extents.try_fold(1usize, |n, &extent| n.checked_mul(extent.max(1)))?;
    Some(if shape.contains(&0) { 0 } else { bound })
}

fn view<'a>(
    name: &str,
    entry: Entry,
    data: &'a [u8],
    spans: &mut Vec<(usize, usize)>,
) -> Result<WeightsView<'a>, WeightsError> {
    let encoding = Encoding::from_safetensors(&entry.dtype).ok_or_else(|| {
        damaged(format!(
            "`{name}` has the number format `{}`, and F32, F16, BF16, F8_E4M3, F8_E5M2 and U8 are known",
            entry.dtype
        ))
    })?;
    let size = elements(&entry.shape).and_then(|elements| encoding.bytes(elements));
    let [start, end] = entry.data_offsets;
    if size.is_none() || end.checked_sub(start) != size {
        return Err(damaged(format!(
            "`{name}` of shape {:?} in {} does not fill bytes {start} to {end}",
            entry.shape, entry.dtype
        )));
    }
    let Some(data) = data.get(start..end) else {
        return Err(damaged(format!(
            "`{name}` ends at byte {end} of {}",
            data.len()
        )));
    };
    spans.push((start, end));
    Ok(WeightsView {
        encoding,
        shape: entry.shape,
        data,
        scale: 1.0,
    })
}

/// The format asks that tensors cover the data without gap or overlap.
fn check_cover(mut spans: Vec<(usize, usize)>, len: usize) -> Result<(), WeightsError> {
    spans.sort_unstable();
    let mut covered = 0;
    for (start, end) in spans {
        if start != covered {
            let fault = if start < covered {
                "overlap"
            } else {
                "leave a gap"
            };
            return Err(damaged(format!("its tensors {fault} at byte {start}")));
        }
        covered = end;
    }
    if covered != len {
        return Err(damaged(format!(
            "its tensors cover {covered} of {len} bytes"
        )));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Entry>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            // Written by hand because a map would keep the last of two equal names in silence.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                let mut metadata = false;
                while let Some(name) = map.next_key::<String>()? {
                    let twice = if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                        std::mem::replace(&mut metadata, true)
                    } else {
                        header
                            .tensors
                            .insert(name.clone(), map.next_value()?)
                            .is_some()
                    };
                    if twice {
                        return Err(A::Error::custom(format!("`{name}` appears twice")));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
