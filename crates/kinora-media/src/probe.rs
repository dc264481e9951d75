//! Asks a file what it is, how large and long, and which recipe made it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::still::{RECIPE_FILE, frame_name, is_frame_name};
use crate::{Fps, MediaError, Shape, gif, mp4, still};

/// The longest recipe read from a file, in bytes.
pub(crate) const MAX_RECIPE: usize = 8 << 20;

/// The kinds of file this crate writes and reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// MP4 or MOV video.
    Mp4,
    /// GIF animation.
    Gif,
    /// A single PNG picture.
    Png,
    /// A folder of numbered PNG frames.
    Frames,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "MP4 file",
            Self::Gif => "GIF file",
            Self::Png => "PNG file",
            Self::Frames => "folder of frames",
        }
    }
}

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// What it is, by its content.
    pub kind: Kind,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of frames.
    pub frames: usize,
    /// Frames per second; a GIF counts in hundredths of a second, so its rate is
    /// the common one that they mean, or close to it; stills and folders have none.
    pub fps: Option<Fps>,
    /// The recipe, when the file carries one.
    pub recipe: Option<Value>,
}

/// Reads what `path` says of itself. No length in the file is trusted.
///
/// # Errors
/// When it can't be read, is of no known kind, or is damaged.
pub fn probe(path: &Path) -> Result<Probe, MediaError> {
    let io = |e| MediaError::io("read", path, e);
    if fs::metadata(path).map_err(io)?.is_dir() {
        return probe_folder(path);
    }
    let mut head = Vec::new();
    File::open(path)
        .map_err(io)?
        .take(12)
        .read_to_end(&mut head)
        .map_err(io)?;
    let kind = if head.get(4..8).is_some_and(mp4::is_first) {
        Kind::Mp4
    } else if head.starts_with(b"GIF8") {
        Kind::Gif
    } else if head.starts_with(b"\x89PNG") {
        Kind::Png
    } else {
        let reason = if head.is_empty() {
            "it is empty"
        } else {
            "its first bytes are those of another kind of file"
        };
        return Err(corrupt(path, "MP4, GIF or PNG file", reason));
    };
    let mut file = File::open(path).map_err(io)?;
    let (shape, recipe) = match kind {
        Kind::Mp4 => mp4::read(&mut file),
        Kind::Gif => gif::read(file),
        Kind::Png | Kind::Frames => still::read(file),
    }
    .map_err(|reason| corrupt(path, kind.name(), reason))?;
    Ok(report(kind, shape, recipe.as_deref().and_then(parse)))
}

/// The recipe of a file that must have one, to make the clip again.
///
/// # Errors
/// As [`probe()`], and when the file carries no recipe.
pub fn read_recipe(path: &Path) -> Result<Value, MediaError> {
    let probe = probe(path)?;
    probe.recipe.ok_or_else(|| {
        corrupt(
            path,
            "Kinora file",
            "it carries no recipe: it was made by another program, or its metadata was stripped",
        )
    })
}

fn probe_folder(path: &Path) -> Result<Probe, MediaError> {
    let io = |e| MediaError::io("read", path, e);
    let mut frames = 0;
    for entry in fs::read_dir(path).map_err(io)? {
        frames += usize::from(
            entry
                .map_err(io)?
                .file_name()
                .to_str()
                .is_some_and(is_frame_name),
        );
    }
    if frames == 0 {
        return Err(corrupt(
            path,
            Kind::Frames.name(),
            format!("it holds no {}", frame_name(0)),
        ));
    }
    if let Some(missing) = (0..frames)
        .map(frame_name)
        .find(|name| !path.join(name).is_file())
    {
        return Err(corrupt(
            path,
            Kind::Frames.name(),
            format!("it holds {frames} frames, but {missing} is missing"),
        ));
    }
    let first = probe(&path.join(frame_name(0)))?;
    let beside = File::open(path.join(RECIPE_FILE)).ok().and_then(|file| {
        let mut text = String::new();
        file.take(MAX_RECIPE as u64)
            .read_to_string(&mut text)
            .ok()?;
        parse(&text)
    });
    let shape = Shape {
        width: first.width,
        height: first.height,
        frames,
        fps: None,
    };
    Ok(report(Kind::Frames, shape, beside.or(first.recipe)))
}

fn report(kind: Kind, shape: Shape, recipe: Option<Value>) -> Probe {
    let Shape {
        width,
        height,
        frames,
        fps,
    } = shape;
    Probe {
        kind,
        width,
        height,
        frames,
        fps,
        recipe,
    }
}

/// A comment that is not a JSON object is somebody else's.
fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_object)
}

fn corrupt(path: &Path, kind: &'static str, reason: impl Into<String>) -> MediaError {
    MediaError::Corrupt {
        path: path.to_owned(),
        kind,
        reason: reason.into(),
    }
}
