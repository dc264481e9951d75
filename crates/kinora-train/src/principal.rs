//! Principal components of patches by orthogonal iteration, the autoencoder's linear code.

use burn::tensor::Tensor;
use kinora_models::kinora1::LinearCode;
use kinora_nn::noise;

/// Rounds of the iteration; directions of nearly equal variance may stay mixed, which spans the same code.
const ROUNDS: usize = 16;

/// The linear code of the `channels` directions of largest variance among patches `[N, P]`, scaled so that latents
/// have a mean square of one.
///
/// Orthogonal iteration (Golub & Van Loan, Matrix Computations, 7.3.2) from seeded directions.
pub(crate) fn principal_components(patches: Tensor<2>, channels: usize, seed: u64) -> LinearCode {
    let [count, patch] = patches.dims();
    let mean = patches.clone().mean_dim(0); // (1, P)
    let x = patches - mean.clone(); // (N, P)
    let mut directions = noise::normal(seed, 0, channels * patch); // (C, P)
    let mut variance = 1.0;
    for _ in 0..ROUNDS {
        orthonormalise(&mut directions, patch);
        let q = Tensor::<2>::from_data(
            burn::tensor::TensorData::new(directions, [channels, patch]),
            &x.device(),
        );
        let latent = x.clone().matmul(q.transpose()); // (N, C)
        variance = latent.clone().square().mean().into_scalar::<f32>();
        let next = latent.transpose().matmul(x.clone()) / count as f32; // (C, P)
        directions = crate::pixels::floats(next);
    }
    orthonormalise(&mut directions, patch);
    let scale = variance.max(f32::MIN_POSITIVE).sqrt().recip();
    directions.iter_mut().for_each(|v| *v *= scale);
    LinearCode {
        mean: crate::pixels::floats(mean),
        components: directions,
        scale,
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

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
        let patches = Tensor::from_data(TensorData::new(values, [count, patch]), &Device::flex());
        let code = principal_components(patches, 2, 3);
        assert!(code.mean.iter().all(|m| (m - 5.0).abs() < 0.5));
        let along =
            |row: usize, column: usize| (code.components[row * patch + column] / code.scale).abs();
        assert!(
            along(0, 1) > 0.999 && along(1, 4) > 0.99,
            "{:?}",
            code.components
        );
        let mean_square = (9.0 + 1.0) / 2.0;
        assert!((code.scale - f32::sqrt(1.0 / mean_square)).abs() < 0.05);
    }
}
