//! Principal components of patches, the autoencoder's linear code.

use crate::pixels::floats;
use burn::tensor::{Device, Tensor, TensorData};
use kinora_models::kinora1::LinearCode;
use kinora_nn::noise;
use rayon::prelude::*;

/// Rounds of the iteration.
const ROUNDS: usize = 16;
/// Rotations of a matrix end after so many sweeps; they converge quadratically, so ten are plenty.
const SWEEPS: usize = 16;

/// Sums over patches from which their mean and covariance follow, so that patches need not be kept.
pub(crate) struct PatchSums {
    count: usize,
    /// `[1, P]`.
    sum: Tensor<2>,
    /// `[P, P]`.
    products: Tensor<2>,
}

impl PatchSums {
    /// Sums of no patches of `patch` values.
    pub fn new(patch: usize, device: &Device) -> Self {
        Self {
            count: 0,
            sum: Tensor::zeros([1, patch], device),
            products: Tensor::zeros([patch, patch], device),
        }
    }

    /// With patches `[N, P]` added.
    pub fn with(self, patches: Tensor<2>) -> Self {
        Self {
            count: self.count + patches.dims()[0],
            sum: self.sum + patches.clone().sum_dim(0),
            products: self.products + patches.clone().transpose().matmul(patches),
        }
    }

    /// The linear code of the `channels` directions of largest variance, in falling order of variance and uncorrelated
    /// with each other, scaled so that latents have a mean square of one.
    pub fn principal_components(self, channels: usize, seed: u64) -> LinearCode {
        let (mean, axes) = self.axes(channels, seed);
        let variance = axes.iter().map(|axis| axis.variance).sum::<f64>() / channels as f64;
        let scale = variance.max(f64::MIN_POSITIVE).sqrt().recip();
        LinearCode {
            mean,
            components: axes.iter().flat_map(|axis| axis.scaled(scale)).collect(),
            scale: scale as f32,
        }
    }

    /// What makes patches uncorrelated numbers of equal variance: a weight `[P, P]` and a bias `[P]`. Directions of
    /// less variance than `floor` come out weaker.
    pub fn whitening(self, floor: f64, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let patch = self.sum.dims()[1];
        let (mean, axes) = self.axes(patch, seed);
        let rows = axes.iter().map(|axis| {
            let scale = (axis.variance.max(0.0) + floor).sqrt().recip();
            let row: Vec<f32> = axis.scaled(scale).collect();
            let bias = -dot(&row, &mean) as f32;
            (row, bias)
        });
        let (rows, bias): (Vec<_>, Vec<_>) = rows.unzip();
        (rows.concat(), bias)
    }

    /// The best linear estimate of the values from `inputs` on from those before: a weight `[P - inputs, inputs]` and a
    /// bias `[P - inputs]`. Inputs count as noisy by `floor` of their mean variance, so that none is trusted for chance.
    pub fn regression(self, inputs: usize, floor: f64) -> (Vec<f32>, Vec<f32>) {
        let patch = self.sum.dims()[1];
        let count = self.count as f64;
        let mean: Vec<f64> = floats(self.sum)
            .into_iter()
            .map(|s| f64::from(s) / count)
            .collect();
        let products = floats(self.products);
        let covariance =
            |a: usize, b: usize| f64::from(products[a * patch + b]) / count - mean[a] * mean[b];
        let noise = floor * (0..inputs).map(|i| covariance(i, i)).sum::<f64>() / inputs as f64;
        let mut factor = vec![0.0; inputs * inputs];
        for a in 0..inputs {
            for b in 0..=a {
                factor[a * inputs + b] = covariance(a, b) + if a == b { noise } else { 0.0 };
            }
        }
        factorise(&mut factor, inputs);
        let outputs = (inputs..patch).into_par_iter().map(|output| {
            let mut row: Vec<f64> = (0..inputs).map(|i| covariance(i, output)).collect();
            solve(&factor, &mut row);
            let told: f64 = row
                .iter()
                .zip(&mean)
                .map(|(weight, mean)| weight * mean)
                .sum();
            let bias = (mean[output] - told) as f32;
            (
                row.into_iter()
                    .map(|weight| weight as f32)
                    .collect::<Vec<_>>(),
                bias,
            )
        });
        let (rows, bias): (Vec<_>, Vec<_>) = outputs.unzip();
        (rows.concat(), bias)
    }

