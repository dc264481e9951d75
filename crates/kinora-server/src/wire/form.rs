//! One decoding of request bodies: JSON and multipart, bracketed keys, numbers as text, files.

use super::ApiError;
use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_aux::serde_introspection::serde_introspect;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{self, Write};
use tempfile::NamedTempFile;

/// Most fields of a request.
const MAX_FIELDS: usize = 200;
/// Deepest nesting of bracketed keys.
const MAX_DEPTH: usize = 4;

/// How much a request may bring.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all that is text: a picture as a data URL is.
    pub text: usize,
    /// Bytes of a file.
    pub file: u64,
}

/// A request's body: fields as JSON, and files by the names of their parts.
#[derive(Debug, Default)]
pub struct Form {
    fields: Map<String, Value>,
    files: BTreeMap<String, Upload>,
}

/// A file that came with a request, on this machine until it is dropped.
#[derive(Debug)]
pub struct Upload {
    /// Where it is.
    pub file: NamedTempFile,
    /// The name that the client gave it. Never a path on this machine.
    pub name: Option<String>,
    /// How many bytes it has.
    pub bytes: u64,
}

impl Form {
    /// Reads a body of either encoding.
    ///
    /// # Errors
    /// When it is damaged, too large or of another encoding.
    pub async fn read(request: Request, limits: Limits) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "multipart/form-data" => {
                let parts = Multipart::from_request(request, &()).await;
                let parts = parts.map_err(|e| refused(e.body_text()))?;
                Self::multipart(parts, limits).await
            }
            "application/json" | "" => {
                let body = axum::body::to_bytes(request.into_body(), limits.text).await;
                let body = body.map_err(|_| {
                    ApiError::too_large(format!(
                        "the JSON has more than {} bytes; send files as multipart/form-data",
                        limits.text
                    ))
                })?;
                Self::json(&body)
            }
            _ => Err(refused(
                "the body is neither application/json nor multipart/form-data".into(),
            )),
        }
    }

    /// Reads a JSON body.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn json(body: &Bytes) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self {
                fields,
                files: BTreeMap::new(),
            }),
            Ok(_) => Err(refused("the body is no JSON object".into())),
            Err(error) => Err(refused(format!("the body is no JSON: {error}"))),
        }
    }

    async fn multipart(mut parts: Multipart, limits: Limits) -> Result<Self, ApiError> {
        let mut form = Self::default();
        let (mut count, mut room) = (0, limits.text);
        while let Some(mut part) = parts.next_field().await.map_err(broken)? {
            count += 1;
            if count > MAX_FIELDS {
                return Err(refused(format!("there are more than {MAX_FIELDS} parts")));
            }
            let Some(key) = part.name().map(str::to_owned) else {
                return Err(refused("a part has no name".into()));
            };
            if part.file_name().is_some() {
                let mut upload = Upload::new(part.file_name())?;
                while let Some(bytes) = part.chunk().await.map_err(broken)? {
                    upload.write(&bytes, limits.file, &key)?;
                }
                form.files.insert(key, upload);
                continue;
            }
            let mut text = Vec::new();
            while let Some(bytes) = part.chunk().await.map_err(broken)? {
                room = room.checked_sub(bytes.len()).ok_or_else(|| {
                    ApiError::too_large(format!(
                        "the text fields have more than {} bytes together",
                        limits.text
                    ))
                })?;
                text.extend_from_slice(&bytes);
            }
            let text = String::from_utf8(text)
                .map_err(|_| refused(format!("the part {key:?} is not UTF-8")))?;
            insert(&mut form.fields, &key, text)?;
        }
        Ok(form)
    }

    /// The file of a part, as `video`, taken out.
    pub fn file(&mut self, name: &str) -> Option<Upload> {
        self.files.remove(name)
    }

    /// Takes out the fields of `T` and reads them; others stay.
    ///
    /// # Errors
    /// When one is of the wrong kind.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T, ApiError> {
        let mut fields = Map::new();
        for name in serde_introspect::<T>() {
            if let Some((name, value)) = self.fields.remove_entry(*name) {
                fields.insert(name, value);
            }
        }
        read(fields)
    }

    /// Reads what is left as `T`.
    ///
    /// # Errors
    /// When a field is of the wrong kind, missing, or unknown; when a file is left that nobody asked for.
    pub fn rest<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        let known = serde_introspect::<T>();
        let stray = self
            .fields
            .keys()
            .find(|name| !known.contains(&name.as_str()));
        if let Some(name) = stray.or(self.files.keys().next()) {
            let message = format!("unknown parameter: {name:?}");
            return Err(ApiError::invalid(Some(name), message).with_code("unknown_parameter"));
        }
        read(self.fields)
    }
}

