//! Reads what an MP4 says of itself: size, frames, rate, recipe. It trusts no length.

use std::io::{Read, Seek, SeekFrom};

use super::COMMENT;
use crate::clip::gcd;
use crate::{Fps, Shape};

/// The largest index read into memory; an hour of film takes under 2 MB.
const MAX_INDEX: u64 = 64 << 20;

/// The shape of the first video track and the file's comment.
///
/// # Errors
/// A sentence saying what is wrong with the file.
pub(crate) fn read(file: &mut (impl Read + Seek)) -> Result<(Shape, Option<String>), String> {
    let index = read_index(file)?;
    let moov = Box4 {
        kind: *b"moov",
        body: &index,
    };
    let mut video = None;
    for child in moov.children() {
        let child = child?;
        if &child.kind == b"trak" {
            let media = child.child(b"mdia")?;
            if media.child(b"hdlr")?.body.get(8..12) == Some(b"vide") {
                video = Some(media);
                break;
            }
        }
    }
    let shape = track_shape(video.ok_or("it has no video track")?)?;
    Ok((shape, comment(&moov)))
}

/// Walks the top-level boxes, checks that each ends inside the file, and
/// returns the body of `moov`.
fn read_index(file: &mut (impl Read + Seek)) -> Result<Vec<u8>, String> {
    let io = |e: std::io::Error| format!("it can't be read: {e}");
    let end = file.seek(SeekFrom::End(0)).map_err(io)?;
    let mut at = file.seek(SeekFrom::Start(0)).map_err(io)?;
    let (mut index, mut pictures) = (None, false);
    while at < end {
        let mut head = [0; 8];
        file.read_exact(&mut head)
            .map_err(|_| "it ends inside a box header")?;
        let [a, b, c, d, kind @ ..] = head;
        let (mut header, mut len) = (8, u64::from(u32::from_be_bytes([a, b, c, d])));
        if len == 1 {
            let mut wide = [0; 8];
            file.read_exact(&mut wide)
                .map_err(|_| "it ends inside a box header")?;
            (header, len) = (16, u64::from_be_bytes(wide));
        } else if len == 0 {
            len = end - at;
        }
        let name = kind.escape_ascii();
        if at == 0 && &kind != b"ftyp" {
            return Err("it does not begin with the ftyp box".into());
        }
        if len < header {
            return Err(format!(
                "its {name} box says it is {len} bytes long, shorter than its own header"
            ));
        }
        if len > end - at {
            return Err(format!(
                "its {name} box says {len} bytes, but {} are left: the file is truncated",
                end - at
            ));
        }
        if &kind == b"moov" && index.is_none() {
            let body = len - header;
            if body > MAX_INDEX {
                return Err(format!(
                    "its index says {body} bytes; the most read here is {MAX_INDEX}"
                ));
            }
            let mut bytes = vec![0; body as usize];
            file.read_exact(&mut bytes).map_err(io)?;
            index = Some(bytes);
        }
        pictures |= &kind == b"mdat";
        at += len;
        file.seek(SeekFrom::Start(at)).map_err(io)?;
    }
    let index = index
        .ok_or("it has no moov box (the index): the file is truncated or still being written")?;
    if !pictures {
        return Err("it has no mdat box (the pictures): the file is truncated".into());
    }
    Ok(index)
}

fn track_shape(media: Box4) -> Result<Shape, String> {
    let table = media.child(b"minf")?.child(b"stbl")?;
    // The first entry of the table, and in it the size.
    let entry = table.child(b"stsd")?.body.get(8..).unwrap_or_default();
    let (width, height) = u16_at(entry, 32)
        .zip(u16_at(entry, 34))
        .ok_or("its stsd box (the coding) is too short")?;

    let frames = u32_at(table.child(b"stsz")?.body, 8)
        .ok_or("its stsz box (the frame sizes) is too short")?;
    let header = media.child(b"mdhd")?.body;
    // Version 1 has two times of eight bytes before the scale, version 0 of four.
    let scale = u32_at(header, if header.first() == Some(&1) { 20 } else { 12 })
        .ok_or("its mdhd box is too short")?;
    let (count, ticks) = durations(table.child(b"stts")?.body)
        .ok_or("its stts box (the frame times) is too short")?;
    if frames == 0 || count != u64::from(frames) {
        return Err(format!(
            "its tables disagree: {frames} frames, {count} times"
        ));
    }
    let fps = rate(scale, count, ticks).ok_or("its frame rate makes no sense")?;
    Ok(Shape {
        width: width.into(),
        height: height.into(),
        frames: frames as usize,
        fps: Some(fps),
    })
}

/// Number of frames and of ticks in a time-to-sample table.
fn durations(body: &[u8]) -> Option<(u64, u64)> {
    let entries = u32_at(body, 4)? as usize;
    let runs = body.get(8..)?.chunks_exact(8).take(entries);
    if runs.len() != entries {
        return None;
    }
    let runs = runs.map(|run| (u32_at(run, 0), u32_at(run, 4)));
    runs.into_iter()
        .try_fold((0u64, 0u64), |(count, ticks), run| {
            let (n, each) = (u64::from(run.0?), u64::from(run.1?));
            Some((count + n, ticks.checked_add(n.checked_mul(each)?)?))
        })
}

fn rate(scale: u32, frames: u64, ticks: u64) -> Option<Fps> {
    if frames == 0 || ticks == 0 {
        return None;
    }
    if ticks.is_multiple_of(frames) {
        let each = u32::try_from(ticks / frames).ok()?;
        let divisor = gcd(scale, each).max(1);
        return Fps::new(scale / divisor, each / divisor).ok();
    }
    // Frames of unequal length: the mean rate, to a thousandth.
    let thousandths = u128::from(scale) * 1000 * u128::from(frames) / u128::from(ticks);
    Fps::new(u32::try_from(thousandths).ok()?, 1000).ok()
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

/// A box: four letters and what they hold.
#[derive(Clone, Copy)]
struct Box4<'a> {
    kind: [u8; 4],
    body: &'a [u8],
}

impl<'a> Box4<'a> {
    /// The boxes inside, up to the first that lies about its length.
    fn children(&self) -> impl Iterator<Item = Result<Box4<'a>, String>> + use<'a> {
        let Box4 {
            kind: parent,
            body: mut rest,
        } = *self;
        std::iter::from_fn(move || {
            // Fewer bytes than a header are padding: some writers end a list so.
            let (&[a, b, c, d, w, x, y, z], _) = rest.split_first_chunk()?;
            let (len, kind) = (u32::from_be_bytes([a, b, c, d]) as usize, [w, x, y, z]);
            let Some(body) = rest.get(8..len) else {
                let (left, inside) = (rest.len(), parent.escape_ascii());
                rest = &[];
                return Some(Err(format!(
                    "inside its {inside} box, {} says {len} bytes where {left} are left",
                    kind.escape_ascii()
                )));
            };
            rest = &rest[len..];
            Some(Ok(Box4 { kind, body }))
        })
    }

    fn child(&self, kind: &[u8; 4]) -> Result<Box4<'a>, String> {
        let mut children = self.children();
        children
            .find(|child| child.as_ref().map_or(true, |b| &b.kind == kind))
            .unwrap_or_else(|| {
                Err(format!(
                    "its {} box lacks a {} box",
                    self.kind.escape_ascii(),
                    kind.escape_ascii()
                ))
            })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}
