//! Writes an MP4 whose index comes before its pictures, so it plays while it loads.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use serde_json::Value;

use super::COMMENT;
use crate::color::Color;
use crate::h264::{self, Stream};
use crate::{Clip, MediaError, Shape};

/// A file to be written: coded frames, wherever they come from.
pub(crate) struct Movie {
    /// Size and rate; the frames are counted in `samples`.
    pub shape: Shape,
    /// Whole boxes that tell how to decode; each sample names one.
    pub entries: Vec<Vec<u8>>,
    /// In the order of decoding.
    pub samples: Vec<Placed>,
}

/// A coded frame of a [`Movie`].
pub(crate) struct Placed {
    pub data: Data,
    pub key: bool,
    pub entry: usize,
    /// Its place in the order of showing.
    pub shown: usize,
}

/// Where the bytes of a coded frame are.
pub(crate) enum Data {
    Here(Vec<u8>),
    /// In a file (of a list), with its first byte and length.
    There {
        file: usize,
        at: u64,
        len: u32,
    },
}

impl Data {
    fn len(&self) -> u32 {
        match self {
            Self::Here(bytes) => bytes.len() as u32,
            Self::There { len, .. } => *len,
        }
    }
}

/// Encodes `clip` and writes the whole file, recipe in its comment.
///
/// Times are exact: a tick is a whole fraction of a frame, also at 24000/1001.
/// No date is written, so equal clips give equal bytes.
///
/// # Errors
/// When H.264 can't hold the clip, the encoder fails, or `out` refuses bytes.
pub fn write_mp4(clip: &Clip, recipe: &Value, out: &mut impl Write) -> Result<(), MediaError> {
    let stream = h264::encode_clip(clip)?;
    let shape = Shape::of(clip);
    let movie = Movie {
        shape,
        entries: vec![entry(shape, Color::BT709, &stream)],
        samples: (0..)
            .zip(stream.samples)
            .map(|(shown, sample)| Placed {
                data: Data::Here(sample.bytes),
                key: sample.key,
                entry: 0,
                shown,
            })
            .collect(),
    };
    write_movie(&movie, recipe, &mut [], out)
}

/// Writes a whole file; `files` hold the samples that are not in memory.
///
/// # Errors
/// When the clock can't count the frames, a file can't be read, or `out`
/// refuses bytes.
pub(crate) fn write_movie(
    movie: &Movie,
    recipe: &Value,
    files: &mut [&mut File],
    out: &mut impl Write,
) -> Result<(), MediaError> {
    let timing = Timing::new(movie).ok_or_else(|| MediaError::Unsuited {
        format: "MP4",
        reason: format!(
            "{} frames at {} per second are more than the file's clock can count",
            movie.samples.len(),
            movie.shape.fps.map_or(String::new(), |fps| fps.to_string())
        ),
    })?;
    let data: u64 = movie.samples.iter().map(|s| u64::from(s.data.len())).sum();
    let mut data_head = Vec::new();
    match u32::try_from(data + 8) {
        Ok(len) => {
            u32s(&mut data_head, &[len]);
            data_head.extend(b"mdat");
        }
        Err(_) => {
            u32s(&mut data_head, &[1]);
            data_head.extend(b"mdat");
            data_head.extend((data + 16).to_be_bytes());
        }
    }

    // The index names the place of the pictures, and its own length decides
    // that place; the length is the same whatever the place is.
    let file_type = file_type();
    let index_len = index(movie, &timing, recipe, 0).len();
    let first_sample = file_type.len() + index_len + data_head.len();
    let index = index(movie, &timing, recipe, first_sample as u64);

    let failed = |e| MediaError::io("write", "the MP4 stream".as_ref(), e);
    for part in [file_type, index, data_head] {
        out.write_all(&part).map_err(failed)?;
    }
    for sample in &movie.samples {
        match &sample.data {
            Data::Here(bytes) => out.write_all(bytes).map_err(failed)?,
            &Data::There { file, at, len } => {
                let mut copy = || -> io::Result<()> {
                    let file: &mut File = files[file];
                    file.seek(SeekFrom::Start(at))?;
                    let copied = io::copy(&mut (&*file).take(len.into()), out)?;
                    if copied < u64::from(len) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    Ok(())
                };
                copy().map_err(failed)?;
            }
        }
    }
    out.flush().map_err(failed)
}

