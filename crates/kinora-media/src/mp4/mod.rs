//! MP4 (ISO/IEC 14496-12 and -14): one H.264 track, and the recipe as its comment.

mod reader;
mod writer;

pub(crate) use reader::read;
pub use writer::write_mp4;

/// iTunes-style comment, which ffprobe shows as the tag `comment`.
const COMMENT: &[u8; 4] = b"\xa9cmt";
