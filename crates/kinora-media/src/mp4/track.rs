//! The video track of an MP4: where each frame lies, and when it is shown.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::boxes::{Box4, read_index, u16_at, u32_at};
use super::edits::{Edits, edits};
use crate::Fps;
use crate::color::Color;
use crate::error::Refusal;
use crate::h264::Sps;
use crate::rate::rate;

/// The most frames of a track: more than a day and a half at 30 a second.
const MAX_FRAMES: usize = 1 << 22;
/// The largest coded frame.
const MAX_SAMPLE: u32 = 256 << 20;
/// The most units of a frame that are looked at for its kind.
const MAX_UNITS: usize = 256;

/// The first video track of a file.
pub(crate) struct Track {
    /// Width and height in pixels, as shown.
    pub width: u32,
    pub height: u32,
    pub fps: Fps,
    pub turn: Turn,
    /// How to decode: what each sample names one of.
    entries: Vec<Entry>,
    /// Coded frames in the order of decoding.
    pub samples: Vec<Stored>,
    /// Of the shown frames, in the order of showing, the place in `samples`.
    pub order: Vec<usize>,
    /// Its edit list is more than a window, so `order` is not what is shown.
    pub odd: bool,
}

/// How far the frames are turned clockwise when they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    None,
    Quarter,
    Half,
    ThreeQuarters,
    /// Mirrored, slanted or scaled.
    Odd,
}

/// A coded frame in the file.
pub(crate) struct Stored {
    pub at: u64,
    pub len: u32,
    /// Decoding may begin here, says the file.
    pub key: bool,
    pub entry: usize,
    /// Its place among the shown frames.
    pub shown: Option<usize>,
}

/// A sample entry.
struct Entry {
    coding: [u8; 4],
    /// The whole box.
    bytes: Vec<u8>,
    avc: Option<Avc>,
}

/// How an H.264 stream is decoded.
pub(crate) struct Avc {
    /// Bytes of the length before each unit.
    length_size: usize,
    /// Parameter sets, without start code.
    pub parameters: Vec<Vec<u8>>,
    pub sps: Option<Sps>,
    pub color: Color,
    /// Pixels are as wide as high.
    square: bool,
}

/// What streams in one track must have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub color: Color,
    chroma: u32,
    depths: [u32; 2],
    aspect: Option<(u32, u32)>,
}

impl Look {
    /// The look of what this crate encodes.
    pub(crate) fn ours(color: Color) -> Self {
        Self {
            color,
            chroma: 1,
            depths: [8, 8],
            aspect: None,
        }
    }
}

impl Track {
    /// Reads the index of `file`.
    pub(crate) fn open(file: &mut File) -> Result<Self, Refusal> {
        let index = read_index(file).map_err(Refusal::Damaged)?;
        let moov = Box4 {
            kind: *b"moov",
            body: &index.moov,
        };
        Self::parse(&moov, index.end)
    }

