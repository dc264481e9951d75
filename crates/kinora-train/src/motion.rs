//! How the camera moves, by geometry alone: robust parametric image motion between frames (Bergen et al., 1992;
//! Odobez and Bouthemy, 1995).

/// Parameters of the motion model, that of a plane seen by a moving camera:
/// `u = a0 + a1 x + a2 y + a6 x^2 + a7 x y` and `v = a3 + a4 x + a5 y + a6 x y + a7 y^2`.
const PARAMETERS: usize = 8;
/// Numbers that describe a clip: mean and spread of each parameter, and what the model leaves unexplained.
const FEATURES: usize = 2 * PARAMETERS + 1;
/// Frames between the two that are compared.
const STRIDE: usize = 3;
/// Halvings of the luma picture; motion is found on the coarsest first.
const LEVELS: usize = 3;
const ITERATIONS: usize = 6;
/// Differences of luma (0 to 1) far above this count little.
const SCALE: f64 = 0.04;

/// The features of a clip's motion.
pub(crate) type Motion = [f32; FEATURES];

/// A luma picture, 0 to 1.
struct Luma {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Luma {
    fn of(frame: &[u8], width: usize, height: usize) -> Self {
        let weigh = |p: &[u8]| {
            (0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2])) / 255.0
        };
        Self {
            width,
            height,
            values: frame.chunks_exact(3).map(weigh).collect(),
        }
    }

    fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let at = |x: usize, y: usize| self.values[y * self.width + x];
        let mean = |x, y| {
            (at(2 * x, 2 * y)
                + at(2 * x + 1, 2 * y)
                + at(2 * x, 2 * y + 1)
                + at(2 * x + 1, 2 * y + 1))
                / 4.0
        };
        let values = (0..width * height)
            .map(|i| mean(i % width, i / width))
            .collect();
        Self {
            width,
            height,
            values,
        }
    }

    /// Bilinear value and gradient; nothing outside or at the border.
    fn at(&self, x: f64, y: f64) -> Option<[f32; 3]> {
        let inside =
            x >= 1.0 && y >= 1.0 && x < self.width as f64 - 2.0 && y < self.height as f64 - 2.0;
        if !inside {
            return None;
        }
        let (left, top) = (x as usize, y as usize);
        let (fx, fy) = ((x - left as f64) as f32, (y - top as f64) as f32);
        let value = |x: usize, y: usize| self.values[y * self.width + x];
        let (a, b) = (value(left, top), value(left + 1, top));
        let (c, d) = (value(left, top + 1), value(left + 1, top + 1));
        let (upper, lower) = (a + (b - a) * fx, c + (d - c) * fx);
        Some([
            upper + (lower - upper) * fy,
            (b - a) * (1.0 - fy) + (d - c) * fy,
            lower - upper,
        ])
    }
}

/// What the model's two rows are at a point, in coordinates that span -1 to 1 over the longer side.
fn rows(x: f64, y: f64) -> [[f64; PARAMETERS]; 2] {
    [
        [1.0, x, y, 0.0, 0.0, 0.0, x * x, x * y],
        [0.0, 0.0, 0.0, 1.0, x, y, x * y, y * y],
    ]
}

/// Fits the motion from `a` to `b`, coarse to fine. Returns the parameters, in half widths, and the mean difference
/// that remains.
fn fit(a: &[Luma], b: &[Luma]) -> ([f64; PARAMETERS], f64) {
    let mut motion = [0.0; PARAMETERS];
    let mut left = 0.0;
    for (a, b) in a.iter().zip(b).rev() {
        let half = a.width.max(a.height) as f64 / 2.0;
        let (cx, cy) = ((a.width as f64 - 1.0) / 2.0, (a.height as f64 - 1.0) / 2.0);
        for _ in 0..ITERATIONS {
            let mut normal = [[0.0; PARAMETERS + 1]; PARAMETERS];
            let (mut sum, mut count) = (0.0, 0.0);
            for y in 0..a.height {
                for x in 0..a.width {
                    let [u, v] = rows((x as f64 - cx) / half, (y as f64 - cy) / half);
                    let along = |row: &[f64; PARAMETERS]| {
                        row.iter().zip(&motion).map(|(r, m)| r * m).sum::<f64>()
                    };
                    let Some([value, gx, gy]) =
                        b.at(x as f64 + along(&u) * half, y as f64 + along(&v) * half)
                    else {
                        continue;
                    };
                    let difference = f64::from(a.values[y * a.width + x] - value);
                    // Geman and McClure's weight: what moves on its own is left out.
                    let weight = (1.0 + (difference / SCALE).powi(2)).powi(-2);
                    let (gx, gy) = (f64::from(gx) * half, f64::from(gy) * half);
                    let slope: [f64; PARAMETERS] = std::array::from_fn(|i| u[i] * gx + v[i] * gy);
                    for i in 0..PARAMETERS {
                        for j in i..PARAMETERS {
                            normal[i][j] += weight * slope[i] * slope[j];
                        }
                        normal[i][PARAMETERS] += weight * slope[i] * difference;
                    }
                    sum += difference.abs();
                    count += 1.0;
                }
            }
            left = sum / f64::max(count, 1.0);
            let step = solve(normal, count);
            motion
                .iter_mut()
                .zip(step)
                .for_each(|(motion, step)| *motion += step);
        }
    }
    (motion.map(|value| value.clamp(-2.0, 2.0)), left)
}

