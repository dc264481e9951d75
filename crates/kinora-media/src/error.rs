//! What can go wrong between a clip and a file.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The frames, the size or the rate do not make a clip.
    #[error("not a clip: {0}")]
    Clip(String),

    /// The path does not say which format is wanted.
    #[error(
        "can't tell the format of {}: use a name ending in .mp4, .gif or .png, or a folder name ending in / for numbered PNG frames",
        .0.display()
    )]
    Format(PathBuf),

    /// The clip is sound, but the format can't hold it.
    #[error("{format} can't hold this clip: {reason}")]
    Unsuited {
        /// The format asked for.
        format: &'static str,
        /// What stands in the way, and what is allowed.
        reason: String,
    },

    /// Nothing can be written at the destination.
    #[error("can't write {}: {reason}", path.display())]
    Destination {
        /// The path asked for.
        path: PathBuf,
        /// What stands in the way, and what to do.
        reason: String,
    },

    /// A file is damaged, or not what its name says.
    #[error("{} is not a sound {kind}: {reason}", path.display())]
    Corrupt {
        /// The file read.
        path: PathBuf,
        /// The kind it should be.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// The encoder refused a frame.
    #[error("the {format} encoder failed: {reason}")]
    Encode {
        /// The format being written.
        format: &'static str,
        /// The encoder's own words.
        reason: String,
    },

    /// The operating system refused.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "write", "read", "rename".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it was refused.
        source: io::Error,
    },
}

impl MediaError {
    /// True when the machine failed (a full disk, a refusing encoder) and not
    /// the request: the binary exits with 1 then, and with 2 otherwise.
    pub fn is_machine_failure(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() != io::ErrorKind::NotFound,
            Self::Encode { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn destination(path: &Path, reason: impl Into<String>) -> Self {
        Self::Destination {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
