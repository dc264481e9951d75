//! H.264 frames of an MP4 track, by OpenH264.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;

use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use crate::color::{Color, Yuv420, yuv420_to_rgb};
use crate::error::Refusal;
use crate::h264::sps::in_order_of_decoding;
use crate::mp4::Track;

/// The most frames that wait for an earlier one: a decoder holds 16 at most.
const MAX_WAITING: usize = 32;

/// A decoded frame.
pub(crate) struct Picture {
    pub width: u32,
    pub height: u32,
    pub yuv: Yuv420,
    pub color: Color,
}

impl Picture {
    /// The frame as RGB8.
    pub(crate) fn rgb(&self) -> Vec<u8> {
        yuv420_to_rgb(
            &self.yuv,
            self.width as usize,
            self.height as usize,
            self.color,
        )
    }
}

/// Decodes the frames in `range` (of those the track shows, in their order) and
/// hands each to `sink`.
///
/// Decoding begins at the last of `starts` (samples before which nothing is
/// needed, see [`Track::starts`]) that does for all of them.
pub(crate) fn decode(
    file: &mut File,
    track: &Track,
    starts: &[usize],
    range: Range<usize>,
    mut sink: impl FnMut(Picture) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let wanted = track.order.get(range.clone()).unwrap_or_default();
    let (Some(&first), Some(&last)) = (wanted.iter().min(), wanted.iter().max()) else {
        return Ok(());
    };
    let begin = starts.partition_point(|&start| start <= first);
    let begin = begin.checked_sub(1).map_or(0, |at| starts[at]);

    // Frames come in the order of decoding; the file knows the order of showing.
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    let mut decoder = Decoder::with_api_config(OpenH264API::from_source(), config)
        .map_err(|e| Refusal::Foreign(format!("H.264 video, and its decoder fails: {e}")))?;
    let (mut waiting, mut next, mut entry) = (BTreeMap::new(), range.start, None);
    for index in begin..=last {
        let sample = &track.samples[index];
        let avc = track.avc(sample.entry)?;
        let mut units = Vec::new();
        if entry.replace(sample.entry) != Some(sample.entry) {
            avc.parameters
                .iter()
                .for_each(|unit| append(&mut units, unit));
        }
        track.read_units(file, index, |unit| append(&mut units, unit))?;
        let refused = || {
            Refusal::Foreign(format!(
                "H.264 video that is damaged at frame {index} or of a kind that the built-in decoder lacks"
            ))
        };
        let decoded = decoder.decode(&units).ok().flatten().ok_or_else(refused)?;
        let shown = sample.shown.filter(|shown| range.contains(shown));
        let Some(shown) = shown else { continue };
        let picture = copy(&decoded, avc.color).ok_or_else(refused)?;
        waiting.insert(shown, picture);
        while let Some(picture) = waiting.remove(&next) {
            sink(picture)?;
            next += 1;
        }
        if waiting.len() > MAX_WAITING {
            return Err(Refusal::Damaged(format!(
                "its frame times put {MAX_WAITING} frames before one that is stored before them"
            )));
        }
    }
    Ok(())
}

/// Appends a unit behind a start code.
fn append(units: &mut Vec<u8>, unit: &[u8]) {
    units.extend([0, 0, 0, 1]);
    // nal_unit_type, H.264 table 7-1.
    match unit.first().map(|b| b & 0x1f) {
        Some(7) => units.extend(in_order_of_decoding(unit)),
        _ => units.extend(unit),
    }
}

/// The planes without the padding of their rows.
fn copy(decoded: &impl YUVSource, color: Color) -> Option<Picture> {
    let (width, height) = decoded.dimensions();
    if width == 0 || height == 0 || width % 2 != 0 || height % 2 != 0 {
        return None;
    }
    let plane = |bytes: &[u8], stride: usize, width: usize, height: usize| {
        let rows = bytes.chunks(stride.max(1)).take(height);
        let plane = rows
            .filter_map(|row| row.get(..width))
            .collect::<Vec<_>>()
            .concat();
        (plane.len() == width * height).then_some(plane)
    };
    let (y, u, v) = decoded.strides();
    Some(Picture {
        width: width as u32,
        height: height as u32,
        yuv: Yuv420 {
            y: plane(decoded.y(), y, width, height)?,
            u: plane(decoded.u(), u, width / 2, height / 2)?,
            v: plane(decoded.v(), v, width / 2, height / 2)?,
        },
        color,
    })
}
