//! How a command fails: one sentence on stderr and an exit status that says whose fault it was.

use crate::interrupt;
use anyhow::Error;
use kinora_engine::{EngineError, Fault};
use kinora_media::MediaError;
use kinora_stage::StageError;
use kinora_train::TrainError;
use std::io::ErrorKind;

/// Exit status of a request that can't be carried out as it stands.
pub const BAD_INPUT: u8 = 2;
/// Exit status of a machine that fails: a full disk, a file that can't be read.
const MACHINE: u8 = 1;

/// A mistake in what was asked for, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// The exit status for `error`.
pub fn status(error: &Error) -> u8 {
    let known = |cause: &(dyn std::error::Error + 'static)| {
        if let Some(error) = cause.downcast_ref::<EngineError>() {
            return Some(engine(error));
        }
        if let Some(error) = cause.downcast_ref::<TrainError>() {
            return Some(training(error));
        }
        if let Some(error) = cause.downcast_ref::<MediaError>() {
            return Some(media(error));
        }
        (cause.is::<BadInput>() || cause.is::<StageError>()).then_some(BAD_INPUT)
    };
    error.chain().find_map(known).unwrap_or(MACHINE)
}

fn media(error: &MediaError) -> u8 {
    if error.is_machine_failure() {
        MACHINE
    } else {
        BAD_INPUT
    }
}

fn engine(error: &EngineError) -> u8 {
    match error.fault() {
        Fault::Input => BAD_INPUT,
        Fault::Machine => MACHINE,
        Fault::Stop => interrupt::EXIT_STATUS as u8,
    }
}

fn training(error: &TrainError) -> u8 {
    match error {
        TrainError::Engine(error) => engine(error),
        TrainError::Stopped => interrupt::EXIT_STATUS as u8,
        TrainError::Io { source, .. } if source.kind() != ErrorKind::NotFound => MACHINE,
        TrainError::Diverged { .. } | TrainError::Weights(_) => MACHINE,
        TrainError::Media(error) => media(error),
        _ => BAD_INPUT,
    }
}

/// The error and its causes in one sentence; a cause that its error already quotes is not said twice.
pub fn sentence(error: &Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// The first paragraph of what clap says, on one line.
pub fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let paragraph: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    format!("{}; see --help", paragraph.join(" "))
}
