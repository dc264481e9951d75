//! In which order the latent frames of a part are painted.
//!
//! A model that has learned to go on from frames paints the first ones together, and then a few latent frames at a time from
//! the last ones before them: each sees free of noise what it goes on from, and the first ones, which decide what the clip
//! shows, can be the best of several (compare Emu Video, arXiv:2311.10709, which begins with a picture).

use crate::Latents;
use crate::known::Known;
use kinora_models::{Levels, Model, Stride};
use std::ops::Range;

/// Latent frames that are painted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// Those that the model sees.
    pub seen: Range<usize>,
    /// So many of them, from the first on, are there already.
    pub given: usize,
}

/// The passes that paint the latents begun in `start`, of which some are `known`, if they are painted one after the other:
/// from noise, where nothing is known but the first frames.
pub(crate) fn passes(model: &Model, start: &Latents, known: Option<&Known>) -> Option<Vec<Pass>> {
    let stride = model.geometry().stride?;
    if start.sigma < 1.0 {
        return None;
    }
    let frames = start.values.dims()[1];
    let done = match known {
        None => 0,
        Some(_) if model.levels() != Levels::Positions => return None,
        Some(known) => known.beginning()?,
    };
    (done < frames).then(|| in_turn(frames, done, stride))
}

/// The passes that paint `frames` latent frames of which the first ones are `done`.
fn in_turn(frames: usize, mut done: usize, stride: Stride) -> Vec<Pass> {
    let mut passes = Vec::new();
    while done < frames {
        let given = done.min(stride.behind);
        let ahead = if done == 0 {
            stride.first
        } else {
            stride.ahead
        };
        let seen = done - given..(done + ahead).min(frames);
        done = seen.end;
        passes.push(Pass { seen, given });
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_is_painted_once_and_from_what_is_there() {
        for first in [1, 3] {
            let stride = Stride {
                first,
                behind: 2,
                ahead: 2,
            };
            for (frames, done) in [(1, 0), (2, 0), (7, 0), (7, 1), (7, 3), (7, 6), (13, 0)] {
                let mut next = done;
                for Pass { seen, given } in in_turn(frames, done, stride) {
                    assert_eq!(seen.start + given, next, "{frames} frames, {done} done");
                    assert!(given == next.min(2) && seen.len() > given && seen.len() <= 4);
                    next = seen.end;
                }
                assert_eq!(next, frames);
            }
            let begun = in_turn(7, 0, stride).remove(0);
            assert_eq!((begun.seen, begun.given), (0..first, 0));
        }
    }
}