/// Solves the symmetric system, given by its upper half and right side, by Gaussian elimination, damped so that a flat
/// picture gives no motion.
fn solve(mut system: [[f64; PARAMETERS + 1]; PARAMETERS], count: f64) -> [f64; PARAMETERS] {
    let upper = system;
    for (i, row) in system.iter_mut().enumerate() {
        for (value, above) in row[..i].iter_mut().zip(&upper) {
            *value = above[i];
        }
        row[i] = row[i] * 1.001 + 1e-4 * count + 1e-9;
    }
    for i in 0..PARAMETERS {
        let (done, below) = system.split_at_mut(i + 1);
        let pivot = &done[i];
        for row in below {
            let factor = row[i] / pivot[i];
            for (value, above) in row[i..].iter_mut().zip(&pivot[i..]) {
                *value -= factor * above;
            }
        }
    }
    let mut x = [0.0; PARAMETERS];
    for (i, row) in system.iter().enumerate().rev() {
        let known: f64 = row[i + 1..PARAMETERS]
            .iter()
            .zip(&x[i + 1..])
            .map(|(a, x)| a * x)
            .sum();
        x[i] = (row[PARAMETERS] - known) / row[i];
    }
    x
}

/// Describes the motion of a clip of RGB8 frames.
pub(crate) fn motion(frames: &[u8], width: usize, height: usize) -> Motion {
    let pyramid = |frame: &[u8]| {
        let mut levels = vec![Luma::of(frame, width, height).halved()];
        while levels.len() < LEVELS {
            levels.push(levels[levels.len() - 1].halved());
        }
        levels
    };
    let pyramids: Vec<Vec<Luma>> = frames
        .chunks_exact(width * height * 3)
        .step_by(STRIDE)
        .map(pyramid)
        .collect();
    let fits: Vec<_> = pyramids
        .windows(2)
        .map(|pair| fit(&pair[0], &pair[1]))
        .collect();
    let mut features = [0.0; FEATURES];
    let count = fits.len().max(1) as f64;
    for parameter in 0..PARAMETERS {
        let mean = fits
            .iter()
            .map(|(motion, _)| motion[parameter])
            .sum::<f64>()
            / count;
        let square = fits
            .iter()
            .map(|(motion, _)| (motion[parameter] - mean).powi(2))
            .sum::<f64>()
            / count;
        features[parameter] = mean as f32;
        features[PARAMETERS + parameter] = square.sqrt() as f32;
    }
    features[FEATURES - 1] = (fits.iter().map(|(_, left)| left).sum::<f64>() / count) as f32;
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A smooth texture, moved and scaled by a known amount from frame to frame.
    fn clip(shift: f64, zoom: f64) -> Vec<u8> {
        let (width, height) = (192, 128);
        let mut frames = Vec::new();
        for frame in 0..13 {
            let t = f64::from(frame);
            for i in 0..width * height {
                let x = ((i % width) as f64 - 95.5) / zoom.powf(t) - shift * t;
                let y = ((i / width) as f64 - 63.5) / zoom.powf(t);
                let value = 128.0
                    + 50.0 * (x * 0.11).sin() * (y * 0.13).cos()
                    + 40.0 * (x * 0.05 + y * 0.07).sin();
                frames.extend([value as u8; 3]);
            }
        }
        frames
    }

    #[test]
    fn finds_a_known_shift_and_zoom() {
        let shifted = motion(&clip(1.0, 1.0), 192, 128);
        // Three frames of one pixel, in half widths of 96.
        assert!((shifted[0] - 3.0 / 96.0).abs() < 0.002, "{shifted:?}");
        assert!(shifted[1].abs() < 0.004 && shifted[3].abs() < 0.002);
        let zoomed = motion(&clip(0.0, 1.01), 192, 128);
        assert!(
            (zoomed[1] - 0.0303).abs() < 0.003 && (zoomed[5] - 0.0303).abs() < 0.003,
            "{zoomed:?}"
        );
        assert!(zoomed[0].abs() < 0.002);
    }
}
