//! In which parts a clip is painted, and what each part sees of the frames that are there already.

use std::collections::BTreeSet;
use std::ops::Range;

/// Frames of a part, with those it continues from, when a clip has several.
const PART: usize = 25;
/// Most frames before a gap that its painting sees: one, and then whole latent frames.
const BEFORE: usize = 9;
/// Most frames after it: whole latent frames.
const AFTER: usize = 8;
/// Frames of a latent frame after the first.
const GROUP: usize = 4;

/// A part of a clip that is painted at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Its first frame. It is before the clip's when the count of frames asks for it; such frames are left out.
    pub start: isize,
    /// Frames in it, one more than a multiple of four.
    pub len: usize,
    /// The clip's frames that it paints; the others in it are there already.
    pub painted: Range<usize>,
}

impl Window {
    /// The same for a part of `shot`: what is outside of that is not seen.
    pub fn within(&self, shot: &Range<usize>) -> Self {
        let start = match self.painted.start == shot.start {
            true => shot.start as isize,
            false => self.start.max(shot.start as isize),
        };
        Self {
            start,
            len: covering((self.painted.end as isize - start) as usize),
            painted: self.painted.clone(),
        }
    }

    /// The same without the frames before `first`, as far as it does not paint them.
    pub fn from(&self, first: usize) -> Self {
        let painted = self.painted.clone();
        if self.start >= first as isize || painted.start < first {
            return self.clone();
        }
        let before = match painted.start - first {
            0 => 0,
            there => 1 + (there - 1) / GROUP * GROUP,
        };
        let start = (painted.start - before) as isize;
        Self {
            start,
            len: covering((self.start + self.len as isize - start) as usize),
            painted,
        }
    }
}

/// As many frames, or a few more, as whole latent frames have.
fn covering(frames: usize) -> usize {
    1 + (frames - 1).div_ceil(GROUP) * GROUP
}

/// The windows that paint every frame that is not `held`, in order, none across one of the `cuts` and none of more than
/// `whole` frames.
///
/// Gaps are painted forward from what is before them. One with frames only behind it is painted backward from those,
/// and what fits into one window is painted in one, between the two.
pub(crate) fn windows(held: &[bool], cuts: &BTreeSet<usize>, whole: usize) -> Vec<Window> {
    let mut done = held.to_vec();
    let mut windows = Vec::new();
    while let Some(from) = done.iter().position(|done| !done) {
        let length = done[from..].iter().take_while(|done| !**done).count();
        let end = cuts.range(from + 1..from + length).next();
        let gap = from..end.copied().unwrap_or(from + length);
        let window = next(&done, gap, whole);
        done[window.painted.clone()].fill(true);
        windows.push(window);
    }
    windows
}

