//! The difference of two videos as a loss, with its gradient worked out by hand in the same pass.

use crate::config::VaeLossConfig;
use rayon::prelude::*;

/// A loss and its gradient with respect to the reconstruction.
pub(crate) struct PixelLoss {
    /// The weighted sum.
    pub value: f32,
    /// Mean absolute difference.
    pub absolute: f32,
    /// Mean squared difference.
    pub square: f32,
    /// Mean absolute difference of neighbouring pixels' differences.
    pub edges: f32,
    /// One number for each of the reconstruction.
    pub gradient: Vec<f32>,
}

/// Compares videos `[B, T, H, W, C]` of `dims`. Besides pixels it compares the steps between neighbours across, down
/// and in time, where a blurred edge or a jump shows more than in the pixels.
pub(crate) fn pixel_loss(
    recon: &[f32],
    target: &[f32],
    dims: [usize; 5],
    config: &VaeLossConfig,
) -> PixelLoss {
    let [_, frames, height, width, channels] = dims;
    let row = width * channels;
    let plane = height * row;
    let share = 1.0 / recon.len() as f32;
    let difference: Vec<f32> = recon.par_iter().zip(target).map(|(r, t)| r - t).collect();
    let mut gradient = vec![0.0; recon.len()];
    let sums: Vec<[f64; 3]> = gradient
        .par_chunks_mut(plane)
        .enumerate()
        .map(|(index, gradient)| {
            let start = index * plane;
            let this = &difference[start..start + plane];
            let before = (index % frames > 0).then(|| &difference[start - plane..start]);
            let after = (index % frames + 1 < frames)
                .then(|| &difference[start + plane..start + 2 * plane]);
            let (mut absolute, mut square, mut edges) = (0.0f64, 0.0f64, 0.0f64);
            for y in 0..height {
                let (mut row_absolute, mut row_square, mut row_edges) = (0.0f32, 0.0f32, 0.0f32);
                for i in y * row..(y + 1) * row {
                    let d = this[i];
                    row_absolute += d.abs();
                    row_square += d * d;
                    let mut pull = 0.0;
                    // A step to a later neighbour counts once in the loss; its gradient reaches both ends.
                    let mut later = |neighbour: f32| {
                        row_edges += (neighbour - d).abs();
                        pull -= sign(neighbour - d);
                    };
                    if i + channels < (y + 1) * row {
                        later(this[i + channels]);
                    }
                    if y + 1 < height {
                        later(this[i + row]);
                    }
                    if let Some(after) = after {
                        later(after[i]);
                    }
                    if i >= y * row + channels {
                        pull += sign(d - this[i - channels]);
                    }
                    if y > 0 {
                        pull += sign(d - this[i - row]);
                    }
                    if let Some(before) = before {
                        pull += sign(d - before[i]);
                    }
                    gradient[i] = share
                        * (config.absolute * sign(d)
                            + 2.0 * config.square * d
                            + config.gradient * pull);
                }
                absolute += f64::from(row_absolute);
                square += f64::from(row_square);
                edges += f64::from(row_edges);
            }
            [absolute, square, edges]
        })
        .collect();
    let mean =
        |part: usize| (sums.iter().map(|sum| sum[part]).sum::<f64>() * f64::from(share)) as f32;
    let (absolute, square, edges) = (mean(0), mean(1), mean(2));
    let value = config.absolute * absolute + config.square * square + config.gradient * edges;
    PixelLoss {
        value,
        absolute,
        square,
        edges,
        gradient,
    }
}

/// The sign, 0 at 0.
fn sign(x: f32) -> f32 {
    f32::from(x > 0.0) - f32::from(x < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_nn::noise::normal;

    /// The gradient agrees with central differences of the loss itself.
    #[test]
    fn gradient_is_that_of_the_loss() {
        let dims = [2, 3, 4, 5, 3];
        let count = dims.iter().product();
        let (recon, target) = (normal(3, 0, count), normal(3, 1, count));
        let config = VaeLossConfig {
            absolute: 1.0,
            square: 0.7,
            gradient: 0.3,
            latent_noise: 0.0,
        };
        let at = |values: &[f32]| pixel_loss(values, &target, dims, &config).value;
        let gradient = pixel_loss(&recon, &target, dims, &config).gradient;
        for i in (0..count).step_by(17) {
            let h = 2e-3;
            let (mut up, mut down) = (recon.clone(), recon.clone());
            up[i] += h;
            down[i] -= h;
            let numeric = (at(&up) - at(&down)) / (2.0 * h);
            assert!(
                (numeric - gradient[i]).abs() < 3e-4,
                "{i}: {numeric} and {}",
                gradient[i]
            );
        }
        assert_eq!(at(&target), 0.0);
    }
}
