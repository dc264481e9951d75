//! Clips of the film stage on disk: raw frames and the scenes they show, rendered once and read by all training.

use crate::{
    config::{Bucket, CELL, DataConfig, Split},
    error::TrainError,
    random::{Purpose, generator},
    run::Event,
    shards::{SHARD, Shards},
};
use kinora_stage::{Format, Scene, render_range_with_truth};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::{
    ops::Range,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// All clips of a data configuration.
#[derive(Clone, Debug)]
pub struct ClipCache {
    buckets: Vec<Clips>,
}

/// Clips of one format.
#[derive(Clone, Debug)]
pub struct Clips {
    /// The format, and how many there are.
    pub bucket: Bucket,
    shards: Shards,
    labels: Vec<Label>,
}

/// What is kept of a clip besides its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The scene.
    pub scene: Scene,
}

impl ClipCache {
    /// Opens the cache and renders what is missing, on all cores. Stops early, with what is done kept, when `stop` is
    /// set.
    ///
    /// # Errors
    /// When the folder can't be written, holds clips of another configuration, or rendering was stopped.
    pub fn fill(
        config: &DataConfig,
        stop: &AtomicBool,
        report: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let mut buckets = Vec::with_capacity(config.buckets.len());
        for bucket in &config.buckets {
            buckets.push(Clips::fill(bucket, &config.folder, stop, report)?);
        }
        Ok(Self { buckets })
    }

    /// The clips of a bucket.
    ///
    /// # Errors
    /// [`TrainError::Config`] if there is no bucket of that name.
    pub fn bucket(&self, name: &str) -> Result<&Clips, TrainError> {
        let known = || {
            self.buckets
                .iter()
                .map(|clips| clips.bucket.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let found = self.buckets.iter().find(|clips| clips.bucket.name == name);
        found.ok_or_else(|| {
            TrainError::Config(format!(
                "there is no bucket {name:?} in the data; there are: {}",
                known()
            ))
        })
    }

    /// All buckets of a split.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &Clips> {
        self.buckets
            .iter()
            .filter(move |clips| clips.bucket.split == split)
    }
}

impl Clips {
    fn fill(
        bucket: &Bucket,
        folder: &Path,
        stop: &AtomicBool,
        report: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let shards = Shards::open(
            &folder.join(&bucket.name),
            bucket.bytes() as u64,
            bucket.recipe(),
        )?;
        let missing = shards.missing(bucket.count);
        for (done, &shard) in missing.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Err(TrainError::Stopped);
            }
            let labels: Vec<Label> = Shards::range(shard)
                .map(|index| label(bucket, index))
                .collect();
            let records: Vec<Vec<u8>> = labels
                .par_iter()
                .enumerate()
                .map(|(place, label)| film(bucket, shard * SHARD + place as u64, &label.scene))
                .collect::<Result<_, _>>()?;
            shards.write(shard, &records.concat(), &labels)?;
            if (done + 1) % 8 == 0 || done + 1 == missing.len() {
                report(Event::Note(format!(
                    "{}: {} of {} shards rendered",
                    bucket.name,
                    done + 1,
                    missing.len()
                )));
            }
        }
        let labels = shards.labels(bucket.count.next_multiple_of(SHARD))?;
        Ok(Self {
            bucket: bucket.clone(),
            shards,
            labels,
        })
    }

    /// Number of clips.
    pub fn len(&self) -> u64 {
        self.bucket.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bucket.count == 0
    }

    /// What a clip shows; also of those past the end that fill the last shard.
    pub fn label(&self, clip: u64) -> &Label {
        &self.labels[clip as usize]
    }

    /// The frame of its whole clip that a clip begins with.
    pub(crate) fn first_frame(&self, clip: u64) -> u32 {
        first_frame(&self.bucket, clip)
    }

    /// Frames of a clip, RGB8, one after the other.
    pub fn frames(&self, clip: u64, frames: Range<usize>) -> Result<Vec<u8>, TrainError> {
        let size = self.bucket.frame_bytes();
        self.shards.read(
            clip,
            (frames.start * size) as u64..(frames.end * size) as u64,
        )
    }

    /// Who shows in each cell of 8 x 8 pixels, `[frames, H / 8, W / 8]`: the actor's index plus one, 0 for none.
    pub(crate) fn owners(&self, clip: u64, frames: Range<usize>) -> Result<Vec<u8>, TrainError> {
        let pixels = self.bucket.frames * self.bucket.frame_bytes();
        let size = self.bucket.frame_cells();
        self.shards.read(
            clip,
            (pixels + frames.start * size) as u64..(pixels + frames.end * size) as u64,
        )
    }
}

fn label(bucket: &Bucket, index: u64) -> Label {
    let seed = generator(bucket.seed, Purpose::Scene, index).random();
    let scene = match bucket.split {
        Split::Training => Scene::sample_training(seed),
        Split::Portraits => Scene::sample_portrait(seed),
        Split::HeldOut => Scene::sample_held_out(seed),
        Split::All => Scene::sample(seed),
    };
    Label { scene }
}

/// Where in its whole clip a record begins, chosen by its index.
fn first_frame(bucket: &Bucket, index: u64) -> u32 {
    let mut rng = generator(bucket.seed, Purpose::Crop, index);
    rng.random_range(0..=bucket.of - bucket.frames) as u32
}

/// The pixels and cells of a clip, or of the part of it that the bucket keeps, from a frame chosen by the index.
fn film(bucket: &Bucket, index: u64, scene: &Scene) -> Result<Vec<u8>, TrainError> {
    let format = Format {
        width: bucket.width as u32,
        height: bucket.height as u32,
        frames: bucket.of as u32,
        fps: bucket.fps,
    };
    let start = first_frame(bucket, index);
    let range = start..start + bucket.frames as u32;
    let (render, truth) = render_range_with_truth(scene, format, range)?;
    let cells = truth
        .frames
        .iter()
        .flat_map(|frame| cells(&frame.owners, bucket.width));
    Ok(render.frames.into_iter().chain(cells).collect())
}

/// The actor that shows most in each cell of a frame, if in at least a quarter of it.
fn cells(owners: &[u8], width: usize) -> impl Iterator<Item = u8> {
    let height = owners.len() / width;
    let cell = move |x: usize, y: usize| {
        let mut pixels = [0; 5];
        for row in y * CELL..(y + 1) * CELL {
            for &owner in &owners[row * width + x * CELL..][..CELL] {
                pixels[usize::from(owner).min(4)] += 1;
            }
        }
        let most = (1..5).max_by_key(|&owner| pixels[owner]).unwrap_or(0);
        if 4 * pixels[most] >= CELL * CELL {
            most as u8
        } else {
            0
        }
    };
    (0..height / CELL).flat_map(move |y| (0..width / CELL).map(move |x| cell(x, y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_belongs_to_who_fills_a_quarter_of_it() {
        // Two cells side by side: 16 pixels of actor 2 among others, then 15 of actor 1.
        let mut owners = vec![0; 2 * CELL * CELL];
        for (pixel, owner) in owners.iter_mut().enumerate() {
            let (x, y) = (pixel % (2 * CELL), pixel / (2 * CELL));
            *owner = match x {
                0..8 if y < 2 => 2,
                0..8 if y < 3 => 1,
                8..16 if y * CELL + x - CELL < 15 => 1,
                _ => 0,
            };
        }
        assert_eq!(cells(&owners, 2 * CELL).collect::<Vec<_>>(), [2, 0]);
    }
}
