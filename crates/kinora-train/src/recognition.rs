//! Training of the recogniser on rendered clips, and the judge that it becomes together with the known camera moves.

use crate::{
    RunFolder, TrainError,
    attributes::Attribute,
    clips::{ClipCache, Clips},
    config::{RecogniserTraining, Split},
    motion::{KnownMoves, motion},
    order::{Order, Source},
    pixels::floats,
    recogniser::{Recogniser, batch, picture},
    run::{Loss, Task},
    shards::{read_json, write_atomic},
};
use burn::tensor::Device;
use kinora_nn::{
    Init, Precision,
    weights::{self, Dtype},
};
use rayon::prelude::*;
use std::{collections::BTreeMap, path::Path};

/// File names in a judge's folder.
const WEIGHTS: &str = "recogniser.safetensors";
const MOVES: &str = "moves.json";

/// What a single frame shows.
const STILL: [Attribute; 9] = [
    Attribute::Subject,
    Attribute::Count,
    Attribute::Colour,
    Attribute::Setting,
    Attribute::Light,
    Attribute::Look,
    Attribute::Weather,
    Attribute::ShotSize,
    Attribute::Angle,
];

/// Trains the recogniser.
pub struct RecogniserTask {
    config: RecogniserTraining,
    clips: ClipCache,
    order: Order,
    device: Device,
}

impl RecogniserTask {
    /// Prepares the task over rendered clips.
    ///
    /// # Errors
    /// When a batch names no bucket, or none has clips to learn camera moves from.
    pub fn new(config: RecogniserTraining, clips: ClipCache) -> Result<Self, TrainError> {
        let mut sources = Vec::new();
        for batch in &config.batches {
            let clips = clips.bucket(&batch.bucket)?;
            if batch.batch == 0 {
                return Err(TrainError::Config(format!(
                    "{batch:?}: a batch has at least 1 sample"
                )));
            }
            sources.push(Source {
                weight: batch.weight,
                batch: batch.batch,
                records: clips.len(),
            });
        }
        if sources.is_empty() || clips.bucket(&config.moves_bucket)?.bucket.frames == 1 {
            return Err(TrainError::Config(
                "the recogniser needs batches, and moves_bucket must hold clips".into(),
            ));
        }
        let order = Order::new(config.seed, sources);
        Ok(Self {
            config,
            clips,
            order,
            device: Device::flex().autodiff(),
        })
    }

    /// The network with fresh weights.
    pub fn fresh(&self) -> Recogniser {
        Recogniser::new(
            &mut Init::new(self.config.seed, &self.device).with_precision(Precision::Bf16),
        )
    }
}

impl Task for RecogniserTask {
    type Model = Recogniser;

    fn loss(&mut self, model: &Recogniser, step: u64) -> Result<Loss, TrainError> {
        let chosen = self.order.at(step);
        let clips = self
            .clips
            .bucket(&self.config.batches[chosen.source].bucket)?;
        let records: Vec<u64> = chosen.records.iter().map(|(record, _)| *record).collect();
        let pictures: Vec<Vec<f32>> = records
            .par_iter()
            .map(|&clip| look_at(clips, clip))
            .collect::<Result<_, _>>()?;
        let classes: Vec<Vec<usize>> = records.iter().map(|&clip| classes(clips, clip)).collect();
        let which = if clips.bucket.frames == 1 {
            STILL.as_slice()
        } else {
            Attribute::ALL.as_slice()
        };
        let loss = model.loss(batch(&pictures, &self.device), &classes, which);
        Ok(Loss {
            value: floats(loss.clone())[0],
            backward: loss,
            parts: BTreeMap::new(),
            samples: records.len(),
        })
    }