    /// The mean patch and the `channels` axes of largest variance.
    ///
    /// Orthogonal iteration from seeded directions, a quarter more of them than asked for so that the last converge
    /// too, then a Rayleigh-Ritz rotation to the axes within what they span (Golub & Van Loan, Matrix Computations,
    /// 8.2.4 and 8.3).
    fn axes(self, channels: usize, seed: u64) -> (Vec<f32>, Vec<Axis>) {
        let patch = self.sum.dims()[1];
        let mean = self.sum / self.count as f32; // (1, P)
        let covariance =
            self.products / self.count as f32 - mean.clone().transpose().matmul(mean.clone()); // (P, P)
        let searched = (channels + channels.div_ceil(4)).min(patch);
        let tensor = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [values.len() / patch, patch]);
            Tensor::<2>::from_data(data, &covariance.device())
        };
        let mut directions = noise::normal(seed, 0, searched * patch); // (S, P)
        for _ in 0..ROUNDS {
            orthonormalise(&mut directions, patch);
            directions = floats(tensor(&directions).matmul(covariance.clone()));
        }
        orthonormalise(&mut directions, patch);

        let q = tensor(&directions);
        let within = floats(q.clone().matmul(covariance.clone()).matmul(q.transpose())); // (S, S)
        let mut axes = principal_axes(within.into_iter().map(f64::from).collect(), searched);
        axes.truncate(channels);
        for axis in &mut axes {
            let mut whole = vec![0.0; patch];
            for (share, direction) in axis.direction.iter().zip(directions.chunks_exact(patch)) {
                whole
                    .iter_mut()
                    .zip(direction)
                    .for_each(|(w, d)| *w += share * f64::from(*d));
            }
            axis.direction = whole;
        }
        (floats(mean), axes)
    }
}

/// The Cholesky factor of a symmetric positive `size` x `size` matrix of which the lower triangle is given, in its place
/// (Golub & Van Loan, 4.2.5).
pub(crate) fn factorise(matrix: &mut [f64], size: usize) {
    for row in 0..size {
        let (above, current) = matrix.split_at_mut(row * size);
        let current = &mut current[..=row];
        for column in 0..row {
            let other = &above[column * size..][..=column];
            let known: f64 = current[..column]
                .iter()
                .zip(other)
                .map(|(a, b)| a * b)
                .sum();
            current[column] = (current[column] - known) / other[column];
        }
        let known: f64 = current[..row].iter().map(|a| a * a).sum();
        current[row] = (current[row] - known).max(f64::MIN_POSITIVE).sqrt();
    }
}

/// Solves with the factor of [`factorise`], in the place of the right side.
pub(crate) fn solve(factor: &[f64], values: &mut [f64]) {
    let size = values.len();
    for row in 0..size {
        let line = &factor[row * size..][..=row];
        let known: f64 = line[..row].iter().zip(&*values).map(|(a, b)| a * b).sum();
        values[row] = (values[row] - known) / line[row];
    }
    for row in (0..size).rev() {
        values[row] /= factor[row * size + row];
        let value = values[row];
        for (other, share) in values[..row].iter_mut().zip(&factor[row * size..]) {
            *other -= share * value;
        }
    }
}

