//! How sharp and how steady painted clips are, beside true renders of the same scenes.

/// Sums over clips, of painted ones and of renders.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finish {
    edges: [f64; 2],
    jumps: [f64; 2],
}

impl Finish {
    /// Adds a painted clip and the render of its scene, RGB8 frames of one size.
    pub fn add(&mut self, painted: &[u8], render: &[u8], width: usize, height: usize) {
        for (which, frames) in [painted, render].into_iter().enumerate() {
            let frames: Vec<Vec<f64>> = frames.chunks_exact(width * height * 3).map(luma).collect();
            self.edges[which] += mean(frames.iter().map(|frame| edges(frame, width)));
            self.jumps[which] += mean(frames.windows(3).map(jump));
        }
    }

    /// Differences of neighbouring pixels, painted over rendered.
    pub fn sharpness(&self) -> f64 {
        self.edges[0] / self.edges[1].max(1e-9)
    }

    /// Second differences in time, painted over rendered.
    pub fn flicker(&self) -> f64 {
        self.jumps[0] / self.jumps[1].max(1e-9)
    }
}

fn luma(frame: &[u8]) -> Vec<f64> {
    let (pixels, _) = frame.as_chunks::<3>();
    let grey = |[r, g, b]: &[u8; 3]| {
        0.2126 * f64::from(*r) + 0.7152 * f64::from(*g) + 0.0722 * f64::from(*b)
    };
    pixels.iter().map(grey).collect()
}

/// Mean difference of neighbours in a row.
fn edges(frame: &[f64], width: usize) -> f64 {
    let rows = frame.chunks_exact(width);
    mean(rows.flat_map(|row| row.windows(2).map(|pair| (pair[1] - pair[0]).abs())))
}

/// Mean change of the change over three frames.
fn jump(frames: &[Vec<f64>]) -> f64 {
    let triples = frames[0].iter().zip(&frames[1]).zip(&frames[2]);
    mean(triples.map(|((a, b), c)| (a - 2.0 * b + c).abs()))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grey frames of 4 x 2 pixels: a ramp of `step` a pixel, `shift` brighter in every other frame.
    fn clip(step: u8, shift: u8) -> Vec<u8> {
        let frame = |f: u8| (0..8).flat_map(move |i| [i % 4 * step + f % 2 * shift; 3]);
        (0..6).flat_map(frame).collect()
    }

    #[test]
    fn a_blurred_clip_is_less_sharp_and_a_jumping_one_flickers() {
        let mut finish = Finish::default();
        finish.add(&clip(5, 20), &clip(10, 5), 4, 2);
        assert!((finish.sharpness() - 0.5).abs() < 1e-9);
        assert!((finish.flicker() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_single_frame_does_not_flicker() {
        let mut finish = Finish::default();
        finish.add(&clip(5, 0)[..24], &clip(5, 0)[..24], 4, 2);
        assert_eq!((finish.sharpness(), finish.flicker()), (1.0, 0.0));
    }
}