    fn observe(&mut self, model: &Recogniser, _: u64, _: &RunFolder) -> Result<String, TrainError> {
        let held_out = self
            .clips
            .split(Split::HeldOut)
            .filter(|clips| clips.bucket.frames > 1);
        let mut right = vec![0; Attribute::ALL.len()];
        let mut count = 0;
        for clips in held_out {
            for clip in 0..clips.len().min(self.config.observe_clips - count) {
                let named = model.name(&[look_at(clips, clip)?]).remove(0);
                let hits = named
                    .iter()
                    .zip(classes(clips, clip))
                    .map(|(named, class)| usize::from(*named == class));
                right
                    .iter_mut()
                    .zip(hits)
                    .for_each(|(right, hit)| *right += hit);
                count += 1;
            }
        }
        let share = |(attribute, right): (&Attribute, usize)| {
            format!(
                "{} {:.0} %",
                attribute.name(),
                100.0 * right as f64 / count.max(1) as f64
            )
        };
        let shares: Vec<String> = Attribute::ALL.iter().zip(right).map(share).collect();
        Ok(format!("on {count} held-out clips: {}", shares.join(", ")))
    }

    fn export(&self, model: &Recogniser, folder: &Path) -> Result<(), TrainError> {
        std::fs::create_dir_all(folder).map_err(TrainError::io("make", folder))?;
        let clips = self.clips.bucket(&self.config.moves_bucket)?;
        let examples = (0..clips.len().min(self.config.moves_clips))
            .into_par_iter()
            .map(|clip| {
                let frames = clips.frames(clip, 0..clips.bucket.frames)?;
                let known = clips.label(clip).scene.shot.camera_move;
                Ok((
                    known,
                    motion(&frames, clips.bucket.width, clips.bucket.height),
                ))
            })
            .collect::<Result<Vec<_>, TrainError>>()?;
        let path = folder.join(MOVES);
        let moves = serde_json::to_vec(&KnownMoves::new(&examples))
            .map_err(TrainError::malformed("JSON value", &path))?;
        write_atomic(&path, &moves)?;
        let about = [
            ("part", "recogniser"),
            ("license", "Apache-2.0"),
            (
                "training",
                "trained from scratch on renders of Kinora's own film stage, no other data",
            ),
        ];
        let about = about
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .into();
        Ok(weights::save(
            model,
            &about,
            &folder.join(WEIGHTS),
            Dtype::F16,
        )?)
    }
}

/// The picture of a cached clip; only the frames that it shows are read.
fn look_at(clips: &Clips, clip: u64) -> Result<Vec<f32>, TrainError> {
    let bucket = &clips.bucket;
    let frames = crate::recogniser::frames(bucket.frames)
        .map(|frame| clips.frames(clip, frame..frame + 1))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(picture(&frames.concat(), bucket.width, bucket.height))
}

fn classes(clips: &Clips, clip: u64) -> Vec<usize> {
    Attribute::ALL
        .iter()
        .map(|attribute| attribute.of(&clips.label(clip).scene))
        .collect()
}

/// Names what a clip shows: the camera move by geometry, the rest by the recogniser.
pub struct Judge {
    recogniser: Recogniser,
    moves: KnownMoves,
}

impl Judge {
    /// Reads a judge that `kinora train recogniser` wrote.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn load(folder: &Path) -> Result<Self, TrainError> {
        let fresh = Recogniser::new(&mut Init::zeros(&Device::flex()));
        Ok(Self {
            recogniser: weights::load_file(fresh, &folder.join(WEIGHTS))?,
            moves: read_json("list of known moves", &folder.join(MOVES))?,
        })
    }

    /// The class of each of [`Attribute::ALL`] in a clip of RGB8 frames.
    pub fn name(&self, frames: &[u8], width: usize, height: usize) -> Vec<usize> {
        let mut named = self
            .recogniser
            .name(&[picture(frames, width, height)])
            .remove(0);
        for (class, attribute) in named.iter_mut().zip(Attribute::ALL) {
            if attribute == Attribute::CameraMove {
                *class = self.moves.classify(&motion(frames, width, height)) as usize;
            }
        }
        named
    }
}
