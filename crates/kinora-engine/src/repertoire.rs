//! What may be done with clips that are there: each a way to fill in a [`Conditioning`].

use crate::conditioning::{Conditioning, Picture};
use kinora_media::Clip;
use std::ops::Range;

/// Something to paint: how many frames, what is known of them, and which of them are the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What is known.
    pub conditioning: Conditioning,
    /// Frames to plan for.
    pub frames: usize,
    /// The frames of the result among them.
    pub keep: Range<usize>,
}

/// To which side a clip is extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// After its end.
    Forward,
    /// Before its start.
    Backward,
}

/// Frames of a clip's start that a loop leads into.
const SEEN: usize = 8;
/// Painted frames between two clips are a multiple of this, so that the second begins with a latent frame.
const STEP: usize = 4;

impl Task {
    /// `more` frames after or before those of `clip`, which stay as they are.
    pub fn extend(clip: &Clip, more: usize, direction: Direction) -> Self {
        let open = (0..more).map(|_| None);
        let given: Vec<_> = match direction {
            Direction::Forward => held(clip.frames()).chain(open).collect(),
            Direction::Backward => open.chain(held(clip.frames())).collect(),
        };
        Self::all(given)
    }

    /// About `more` frames that lead from the end of `clip` to its start.
    pub fn looped(clip: &Clip, more: usize) -> Self {
        let frames = clip.frames();
        let start = &frames[..frames.len().min(SEEN)];
        let given = between(frames, more, start);
        let end = given.len() - start.len();
        Self {
            keep: 0..end,
            ..Self::all(given)
        }
    }

    /// The clip `a`, about `more` frames that lead over, and the clip `b`, of the same size.
    pub fn connect(a: &Clip, b: &Clip, more: usize) -> Self {
        Self::all(between(a.frames(), more, b.frames()))
    }

    /// `clip` painted again from a noised start: see [`Conditioning::strength`].
    pub fn remix(clip: &Clip, strength: f64) -> Self {
        let frames = clip.frames().to_vec();
        let given = vec![None; frames.len()];
        let mut task = Self::all(given);
        task.conditioning.base = Some(frames);
        task.from_strength(strength)
    }

    /// `clip` painted again where a frame's mask is above 127, and untouched elsewhere. A mask has a value for each
    /// pixel; the last one lasts.
    pub fn edit(clip: &Clip, masks: &[Vec<u8>], strength: f64) -> Self {
        let mut task = Self::remix(clip, strength);
        let holds = masks.iter().map(|mask| {
            let hold = |&m: &u8| if m > 127 { 0 } else { u8::MAX };
            mask.iter().map(hold).collect::<Vec<u8>>()
        });
        let holds: Vec<_> = holds.collect();
        let pictures = clip.frames().iter().enumerate().map(|(index, pixels)| {
            Some(Picture {
                pixels: pixels.clone(),
                hold: holds.get(index).or(holds.last()).cloned(),
            })
        });
        task.conditioning.given = pictures.collect();
        task
    }

    /// A clip of `frames` frames with pictures at some of them.
    pub fn pictures(frames: usize, pictures: impl IntoIterator<Item = (usize, Vec<u8>)>) -> Self {
        let mut given = vec![None; frames];
        for (index, pixels) in pictures {
            if let Some(place) = given.get_mut(index) {
                *place = Some(Picture::held(pixels));
            }
        }
        Self::all(given)
    }

    /// The same, with painting begun at this noise level: below 1 it keeps to the base or the given frames nearby.
    /// `None` is as near as the model goes on best.
    pub fn from_strength(mut self, strength: impl Into<Option<f64>>) -> Self {
        self.conditioning.strength = strength.into();
        self
    }

    fn all(given: Vec<Option<Picture>>) -> Self {
        let frames = given.len();
        Self {
            conditioning: Conditioning {
                given,
                ..Conditioning::default()
            },
            frames,
            keep: 0..frames,
        }
    }
}

fn held(frames: &[Vec<u8>]) -> impl Iterator<Item = Option<Picture>> {
    frames.iter().cloned().map(Picture::held).map(Some)
}

fn between(before: &[Vec<u8>], more: usize, after: &[Vec<u8>]) -> Vec<Option<Picture>> {
    let open = (0..more.max(1).next_multiple_of(STEP)).map(|_| None);
    held(before).chain(open).chain(held(after)).collect()
}
