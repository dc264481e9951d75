//! Clips in memory and on disk: encode, probe, metadata, pictures for documents.
//!
//! A [`Clip`] is frames of RGB8. [`write()`] puts it into a file together with
//! its recipe (the JSON that made it), so provenance can't be forgotten; and
//! [`probe()`] reads both back. [`read_clip()`] decodes what others made, [`fit()`]
//! brings it to a size, and [`trim()`] and [`concat()`] cut and join files. The same clip and recipe always give the same
//! bytes: no clock, no thread and no random number takes part.

mod atomic;
mod clip;
mod color;
mod cut;
mod draw;
mod error;
mod ffmpeg;
mod fit;
mod gif;
mod h264;
mod mp4;
mod output;
mod plot;
mod probe;
mod rate;
mod read;
mod sheet;
mod still;

pub use self::gif::write_gif;
pub use atomic::check_writable_file;
pub use clip::{Clip, Fps};
pub use cut::{Copied, concat, trim};
pub use error::MediaError;
pub use fit::{Fit, fit};
pub use mp4::write_mp4;
pub use output::{Output, Shape, write};
pub use plot::{Chart, Series};
pub use probe::{Kind, Probe, probe, read_recipe};
pub use read::{Reader, read_clip};
pub use sheet::{SheetRow, contact_sheet};
pub use still::{save_png, write_png};
