//! Where a clip goes: a format and a place, parsed once and checked early.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::atomic::{check_writable_file, check_writable_folder, write_file, write_folder};
use crate::{Clip, Fps, MediaError, gif, h264, still, write_mp4};

/// A destination, with the format its name asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// `-`: an MP4 on standard output.
    Stdout,
    /// `name.mp4`: H.264.
    Mp4(PathBuf),
    /// `name.gif`: an endless loop.
    Gif(PathBuf),
    /// `name.png`: a single frame.
    Png(PathBuf),
    /// `name/`, or a name without extension: a folder of `frame.1001.png`,
    /// `frame.1002.png`, ... and `recipe.json`.
    Frames(PathBuf),
}

/// What a format has to know of a clip before there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of frames.
    pub frames: usize,
    /// Frames per second; `None` for stills and numbered frames, which have no clock.
    pub fps: Option<Fps>,
}

impl Shape {
    /// The shape of a clip.
    pub fn of(clip: &Clip) -> Self {
        Self {
            width: clip.width(),
            height: clip.height(),
            frames: clip.frames().len(),
            fps: Some(clip.fps()),
        }
    }
}

impl Output {
    /// Reads the format from a path.
    ///
    /// # Errors
    /// When the name's extension is none of the known ones.
    pub fn parse(path: impl AsRef<Path>) -> Result<Self, MediaError> {
        let path = path.as_ref();
        let text = path.as_os_str().as_encoded_bytes();
        if text == b"-" {
            return Ok(Self::Stdout);
        }
        if text.is_empty() || path.file_name().is_none() {
            return Err(MediaError::Format(path.to_owned()));
        }
        if text.ends_with(b"/") || text.ends_with(std::path::MAIN_SEPARATOR_STR.as_bytes()) {
            return Ok(Self::Frames(path.to_owned()));
        }
        let Some(extension) = path.extension() else {
            return Ok(Self::Frames(path.to_owned()));
        };
        match extension.to_ascii_lowercase().as_encoded_bytes() {
            b"mp4" => Ok(Self::Mp4(path.to_owned())),
            b"gif" => Ok(Self::Gif(path.to_owned())),
            b"png" => Ok(Self::Png(path.to_owned())),
            _ => Err(MediaError::Format(path.to_owned())),
        }
    }

    /// The file or folder that will appear; `None` for standard output.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::Mp4(path) | Self::Gif(path) | Self::Png(path) | Self::Frames(path) => Some(path),
        }
    }

    /// Checks, before anything is computed, that the format can hold a clip of
    /// this shape.
    ///
    /// # Errors
    /// When it can't, saying what is allowed.
    pub fn check_shape(&self, shape: Shape) -> Result<(), MediaError> {
        match self {
            Self::Stdout | Self::Mp4(_) => h264::check(shape),
            Self::Gif(_) => gif::check(shape),
            Self::Png(_) => still::check(shape),
            Self::Frames(_) => Ok(()),
        }
    }

    /// Checks, before anything is computed, that the destination can be written:
    /// its folder exists and takes files, and nothing else bears the name.
    ///
    /// # Errors
    /// When it can't, saying what to do.
    pub fn check_destination(&self) -> Result<(), MediaError> {
        match self {
            Self::Stdout => Ok(()),
            Self::Mp4(path) | Self::Gif(path) | Self::Png(path) => check_writable_file(path),
            Self::Frames(path) => check_writable_folder(path),
        }
    }
}

/// Writes `clip` with its `recipe` (a JSON object) to `output`.
///
/// The file or folder appears whole under its name, or not at all.
///
/// # Errors
/// When the format can't hold the clip, or the destination can't be written.
pub fn write(clip: &Clip, recipe: &Value, output: &Output) -> Result<(), MediaError> {
    output.check_shape(Shape::of(clip))?;
    output.check_destination()?;
    match output {
        Output::Stdout => write_mp4(clip, recipe, &mut io::stdout().lock()),
        Output::Mp4(path) => write_file(path, |out| write_mp4(clip, recipe, out)),
        Output::Gif(path) => write_file(path, |out| gif::write_gif(clip, recipe, out)),
        Output::Png(path) => write_file(path, |out| still::write_png(clip, recipe, out)),
        Output::Frames(path) => {
            write_folder(path, |folder| still::write_frames(clip, recipe, folder))
        }
    }
}
