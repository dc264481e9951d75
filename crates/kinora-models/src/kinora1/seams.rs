//! Brings the tiles of a painted picture together: each latent position errs on its own, so that where two meet the picture jumps.
//! As much of the jump as is more than the picture's own slope there fades into the tiles on both sides; a jump so large that it
//! may be the edge of something stays (compare the deblocking filter of List et al. 2003).

use super::SPATIAL_COMPRESSION as TILE;

/// Pixels on each side of a border that take up some of its jump.
const REACH: usize = TILE / 2;
/// Pixels along a border, to each side, over which its jump is averaged: what a tile errs in is the same for most of its side.
const ALONG: usize = 4;
/// A jump that is an edge, in values of -1 to 1; from half of it on, less and less of it is taken.
const EDGE: f32 = 0.3;

/// Mends a picture `[H, W, 3]` of values about -1 to 1.
pub(super) fn mend(picture: &mut [f32], [height, width]: [usize; 2]) {
    // How far apart in the picture two pixels are that follow each other across a border, and two along it.
    let (across, down) = ([width, height, 3, 3 * width], [height, width, 3 * width, 3]);
    for [borders, along, step, line] in [across, down] {
        for border in (TILE..borders - 2).step_by(TILE) {
            mend_border(picture, border, along, [step, line]);
        }
    }
}

/// Mends the border before the pixels at `border`, `along` pixels long.
fn mend_border(picture: &mut [f32], border: usize, along: usize, [step, line]: [usize; 2]) {
    let jumps: Vec<[f32; 3]> = (0..along)
        .map(|place| {
            let at = |pixel: usize, c: usize| picture[pixel * step + place * line + c];
            [0, 1, 2].map(|c| {
                let slopes =
                    at(border - 1, c) - at(border - 3, c) + at(border + 2, c) - at(border, c);
                at(border, c) - at(border - 1, c) - slopes / 4.0
            })
        })
        .collect();
    for place in 0..along {
        let near = &jumps[place.saturating_sub(ALONG)..(place + ALONG + 1).min(along)];
        for c in 0..3 {
            let jump = near.iter().map(|jump| jump[c]).sum::<f32>() / near.len() as f32;
            let taken = jump * (2.0 - 2.0 * jump.abs() / EDGE).clamp(0.0, 1.0);
            for away in 0..REACH {
                let share = 0.5 - (away as f32 + 0.5) / (2 * REACH) as f32;
                let at = |pixel: usize| pixel * step + place * line + c;
                picture[at(border - 1 - away)] += taken * share;
                picture[at(border + away)] -= taken * share;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [32, 48];

    fn picture(value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        (0..SIZE[0] * SIZE[1])
            .flat_map(|at| [value(at % SIZE[1], at / SIZE[1]); 3])
            .collect()
    }

    #[test]
    fn tiles_meet() {
        // Each tile of a slope is lighter or darker by itself.
        let tiles = |x: usize, y: usize| 0.05 * ((x / TILE + 2 * (y / TILE)) % 3) as f32;
        let painted = picture(|x, y| x as f32 / 100.0 + tiles(x, y));
        let mut mended = painted.clone();
        mend(&mut mended, SIZE);
        // Halfway along three borders: to the left of the first two, above the third.
        for (x, y, beside) in [(16, 8, [1, 0]), (32, 24, [1, 0]), (40, 16, [0, 1])] {
            let at = |picture: &[f32], x: usize, y: usize| picture[(y * SIZE[1] + x) * 3];
            let step = |picture| at(picture, x, y) - at(picture, x - beside[0], y - beside[1]);
            let slope = if beside == [1, 0] { 0.01 } else { 0.0 };
            let [before, after] = [&painted[..], &mended].map(|it| (step(it) - slope).abs());
            assert!(before > 0.04 && after < 0.2 * before, "{before} {after}");
        }
    }

    #[test]
    fn slopes_and_edges_stay() {
        let slope = |x: usize, y: usize| x as f32 / 100.0 - y as f32 / 50.0;
        let edge = |x: usize, _: usize| f32::from(u8::from(x >= 2 * TILE)) - 0.5;
        for value in [&slope as &dyn Fn(usize, usize) -> f32, &edge] {
            let before = picture(value);
            let mut after = before.clone();
            mend(&mut after, SIZE);
            let apart = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f32::max) < 1e-5);
        }
    }
}