    /// Reads the index `moov` of a file of `end` bytes.
    pub(crate) fn parse(moov: &Box4, end: u64) -> Result<Self, Refusal> {
        let damaged = Refusal::Damaged;
        let short = |name: &str| damaged(format!("its {name} box is too short"));
        let mut video = None;
        for child in moov.children() {
            let child = child.map_err(damaged)?;
            if &child.kind == b"trak" {
                let media = child.child(b"mdia").map_err(damaged)?;
                if media.child(b"hdlr").map_err(damaged)?.body.get(8..12) == Some(b"vide") {
                    video = Some((child, media));
                    break;
                }
            }
        }
        let (track, media) = video.ok_or_else(|| damaged("it has no video track".into()))?;
        let table = media.child(b"minf").and_then(|minf| minf.child(b"stbl"));
        let table = table.map_err(damaged)?;
        let (entries, (width, height)) = entries(&table)?;
        let scale = clock(&media, b"mdhd").ok_or_else(|| short("mdhd"))?;
        let movie_scale = clock(moov, b"mvhd").unwrap_or(scale);

        let sizes = table.child(b"stsz").map_err(damaged)?.body;
        let frames = u32_at(sizes, 8).ok_or_else(|| short("stsz"))? as usize;
        let lengths = table.child(b"stts").map_err(damaged)?.body;
        let (count, _) = totals(lengths)
            .ok_or_else(|| damaged("its stts box (the frame times) is too short".into()))?;
        if frames == 0 && count == 0 && moov.child(b"mvex").is_ok() {
            return Err(Refusal::Foreign(
                "an MP4 in fragments, whose index is spread over the file".into(),
            ));
        }
        if frames == 0 || count != frames as u64 {
            return Err(damaged(format!(
                "its tables disagree: {frames} frames, {count} times"
            )));
        }
        if frames > MAX_FRAMES {
            return Err(damaged(format!(
                "its index tells of {frames} frames, and the most read is {MAX_FRAMES}"
            )));
        }

        let mut samples = place(&table, sizes, frames, entries.len(), end).map_err(damaged)?;
        mark_keys(&table, &mut samples);
        let times = times(&table, lengths, frames).ok_or_else(|| short("ctts"))?;
        let mut order: Vec<usize> = (0..frames).collect();
        order.sort_by_key(|&index| (times[index].0, index));

        // From the first frame shown, so that the clock can be a plain count.
        let origin = times[order[0]].0;
        let starts: Vec<u64> = order
            .iter()
            .map(|&index| times[index].0.abs_diff(origin))
            .collect();
        let close = starts[frames - 1] + times[order[frames - 1]].1;
        let fps = rate(scale, &starts, close)
            .ok_or_else(|| damaged("its frame rate makes no sense".into()))?;

        let odd = match edits(&track, scale, movie_scale) {
            Edits::Odd => true,
            Edits::Window { from, to } => {
                // Half a tick of the film's clock is what rounding may add.
                let rounding = scale / movie_scale.max(1) / 2;
                let rounding = i64::from(rounding).min((close / frames as u64 / 4) as i64);
                let end = to.saturating_sub(rounding);
                order.retain(|&index| (from..end).contains(&times[index].0));
                false
            }
        };
        if order.is_empty() {
            return Err(damaged("its edit list shows none of its frames".into()));
        }
        for (shown, &index) in order.iter().enumerate() {
            samples[index].shown = Some(shown);
        }
        let turn = turn(&track);
        let (width, height) = match turn {
            Turn::Quarter | Turn::ThreeQuarters => (height, width),
            _ => (width, height),
        };
        Ok(Self {
            width,
            height,
            fps,
            turn,
            entries,
            samples,
            order,
            odd,
        })
    }

    /// What keeps the built-in decoder from this track, in a few words.
    pub(crate) fn foreign(&self) -> Option<String> {
        if self.odd {
            return Some("an MP4 whose edit list jumps or loops".into());
        }
        if self.turn == Turn::Odd {
            return Some("an MP4 that is shown mirrored or slanted".into());
        }
        self.entries.iter().find_map(|entry| match &entry.avc {
            None => Some(coding_name(&entry.coding)),
            Some(avc) => avc.sps.and_then(|sps| sps.foreign()).map(Into::into),
        })
    }

    /// The coding of an entry.
    pub(crate) fn avc(&self, entry: usize) -> Result<&Avc, Refusal> {
        let entry = &self.entries[entry];
        entry
            .avc
            .as_ref()
            .ok_or_else(|| Refusal::Foreign(coding_name(&entry.coding)))
    }

    /// The whole box of an entry, to be written elsewhere.
    pub(crate) fn entry_box(&self, entry: usize) -> &[u8] {
        &self.entries[entry].bytes
    }

    /// What may stand beside an entry in one track; `None` where that is unknown.
    pub(crate) fn look(&self, entry: usize) -> Option<Look> {
        let avc = self.entries[entry].avc.as_ref()?;
        let sps = avc.sps?;
        Some(Look {
            color: avc.color,
            chroma: sps.chroma,
            depths: sps.depths,
            aspect: (!avc.square || sps.aspect.0 != sps.aspect.1).then_some(sps.aspect),
        })
    }

