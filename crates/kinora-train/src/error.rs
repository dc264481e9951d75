//! What can go wrong in training and evaluation.

use std::path::{Path, PathBuf};

/// An error of the training crate. The message says what happened, to what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file or folder could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "read".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{} is not a valid {what}: {reason}", path.display())]
    Malformed {
        /// What the file should be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting contradicts another or is out of range.
    #[error("{0}")]
    Config(String),
    /// A cache was made by other settings than those asked for.
    #[error("the cache in {} was made with other settings; remove the folder or name another one", .0.display())]
    OtherCache(PathBuf),
    /// A run folder already holds a run.
    #[error("{} already holds a run; add --resume to go on with it, or name another folder", .0.display())]
    RunExists(PathBuf),
    /// The work was stopped from outside; what was done is kept.
    #[error("stopped; what was done is kept, run the same command to go on")]
    Stopped,
    /// There is nothing to resume or export.
    #[error("{} holds no checkpoint yet; start the run without --resume", .0.display())]
    NoCheckpoint(PathBuf),
    /// A checkpoint was made by another configuration.
    #[error("the checkpoint in {} does not fit this configuration: {reason}", path.display())]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// The difference.
        reason: String,
    },
    /// The loss or the gradient is no longer a number.
    #[error(
        "training diverged at step {step}: the {what} is not finite; lower the learning rate and resume from the last checkpoint"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// Loss or gradient norm.
        what: &'static str,
    },
    /// The renderer refused a scene.
    #[error(transparent)]
    Stage(#[from] kinora_stage::StageError),
    /// A picture or a clip could not be written.
    #[error(transparent)]
    Media(#[from] kinora_media::MediaError),
    /// A clip could not be painted.
    #[error(transparent)]
    Engine(#[from] kinora_engine::EngineError),
    /// Weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] kinora_nn::weights::WeightsError),
}

impl TrainError {
    /// An I/O error with its path; for `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    /// A file that holds something else; for `map_err`.
    pub(crate) fn malformed<E: std::fmt::Display>(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |reason| Self::Malformed {
            what,
            path,
            reason: reason.to_string(),
        }
    }
}
