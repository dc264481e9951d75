//! Clips in memory and on disk: encode, probe, metadata, pictures for documents.
//!
//! A [`Clip`] is frames of RGB8. [`write()`] puts it into a file together with
//! its recipe (the JSON that made it), so provenance can't be forgotten; and
//! [`probe()`] reads both back. The same clip and recipe always give the same
//! bytes: no clock, no thread and no random number takes part.

mod atomic;
mod clip;
mod color;
mod draw;
mod error;
mod fit;
mod gif;
mod h264;
mod mp4;
mod output;
mod plot;
mod probe;
mod sheet;
mod still;

pub use self::gif::write_gif;
pub use atomic::check_writable_file;
pub use clip::{Clip, Fps};
pub use error::MediaError;
pub use fit::{Fit, fit};
pub use mp4::write_mp4;
pub use output::{Output, Shape, write};
pub use plot::{Chart, Series};
pub use probe::{Kind, Probe, probe, read_recipe};
pub use sheet::{SheetRow, contact_sheet};
pub use still::{save_png, write_png};
