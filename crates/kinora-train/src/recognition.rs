//! Training of the recogniser on rendered clips, and the judge that it becomes together with clips of known geometry.

use crate::{
    RunFolder, TrainError,
    attributes::Attribute,
    clips::{ClipCache, Clips},
    config::{Bucket, Gaze, RecogniserTraining, Split},
    copies,
    known::Known,
    motion::motion,
    order::{Batch, Order, Source},
    pixels::floats,
    places::Targets,
    portrait::Sitter,
    profile::Profile,
    random::{Purpose, generator},
    recogniser::{self, Recogniser, batch, pictures},
    run::{Loss, Part, Task},
    shards::{read_json, write_atomic},
};
use burn::tensor::{Device, Tensor};
use kinora_engine::Model;
use kinora_nn::{
    Init, Precision,
    weights::{self, Dtype},
};
use kinora_stage::{CameraMove, Scene, ShotSize};
use rand::Rng;
use rayon::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, path::Path};

/// File names in a judge's folder.
const WEIGHTS: &str = "recogniser.safetensors";
const MOVES: &str = "moves.json";
const SIZES: &str = "sizes.json";

/// What a single frame shows: all but the camera's move. What is done and how two stand to each other can mostly be told
/// from a pose and a place too, and there are many more single frames than clips.
const STILL: [Attribute; 12] = [
    Attribute::Subject,
    Attribute::Count,
    Attribute::Colour,
    Attribute::Setting,
    Attribute::Action,
    Attribute::Relation,
    Attribute::Light,
    Attribute::Look,
    Attribute::Weather,
    Attribute::Emotion,
    Attribute::ShotSize,
    Attribute::Angle,
];

/// Trains the recogniser.
pub struct RecogniserTask {
    config: RecogniserTraining,
    clips: ClipCache,
    order: Order,
    copied: Model,
    device: Device,
}

