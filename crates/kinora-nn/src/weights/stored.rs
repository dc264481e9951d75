//! Weights that stay in their files and are decoded where they are multiplied.

use super::{Encoding, Mapped, WeightsView};
use crate::matmul::{self, Threads, View, multiply};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The mapped files of a network, and how much of them may stay in memory.
///
/// What is used first stays until [`Store::rest`]; what then no longer fits is given back after each use, and read again at
/// the next. The numbers are the same either way.
#[derive(Debug)]
pub struct Store {
    files: Vec<Mapped>,
    most: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    /// File, and where in it a weight begins.
    weights: BTreeSet<(usize, usize)>,
}

impl Store {
    /// Files of which everything may stay.
    pub fn new(files: Vec<Mapped>) -> Arc<Self> {
        Arc::new(Self {
            files,
            most: AtomicU64::new(u64::MAX),
            held: Mutex::default(),
        })
    }

    /// Lets at most `most` bytes stay, besides the weight that is in use.
    pub fn limit(&self, most: u64) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// The bytes of its files.
    pub fn files(&self) -> Vec<&[u8]> {
        self.files.iter().map(|file| &**file).collect()
    }

    /// A matrix `[out, in]` of one of the files; `None` if its rows are no whole blocks, or it is not of these files.
    /// What is in `changes` is added to it.
    pub fn weight(
        self: &Arc<Self>,
        tensor: &WeightsView<'_>,
        shape: [usize; 2],
        changes: Vec<Change>,
    ) -> Option<Stored> {
        let (numbers, _) = tensor.encoding.block();
        let whole = shape[1] > 0
            && shape[1].is_multiple_of(numbers)
            && tensor.shape.iter().product::<usize>() == shape[0] * shape[1];
        let start =
            |file: &Mapped| (tensor.data.as_ptr() as usize).checked_sub(file.as_ptr() as usize);
        let place = self.files.iter().enumerate().find_map(|(index, file)| {
            let bytes = start(file)?..start(file)? + tensor.data.len();
            (bytes.end <= file.len()).then_some((index, bytes))
        });
        let (file, bytes) = place.filter(|_| whole)?;
        Some(Stored {
            store: self.clone(),
            file,
            bytes,
            shape,
            encoding: tensor.encoding,
            scale: tensor.scale,
            changes: changes.into(),
        })
    }

    /// Gives the memory back, for the network rests.
    pub fn rest(&self) {
        let Ok(mut held) = self.held.lock() else {
            return;
        };
        if held.bytes > 0 {
            *held = Held::default();
            for file in &self.files {
                file.release(0..file.len());
            }
        }
    }

    /// Whether a weight may stay after its use.
    fn keeps(&self, file: usize, bytes: &Range<usize>) -> bool {
        let Ok(mut held) = self.held.lock() else {
            return false;
        };
        if held.weights.contains(&(file, bytes.start)) {
            return true;
        }
        let all = held.bytes.saturating_add(bytes.len() as u64);
        let keeps = all <= self.most.load(Ordering::Relaxed);
        if keeps {
            held.bytes = all;
            held.weights.insert((file, bytes.start));
        }
        keeps
    }
}

/// What is added to a matrix `[out, in]` as it is read.
#[derive(Clone, Debug)]
pub enum Change {
    /// `up down`, `up` `[out, rank]` and `down` `[rank, in]` row-major (LoRA, arXiv:2106.09685).
    Product {
        /// The factor of the rows.
        up: Vec<f32>,
        /// The factor of the columns.
        down: Vec<f32>,
        /// Columns of the one and rows of the other.
        rank: usize,
    },
    /// These numbers.
    Whole(Vec<f32>),
}

impl Change {
    /// Adds its rows `rows` to those of a matrix.
    pub fn add(&self, rows: Range<usize>, values: &mut [f32]) {
        let width = values.len() / rows.len().max(1);
        match self {
            Self::Product { up, down, rank } => {
                let up = View::new(&up[rows.start * rank..rows.end * rank], rows.len(), *rank);
                let down = View::new(down, *rank, width);
                multiply(
                    values,
                    width,
                    matmul::Store::Add,
                    1.0,
                    up,
                    down,
                    Threads::All,
                );
            }
            Self::Whole(delta) => {
                let delta = &delta[rows.start * width..rows.end * width];
                values.iter_mut().zip(delta).for_each(|(v, d)| *v += d);
            }
        }
    }
}

/// A matrix `[out, in]` in a file. Cloning shares it.
#[derive(Clone)]
pub struct Stored {
    store: Arc<Store>,
    file: usize,
    /// Where in the file.
    bytes: Range<usize>,
    shape: [usize; 2],
    encoding: Encoding,
    scale: f32,
    changes: Arc<[Change]>,
}

impl Stored {
    /// `[out, in]`.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// How its numbers are kept.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Some of the rows as f32.
    pub fn rows(&self, rows: Range<usize>) -> Vec<f32> {
        let width = self.shape[1];
        let row = self.bytes.len() / self.shape[0].max(1);
        let data = &self.store.files[self.file][self.bytes.clone()];
        let mut values = vec![0.0; rows.len() * width];
        values
            .par_chunks_exact_mut(width)
            .zip(data[rows.start * row..rows.end * row].par_chunks_exact(row))
            .for_each(|(values, data)| {
                self.encoding.decode_into(data, values);
                if self.scale != 1.0 {
                    values.iter_mut().for_each(|value| *value *= self.scale);
                }
            });
        for change in self.changes.iter() {
            change.add(rows.clone(), &mut values);
        }
        values
    }

    /// Whether all its numbers are finite. Reads it once, and lets go of the memory.
    pub fn is_finite(&self) -> bool {
        const AT_ONCE: usize = 256;
        let rows = self.shape[0];
        let finite = (0..rows).step_by(AT_ONCE).all(|first| {
            let values = self.rows(first..rows.min(first + AT_ONCE));
            values.par_iter().all(|value| value.is_finite())
        });
        self.store.files[self.file].release(self.bytes.clone());
        finite
    }

    /// To be called after each use: lets go of the memory, if it may not stay.
    pub(crate) fn used(&self) {
        if !self.store.keeps(self.file, &self.bytes) {
            self.store.files[self.file].release(self.bytes.clone());
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}", self.shape, self.encoding.name())
    }
}