    /// The samples at which decoding can begin so that nothing before them is
    /// needed and nothing after them is shown before: instantaneous refreshes.
    pub(crate) fn starts(&self, file: &mut File) -> Result<Vec<usize>, Refusal> {
        let mut starts = Vec::new();
        for index in 0..self.samples.len() {
            if self.samples[index].key && self.is_refresh(file, index)? {
                starts.push(index);
            }
        }
        Ok(starts)
    }

    fn is_refresh(&self, file: &mut File, index: usize) -> Result<bool, Refusal> {
        let sample = &self.samples[index];
        let size = self.avc(sample.entry)?.length_size;
        let (mut at, end) = (sample.at, sample.at + u64::from(sample.len));
        for _ in 0..MAX_UNITS {
            if at + size as u64 >= end {
                break;
            }
            let mut head = [0; 5];
            file.seek(SeekFrom::Start(at)).map_err(unread)?;
            file.read_exact(&mut head[..=size]).map_err(unread)?;
            // nal_unit_type, H.264 table 7-1.
            match head[size] & 0x1f {
                5 => return Ok(true),
                1..=4 => return Ok(false),
                _ => at += size as u64 + big_endian(&head[..size]) as u64,
            }
        }
        Ok(false)
    }

    /// Gives `take` each unit of a sample.
    pub(crate) fn read_units(
        &self,
        file: &mut File,
        index: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Refusal> {
        let sample = &self.samples[index];
        let size = self.avc(sample.entry)?.length_size;
        if sample.len > MAX_SAMPLE {
            return Err(Refusal::Damaged(format!(
                "frame {index} says it has {} bytes",
                sample.len
            )));
        }
        let mut bytes = vec![0; sample.len as usize];
        file.seek(SeekFrom::Start(sample.at)).map_err(unread)?;
        file.read_exact(&mut bytes).map_err(unread)?;
        let mut rest = &bytes[..];
        while let Some((len, tail)) = rest.split_at_checked(size) {
            let (unit, tail) = tail.split_at_checked(big_endian(len)).ok_or_else(|| {
                Refusal::Damaged(format!("a part of frame {index} is longer than the frame"))
            })?;
            if !unit.is_empty() {
                take(unit);
            }
            rest = tail;
        }
        Ok(())
    }
}

fn unread(error: std::io::Error) -> Refusal {
    Refusal::Damaged(format!("it can't be read: {error}"))
}

fn big_endian(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, &b| n << 8 | usize::from(b))
}

/// Ticks a second, from a header of the media or of the film.
fn clock(parent: &Box4, kind: &[u8; 4]) -> Option<u32> {
    let header = parent.child(kind).ok()?.body;
    // Version 1 has two times of eight bytes before the scale, version 0 of four.
    u32_at(header, if header.first() == Some(&1) { 20 } else { 12 })
}

/// The sample entries, and the size in the first.
fn entries(table: &Box4) -> Result<(Vec<Entry>, (u32, u32)), Refusal> {
    let body = table.child(b"stsd").map_err(Refusal::Damaged)?.body;
    let list = Box4 {
        kind: *b"stsd",
        body: body.get(8..).unwrap_or_default(),
    };
    let mut entries = Vec::new();
    let mut size = None;
    for child in list.children() {
        let child = child.map_err(Refusal::Damaged)?;
        let sides = u16_at(child.body, 24).zip(u16_at(child.body, 26));
        size = size.or(sides);
        let head = (child.body.len() as u32 + 8).to_be_bytes();
        entries.push(Entry {
            coding: child.kind,
            bytes: [&head[..], &child.kind, child.body].concat(),
            avc: avc(&child),
        });
    }
    let (width, height) =
        size.ok_or_else(|| Refusal::Damaged("its stsd box (the coding) is too short".into()))?;
    Ok((entries, (width.into(), height.into())))
}

/// AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.3.3.1.
fn avc(entry: &Box4) -> Option<Avc> {
    if !matches!(&entry.kind, b"avc1" | b"avc3") {
        return None;
    }
    let extensions = Box4 {
        kind: entry.kind,
        body: entry.body.get(78..)?,
    };
    let record = extensions.child(b"avcC").ok()?.body;
    let length_size = usize::from(record.get(4)? & 3) + 1;
    let mut parameters = Vec::new();
    let mut at = 5;
    for mask in [0x1f, 0xff] {
        let count = record.get(at)? & mask;
        at += 1;
        for _ in 0..count {
            let len = usize::from(u16_at(record, at)?);
            parameters.push(record.get(at + 2..at + 2 + len)?.to_vec());
            at += 2 + len;
        }
    }
    let sps = parameters
        .iter()
        .find(|unit| unit.first().is_some_and(|b| b & 0x1f == 7))
        .and_then(|unit| Sps::parse(unit));
    let told = sps.map_or(Color::UNSAID, |sps| sps.color);
    let color = extensions.child(b"colr").ok();
    let color = color.and_then(|colr| box_color(colr.body, told.full));
    let aspect = extensions.child(b"pasp").ok();
    let aspect = aspect.and_then(|pasp| u32_at(pasp.body, 0).zip(u32_at(pasp.body, 4)));
    Some(Avc {
        length_size,
        parameters,
        sps,
        color: color.unwrap_or(told),
        square: aspect.is_none_or(|(wide, high)| wide == high),
    })
}

/// `nclx` tells the range; QuickTime's `nclc` leaves that to the stream.
fn box_color(body: &[u8], full: bool) -> Option<Color> {
    let code = |at| u8::try_from(u16_at(body, at)?).ok();
    let full = match body.get(..4)? {
        b"nclx" => body.get(10)? & 0x80 != 0,
        b"nclc" => full,
        _ => return None,
    };
    Some(Color {
        primaries: code(4)?,
        transfer: code(6)?,
        matrix: code(8)?,
        full,
    })
}

fn coding_name(coding: &[u8; 4]) -> String {
    match coding {
        b"hvc1" | b"hev1" => "HEVC (H.265) video".into(),
        b"av01" => "AV1 video".into(),
        b"vp08" | b"vp09" => "VP8 or VP9 video".into(),
        b"mp4v" => "MPEG-4 part 2 video".into(),
        b"jpeg" | b"mjpa" | b"mjpb" => "Motion JPEG video".into(),
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes video".into(),
        b"encv" => "encrypted video".into(),
        b"avc1" | b"avc3" => "H.264 video whose parameters are not in its index".into(),
        other => format!("video in the coding {}", other.escape_ascii()),
    }
}

/// Runs of a table after its count: pairs of a number and a value.
fn runs(body: &[u8]) -> Option<impl Iterator<Item = (u32, u32)>> {
    let count = u32_at(body, 4)? as usize;
    let runs = body.get(8..)?.chunks_exact(8).take(count);
    (runs.len() == count).then(|| {
        runs.map(|run| {
            let [a, b, c, d, w, x, y, z] = run.try_into().unwrap_or_default();
            (
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([w, x, y, z]),
            )
        })
    })
}

/// Number of frames and of ticks in a time-to-sample table.
fn totals(body: &[u8]) -> Option<(u64, u64)> {
    runs(body)?.try_fold((0u64, 0u64), |(count, ticks), (n, each)| {
        let (n, each) = (u64::from(n), u64::from(each));
        Some((count + n, ticks.checked_add(n.checked_mul(each)?)?))
    })
}

/// For each sample, when it is shown and for how many ticks.
fn times(table: &Box4, lengths: &[u8], frames: usize) -> Option<Vec<(i64, u64)>> {
    let mut times = Vec::with_capacity(frames);
    let mut now = 0i64;
    for (count, each) in runs(lengths)? {
        for _ in 0..count {
            times.push((now, u64::from(each)));
            now += i64::from(each);
        }
    }
    if let Ok(offsets) = table.child(b"ctts") {
        let mut at = 0;
        for (count, offset) in runs(offsets.body)? {
            // Signed in both versions: writers of version 0 use it so, too.
            let offset = i64::from(offset as i32);
            for time in times.iter_mut().skip(at).take(count as usize) {
                time.0 += offset;
            }
            at = at.saturating_add(count as usize);
        }
    }
    (times.len() == frames).then_some(times)
}