impl RecogniserTask {
    /// Prepares the task over rendered clips.
    ///
    /// # Errors
    /// When a batch names no bucket or one of another size than the recogniser's, or no bucket has clips to learn camera
    /// moves from, or there is no model to copy by.
    pub fn new(config: RecogniserTraining, clips: ClipCache) -> Result<Self, TrainError> {
        let mut sources = Vec::new();
        for batch in &config.batches {
            let clips = clips.bucket(&batch.bucket)?;
            if batch.batch == 0 {
                return Err(TrainError::Config(format!(
                    "{batch:?}: a batch has at least 1 sample"
                )));
            }
            let (width, height) = (clips.bucket.width, clips.bucket.height);
            if (width, height) != (recogniser::WIDTH, recogniser::HEIGHT) {
                return Err(TrainError::Config(format!(
                    "{batch:?}: the recogniser learns from pictures of {}x{}, not {width}x{height}",
                    recogniser::WIDTH,
                    recogniser::HEIGHT
                )));
            }
            if !config.training.fills(batch.batch) {
                return Err(TrainError::Config(format!(
                    "{batch:?}: a batch has at least 1 sample for each of training.parts"
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
        if !(0.0..=1.0).contains(&config.copies) {
            return Err(TrainError::Config(format!(
                "copies is a share from 0 to 1, not {}",
                config.copies
            )));
        }
        let order = Order::new(config.seed, sources);
        Ok(Self {
            copied: copies::open(&config.copies_of)?,
            config,
            clips,
            order,
            device: Device::flex().autodiff(),
        })
    }

    /// The network with fresh weights, or with those that training starts from.
    ///
    /// # Errors
    /// When these can't be read.
    pub fn fresh(&self) -> Result<Recogniser, TrainError> {
        let mut init = Init::new(self.config.seed, &self.device).with_precision(Precision::Bf16);
        let fresh = Recogniser::new(&mut init);
        match &self.config.start {
            Some(folder) => Ok(weights::load_file(fresh, &folder.join(WEIGHTS))?),
            None => Ok(fresh),
        }
    }
}

impl RecogniserTask {
    /// The loss of saying who is where and of naming what the whole pictures show.
    fn whole_loss(
        &self,
        model: &Recogniser,
        clips: &Clips,
        records: &[u64],
        pictures: Vec<Vec<f32>>,
        owners: &[Vec<u8>],
    ) -> Tensor<1> {
        let mut places = Targets::default();
        for (&clip, owners) in records.iter().zip(owners) {
            let scene = &clips.label(clip).scene;
            owners
                .iter()
                .for_each(|&owner| places.position(scene, &[owner]));
        }
        let classes: Vec<Vec<usize>> = records
            .iter()
            .map(|&clip| classes(&clips.label(clip).scene))
            .collect();
        let which = if clips.bucket.frames == 1 {
            STILL.as_slice()
        } else {
            Attribute::ALL.as_slice()
        };
        let pictures = batch(pictures, &self.device);
        model.loss(pictures, places, &owners.concat(), &classes, which)
    }

    /// The loss of naming each actor from a portrait, cut a little wider or narrower and beside the centre.
    fn actors_loss(
        &self,
        model: &Recogniser,
        clips: &Clips,
        records: &[u64],
        pictures: &[Vec<f32>],
        owners: &[Vec<u8>],
        [seed, step]: [u64; 2],
    ) -> Tensor<1> {
        let portraits = records.par_iter().zip(pictures).zip(owners).enumerate();
        let found: Vec<(Sitter, Vec<usize>)> = portraits
            .flat_map_iter(|(place, ((&clip, picture), owners))| {
                let mut rng = generator(seed, Purpose::Crop, step << 10 | place as u64);
                let scene = clips.label(clip).scene.clone();
                (0..scene.cast.len()).filter_map(move |actor| {
                    let zoom = rng.random_range(0.85..1.35);
                    let shift = [rng.random_range(-0.1..0.1), rng.random_range(-0.1..0.1)];
                    let shows = |cell: usize| usize::from(owners[cell]) == actor + 1;
                    let sitter = Sitter::new(picture, shows, zoom, shift)?;
                    let mut scene = scene.clone();
                    scene.cast.swap(0, actor);
                    Some((sitter, classes(&scene)))
                })
            })
            .collect();
        if found.is_empty() {
            return Tensor::zeros([1], &self.device);
        }
        let (sitters, classes): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        model.portrait_loss(&sitters, &classes, &self.device)
    }
}

impl Task for RecogniserTask {
    type Model = Recogniser;

    type Batch = Batch;

    fn batch(&mut self, step: u64) -> Batch {
        self.order.at(step)
    }

    fn loss(
        &self,
        model: &Recogniser,
        chosen: &Batch,
        step: u64,
        part: Part,
    ) -> Result<Loss, TrainError> {
        let kind = &self.config.batches[chosen.source];
        let clips = self.clips.bucket(&kind.bucket)?;
        let records = &chosen.records[part.range(chosen.records.len())];
        let records: Vec<u64> = records.iter().map(|(record, _)| *record).collect();
        let samples = records.par_iter().enumerate();
        let pictures: Vec<Vec<f32>> = samples
            .map(|(place, &clip)| {
                let sample = part.index_at(step) << 10 | place as u64;
                let mut rng = generator(self.config.seed, Purpose::Copies, sample);
                match rng.random_bool(self.config.copies) {
                    true => look_at_copy(clips, clip, &self.copied),
                    false => look_at(clips, clip),
                }
            })
            .collect::<Result<_, _>>()?;
        let owners: Vec<Vec<u8>> = records
            .iter()
            .map(|&clip| owners(clips, clip))
            .collect::<Result<_, _>>()?;
        let (name, loss) = match kind.gaze {
            Gaze::Whole => (
                "whole",
                self.whole_loss(model, clips, &records, pictures, &owners),
            ),
            Gaze::Actors => {
                let seed = [self.config.seed, part.index_at(step)];
                (
                    "actors",
                    self.actors_loss(model, clips, &records, &pictures, &owners, seed),
                )
            }
        };
        let value = floats(loss.clone())[0];
        Ok(Loss {
            value,
            backward: loss,
            parts: BTreeMap::from([(name.to_string(), value)]),
            samples: records.len(),
        })
    }

    fn observe(&mut self, model: &Recogniser, _: u64, _: &RunFolder) -> Result<String, TrainError> {
        let held_out = self
            .clips
            .split(Split::HeldOut)
            .filter(|clips| clips.bucket.frames > 1);
        let mut right = vec![[0; 2]; Attribute::ALL.len()];
        let mut count = 0;
        for clips in held_out {
            for clip in 0..clips.len().min(self.config.observe_clips - count) {
                let wanted = classes(&clips.label(clip).scene);
                let looks = [
                    look_at(clips, clip)?,
                    look_at_copy(clips, clip, &self.copied)?,
                ];
                for (kind, look) in looks.into_iter().enumerate() {
                    let named = model.look(look).classes;
                    for (right, (named, wanted)) in right.iter_mut().zip(named.iter().zip(&wanted))
                    {
                        right[kind] += usize::from(named == wanted);
                    }
                }
                count += 1;
            }
        }
        let share = |(attribute, right): (&Attribute, [usize; 2])| {
            let [render, copy] = right.map(|hits| 100.0 * hits as f64 / count.max(1) as f64);
            format!("{} {render:.0} and {copy:.0} %", attribute.name())
        };
        let shares: Vec<String> = Attribute::ALL.iter().zip(right).map(share).collect();
        Ok(format!(
            "on {count} held-out clips and their copies: {}",
            shares.join(", ")
        ))
    }

    fn export(&self, model: &Recogniser, folder: &Path) -> Result<(), TrainError> {
        std::fs::create_dir_all(folder).map_err(TrainError::io("make", folder))?;
        let clips = self.clips.bucket(&self.config.moves_bucket)?;
        let examples = (0..clips.len().min(self.config.moves_clips))
            .into_par_iter()
            .map(|clip| {
                let frames = clips.frames(clip, 0..clips.bucket.frames)?;
                let shot = clips.label(clip).scene.shot;
                let motion = motion(&frames, clips.bucket.width, clips.bucket.height);
                let extent = model.look(look_at(clips, clip)?).extent;
                Ok(((shot.camera_move, motion), (shot.size, extent)))
            })
            .collect::<Result<Vec<_>, TrainError>>()?;
        let (moves, sizes): (Vec<_>, Vec<_>) = examples.into_iter().unzip();
        write_known(&Known::new(&moves), &folder.join(MOVES))?;
        write_known(&Known::new(&sizes), &folder.join(SIZES))?;
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

fn write_known<T: Serialize>(known: &Known<T>, path: &Path) -> Result<(), TrainError> {
    let json = serde_json::to_vec(known).map_err(TrainError::malformed("JSON value", path))?;
    write_atomic(path, &json)
}

/// The pictures of a cached clip; only the frames that they show are read.
fn look_at(clips: &Clips, clip: u64) -> Result<Vec<f32>, TrainError> {
    let bucket = &clips.bucket;
    let frames = recogniser::frames(bucket.frames)
        .map(|frame| clips.frames(clip, frame..frame + 1))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(pictures(&frames.concat(), bucket.width, bucket.height))
}

/// The pictures of a cached clip's copy.
fn look_at_copy(clips: &Clips, clip: u64, model: &Model) -> Result<Vec<f32>, TrainError> {
    let Bucket {
        width,
        height,
        frames,
        ..
    } = clips.bucket;
    let copy = copies::copy(model, &clips.frames(clip, 0..frames)?, width, height);
    Ok(pictures(&copy, width, height))
}

/// Who shows in each cell of the frames that are looked at, one frame after the other.
fn owners(clips: &Clips, clip: u64) -> Result<Vec<u8>, TrainError> {
    let frames = recogniser::frames(clips.bucket.frames)
        .map(|frame| clips.owners(clip, frame..frame + 1))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(frames.concat())
}

/// A scene's class for each of [`Attribute::ALL`].
pub(crate) fn classes(scene: &Scene) -> Vec<usize> {
    Attribute::ALL
        .iter()
        .map(|attribute| attribute.of(scene))
        .collect()
}

/// Names what a clip shows: camera move and shot size by geometry, the rest by the recogniser.
pub struct Judge {
    recogniser: Recogniser,
    moves: Known<CameraMove>,
    sizes: Known<ShotSize>,
}

impl Judge {
    /// Reads a judge that `kinora train recogniser` wrote.
    ///
    /// # Errors
    /// When the folder holds no judge, or a file is missing or damaged.
    pub fn load(folder: &Path) -> Result<Self, TrainError> {
        if !folder.join(WEIGHTS).is_file() {
            return Err(TrainError::Config(format!(
                "{} holds no recogniser; train one with `kinora train recogniser`, or name the folder of one",
                folder.display()
            )));
        }
        let fresh = Recogniser::new(&mut Init::zeros(&Device::flex()));
        Ok(Self {
            recogniser: weights::load_file(fresh, &folder.join(WEIGHTS))?,
            moves: read_json("list of known moves", &folder.join(MOVES))?,
            sizes: read_json("list of known shot sizes", &folder.join(SIZES))?,
        })
    }

    /// The judge that the program carries.
    ///
    /// # Errors
    /// Never for the judge as it is shipped.
    pub fn built_in() -> Result<Self, TrainError> {
        macro_rules! shipped {
            ($name:literal) => {
                include_bytes!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../../models/recogniser/",
                    $name
                ))
                .as_slice()
            };
        }
        fn known<T: DeserializeOwned>(name: &str, json: &[u8]) -> Result<Known<T>, TrainError> {
            serde_json::from_slice(json).map_err(TrainError::malformed("list", Path::new(name)))
        }
        let fresh = Recogniser::new(&mut Init::zeros(&Device::flex()));
        Ok(Self {
            recogniser: weights::load(fresh, shipped!("recogniser.safetensors"))?,
            moves: known(MOVES, shipped!("moves.json"))?,
            sizes: known(SIZES, shipped!("sizes.json"))?,
        })
    }

    /// What the recogniser makes of a clip of RGB8 frames.
    pub fn profile(&self, frames: &[u8], width: usize, height: usize) -> Profile {
        let sight = self.recogniser.look(pictures(frames, width, height));
        Profile::new(sight.shares)
    }

    /// The class of each of [`Attribute::ALL`] in a clip of RGB8 frames.
    pub fn name(&self, frames: &[u8], width: usize, height: usize) -> Vec<usize> {
        let sight = self.recogniser.look(pictures(frames, width, height));
        let by_geometry = |attribute| match attribute {
            Attribute::CameraMove => {
                let known = self.moves.classify(&motion(frames, width, height));
                known.map(|known| known as usize)
            }
            Attribute::ShotSize => {
                let known = self.sizes.classify(&sight.extent);
                known.map(|known| known as usize)
            }
            _ => None,
        };
        let attributes = sight.classes.iter().zip(Attribute::ALL);
        attributes
            .map(|(&class, attribute)| by_geometry(attribute).unwrap_or(class))
            .collect()
    }
}
