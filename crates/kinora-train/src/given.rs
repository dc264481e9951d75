//! Which latent positions a clip is completed from in training: a first picture, both ends, all but a box.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// 1 at each given position of a latent `[T, h, w]` and 0 at those to be painted, of which there is at least one.
///
/// Of clips, the frames at the start, at the end or at both ends are given, or all frames outside a box; of single
/// frames what is outside a box or inside it.
pub(crate) fn given(rng: &mut ChaCha8Rng, [t, h, w]: [usize; 3]) -> Vec<f32> {
    let few = |rng: &mut ChaCha8Rng, most: usize| match rng.random_bool(0.6) {
        true => 1,
        false => rng.random_range(1..=most),
    };
    let kind = if t == 1 { 9 } else { rng.random_range(0..10) };
    let painted = match kind {
        0..4 => few(rng, t - 1)..t,
        4..5 => 0..t - few(rng, t - 1),
        5..7 if t > 2 => {
            let first = few(rng, t - 2);
            first..t - few(rng, t - 1 - first)
        }
        _ => 0..t,
    };
    let whole = painted.len() < t;
    let (rows, columns) = if whole {
        (0..h, 0..w)
    } else {
        (part(rng, h), part(rng, w))
    };
    let covers = rows.len() * columns.len() == h * w;
    let inside = t > 1 || covers || rng.random_bool(0.7);
    let positions = (0..t).flat_map(|i| (0..h).flat_map(move |j| (0..w).map(move |k| (i, j, k))));
    positions
        .map(|(i, j, k)| {
            let within = painted.contains(&i) && rows.contains(&j) && columns.contains(&k);
            f32::from(within != inside)
        })
        .collect()
}

/// A part of a side, at least a quarter of it.
fn part(rng: &mut ChaCha8Rng, side: usize) -> Range<usize> {
    let length = rng.random_range(side.div_ceil(4)..=side);
    let start = rng.random_range(0..=side - length);
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};

    #[test]
    fn something_is_given_and_something_is_left_to_paint() {
        for dims in [[1, 8, 12], [2, 4, 6], [7, 8, 12]] {
            let mut ends = [0; 2];
            for index in 0..300 {
                let mask = given(&mut generator(1, Purpose::Given, index), dims);
                assert_eq!(mask.len(), dims.iter().product::<usize>());
                assert!(mask.contains(&0.0), "{index}: nothing to paint");
                let frame = mask.len() / dims[0];
                let whole = |part: &[f32]| part.iter().all(|&share| share == 1.0);
                ends[0] += usize::from(whole(&mask[..frame]));
                ends[1] += usize::from(whole(&mask[mask.len() - frame..]));
            }
            // A clip's first frame is given in at least a third of all cases, its last in fewer.
            assert!(dims[0] == 1 || (ends[0] > 100 && ends[1] > 30), "{ends:?}");
        }
    }
}