fn next(done: &[bool], gap: Range<usize>, whole: usize) -> Window {
    let run = |frames: &mut dyn Iterator<Item = &bool>| frames.take_while(|done| **done).count();
    let before = match run(&mut done[..gap.start].iter().rev()).min(BEFORE) {
        0 => 0,
        found => 1 + (found - 1) / GROUP * GROUP,
    };
    let after = match run(&mut done[gap.end..].iter()).min(AFTER) {
        found @ 0..GROUP => found,
        found => found / GROUP * GROUP,
    };
    if before + gap.len() + after <= whole {
        // Latent frames are counted from the first: frames ahead of it let those after the gap begin with one.
        let ahead = match before == 0 && after >= GROUP {
            true => (GROUP + 1 - gap.len() % GROUP) % GROUP,
            false => 0,
        };
        let frames = ahead + before + gap.len() + after;
        return Window {
            start: gap.start as isize - (before + ahead) as isize,
            len: covering(frames),
            painted: gap,
        };
    }
    let painted = match before == 0 && after > 0 {
        true => gap.end + after - PART..gap.end,
        false => gap.start..gap.start + PART - before,
    };
    Window {
        start: painted.start as isize - before as isize,
        len: PART,
        painted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: usize = 49;

    /// `#` is held, `.` is to be painted.
    fn of(frames: &str, cuts: &[usize]) -> Vec<(isize, usize, Range<usize>)> {
        let held: Vec<bool> = frames.bytes().map(|b| b == b'#').collect();
        let windows = windows(&held, &cuts.iter().copied().collect(), WHOLE);
        let plain = |w: Window| (w.start, w.len, w.painted);
        windows.into_iter().map(plain).collect()
    }

    #[test]
    fn a_short_clip_is_painted_at_once() {
        assert_eq!(of(&".".repeat(25), &[]), [(0, 25, 0..25)]);
        assert_eq!(of(&".".repeat(48), &[]), [(0, 49, 0..48)]);
        assert_eq!(of("#", &[]), []);
    }

    #[test]
    fn a_long_one_in_parts_that_continue_each_other() {
        let parts = of(&".".repeat(90), &[]);
        assert_eq!(
            parts,
            [
                (0, 25, 0..25),
                (16, 25, 25..41),
                (32, 25, 41..57),
                (48, 45, 57..90)
            ]
        );
    }

    #[test]
    fn a_clip_is_extended_both_ways() {
        let source = "#".repeat(25);
        let more = ".".repeat(12);
        assert_eq!(of(&format!("{source}{more}"), &[]), [(16, 21, 25..37)]);
        // One frame ahead is painted and left out, so that latent frames begin with the clip.
        assert_eq!(of(&format!("{more}{source}"), &[]), [(-1, 21, 0..12)]);
        let long = ".".repeat(60);
        assert_eq!(
            of(&format!("{long}{source}"), &[]),
            [(43, 25, 43..60), (26, 25, 26..43), (-3, 37, 0..26)]
                .map(|(start, len, painted)| (start, len, painted))
        );
    }

    #[test]
    fn a_gap_is_painted_between_its_ends() {
        let ends = "#".repeat(12);
        assert_eq!(
            of(&format!("{ends}............{ends}"), &[]),
            [(3, 29, 12..24)]
        );
        assert_eq!(of(&format!("#{}#", ".".repeat(23)), &[]), [(0, 25, 1..24)]);
    }

    #[test]
    fn a_new_prompt_begins_a_window() {
        assert_eq!(
            of(&".".repeat(30), &[12]),
            [(0, 13, 0..12), (3, 29, 12..30)]
        );
    }

    #[test]
    fn a_shot_sees_nothing_of_what_is_around_it() {
        let window = |start, len, painted: Range<usize>| Window {
            start,
            len,
            painted,
        };
        // It begins after 9 frames of another, and ends before given ones.
        let begun = window(3, 29, 12..24).within(&(12..24));
        assert_eq!(begun, window(12, 13, 12..24));
        let goes_on = window(28, 25, 37..50).within(&(12..50));
        assert_eq!(goes_on, window(28, 25, 37..50));
        // A picture stands at 24, after the shot: what follows it sees the picture alone.
        let after = window(16, 25, 25..41).from(24);
        assert_eq!(after, window(24, 17, 25..41));
        assert_eq!(window(16, 25, 25..41).from(10), window(16, 25, 25..41));
    }

    #[test]
    fn every_frame_is_painted_once_by_a_window_that_holds_it() {
        for seed in 0..2000u64 {
            // A few runs of held and open frames, of lengths from a small generator.
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut draw = |most: u64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 20) % most
            };
            let held: Vec<bool> = (0..1 + draw(6))
                .flat_map(|run| vec![run % 2 == seed % 2; 1 + draw(70) as usize])
                .collect();
            let cuts = (0..draw(3))
                .map(|_| draw(held.len() as u64) as usize)
                .collect();
            let mut done = held.clone();
            for Window {
                start,
                len,
                painted,
            } in windows(&held, &cuts, WHOLE)
            {
                assert!(!painted.is_empty() && len % 4 == 1 && len <= WHOLE + 3);
                assert!(start <= painted.start as isize);
                assert!(painted.end as isize <= start + len as isize);
                assert!(done[painted.clone()].iter().all(|done| !done));
                assert!(
                    cuts.iter()
                        .all(|c| *c <= painted.start || *c >= painted.end)
                );
                done[painted].fill(true);
            }
            assert!(done.iter().all(|&done| done));
        }
    }
}
