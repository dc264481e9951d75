//! GIF: an endless loop for a page, recipe in its comment.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};

use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};
use serde_json::Value;

use crate::probe::MAX_RECIPE;
use crate::rate::rate;
use crate::{Clip, Fps, MediaError, Shape};

/// GIF counts time in hundredths of a second, and viewers slow down anything
/// under two of them.
const MAX_FPS: f64 = 50.0;

/// A GIF has 16-bit sides and at most 50 frames a second.
pub(crate) fn check(shape: Shape) -> Result<(), MediaError> {
    if let Some(fps) = shape.fps.filter(|fps| fps.as_f64() > MAX_FPS) {
        let reason = format!("it has {fps} frames per second, and {MAX_FPS} is the most");
        return Err(MediaError::Unsuited {
            format: "GIF",
            reason,
        });
    }
    Ok(())
}

/// Writes `clip` as an endless loop.
///
/// When no frame has more than 256 colours, all of them are kept. Otherwise one
/// palette for all frames comes near to them, so that still parts do not flicker.
///
/// # Errors
/// When the rate is above 50 frames a second, or `out` refuses bytes.
pub fn write_gif(clip: &Clip, recipe: &Value, out: &mut impl Write) -> Result<(), MediaError> {
    check(Shape::of(clip))?;
    encode(clip, recipe, out).map_err(|e| match e {
        EncodingError::Io(e) => MediaError::io("write", "the GIF stream".as_ref(), e),
        other => MediaError::Encode {
            format: "GIF",
            reason: other.to_string(),
        },
    })
}

fn encode(clip: &Clip, recipe: &Value, out: &mut impl Write) -> Result<(), EncodingError> {
    let (width, height) = (clip.width() as u16, clip.height() as u16);
    let mut colors = Colors::of(clip);
    let shared: &[u8] = match &colors {
        Colors::Exact(palette) => &palette.colors,
        Colors::ExactInEach => &[],
        Colors::Near(palette) => &palette.colors,
    };
    let mut encoder = Encoder::new(out, width, height, shared)?;
    encoder.set_repeat(Repeat::Infinite)?;
    let comment = ascii(&recipe.to_string());
    let blocks: Vec<&[u8]> = comment.as_bytes().chunks(255).collect();
    encoder.write_raw_extension(gif::AnyExtension(COMMENT), &blocks)?;
    for (index, pixels) in clip.frames().iter().enumerate() {
        let (palette, indices) = match &mut colors {
            Colors::Exact(palette) => (None, palette.map(pixels)),
            Colors::ExactInEach => {
                let palette = Exact::of([&pixels[..]]).unwrap_or_default();
                let indices = palette.map(pixels);
                (Some(palette.colors), indices)
            }
            Colors::Near(palette) => (None, palette.map(pixels, clip.width() as usize)),
        };
        let frame = Frame {
            palette,
            width,
            height,
            // The error of each rounding is made good by the next frame.
            delay: (hundredths(clip.fps(), index + 1) - hundredths(clip.fps(), index)) as u16,
            dispose: DisposalMethod::Keep,
            buffer: indices.into(),
            ..Frame::default()
        };
        encoder.write_frame(&frame)?;
    }
    encoder.into_inner()?.flush().map_err(EncodingError::Io)
}

fn hundredths(fps: Fps, frames: usize) -> u64 {
    (frames as u64 * 100 * u64::from(fps.den()) + u64::from(fps.num()) / 2) / u64::from(fps.num())
}

/// GIF comments are 7-bit ASCII; JSON can say the rest in escapes.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            text.extend(
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        }
    }
    text
}

/// How the colours of a clip go into palettes.
enum Colors {
    /// All frames together have at most 256.
    Exact(Exact),
    /// Each frame has, and brings its own palette.
    ExactInEach,
    Near(Palette),
}

impl Colors {
    fn of(clip: &Clip) -> Self {
        let frames = || clip.frames().iter().map(Vec::as_slice);
        if let Some(palette) = Exact::of(frames()) {
            Self::Exact(palette)
        } else if frames().all(|frame| Exact::of([frame]).is_some()) {
            Self::ExactInEach
        } else {
            Self::Near(Palette::of(clip))
        }
    }
}

/// At most 256 colours, each of them as it is.
#[derive(Default)]
struct Exact {
    colors: Vec<u8>,
    index: BTreeMap<[u8; 3], u8>,
}

impl Exact {
    fn of<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut exact = Self::default();
        let mut last = None;
        for &pixel in frames.into_iter().flat_map(|frame| frame.as_chunks().0) {
            // Neighbours are often equal.
            if last.replace(pixel) == Some(pixel) || exact.index.contains_key(&pixel) {
                continue;
            }
            exact
                .index
                .insert(pixel, u8::try_from(exact.index.len()).ok()?);
            exact.colors.extend(pixel);
        }
        Some(exact)
    }

    fn map(&self, pixels: &[u8]) -> Vec<u8> {
        let pixels: &[[u8; 3]] = pixels.as_chunks().0;
        pixels.iter().map(|pixel| self.index[pixel]).collect()
    }
}

/// 256 colours, and the nearest of them for each colour with six bits a channel.
struct Palette {
    colors: Vec<u8>,
    quantiser: color_quant::NeuQuant,
    nearest: Vec<Option<u8>>,
}

