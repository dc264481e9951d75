//! What is known of a clip besides its prompt: the one mechanism behind first images, extension, loops, remixes and
//! edits.

use crate::Plan;
use crate::windows::{self, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What a clip is completed from. Empty, it leaves everything to the prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditioning {
    /// What is given of each frame. Frames without a picture, and those past the end of this list, are painted.
    pub given: Vec<Option<Picture>>,
    /// RGB8 frames of the clip's size that painting begins from; the last one lasts. Without them, it begins from the
    /// given frames that are nearest in time.
    pub base: Option<Vec<Vec<u8>>>,
    /// The noise level at which it begins (SDEdit, arXiv:2108.01073): at 0 the base stays as it is, 1 is noise alone. `None` is the
    /// model's own for what goes on from given frames.
    pub strength: Option<f64>,
    /// Prompts that take over from the plan's, each from its frame on.
    pub prompts: BTreeMap<usize, String>,
    /// The frames at which the prompt of that time begins a shot of its own, which nothing before it goes on in. A model that can't
    /// stage it goes on all the same.
    pub shots: BTreeSet<usize>,
}

/// What is given of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// RGB8, row-major, of the clip's size.
    pub pixels: Vec<u8>,
    /// How strongly each pixel is held: at 255 it stays as it is, at 0 it is painted anew, and between them the picture
    /// is a start that the prompt may change. `None` holds all of it.
    pub hold: Option<Vec<u8>>,
}

/// Why a clip can't be completed from what is given.
#[derive(Debug, thiserror::Error)]
pub enum ConditioningError {
    /// A picture, mask or base frame is of another size.
    #[error("{what} has {found} values, and {wanted} belong to {width}x{height} pixels")]
    Size {
        /// Which.
        what: String,
        /// Its values.
        found: usize,
        /// Those of the clip's size.
        wanted: usize,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// Something is given beyond the clip's end.
    #[error("{what} is at frame {frame}, and the clip has the frames 0 to {}", .frames - 1)]
    PastEnd {
        /// What.
        what: &'static str,
        /// Where.
        frame: usize,
        /// Frames of the clip.
        frames: usize,
    },
    /// No such strength.
    #[error("the strength is {0}; it can be 0 (the clip as it is) to 1 (the prompt alone)")]
    Strength(f64),
    /// A base without a frame.
    #[error("the clip to begin from has no frame")]
    EmptyBase,
    /// Pictures are given, and latents that are painted already.
    #[error(
        "beside given pictures, latents to begin from must be noise; these are painted already"
    )]
    LatentsNotNoise,
    /// Latents are of a clip that is painted at once.
    #[error(
        "latents are read and kept of clips that are painted at once, of up to {whole} frames; this one takes {parts} parts, each of which continues the decoded frames of the one before: leave --save-latents and --init-latents out"
    )]
    LatentsOfParts {
        /// Most frames.
        whole: usize,
        /// Its parts.
        parts: usize,
    },
}

impl Picture {
    /// A picture of which every pixel stays.
    pub fn held(pixels: Vec<u8>) -> Self {
        Self { pixels, hold: None }
    }

    /// Whether every pixel stays.
    pub(crate) fn is_held(&self) -> bool {
        let held = |hold: &Vec<u8>| hold.iter().all(|&h| h == u8::MAX);
        self.hold.as_ref().is_none_or(held)
    }
}

