//! Reads what an MP4 says of itself: size, frames, rate, recipe. It trusts no length.

use std::io::{Read, Seek};

use super::boxes::{Box4, read_index};
use super::{COMMENT, Track};
use crate::Shape;
use crate::error::Refusal;

/// The shape of the first video track and the file's comment.
///
/// # Errors
/// A sentence saying what is wrong with the file.
pub(crate) fn read(file: &mut (impl Read + Seek)) -> Result<(Shape, Option<String>), String> {
    let index = read_index(file)?;
    let moov = Box4 {
        kind: *b"moov",
        body: &index.moov,
    };
    let track = Track::parse(&moov, index.end).map_err(|refusal| match refusal {
        Refusal::Damaged(reason) => reason,
        Refusal::Foreign(what) => format!("it is {what}"),
        Refusal::Other(error) => error.to_string(),
    })?;
    let shape = Shape {
        width: track.width,
        height: track.height,
        frames: track.order.len(),
        fps: Some(track.fps),
    };
    Ok((shape, comment(&moov)))
}

/// The recipe is optional: a damaged or foreign tag is no tag.
fn comment(moov: &Box4) -> Option<String> {
    let meta = moov.child(b"udta").ok()?.child(b"meta").ok()?;
    let meta = Box4 {
        kind: meta.kind,
        body: meta.body.get(4..)?,
    };
    let data = meta
        .child(b"ilst")
        .ok()?
        .child(COMMENT)
        .ok()?
        .child(b"data")
        .ok()?;
    String::from_utf8(data.body.get(8..)?.to_vec()).ok()
}
