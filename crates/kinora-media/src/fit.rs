//! Brings a clip to another size without stretching it.

use std::fmt;
use std::str::FromStr;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::{Clip, MediaError};

/// What gives way when a clip has another shape than the size asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// The frame is filled; what juts out on two sides is left out.
    #[default]
    Crop,
    /// Nothing is left out; two sides are filled with black.
    Pad,
}

impl FromStr for Fit {
    type Err = MediaError;
    fn from_str(text: &str) -> Result<Self, MediaError> {
        match text {
            "crop" => Ok(Self::Crop),
            "pad" => Ok(Self::Pad),
            _ => Err(MediaError::Clip(format!(
                "{text:?} is no way to fit it: write crop or pad"
            ))),
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crop => "crop",
            Self::Pad => "pad",
        })
    }
}

/// Brings `clip` to `width` x `height` pixels, centred, and never stretched by
/// more than the rounding to whole pixels.
///
/// Also gives a sentence that says what was done, without a full stop; `None`
/// when the clip had that size.
///
/// # Errors
/// When a side is zero or above [`Clip::MAX_SIDE`].
pub fn fit(
    clip: &Clip,
    width: u32,
    height: u32,
    fit: Fit,
) -> Result<(Clip, Option<String>), MediaError> {
    let sides = 1..=Clip::MAX_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(MediaError::Clip(format!(
            "{width}x{height} pixels; each side must be 1 to {}",
            Clip::MAX_SIDE
        )));
    }
    let from = (clip.width(), clip.height());
    if from == (width, height) {
        return Ok((clip.clone(), None));
    }
    let to = (width, height);
    // The largest part of the source of the new shape, or the largest part of
    // the new frame of the source's shape.
    let (part, target) = match fit {
        Fit::Crop => (inside(to, from), to),
        Fit::Pad => (from, inside(from, to)),
    };
    let frames = clip.frames().iter().map(|frame| {
        let source = RgbImage::from_raw(from.0, from.1, frame.clone())
            .expect("the clip checked the length of each frame");
        let (left, top) = ((from.0 - part.0) / 2, (from.1 - part.1) / 2);
        let source = imageops::crop_imm(&source, left, top, part.0, part.1).to_image();
        let scaled = if part == target {
            source
        } else {
            imageops::resize(&source, target.0, target.1, FilterType::Lanczos3)
        };
        if target == to {
            return scaled.into_raw();
        }
        let mut padded = RgbImage::from_pixel(width, height, Rgb([0; 3]));
        let (left, top) = ((to.0 - target.0) / 2, (to.1 - target.1) / 2);
        imageops::replace(&mut padded, &scaled, left.into(), top.into());
        padded.into_raw()
    });
    let fitted = Clip::new(width, height, clip.fps(), frames.collect())?;
    let ([w, h], whole) = ([from.0, from.1], format!("{width}x{height}"));
    let told = if part != from {
        let (side, lost) = if part.0 < w {
            ("width", f64::from(w - part.0) / f64::from(w))
        } else {
            ("height", f64::from(h - part.1) / f64::from(h))
        };
        let percent = match (lost * 100.0).round() {
            0.0 => "under 1".into(),
            percent => percent.to_string(),
        };
        format!("cropped {w}x{h} to {whole}: {percent} % of its {side} is left out")
    } else if target != to {
        let sides = if target.0 < width {
            "left and right"
        } else {
            "above and below"
        };
        format!(
            "padded {w}x{h} to {whole}: black {sides} of the {}x{} picture",
            target.0, target.1
        )
    } else {
        format!("scaled {w}x{h} to {whole}")
    };
    Ok((fitted, Some(told)))
}

/// The largest size of the shape of `shape` that is inside `room`.
fn inside(shape: (u32, u32), room: (u32, u32)) -> (u32, u32) {
    let [w, h, room_w, room_h] = [shape.0, shape.1, room.0, room.1].map(u64::from);
    let rounded = |a: u64, b: u64, most: u64| ((2 * a + b) / (2 * b)).clamp(1, most) as u32;
    if room_w * h >= room_h * w {
        (rounded(w * room_h, h, room_w), room.1)
    } else {
        (room.0, rounded(h * room_w, w, room_h))
    }
}

impl Clip {
    /// The clip with its right and lower edges drawn on to `width` x `height`, neither smaller than its own.
    ///
    /// # Errors
    /// When a side is above [`Clip::MAX_SIDE`].
    pub fn edges_drawn_on(&self, width: u32, height: u32) -> Result<Self, MediaError> {
        let [w, h, to_w, to_h] =
            [self.width(), self.height(), width, height].map(|side| side as usize);
        let line = |line: &[u8]| {
            let last = line.last_chunk::<3>().copied().unwrap_or_default();
            let more = std::iter::repeat_n(last, to_w.saturating_sub(w)).flatten();
            line.iter().copied().chain(more).collect::<Vec<u8>>()
        };
        let frames = self.frames().iter().map(|frame| {
            let lines = frame.chunks_exact(w * 3).map(line);
            let mut drawn = lines.collect::<Vec<_>>().concat();
            let last = drawn[drawn.len() - to_w.max(w) * 3..].to_vec();
            for _ in h..to_h {
                drawn.extend_from_slice(&last);
            }
            drawn
        });
        Self::new(width, height, self.fps(), frames.collect())
    }

    /// The upper left part of `width` x `height`, neither larger than its own.
    ///
    /// # Errors
    /// When a side is zero or larger than the clip's.
    pub fn corner(&self, width: u32, height: u32) -> Result<Self, MediaError> {
        if width > self.width() || height > self.height() {
            return Err(MediaError::Clip(format!(
                "{width}x{height} pixels can't be cut out of {}x{}",
                self.width(),
                self.height()
            )));
        }
        let (from, to) = (self.width() as usize * 3, width as usize * 3);
        let frames = self.frames().iter().map(|frame| {
            let lines = frame.chunks_exact(from).take(height as usize);
            lines.flat_map(|line| &line[..to]).copied().collect()
        });
        Self::new(width, height, self.fps(), frames.collect())
    }

    /// The frames in `range`.
    ///
    /// # Errors
    /// When there are none.
    pub fn part(&self, range: std::ops::Range<usize>) -> Result<Self, MediaError> {
        let frames = self.frames().get(range).unwrap_or_default().to_vec();
        Self::new(self.width(), self.height(), self.fps(), frames)
    }
}
