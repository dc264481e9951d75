//! Clips that a command is given, and what the recipe says of them.

use crate::failure::BadInput;
use crate::machine;
use crate::sampling::tell;
use anyhow::{Context, Result, bail};
use kinora_engine::{Input, MAX_FRAMES};
use kinora_media::{Clip, Fit, Fps, Reader, fit, read_clip};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A clip that was given, and its entry in the recipe.
#[derive(Debug)]
pub struct Given {
    /// Its frames.
    pub clip: Clip,
    /// The entry.
    pub input: Input,
}

/// What reads clips, with the machine's ffmpeg if there is one; `fps` is the rate of what has none.
pub fn reader(fps: Option<Fps>) -> Result<Reader> {
    Ok(Reader {
        fps: fps.map_or_else(|| Fps::new(12, 1), Ok)?,
        max_frames: MAX_FRAMES as usize,
        ffmpeg: machine::ffmpeg(),
    })
}

impl Given {
    /// Reads the clip, picture or folder of frames at `path`, which is used as `role`.
    pub fn open(path: &Path, role: &str, reader: &Reader) -> Result<Self> {
        let clip = read_clip(path, reader)?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let input = Input {
            role: role.to_owned(),
            file: name.to_string_lossy().into_owned(),
            sha256: sha256(path)?,
            fitted: None,
        };
        Ok(Self { clip, input })
    }

    /// As [`Given::open`], of a picture.
    pub fn open_picture(path: &Path, role: &str, reader: &Reader) -> Result<Self> {
        let given = Self::open(path, role, reader)?;
        if given.clip.frames().len() != 1 {
            bail!(BadInput(format!(
                "{} has {} frames; the {role} is one picture",
                path.display(),
                given.clip.frames().len()
            )));
        }
        Ok(given)
    }

    /// Brings it to `width` x `height`, says how and records it.
    pub fn fitted(self, width: u32, height: u32, how: Fit) -> Result<Self> {
        let Self { clip, mut input } = self;
        let (clip, done) = fit(&clip, width, height, how)?;
        if let Some(done) = &done {
            tell(&format!("{}: {done}", input.file));
        }
        input.fitted = done;
        Ok(Self { clip, input })
    }
}

/// SHA-256 of a file's bytes, or of the files of a folder in the order of their names.
pub fn sha256(path: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        files = entries.collect::<io::Result<_>>()?;
        files.retain(|file| file.is_file());
        files.sort();
    }
    let mut hash = Sha256::new();
    for file in files {
        let copied = File::open(&file).and_then(|mut f| io::copy(&mut f, &mut hash));
        copied.with_context(|| format!("{} can't be read", file.display()))?;
    }
    Ok(format!("{:x}", hash.finalize()))
}