/// Finds each sample in the file, all of it before `end`.
fn place(
    table: &Box4,
    sizes: &[u8],
    frames: usize,
    entries: usize,
    end: u64,
) -> Result<Vec<Stored>, String> {
    let short = |name: &str| format!("its {name} box (where the frames lie) is too short");
    let same = u32_at(sizes, 4).unwrap_or(0);
    let size = |index: usize| match same {
        0 => u32_at(sizes, 12 + index * 4),
        same => Some(same),
    };
    let wide = table.child(b"co64").ok();
    let chunks = match &wide {
        Some(table) => table.body,
        None => table.child(b"stco")?.body,
    };
    let width = if wide.is_some() { 8 } else { 4 };
    let chunk_count = u32_at(chunks, 4).ok_or_else(|| short("stco"))?;
    let mut places = chunks.get(8..).unwrap_or_default().chunks_exact(width);

    // Runs of chunks: the first of them, samples in each, their entry.
    let groups = table.child(b"stsc")?.body;
    let group_count = u32_at(groups, 4).ok_or_else(|| short("stsc"))? as usize;
    let groups = groups.get(8..).unwrap_or_default().chunks_exact(12);
    let groups: Vec<[u32; 3]> = groups
        .take(group_count)
        .map(|group| [0, 4, 8].map(|at| u32_at(group, at).unwrap_or(0)))
        .collect();

    let mut samples = Vec::with_capacity(frames);
    let mut group = 0;
    for chunk in 1..=chunk_count {
        if samples.len() == frames {
            break;
        }
        while groups.get(group + 1).is_some_and(|next| next[0] <= chunk) {
            group += 1;
        }
        let &[_, count, entry] = groups.get(group).ok_or_else(|| short("stsc"))?;
        let entry = (entry as usize)
            .checked_sub(1)
            .filter(|&entry| entry < entries)
            .ok_or_else(|| format!("its chunk {chunk} names a coding that is not there"))?;
        let place = places.next().ok_or_else(|| short("stco"))?;
        let mut at = place.iter().fold(0u64, |n, &b| n << 8 | u64::from(b));
        for _ in 0..count {
            if samples.len() == frames {
                break;
            }
            let index = samples.len();
            let len = size(index).ok_or_else(|| short("stsz"))?;
            let after = at.checked_add(len.into()).filter(|&after| after <= end);
            let after = after.ok_or_else(|| {
                format!("frame {index} lies beyond the end of the file: it is truncated")
            })?;
            samples.push(Stored {
                at,
                len,
                key: false,
                entry,
                shown: None,
            });
            at = after;
        }
    }
    if samples.len() < frames {
        return Err(format!(
            "its tables disagree: {frames} frames, {} places",
            samples.len()
        ));
    }
    Ok(samples)
}

/// Without a table of key frames, all are.
fn mark_keys(table: &Box4, samples: &mut [Stored]) {
    let Ok(keys) = table.child(b"stss") else {
        samples.iter_mut().for_each(|sample| sample.key = true);
        return;
    };
    let count = u32_at(keys.body, 4).unwrap_or(0) as usize;
    for index in 0..count.min(samples.len()) {
        let number = u32_at(keys.body, 8 + index * 4).unwrap_or(0) as usize;
        if let Some(sample) = number.checked_sub(1).and_then(|at| samples.get_mut(at)) {
            sample.key = true;
        }
    }
}

/// The turn of the matrix in the track's header.
fn turn(track: &Box4) -> Turn {
    let Ok(header) = track.child(b"tkhd") else {
        return Turn::None;
    };
    let matrix = if header.body.first() == Some(&1) {
        52
    } else {
        40
    };
    let one = 0x0001_0000;
    let cells = [0, 4, 12, 16].map(|at| u32_at(header.body, matrix + at).map(|n| n as i32));
    match cells.map(Option::unwrap_or_default) {
        [a, 0, 0, d] if a == one && d == one => Turn::None,
        [0, b, c, 0] if b == one && c == -one => Turn::Quarter,
        [a, 0, 0, d] if a == -one && d == -one => Turn::Half,
        [0, b, c, 0] if b == -one && c == one => Turn::ThreeQuarters,
        _ => Turn::Odd,
    }
}
