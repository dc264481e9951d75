//! The folder of a run, and its checkpoints: whole or absent, the last two kept.

use crate::{
    error::TrainError,
    shards::{read_json, write_atomic, write_json},
};
use burn::module::Module;
use kinora_nn::{
    optim::{AdamW, Ema, Moments},
    weights::{self, Dtype},
};
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Checkpoints kept in a run folder.
const KEPT: usize = 2;

/// A run's folder: `run.json`, `log.jsonl`, `checkpoints/`, `sheets/`, `model/`.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

/// Everything that training changes.
pub(crate) struct Training<M> {
    /// The weights.
    pub model: M,
    /// The optimiser with its moments.
    pub adam: AdamW,
    /// The running average of the weights.
    pub average: Ema,
    /// How far it is.
    pub state: State,
}

/// What a checkpoint says besides its tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Steps done.
    pub step: u64,
    /// Seconds of training so far, over all resumptions.
    pub seconds: f64,
}

impl RunFolder {
    /// Names a run folder; makes nothing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("log.jsonl")
    }

    /// Sample and reconstruction sheets, and the loss curve.
    pub fn sheets(&self) -> PathBuf {
        self.root.join("sheets")
    }

    /// The exported model.
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }

    /// Begins a run, or finds the one that is there: writes the configuration, or checks that it is the same.
    pub(crate) fn begin(&self, config: &serde_json::Value, resume: bool) -> Result<(), TrainError> {
        let path = self.root.join("run.json");
        match (path.exists(), resume) {
            (true, false) => Err(TrainError::RunExists(self.root.clone())),
            (false, true) => Err(TrainError::NoCheckpoint(self.root.clone())),
            (true, true) => {
                // As text read back, for a number may lose its last bit on the way through a file.
                let given = serde_json::from_str::<serde_json::Value>(&config.to_string());
                let kept = read_json::<serde_json::Value>("run description", &path)?;
                let same = given.is_ok_and(|given| given == kept);
                let reason = "its configuration differs from the one given".to_string();
                if same {
                    Ok(())
                } else {
                    Err(TrainError::OtherRun { path, reason })
                }
            }
            (false, false) => {
                for folder in [self.checkpoints(), self.sheets()] {
                    std::fs::create_dir_all(&folder).map_err(TrainError::io("make", &folder))?;
                }
                write_json(&path, config)
            }
        }
    }

    fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("{step:08}"))
    }

    /// Steps of the whole checkpoints, oldest first.
    fn steps(&self) -> Result<Vec<u64>, TrainError> {
        let folder = self.checkpoints();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut steps = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(TrainError::io("read", &folder))? {
            let name = entry.map_err(TrainError::io("read", &folder))?.file_name();
            steps.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// Writes a checkpoint in a temporary folder, renames it, and removes all but the last two.
    pub(crate) fn save<M: Module>(&self, training: &Training<M>) -> Result<(), TrainError> {
        let Training {
            model,
            adam,
            average,
            state,
        } = training;
        let whole = self.checkpoint(state.step);
        if whole.exists() {
            return Ok(());
        }
        let part = self.checkpoints().join("part");
        if part.exists() {
            std::fs::remove_dir_all(&part).map_err(TrainError::io("remove", &part))?;
        }
        std::fs::create_dir_all(&part).map_err(TrainError::io("make", &part))?;
        let metadata = BTreeMap::new();
        weights::save(model, &metadata, &part.join(WEIGHTS), Dtype::F32)?;
        weights::save(
            &average.apply(model.valid()),
            &metadata,
            &part.join(AVERAGE),
            Dtype::F32,
        )?;
        write_moments(&part.join(MOMENTS), &adam.moments)?;
        write_json(&part.join(OPTIMISER), &adam.steps)?;
        write_json(&part.join(STATE), state)?;
        std::fs::rename(&part, &whole).map_err(TrainError::io("write", &whole))?;
        let steps = self.steps()?;
        for &old in &steps[..steps.len().saturating_sub(KEPT)] {
            let old = self.checkpoint(old);
            std::fs::remove_dir_all(&old).map_err(TrainError::io("remove", &old))?;
        }
        Ok(())
    }

    /// The newest checkpoint, put into `training`, which was made from a model of the same shape.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`] if there is none, [`TrainError::Weights`] if it is damaged or another model's.
    pub(crate) fn restore<M: Module>(
        &self,
        training: Training<M>,
    ) -> Result<Training<M>, TrainError> {
        let path = self.newest()?;
        let mut adam = training.adam;
        let average = Ema::new(&weights::load_file(
            training.model.valid(),
            &path.join(AVERAGE),
        )?);
        let model = weights::load_file(training.model, &path.join(WEIGHTS))?;
        adam.moments = read_moments(&path.join(MOMENTS))?;
        adam.steps = read_json("step count", &path.join(OPTIMISER))?;
        Ok(Training {
            model,
            adam,
            average,
            state: read_json("training state", &path.join(STATE))?,
        })
    }

    /// The averaged weights of the newest checkpoint, put into `model`, and its step.
    ///
    /// # Errors
    /// As a resumed run.
    pub fn newest_average<M: Module>(&self, model: M) -> Result<(M, u64), TrainError> {
        let path = self.newest()?;
        let state: State = read_json("training state", &path.join(STATE))?;
        Ok((weights::load_file(model, &path.join(AVERAGE))?, state.step))
    }

    fn newest(&self) -> Result<PathBuf, TrainError> {
        let steps = self.steps()?;
        let step = steps
            .last()
            .ok_or_else(|| TrainError::NoCheckpoint(self.root.clone()))?;
        Ok(self.checkpoint(*step))
    }
}

const WEIGHTS: &str = "weights.safetensors";
const AVERAGE: &str = "average.safetensors";
const MOMENTS: &str = "moments.safetensors";
const OPTIMISER: &str = "optimiser.json";
const STATE: &str = "state.json";
/// Prefixes of the tensors of [`MOMENTS`].
const MEAN: &str = "mean.";
const SQUARE: &str = "square.";

fn write_moments(path: &Path, moments: &BTreeMap<String, Moments>) -> Result<(), TrainError> {
    let tensors = moments.iter().flat_map(|(name, moments)| {
        [(MEAN, &moments.mean), (SQUARE, &moments.square)].map(|(part, values)| {
            let bytes = bytemuck::cast_slice(values);
            let view = TensorView::new(safetensors::Dtype::F32, vec![values.len()], bytes);
            (
                format!("{part}{name}"),
                view.expect("the shape is the number of values"),
            )
        })
    });
    let bytes = safetensors::serialize(tensors, None)
        .map_err(TrainError::malformed("set of moments", path))?;
    write_atomic(path, &bytes)
}

fn read_moments(path: &Path) -> Result<BTreeMap<String, Moments>, TrainError> {
    let bytes = std::fs::read(path).map_err(TrainError::io("read", path))?;
    let file = weights::read(&bytes)?;
    let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
    for (name, view) in &file.tensors {
        let wrong =
            || TrainError::malformed("set of moments", path)(format!("{name} is not a moment"));
        if let Some(name) = name.strip_prefix(MEAN) {
            moments.entry(name.to_string()).or_default().mean = view.to_f32();
        } else {
            let name = name.strip_prefix(SQUARE).ok_or_else(wrong)?;
            moments.entry(name.to_string()).or_default().square = view.to_f32();
        }
    }
    Ok(moments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        module::Param,
        tensor::{Device, Tensor},
    };
    use kinora_nn::optim::AdamWConfig;

    #[derive(Module, Debug)]
    struct Line {
        weight: Param<Tensor<1>>,
    }

    fn training(weight: [f32; 3], step: u64) -> Training<Line> {
        let model = Line {
            weight: Param::from_data(weight, &Device::flex().autodiff()),
        };
        let mut adam = AdamW::new(AdamWConfig {
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
        });
        adam.steps = step as u32;
        let moments = Moments {
            mean: vec![step as f32; 3],
            square: vec![0.25; 3],
        };
        adam.moments.insert("weight".to_string(), moments);
        let average = Ema::new(&model);
        Training {
            model,
            adam,
            average,
            state: State { step, seconds: 0.5 },
        }
    }

    #[test]
    fn keeps_two_restores_the_newest_and_refuses_another_run() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path());
        let config = serde_json::json!({"seed": 1});
        assert!(matches!(
            run.begin(&config, true),
            Err(TrainError::NoCheckpoint(_))
        ));
        run.begin(&config, false).unwrap();
        assert!(matches!(
            run.begin(&config, false),
            Err(TrainError::RunExists(_))
        ));
        assert!(matches!(
            run.begin(&serde_json::json!({"seed": 2}), true),
            Err(TrainError::OtherRun { .. })
        ));
        for step in 1..4 {
            run.save(&training([1.0, 2.0, step as f32], step)).unwrap();
        }
        std::fs::create_dir(run.checkpoints().join("part")).unwrap();
        assert_eq!(run.steps().unwrap(), [2, 3]);
        let restored = run.restore(training([0.0; 3], 0)).unwrap();
        let kept = training([1.0, 2.0, 3.0], 3);
        assert_eq!((restored.state, restored.adam.steps), (kept.state, 3));
        assert_eq!(restored.adam.moments, kept.adam.moments);
        assert_eq!(restored.average, kept.average);
        assert_eq!(
            restored.model.weight.val().into_data(),
            kept.model.weight.val().into_data()
        );
        assert!(restored.model.weight.val().is_require_grad());
    }
}