impl Upload {
    /// An empty file.
    ///
    /// # Errors
    /// When the machine has no room for one.
    pub fn new(name: Option<&str>) -> Result<Self, ApiError> {
        Ok(Self {
            file: NamedTempFile::new().map_err(|e| unwritten(&e))?,
            name: name.map(|name| name.chars().take(200).collect()),
            bytes: 0,
        })
    }

    /// Adds bytes, of at most `most` in all; `part` is what is told to be too large.
    ///
    /// # Errors
    /// When there are more, or no room.
    pub fn write(&mut self, bytes: &[u8], most: u64, part: &str) -> Result<(), ApiError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > most {
            let message = format!("the file {part:?} has more than {most} bytes");
            return Err(ApiError::too_large(message));
        }
        self.file.write_all(bytes).map_err(|e| unwritten(&e))
    }
}

fn unwritten(error: &io::Error) -> ApiError {
    tracing::error!(%error, "an upload can't be written");
    ApiError::unavailable("the server has no room for the upload; try again later")
}

fn broken(error: MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("the form is larger than any may be"),
        _ => refused(error.body_text()),
    }
}

fn refused(message: String) -> ApiError {
    ApiError::invalid(None, message)
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        match path.as_str() {
            "." => {
                let missing = reason
                    .strip_prefix("missing field `")
                    .and_then(|rest| rest.strip_suffix('`'));
                match missing {
                    Some(name) => {
                        let message = format!("missing required parameter: {name:?}");
                        ApiError::invalid(Some(name), message)
                            .with_code("missing_required_parameter")
                    }
                    None => ApiError::invalid(None, reason),
                }
            }
            path => ApiError::invalid(Some(path), format!("{path}: {reason}")),
        }
    })
}

/// Puts `text` where a key as `a[b][]` says: into an object's key, or behind a list.
fn insert(fields: &mut Map<String, Value>, key: &str, text: String) -> Result<(), ApiError> {
    let wrong = || refused(format!("the name {key:?} of a part can't be read"));
    let (first, rest) = match key.find('[') {
        Some(at) => key.split_at(at),
        None => (key, ""),
    };
    let mut path = Vec::new();
    let mut rest = rest;
    while let Some(inner) = rest.strip_prefix('[') {
        let (name, after) = inner.split_once(']').ok_or_else(wrong)?;
        path.push(name);
        rest = after;
    }
    if !rest.is_empty() || first.is_empty() || path.len() > MAX_DEPTH {
        return Err(wrong());
    }
    let place = fields.entry(first).or_insert(Value::Null);
    put(place, &path, text).ok_or_else(wrong)
}

fn put(place: &mut Value, path: &[&str], text: String) -> Option<()> {
    match path {
        [] => match place {
            Value::Null => *place = Value::String(text),
            _ => return None, // said twice
        },
        ["", rest @ ..] => {
            if place.is_null() {
                *place = Value::Array(Vec::new());
            }
            let list = place.as_array_mut()?;
            // A key that the last object has already begins the next one.
            let fresh = match (list.last(), rest) {
                (Some(Value::Object(last)), [name, ..]) => last.contains_key(*name),
                _ => true,
            };
            if fresh {
                list.push(Value::Null);
            }
            put(list.last_mut()?, rest, text)?;
        }
        [name, rest @ ..] => {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            let object = place.as_object_mut()?;
            put(object.entry(*name).or_insert(Value::Null), rest, text)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form(parts: &[(&str, &str)]) -> Option<Value> {
        let mut fields = Map::new();
        for (key, text) in parts {
            insert(&mut fields, key, (*text).to_owned()).ok()?;
        }
        Some(Value::Object(fields))
    }

    #[test]
    fn bracketed_keys_become_objects_and_lists() {
        let parts = [
            ("prompt", "a fox"),
            ("input_reference[image_url]", "https://x"),
            ("characters[][id]", "a"),
            ("characters[][id]", "b"),
            ("tags[]", "1"),
            ("tags[]", "2"),
        ];
        let expected = json!({
            "prompt": "a fox",
            "input_reference": { "image_url": "https://x" },
            "characters": [{ "id": "a" }, { "id": "b" }],
            "tags": ["1", "2"],
        });
        assert_eq!(form(&parts), Some(expected));
    }

    #[test]
    fn keys_that_contradict_each_other_are_refused() {
        for parts in [
            &[("a", "1"), ("a", "2")][..],
            &[("a", "1"), ("a[b]", "2")],
            &[("a[b]", "1"), ("a[]", "2")],
            &[("[b]", "1")],
            &[("a[b", "1")],
            &[("a[b]c", "1")],
            &[("a[b][c][d][e][f]", "1")],
        ] {
            assert_eq!(form(parts), None, "{parts:?}");
        }
    }
}