/// Ticks per second, per frame, and in all.
struct Timing {
    scale: u32,
    frame: u32,
    total: u32,
    /// How many frames showing lags behind decoding, so that no frame is shown
    /// before it is decoded.
    lag: usize,
}

impl Timing {
    fn new(movie: &Movie) -> Option<Self> {
        let fps = movie.shape.fps?;
        let (num, den) = (fps.num(), fps.den());
        // Players expect a clock of at least some thousand ticks a second.
        let factor = 10_000u32.div_ceil(num);
        let (scale, frame) = (num.checked_mul(factor)?, den.checked_mul(factor)?);
        let total = frame.checked_mul(u32::try_from(movie.samples.len()).ok()?)?;
        let early = (0..).zip(&movie.samples);
        let lag = early.map(|(at, sample): (usize, _)| at.saturating_sub(sample.shown));
        Some(Self {
            scale,
            frame,
            total,
            lag: lag.max().unwrap_or(0),
        })
    }
}

fn file_type() -> Vec<u8> {
    boxed(b"ftyp", |b| {
        b.extend(b"isom");
        u32s(b, &[0x200]);
        b.extend(b"isomiso2avc1mp41");
    })
}

fn index(movie: &Movie, timing: &Timing, recipe: &Value, first_sample: u64) -> Vec<u8> {
    boxed(b"moov", |moov| {
        moov.extend(full(b"mvhd", 0, |b| {
            u32s(b, &[0, 0, timing.scale, timing.total]);
            u32s(b, &[0x0001_0000, 0x0100_0000, 0, 0]); // Rate 1, volume 1.
            u32s(b, &IDENTITY);
            u32s(b, &[0; 6]);
            u32s(b, &[2]); // The next free track number.
        }));
        moov.extend(boxed(b"trak", |trak| {
            trak.extend(full(b"tkhd", 3, |b| {
                u32s(b, &[0, 0, 1, 0, timing.total, 0, 0, 0, 0]);
                u32s(b, &IDENTITY);
                u32s(b, &[movie.shape.width << 16, movie.shape.height << 16]);
            }));
            if timing.lag > 0 {
                trak.extend(boxed(b"edts", |edts| {
                    edts.extend(full(b"elst", 0, |b| {
                        let start = timing.frame * timing.lag as u32;
                        u32s(b, &[1, timing.total, start, 0x0001_0000]);
                    }));
                }));
            }
            trak.extend(boxed(b"mdia", |mdia| {
                mdia.extend(full(b"mdhd", 0, |b| {
                    u32s(b, &[0, 0, timing.scale, timing.total]);
                    b.extend([0x55, 0xc4, 0, 0]); // Language "und".
                }));
                mdia.extend(full(b"hdlr", 0, |b| {
                    u32s(b, &[0]);
                    b.extend(b"vide");
                    u32s(b, &[0; 3]);
                    b.extend(b"Kinora\0");
                }));
                mdia.extend(boxed(b"minf", |minf| {
                    minf.extend(full(b"vmhd", 1, |b| u32s(b, &[0, 0])));
                    minf.extend(boxed(b"dinf", |dinf| {
                        dinf.extend(full(b"dref", 0, |b| {
                            u32s(b, &[1]);
                            b.extend(full(b"url ", 1, |_| {})); // The pictures are in this file.
                        }));
                    }));
                    minf.extend(samples(movie, timing, first_sample));
                }));
            }));
        }));
        moov.extend(boxed(b"udta", |udta| {
            udta.extend(full(b"meta", 0, |meta| {
                meta.extend(full(b"hdlr", 0, |b| {
                    u32s(b, &[0]);
                    b.extend(b"mdirappl");
                    u32s(b, &[0, 0]);
                    b.push(0);
                }));
                meta.extend(boxed(b"ilst", |list| list.extend(comment(recipe))));
            }));
        }));
    })
}

fn comment(recipe: &Value) -> Vec<u8> {
    boxed(COMMENT, |item| {
        item.extend(boxed(b"data", |b| {
            u32s(b, &[1, 0]); // UTF-8, any locale.
            b.extend(recipe.to_string().as_bytes());
        }));
    })
}

