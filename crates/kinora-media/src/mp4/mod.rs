//! MP4 (ISO/IEC 14496-12 and -14): one H.264 track, and the recipe as its comment.

mod boxes;
mod edits;
mod reader;
mod track;
mod writer;

pub(crate) use boxes::is_first;
pub(crate) use reader::read;
pub(crate) use track::{Look, Track, Turn};
pub use writer::write_mp4;
pub(crate) use writer::{Data, Movie, Placed, entry, write_movie};

/// iTunes-style comment, which ffprobe shows as the tag `comment`.
const COMMENT: &[u8; 4] = b"\xa9cmt";