/// Modified Gram-Schmidt over rows of `width`, in f64 sums.
fn orthonormalise(rows: &mut [f32], width: usize) {
    for row in 0..rows.len() / width {
        let (before, rest) = rows.split_at_mut(row * width);
        let current = &mut rest[..width];
        for other in before.chunks_exact(width) {
            let along = dot(current, other) as f32;
            current
                .iter_mut()
                .zip(other)
                .for_each(|(c, o)| *c -= along * o);
        }
        let length = dot(current, current).sqrt().max(f64::MIN_POSITIVE) as f32;
        current.iter_mut().for_each(|v| *v /= length);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

/// An eigenvector of a covariance and its eigenvalue.
struct Axis {
    variance: f64,
    direction: Vec<f64>,
}

impl Axis {
    fn scaled(&self, scale: f64) -> impl Iterator<Item = f32> {
        self.direction.iter().map(move |v| (v * scale) as f32)
    }
}

/// The axes of a symmetric `size` x `size` matrix in falling order of variance, by cyclic Jacobi rotations (Golub & Van
/// Loan, 8.5.3).
fn principal_axes(mut matrix: Vec<f64>, size: usize) -> Vec<Axis> {
    let mut directions: Vec<Vec<f64>> = (0..size)
        .map(|row| {
            (0..size)
                .map(|column| f64::from(u8::from(row == column)))
                .collect()
        })
        .collect();
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..size {
            for q in p + 1..size {
                let (pp, qq, pq) = (
                    matrix[p * size + p],
                    matrix[q * size + q],
                    matrix[p * size + q],
                );
                if pq.abs() <= 1e-12 * (pp * qq).abs().sqrt() {
                    continue;
                }
                rotated = true;
                let slope = (qq - pp) / (2.0 * pq);
                let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
                let cosine = tangent.hypot(1.0).recip();
                let sine = tangent * cosine;
                let turn = |a: &mut f64, b: &mut f64| {
                    (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                };
                let (above, below) = matrix.split_at_mut(q * size);
                let (row_p, row_q) = (&mut above[p * size..][..size], &mut below[..size]);
                row_p.iter_mut().zip(row_q).for_each(|(a, b)| turn(a, b));
                for row in matrix.chunks_exact_mut(size) {
                    let (left, right) = row.split_at_mut(q);
                    turn(&mut left[p], &mut right[0]);
                }
                let (above, below) = directions.split_at_mut(q);
                above[p]
                    .iter_mut()
                    .zip(&mut below[0])
                    .for_each(|(a, b)| turn(a, b));
            }
        }
        if !rotated {
            break;
        }
    }
    let mut axes: Vec<Axis> = directions
        .into_iter()
        .enumerate()
        .map(|(i, direction)| Axis {
            variance: matrix[i * size + i],
            direction,
        })
        .collect();
    axes.sort_by(|a, b| b.variance.total_cmp(&a.variance));
    axes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(values: Vec<f32>, patch: usize, channels: usize) -> LinearCode {
        let device = Device::flex();
        let count = values.len() / patch;
        let patches = Tensor::<2>::from_data(TensorData::new(values, [count, patch]), &device);
        let halves = patches.split(count.div_ceil(2), 0);
        let sums = halves
            .into_iter()
            .fold(PatchSums::new(patch, &device), PatchSums::with);
        sums.principal_components(channels, 3)
    }

    #[test]
    fn the_directions_of_largest_variance_are_found() {
        let (count, patch) = (500, 6);
        let mut values = noise::normal(1, 0, count * patch);
        let deviations = [0.1, 3.0, 0.1, 0.1, 1.0, 0.1];
        for row in values.chunks_exact_mut(patch) {
            row.iter_mut()
                .zip(deviations)
                .for_each(|(v, d)| *v = *v * d + 5.0);
        }
        let code = code(values, patch, 2);
        assert!(code.mean.iter().all(|m| (m - 5.0).abs() < 0.5));
        let along =
            |row: usize, column: usize| (code.components[row * patch + column] / code.scale).abs();
        assert!(
            along(0, 1) > 0.99 && along(1, 4) > 0.99,
            "{:?}",
            code.components
        );
        let mean_square = (9.0 + 1.0) / 2.0;
        assert!((code.scale - f32::sqrt(1.0 / mean_square)).abs() < 0.05);
    }

    /// Outputs that are linear in correlated inputs, with noise on them.
    #[test]
    fn a_regression_finds_the_linear_map() {
        let (count, inputs) = (20_000, 3);
        let noise = noise::normal(9, 0, count * 4);
        let mut values = Vec::new();
        for n in noise.chunks_exact(4) {
            let x = [n[0] + 2.0, n[0] + 0.5 * n[1], n[2] - 1.0];
            values.extend(x);
            values.push(3.0 * x[0] - 2.0 * x[1] + 0.5 + 0.1 * n[3]);
            values.push(x[2]);
        }
        let device = Device::flex();
        let rows = Tensor::<2>::from_data(TensorData::new(values, [count, 5]), &device);
        let (weight, bias) = PatchSums::new(5, &device)
            .with(rows)
            .regression(inputs, 1e-6);
        for (found, wanted) in weight.iter().zip([3.0, -2.0, 0.0, 0.0, 0.0, 1.0]) {
            assert!((found - wanted).abs() < 0.02, "{weight:?}");
        }
        assert!(
            (bias[0] - 0.5).abs() < 0.02 && bias[1].abs() < 0.02,
            "{bias:?}"
        );
    }

    /// Directions of nearly equal variance, which the iteration alone leaves mixed.
    #[test]
    fn channels_are_uncorrelated_and_in_falling_order_of_variance() {
        let (count, patch, channels) = (2000, 24, 8);
        let (mut values, mixing) = (Vec::new(), noise::normal(5, 1, patch * patch));
        for row in noise::normal(5, 0, count * patch).chunks_exact(patch) {
            let scaled: Vec<f32> = row
                .iter()
                .enumerate()
                .map(|(i, v)| v * 0.98f32.powi(i as i32) + 1.0)
                .collect();
            values.extend(mixing.chunks_exact(patch).map(|m| dot(m, &scaled) as f32));
        }
        let code = code(values.clone(), patch, channels);
        let latents: Vec<Vec<f64>> = values
            .chunks_exact(patch)
            .map(|row| {
                let centred: Vec<f32> = row.iter().zip(&code.mean).map(|(v, m)| v - m).collect();
                let components = code.components.chunks_exact(patch);
                components.map(|axis| dot(axis, &centred)).collect()
            })
            .collect();
        let covariance =
            |a: usize, b: usize| latents.iter().map(|z| z[a] * z[b]).sum::<f64>() / count as f64;
        let mean_square = (0..channels).map(|c| covariance(c, c)).sum::<f64>() / channels as f64;
        assert!((mean_square - 1.0).abs() < 1e-3, "{mean_square}");
        for a in 0..channels {
            for b in a + 1..channels {
                assert!(covariance(a, a) > covariance(b, b), "channels {a} and {b}");
                let bound = 1e-3 * (covariance(a, a) * covariance(b, b)).sqrt();
                assert!(covariance(a, b).abs() < bound, "channels {a} and {b}");
            }
        }
    }
}
