//! Writes an MP4 whose index comes before its pictures, so it plays while it loads.

use std::io::{self, Write};

use serde_json::Value;

use super::COMMENT;
use crate::h264::{self, Stream};
use crate::{Clip, MediaError};

/// Encodes `clip` and writes the whole file, recipe in its comment.
///
/// Times are exact: a tick is a whole fraction of a frame, also at 24000/1001.
/// No date is written, so equal clips give equal bytes.
///
/// # Errors
/// When H.264 can't hold the clip, the encoder fails, or `out` refuses bytes.
pub fn write_mp4(clip: &Clip, recipe: &Value, out: &mut impl Write) -> Result<(), MediaError> {
    let stream = h264::encode(clip)?;
    let too_long = || MediaError::Unsuited {
        format: "MP4",
        reason: format!(
            "{} frames at {} per second are more than the file's clock can count",
            clip.frames().len(),
            clip.fps()
        ),
    };
    let timing = Timing::new(clip).ok_or_else(too_long)?;
    let data: usize = stream.samples.iter().map(|s| s.bytes.len()).sum();
    let data = u32::try_from(data + 8).map_err(|_| MediaError::Unsuited {
        format: "MP4",
        reason: "its pictures take more than 4 GiB; write it in parts".into(),
    })?;

    // The index names the place of the pictures, and its own length decides
    // that place; the length is the same whatever the place is.
    let file_type = file_type();
    let index_len = index(clip, &stream, &timing, recipe, 0).len();
    let first_sample = file_type.len() + index_len + 8;
    let index = index(clip, &stream, &timing, recipe, first_sample as u64);

    let mut write = || -> io::Result<()> {
        out.write_all(&file_type)?;
        out.write_all(&index)?;
        out.write_all(&data.to_be_bytes())?;
        out.write_all(b"mdat")?;
        for sample in &stream.samples {
            out.write_all(&sample.bytes)?;
        }
        out.flush()
    };
    write().map_err(|e| MediaError::io("write", "the MP4 stream".as_ref(), e))
}

/// Ticks per second, per frame, and in all.
struct Timing {
    scale: u32,
    frame: u32,
    total: u32,
}

impl Timing {
    fn new(clip: &Clip) -> Option<Self> {
        let (num, den) = (clip.fps().num(), clip.fps().den());
        // Players expect a clock of at least some thousand ticks a second.
        let factor = 10_000u32.div_ceil(num);
        let (scale, frame) = (num.checked_mul(factor)?, den.checked_mul(factor)?);
        let total = frame.checked_mul(u32::try_from(clip.frames().len()).ok()?)?;
        Some(Self {
            scale,
            frame,
            total,
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

fn index(
    clip: &Clip,
    stream: &Stream,
    timing: &Timing,
    recipe: &Value,
    first_sample: u64,
) -> Vec<u8> {
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
                u32s(b, &[clip.width() << 16, clip.height() << 16]);
            }));
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
                    minf.extend(samples(clip, stream, timing, first_sample));
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
fn samples(clip: &Clip, stream: &Stream, timing: &Timing, first_sample: u64) -> Vec<u8> {
    let count = stream.samples.len() as u32;
    boxed(b"stbl", |table| {
        table.extend(full(b"stsd", 0, |b| {
            u32s(b, &[1]);
            b.extend(avc1(clip, stream));
        }));
        table.extend(full(b"stts", 0, |b| u32s(b, &[1, count, timing.frame])));
        table.extend(full(b"stss", 0, |b| {
            let keys: Vec<u32> = (1..)
                .zip(&stream.samples)
                .filter(|(_, sample)| sample.key)
                .map(|(number, _)| number)
                .collect();
            u32s(b, &[keys.len() as u32]);
            u32s(b, &keys);
        }));
        table.extend(full(b"stsc", 0, |b| u32s(b, &[1, 1, count, 1]))); // One chunk holds them all.
        table.extend(full(b"stsz", 0, |b| {
            u32s(b, &[0, count]);
            for sample in &stream.samples {
                u32s(b, &[sample.bytes.len() as u32]);
            }
        }));
        table.extend(full(b"co64", 0, |b| {
            u32s(b, &[1]);
            b.extend(first_sample.to_be_bytes());
        }));
    })
}

fn avc1(clip: &Clip, stream: &Stream) -> Vec<u8> {
    boxed(b"avc1", |b| {
        u32s(b, &[0, 1]); // Data reference 1.
        u32s(b, &[0; 4]);
        u16s(b, &[clip.width() as u16, clip.height() as u16]);
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
        b.extend(boxed(b"colr", |b| {
            b.extend(b"nclx");
            u16s(b, &[1, 1, 1]); // Primaries, transfer and matrix of BT.709.
            b.push(0); // Limited range.
        }));
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
