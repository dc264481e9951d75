//! The journal of a run: one JSON line a step. The loss curve is drawn from it, and a resumed run goes on in it.

use crate::error::TrainError;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

/// One step of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The step, counted from 1.
    pub step: u64,
    /// Loss of its batch.
    pub loss: f32,
    /// What the loss is made of.
    pub parts: BTreeMap<String, f32>,
    /// Learning rate.
    pub rate: f64,
    /// Norm of the gradient before clipping.
    pub norm: f32,
    /// Samples of its batch.
    pub samples: usize,
    /// Seconds it took.
    pub seconds: f64,
}

/// Reads all entries; a half-written last line, as a killed process leaves, is passed over.
pub fn read_journal(path: &Path) -> Result<Vec<Entry>, TrainError> {
    let text = std::fs::read_to_string(path).map_err(TrainError::io("read", path))?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let parse = |line| serde_json::from_str(line).map_err(TrainError::malformed("journal", path));
    whole.lines().map(parse).collect()
}

/// The open end of a journal.
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal with the entries up to and including `step`; later ones, of steps that no checkpoint
    /// holds, are removed.
    pub fn open(path: &Path, step: u64) -> Result<Self, TrainError> {
        let kept = if path.exists() {
            read_journal(path)?
        } else {
            Vec::new()
        };
        let lines: Vec<String> = kept
            .iter()
            .filter(|entry| entry.step <= step)
            .map(line)
            .collect::<Result<_, _>>()
            .map_err(TrainError::malformed("journal", path))?;
        crate::shards::write_atomic(path, lines.concat().as_bytes())?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(TrainError::io("open", path))?;
        Ok(Self { file })
    }

    /// Adds one entry.
    pub fn add(&mut self, path: &Path, entry: &Entry) -> Result<(), TrainError> {
        let line = line(entry).map_err(TrainError::malformed("journal", path))?;
        self.file
            .write_all(line.as_bytes())
            .map_err(TrainError::io("write", path))
    }
}

fn line(entry: &Entry) -> Result<String, serde_json::Error> {
    serde_json::to_string(entry).map(|line| line + "\n")
}