impl Palette {
    fn of(clip: &Clip) -> Self {
        // A quarter of a million pixels teach the palette enough.
        let pixels = clip.width() as usize * clip.height() as usize * clip.frames().len();
        let step = pixels.div_ceil(1 << 18);
        let sample: Vec<u8> = clip
            .frames()
            .iter()
            .flat_map(|frame| frame.chunks_exact(3))
            .step_by(step)
            .flat_map(|p| [p[0], p[1], p[2], 255])
            .collect();
        let quantiser = color_quant::NeuQuant::new(3, 256, &sample);
        Self {
            colors: quantiser.color_map_rgb(),
            quantiser,
            nearest: vec![None; 1 << 18],
        }
    }

    /// Palette indices of a frame. A fixed 4x4 pattern of small offsets hides
    /// the steps between colours, and stands still from frame to frame.
    fn map(&mut self, pixels: &[u8], width: usize) -> Vec<u8> {
        const BAYER: [[i16; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];
        let mut indices = Vec::with_capacity(pixels.len() / 3);
        for (at, pixel) in pixels.chunks_exact(3).enumerate() {
            let offset = BAYER[at / width % 4][at % width % 4] - 8;
            let shifted = [0, 1, 2].map(|c| (i16::from(pixel[c]) + offset / 2).clamp(0, 255) as u8);
            let key = shifted
                .iter()
                .fold(0, |key, c| key << 6 | usize::from(c >> 2));
            let quantiser = &self.quantiser;
            indices.push(*self.nearest[key].get_or_insert_with(|| {
                let [r, g, b] = shifted.map(|c| c & !3 | 2);
                quantiser.index_of(&[r, g, b, 255]) as u8
            }));
        }
        indices
    }
}

// Block labels, GIF89a sections 20 to 27.
const IMAGE: u8 = 0x2c;
const EXTENSION: u8 = 0x21;
const TRAILER: u8 = 0x3b;
const COMMENT: u8 = 0xfe;
const CONTROL: u8 = 0xf9;

/// The shape and comment of a GIF, by walking its blocks without unpacking them.
///
/// # Errors
/// A sentence saying what is wrong with the file.
pub(crate) fn read(file: impl Read) -> Result<(Shape, Option<String>), String> {
    let mut blocks = Blocks(BufReader::new(file));
    let header: [u8; 13] = blocks.take()?;
    blocks.skip_table(header[10])?;
    let [width, height] =
        [[header[6], header[7]], [header[8], header[9]]].map(|b| u32::from(u16::from_le_bytes(b)));
    if width == 0 || height == 0 {
        return Err(format!("its header says {width}x{height} pixels"));
    }

    // When each frame begins, and the end of the last.
    let (mut starts, mut time, mut end, mut comment) = (Vec::new(), 0, 0, Vec::new());
    loop {
        match blocks.take()? {
            [IMAGE] => {
                let place: [u8; 9] = blocks.take()?;
                blocks.skip_table(place[8])?;
                let [_code_size] = blocks.take()?;
                blocks.sub_blocks(0)?;
                starts.push(time);
                time = end;
            }
            [EXTENSION] => match blocks.take()? {
                [CONTROL] => {
                    let control = blocks.sub_blocks(4)?;
                    let delay = control.get(1..3).ok_or("a frame's delay is cut short")?;
                    end = time + u64::from(u16::from_le_bytes([delay[0], delay[1]]));
                }
                [COMMENT] if comment.is_empty() => comment = blocks.sub_blocks(MAX_RECIPE)?,
                _ => drop(blocks.sub_blocks(0)?),
            },
            [TRAILER] => break,
            [other] => {
                return Err(format!(
                    "a block begins with {other:#04x}, which is no kind of block"
                ));
            }
        }
    }
    if starts.is_empty() {
        return Err("it holds no frame".into());
    }
    let shape = Shape {
        width,
        height,
        frames: starts.len(),
        // A still GIF has no rate.
        fps: rate(100, &starts, end),
    };
    Ok((shape, String::from_utf8(comment).ok()))
}

struct Blocks<R>(BufReader<R>);

impl<R: Read> Blocks<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).map_err(truncated)?;
        Ok(bytes)
    }

    /// A colour table of `2^(n+1)` entries follows when the top bit is set.
    fn skip_table(&mut self, flags: u8) -> Result<(), String> {
        if flags & 0x80 == 0 {
            return Ok(());
        }
        self.skip(3 << ((flags & 7) + 1))
    }

    /// Reads a chain of sub-blocks to its end and keeps at most `keep` bytes.
    fn sub_blocks(&mut self, keep: usize) -> Result<Vec<u8>, String> {
        let mut kept = Vec::new();
        loop {
            let [len] = self.take()?;
            if len == 0 {
                return Ok(kept);
            }
            let room = u64::from(len).min((keep - kept.len()) as u64);
            (&mut self.0)
                .take(room)
                .read_to_end(&mut kept)
                .map_err(truncated)?;
            self.skip(u64::from(len) - room)?;
        }
    }

    fn skip(&mut self, len: u64) -> Result<(), String> {
        let skipped = io::copy(&mut (&mut self.0).take(len), &mut io::sink()).map_err(truncated)?;
        if skipped == len {
            Ok(())
        } else {
            Err(truncated(io::ErrorKind::UnexpectedEof.into()))
        }
    }
}

fn truncated(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "it ends before its last block: the file is truncated".into()
        }
        _ => format!("it can't be read: {error}"),
    }
}
