//! What can go wrong on the way to a clip, and whose fault it is.

use crate::{
    ConditioningError, ConvertError, LatentsError, LoadError, OpenError, PlanError, RecipeError,
};
use kinora_media::MediaError;
use kinora_nn::weights::WeightsError;
use std::io;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The request can't be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There is no such model.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The model's files are damaged.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The recipe can't be followed.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Latents can't be read or written.
    #[error(transparent)]
    Latents(#[from] LatentsError),
    /// What is given is not of the clip.
    #[error(transparent)]
    Conditioning(#[from] ConditioningError),
    /// The clip can't be made or written.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Weights can't be converted.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// The networks gave infinities.
    #[error(
        "the model gave numbers that are not finite: its weights are damaged, or the guidance is too strong"
    )]
    NotFinite,
    /// Somebody stopped the work.
    #[error("stopped")]
    Cancelled,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request's or a given file's.
    Input,
    /// The machine's: a full disk, say.
    Machine,
    /// Nobody's: it was asked to stop.
    Stop,
}

impl EngineError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        let machine = match self {
            Self::Cancelled | Self::Convert(ConvertError::Write(WeightsError::Stopped)) => {
                return Fault::Stop;
            }
            Self::Open(OpenError::Read { source, .. } | OpenError::Lora { source, .. })
            | Self::Load(LoadError::Open(OpenError::Read { source, .. }))
            | Self::Convert(ConvertError::Open(OpenError::Read { source, .. }))
            | Self::Convert(ConvertError::Write(WeightsError::Io { source, .. }))
            | Self::Latents(LatentsError::Read { source, .. }) => failed(source),
            Self::Latents(LatentsError::Write(_)) => true,
            Self::Media(error) => error.is_machine_failure(),
            _ => false,
        };
        if machine {
            Fault::Machine
        } else {
            Fault::Input
        }
    }
}

/// Whether an I/O error is none of the kinds that a wrong path gives.
fn failed(error: &io::Error) -> bool {
    use io::ErrorKind::{
        InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
    };
    !matches!(
        error.kind(),
        InvalidData | InvalidInput | IsADirectory | NotADirectory | NotFound | PermissionDenied
    )
}
