//! A clip in memory: frames of RGB8 at a rational rate.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::MediaError;

/// A frame rate as a fraction of frames per second: 24000/1001 is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub struct Fps {
    num: u32,
    den: u32,
}

impl Fps {
    /// The largest rate, in frames per second.
    pub const MAX: u32 = 240;

    /// `num / den` frames per second, in lowest terms.
    ///
    /// # Errors
    /// When the rate is zero, above [`Fps::MAX`], or below one frame in 100 seconds.
    pub fn new(num: u32, den: u32) -> Result<Self, MediaError> {
        let refuse = |why: &str| {
            Err(MediaError::Clip(format!(
                "a rate of {num}/{den} frames per second {why}"
            )))
        };
        if num == 0 || den == 0 {
            return refuse("has a zero in it");
        }
        if u64::from(num) > u64::from(Self::MAX) * u64::from(den) {
            return refuse(&format!("is above {}", Self::MAX));
        }
        if u64::from(den) > u64::from(num) * 100 {
            return refuse("is below one frame in 100 seconds");
        }
        let divisor = gcd(num, den);
        let (num, den) = (num / divisor, den / divisor);
        if num > 1_000_000 || den > 1_000_000 {
            return refuse("has terms above 1,000,000");
        }
        Ok(Self { num, den })
    }

    /// Numerator of the rate.
    pub fn num(self) -> u32 {
        self.num
    }

    /// Denominator of the rate.
    pub fn den(self) -> u32 {
        self.den
    }

    /// Frames per second as a number, for show and for motion.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// How long `frames` frames last, in seconds.
    pub fn seconds(self, frames: usize) -> f64 {
        frames as f64 / self.as_f64()
    }
}

impl TryFrom<(u32, u32)> for Fps {
    type Error = MediaError;
    fn try_from((num, den): (u32, u32)) -> Result<Self, MediaError> {
        Self::new(num, den)
    }
}

impl From<Fps> for (u32, u32) {
    fn from(fps: Fps) -> Self {
        (fps.num, fps.den)
    }
}

/// Reads `24`, `24000/1001` or `23.976` (at most three decimals, taken as written).
impl std::str::FromStr for Fps {
    type Err = MediaError;
    fn from_str(text: &str) -> Result<Self, MediaError> {
        let refuse = || {
            MediaError::Clip(format!(
                "{text:?} is not a frame rate: write it as 24, 23.976 or 24000/1001"
            ))
        };
        let digits = |s: &str| -> Option<u32> {
            s.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| s.parse().ok())?
        };
        let (num, den) = if let Some((num, den)) = text.split_once('/') {
            (digits(num), digits(den))
        } else if let Some((whole, part)) = text.split_once('.').filter(|(_, part)| part.len() <= 3)
        {
            let den = 10u32.pow(part.len() as u32);
            let num = || digits(whole)?.checked_mul(den)?.checked_add(digits(part)?);
            (num(), Some(den))
        } else {
            (digits(text), Some(1))
        };
        Self::new(num.ok_or_else(refuse)?, den.ok_or_else(refuse)?)
    }
}

impl std::fmt::Display for Fps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.den {
            1 => write!(f, "{}", self.num),
            den => write!(f, "{}/{den}", self.num),
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Frames of one size, shown at one rate. An image is a clip of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    width: u32,
    height: u32,
    fps: Fps,
    frames: Vec<Vec<u8>>,
}

impl Clip {
    /// The largest side of a frame, in pixels.
    pub const MAX_SIDE: u32 = 16_384;

    /// A clip of `frames`, each `width * height * 3` bytes of RGB8, row-major.
    ///
    /// # Errors
    /// When there is no frame, a side is zero or above [`Clip::MAX_SIDE`], or a
    /// frame has another number of bytes.
    pub fn new(
        width: u32,
        height: u32,
        fps: Fps,
        frames: Vec<Vec<u8>>,
    ) -> Result<Self, MediaError> {
        let sides = 1..=Self::MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(MediaError::Clip(format!(
                "{width}x{height} pixels; each side must be 1 to {}",
                Self::MAX_SIDE
            )));
        }
        if frames.is_empty() {
            return Err(MediaError::Clip("it has no frame".into()));
        }
        let bytes = width as usize * height as usize * 3;
        if let Some((index, frame)) = frames.iter().enumerate().find(|(_, f)| f.len() != bytes) {
            return Err(MediaError::Clip(format!(
                "frame {index} has {} bytes, {width}x{height} RGB needs {bytes}",
                frame.len()
            )));
        }
        Ok(Self {
            width,
            height,
            fps,
            frames,
        })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Frames per second.
    pub fn fps(&self) -> Fps {
        self.fps
    }

    /// The frames in order of time, RGB8, row-major.
    pub fn frames(&self) -> &[Vec<u8>] {
        &self.frames
    }

    /// The frames themselves.
    pub fn into_frames(self) -> Vec<Vec<u8>> {
        self.frames
    }

    /// `count` frames spread evenly from the first to the last, as pictures;
    /// fewer when the clip is shorter.
    pub fn spread(&self, count: usize) -> Vec<RgbImage> {
        let last = self.frames.len() - 1;
        let count = count.min(self.frames.len());
        (0..count)
            .map(|i| {
                if count == 1 {
                    0
                } else {
                    (i * last + (count - 1) / 2) / (count - 1)
                }
            })
            .map(|index| {
                RgbImage::from_raw(self.width, self.height, self.frames[index].clone())
                    .expect("the constructor checked the length of each frame")
            })
            .collect()
    }
}