impl Conditioning {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.given.iter().all(Option::is_none)
    }

    /// Whether nothing is known of frame `start` and those after it: a clip that has something to arrive at takes its colours
    /// from there.
    pub(crate) fn is_open_from(&self, start: usize) -> bool {
        self.base.is_none() && self.given.iter().skip(start).all(Option::is_none)
    }

    /// What is given of frame `index`.
    pub(crate) fn picture(&self, index: usize) -> Option<&Picture> {
        self.given.get(index)?.as_ref()
    }

    /// The prompt of frame `index`.
    pub(crate) fn prompt<'a>(&'a self, index: usize, plan: &'a Plan) -> &'a str {
        let last = self.prompts.range(..=index).next_back();
        last.map_or(&plan.prompt, |(_, prompt)| prompt)
    }

    /// Whether a clip of `frames` frames is painted at once by a model that paints up to `whole`.
    pub fn is_one_part(&self, frames: usize, whole: usize) -> bool {
        self.windows(frames, whole).len() <= 1
    }

    /// Whether a clip is painted anew, and nothing of it stays.
    pub(crate) fn is_remake(&self) -> bool {
        self.base.is_some() && self.given.iter().all(Option::is_none)
    }

    /// Whether a window of a clip of `frames` frames goes on from what is given, and no prompt tells something new in it.
    pub(crate) fn goes_on(&self, window: &Window, frames: usize) -> bool {
        let anew = match self.shots.is_empty() {
            true => !self.prompts.is_empty(),
            false => self.shot(window.painted.start, frames).is_some(),
        };
        self.base.is_none() && !anew
    }

    /// The shot of a clip of `frames` frames that the open frame `index` is in, if nothing is given of it but its prompt.
    pub(crate) fn shot(&self, index: usize, frames: usize) -> Option<Range<usize>> {
        let alone = self.is_empty() && self.prompts.is_empty();
        let begun = self.shots.range(..=index).next_back().copied();
        let begun = begun.or(alone.then_some(0))?;
        let ends = |frame: usize| {
            self.picture(frame).is_some() || (frame > begun && self.shots.contains(&frame))
        };
        let end = (begun..frames).find(|&frame| ends(frame)).unwrap_or(frames);
        (self.base.is_none() && index < end).then_some(begun..end)
    }

    /// The parts in which a clip of `frames` frames is painted.
    pub(crate) fn windows(&self, frames: usize, whole: usize) -> Vec<Window> {
        let held: Vec<bool> = (0..frames)
            .map(|index| self.picture(index).is_some_and(Picture::is_held))
            .collect();
        let cuts = self.prompts.keys().copied().collect();
        windows::windows(&held, &cuts, whole)
    }

    /// Checks that it belongs to a clip of `plan`.
    ///
    /// # Errors
    /// Says what does not.
    pub fn check(&self, plan: &Plan) -> Result<(), ConditioningError> {
        let (width, height) = (plan.width, plan.height);
        let (frames, pixels) = (plan.frames as usize, width as usize * height as usize);
        let sized = |what: &dyn Fn() -> String, found: usize, wanted: usize| match found == wanted {
            true => Ok(()),
            false => Err(ConditioningError::Size {
                what: what(),
                found,
                wanted,
                width,
                height,
            }),
        };
        let past = |what, frame| match frame < frames {
            true => Ok(()),
            false => Err(ConditioningError::PastEnd {
                what,
                frame,
                frames,
            }),
        };
        for (index, picture) in self.given.iter().enumerate() {
            let Some(Picture { pixels: rgb, hold }) = picture else {
                continue;
            };
            past("a picture", index)?;
            sized(
                &|| format!("the picture at frame {index}"),
                rgb.len(),
                3 * pixels,
            )?;
            if let Some(hold) = hold {
                sized(&|| format!("the mask at frame {index}"), hold.len(), pixels)?;
            }
        }
        if let Some(strength) = self
            .strength
            .filter(|strength| !(0.0..=1.0).contains(strength))
        {
            return Err(ConditioningError::Strength(strength));
        }
        if let Some(frames) = &self.base {
            if frames.is_empty() {
                return Err(ConditioningError::EmptyBase);
            }
            for (index, frame) in frames.iter().enumerate() {
                sized(
                    &|| format!("frame {index} to begin from"),
                    frame.len(),
                    3 * pixels,
                )?;
            }
        }
        match self.prompts.keys().next_back() {
            Some(&last) => past("a prompt", last),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shot_lasts_until_something_else_is_told_or_given() {
        let alone = Conditioning::default();
        assert_eq!(alone.shot(70, 90), Some(0..90));
        // A text at 0, a picture at 12, another text at 24.
        let mut given = vec![None; 13];
        given[12] = Some(Picture::held(vec![0; 3]));
        let cards = Conditioning {
            given,
            prompts: BTreeMap::from([(24, String::new())]),
            shots: BTreeSet::from([0, 24]),
            ..Conditioning::default()
        };
        assert_eq!(cards.shot(3, 36), Some(0..12));
        assert_eq!(cards.shot(13, 36), None); // what follows a picture goes on from it
        assert_eq!(cards.shot(24, 36), Some(24..36));
        let remix = Conditioning {
            base: Some(vec![vec![0; 3]]),
            ..Conditioning::default()
        };
        assert_eq!(remix.shot(0, 36), None);
    }

    #[test]
    fn a_clip_is_open_from_where_nothing_more_is_given() {
        let picture = || Some(Picture::held(vec![0; 3]));
        let extended = Conditioning {
            given: vec![picture(), picture()],
            ..Conditioning::default()
        };
        assert!(extended.is_open_from(2) && !extended.is_open_from(1));
        let joined = Conditioning {
            given: vec![picture(), None, None, picture()],
            ..Conditioning::default()
        };
        assert!(!joined.is_open_from(1));
        let remixed = Conditioning {
            base: Some(vec![vec![0; 3]]),
            ..Conditioning::default()
        };
        assert!(!remixed.is_open_from(0) && Conditioning::default().is_open_from(0));
    }
}