/// The sample table: how to decode each frame, when to show it, where it lies.
fn samples(movie: &Movie, timing: &Timing, first_sample: u64) -> Vec<u8> {
    let samples = &movie.samples;
    let count = samples.len() as u32;
    // A chunk for each run of samples with one entry.
    let chunks: Vec<&[Placed]> = samples.chunk_by(|a, b| a.entry == b.entry).collect();
    boxed(b"stbl", |table| {
        table.extend(full(b"stsd", 0, |b| {
            u32s(b, &[movie.entries.len() as u32]);
            b.extend(movie.entries.concat());
        }));
        table.extend(full(b"stts", 0, |b| u32s(b, &[1, count, timing.frame])));
        if timing.lag > 0 {
            table.extend(full(b"ctts", 0, |b| {
                u32s(b, &[count]);
                for (at, sample) in samples.iter().enumerate() {
                    let late = sample.shown + timing.lag - at;
                    u32s(b, &[1, late as u32 * timing.frame]);
                }
            }));
        }
        table.extend(full(b"stss", 0, |b| {
            let keys: Vec<u32> = (1..)
                .zip(samples)
                .filter(|(_, sample)| sample.key)
                .map(|(number, _)| number)
                .collect();
            u32s(b, &[keys.len() as u32]);
            u32s(b, &keys);
        }));
        table.extend(full(b"stsc", 0, |b| {
            u32s(b, &[chunks.len() as u32]);
            for (number, chunk) in (1..).zip(&chunks) {
                u32s(b, &[number, chunk.len() as u32, chunk[0].entry as u32 + 1]);
            }
        }));
        table.extend(full(b"stsz", 0, |b| {
            u32s(b, &[0, count]);
            for sample in samples {
                u32s(b, &[sample.data.len()]);
            }
        }));
        table.extend(full(b"co64", 0, |b| {
            u32s(b, &[chunks.len() as u32]);
            let mut at = first_sample;
            for chunk in &chunks {
                b.extend(at.to_be_bytes());
                at += chunk.iter().map(|s| u64::from(s.data.len())).sum::<u64>();
            }
        }));
    })
}

/// The sample entry of a stream that this crate encoded.
pub(crate) fn entry(shape: Shape, color: Color, stream: &Stream) -> Vec<u8> {
    boxed(b"avc1", |b| {
        u32s(b, &[0, 1]); // Data reference 1.
        u32s(b, &[0; 4]);
        u16s(b, &[shape.width as u16, shape.height as u16]);
        u32s(b, &[0x0048_0000, 0x0048_0000, 0]); // 72 dots per inch.
        u16s(b, &[1]); // One frame a sample.
        b.extend([0; 32]);
        u16s(b, &[24, 0xffff]);
        // AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.3.3.1.
        b.extend(boxed(b"avcC", |b| {
            b.extend([1, stream.sps[1], stream.sps[2], stream.sps[3], 0xff, 0xe1]);
            u16s(b, &[stream.sps.len() as u16]);
            b.extend(&stream.sps);
            b.push(1);
            u16s(b, &[stream.pps.len() as u16]);
            b.extend(&stream.pps);
            if matches!(stream.sps[1], 100 | 110 | 122 | 144) {
                b.extend([0xfd, 0xf8, 0xf8, 0]); // 4:2:0, 8 bits of luma and chroma.
            }
        }));
        if color != Color::UNSAID {
            b.extend(boxed(b"colr", |b| {
                b.extend(b"nclx");
                let Color {
                    primaries,
                    transfer,
                    matrix,
                    full,
                } = color;
                u16s(b, &[primaries, transfer, matrix].map(u16::from));
                b.push(u8::from(full) << 7);
            }));
        }
        b.extend(boxed(b"pasp", |b| u32s(b, &[1, 1])));
    })
}

const IDENTITY: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

fn boxed(kind: &[u8; 4], fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(kind);
    fill(&mut bytes);
    let len = (bytes.len() as u32).to_be_bytes();
    bytes[..4].copy_from_slice(&len);
    bytes
}

/// A box with a version (0) and flags.
fn full(kind: &[u8; 4], flags: u32, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    boxed(kind, |b| {
        u32s(b, &[flags]);
        fill(b);
    })
}

fn u32s(bytes: &mut Vec<u8>, values: &[u32]) {
    bytes.extend(values.iter().flat_map(|v| v.to_be_bytes()));
}

fn u16s(bytes: &mut Vec<u8>, values: &[u16]) {
    bytes.extend(values.iter().flat_map(|v| v.to_be_bytes()));
}
