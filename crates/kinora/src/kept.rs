//! Painted latents that are kept in a file until their clip is written, so that a break in between costs no sampling.

use crate::sampling::{free_name, tell};
use anyhow::Result;
use kinora_engine::{Conditioning, Family, ModelFiles};
use kinora_media::{Output, check_writable_file};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file of a clip's latents.
#[derive(Clone, Debug)]
pub struct Kept {
    path: PathBuf,
    /// Whether it was asked for and stays.
    stays: bool,
}

impl Kept {
    /// The file that is asked for, which stays.
    ///
    /// # Errors
    /// When no such file can be written.
    pub fn asked(path: PathBuf) -> Result<Self> {
        check_writable_file(&path)?;
        Ok(Self { path, stays: true })
    }

    /// A file beside `output` until the clip of `frames` frames is written: of models that take long to paint, if they paint
    /// it at once.
    pub fn beside(
        output: &Output,
        files: &ModelFiles,
        conditioning: &Conditioning,
        frames: usize,
    ) -> Option<Self> {
        let output = output.path()?;
        let (family, whole) = (files.about.family, files.about.geometry.whole);
        let keeps = family == Family::Wan && conditioning.is_one_part(frames, whole);
        keeps.then(|| Self {
            path: free_name(latents_of(output)),
            stays: false,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Runs `work`, which keeps the latents and then writes the clip. If it fails once the latents are there, it is said how to go
/// on.
pub fn keeping<T>(kept: Option<&Kept>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(Kept { path, stays }) = kept else {
        return work();
    };
    let before = written(path);
    let done = work();
    match done {
        Ok(_) if !stays => {
            let _ = fs::remove_file(path); // the clip is there
        }
        Err(_) if written(path) != before => {
            let path = path.display();
            tell(&format!(
                "the clip is painted and kept in {path}; finish it with: kinora decode {path}"
            ));
        }
        _ => {}
    }
    done
}

fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// `fox.mp4` as `fox.latents.safetensors`.
fn latents_of(output: &Path) -> PathBuf {
    let mut name = OsString::from(output.file_stem().unwrap_or(output.as_os_str()));
    name.push(".latents.safetensors");
    output.with_file_name(name)
}
