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

    /// A sound file that neither Kinora nor ffmpeg, if there is one, can decode.
    #[error("can't decode {}: {reason}", path.display())]
    Undecodable {
        /// The file read.
        path: PathBuf,
        /// What the file is, and what would open it.
        reason: String,
    },

    /// A file holds more than is read at once.
    #[error("{} is too long to read at once: {reason}", path.display())]
    TooLong {
        /// The file read.
        path: PathBuf,
        /// How much there is, what the most is, and what to do.
        reason: String,
    },

    /// Frames of one file differ in size, and a clip has one size.
    #[error(
        "{} changes its size from {}x{} to {}x{} pixels at frame {frame}: scale its parts to one size first",
        path.display(), from.0, from.1, to.0, to.1
    )]
    ChangingSize {
        /// The file or folder read.
        path: PathBuf,
        /// Width and height up to there.
        from: (u32, u32),
        /// Width and height from there on.
        to: (u32, u32),
        /// The first frame of another size, counted from 0.
        frame: usize,
    },

    /// The frames asked for can't be cut out of a file.
    #[error("can't cut {}: {reason}", path.display())]
    Cut {
        /// The file to cut.
        path: PathBuf,
        /// What stands in the way, and what is there.
        reason: String,
    },

    /// A file can't be joined to those before it.
    #[error("can't join {}: {reason}", path.display())]
    Join {
        /// The file that does not fit.
        path: PathBuf,
        /// How it differs, and what to do.
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

/// Why a file is not decoded here, before its name is known.
pub(crate) enum Refusal {
    /// It is damaged; a sentence says how.
    Damaged(String),
    /// It is for another decoder; a few words say what it is.
    Foreign(String),
    /// Something else went wrong.
    Other(MediaError),
}

impl From<MediaError> for Refusal {
    fn from(error: MediaError) -> Self {
        Self::Other(error)
    }
}
