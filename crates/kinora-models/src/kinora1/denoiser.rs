//! The linear denoiser that the network corrects.
//!
//! A latent channel is taken as a Gaussian of deviation `s` that keeps the share `rho` of itself from one latent frame to
//! the next, and so does its noise. Where all frames are as noisy, the best guess of a frame is a share of what is seen of
//! it; where some are given, the others are guessed from those, too (the Wiener filter of a first-order autoregression):
//! what lasts in a clip, its colours above all, is then known before anything is painted. Where a clip's beginning is given,
//! what lasts of it goes along with the camera ([`super::camera`]).

use super::channels;
use burn::tensor::{Tensor, TensorData};

/// What the network works with, for noised latents `[B, T, h, w, C]`; the factors have that shape or ones in it.
pub(super) struct Denoised {
    /// Brings what is seen to a deviation of one.
    pub input: Tensor<5>,
    /// The best linear guess of the latent.
    pub likely: Tensor<5>,
    /// The deviation of that guess's error.
    pub error: Tensor<5>,
    /// That deviation in those of the latent: the share of noise in what is seen, if nothing else is known.
    pub noise: Tensor<5>,
}

/// Denoises `noisy` `[B, T, h, w, C]` at the noise levels `level` `[B, T, h, w, 1]`, or one level a clip `[B, 1, 1, 1, 1]`,
/// in channels of the deviations `spread` that last as `persistence` says, and of which `expected` `[B, T, h, w, C]` is
/// expected.
pub(super) fn denoise(
    noisy: &Tensor<5>,
    level: &Tensor<5>,
    expected: Option<Tensor<5>>,
    spread: &[f32],
    persistence: &[f32],
) -> Denoised {
    let deviation: Tensor<5> = channels(spread, &noisy.device());
    let keep: Tensor<5> = 1.0 - level.clone();
    if let Some(expected) = expected {
        // What differs from it is a Gaussian as the whole would be.
        let other = noisy.clone() - keep * expected.clone();
        let seen = denoise(&other, level, None, spread, persistence);
        return Denoised {
            likely: seen.likely + expected,
            ..seen
        };
    }
    let signal = (keep.clone() * deviation.clone()).square();
    let variance = signal + level.clone().square();
    let root = variance.clone().sqrt(); // of what is seen
    let noise = level.clone() / root.clone();
    let likely = noisy.clone() * (keep * deviation.clone().square() / variance);
    let given = Given::of(level, spread, persistence);
    let (likely, noise) = match given {
        None => (likely, noise),
        Some(given) => (likely + given.told(noisy), noise * given.doubt(noisy)),
    };
    Denoised {
        input: root.recip(),
        likely,
        error: noise.clone() * deviation,
        noise,
    }
}

/// What given frames say of the others of their clip.
struct Given {
    /// How much each frame seen adds to the guess of each, `[B, T, T, C]`.
    weights: Vec<f32>,
    /// What becomes of the deviation of each guess's error, `[B, T, C]`.
    doubt: Vec<f32>,
}

impl Given {
    /// Nothing, if no clip has frames that are less noisy than others. Where a frame is given in parts, its clip's positions
    /// are guessed each by itself.
    fn of(level: &Tensor<5>, spread: &[f32], persistence: &[f32]) -> Option<Self> {
        let [b, t, h, w, _] = level.dims();
        if t == 1 {
            return None;
        }
        let levels: Vec<f32> =
            (level.clone().try_into_vec_as()).expect("flex tensors are in memory");
        let channels = spread.len();
        let (mut weights, mut doubt) =
            (vec![0.0; b * t * t * channels], vec![1.0; b * t * channels]);
        let mut any = false;
        for (clip, levels) in levels.chunks_exact(t * h * w).enumerate() {
            let frames = levels.chunks_exact(h * w);
            let whole = |frame: &[f32]| frame.iter().all(|level| *level == frame[0]);
            if !frames.clone().all(whole) {
                continue;
            }
            let levels: Vec<f64> = frames.map(|frame| f64::from(frame[0])).collect();
            if levels.iter().all(|level| *level == levels[0]) {
                continue;
            }
            any = true;
            for channel in 0..channels {
                let (s, rho) = (f64::from(spread[channel]), f64::from(persistence[channel]));
                let (rows, left) = wiener(&levels, s, rho);
                for i in 0..t {
                    doubt[(clip * t + i) * channels + channel] = left[i] as f32;
                    for j in 0..t {
                        let at = ((clip * t + i) * t + j) * channels + channel;
                        weights[at] = rows[i * t + j] as f32;
                    }
                }
            }
        }
        any.then_some(Self { weights, doubt })
    }

    /// What is added to the guess of each position.
    fn told(&self, noisy: &Tensor<5>) -> Tensor<5> {
        let [b, t, _, _, c] = noisy.dims();
        let weights = TensorData::new(self.weights.clone(), [b, t * t, c]);
        let weights = Tensor::<3>::from_data(weights, &noisy.device()).reshape([b, t * t, 1, 1, c]);
        let frame = |i: usize| {
            let parts = (0..t)
                .map(|j| noisy.clone().narrow(1, j, 1) * weights.clone().narrow(1, i * t + j, 1));
            parts
                .reduce(|sum, part| sum + part)
                .expect("a clip has frames") // (B, 1, h, w, C)
        };
        Tensor::cat((0..t).map(frame).collect(), 1)
    }

    fn doubt(&self, noisy: &Tensor<5>) -> Tensor<5> {
        let [b, t, _, _, c] = noisy.dims();
        let doubt = TensorData::new(self.doubt.clone(), [b, t, c]);
        Tensor::<3>::from_data(doubt, &noisy.device()).reshape([b, t, 1, 1, c])
    }
}

/// For frames at noise `levels` of a channel of deviation `s` that keeps the share `rho`: what the best linear guess of each
/// frame adds to the guess from that frame alone, `T` weights of frames in each of `T` rows, and the share that is left of
/// that guess's error.
fn wiener(levels: &[f64], s: f64, rho: f64) -> (Vec<f64>, Vec<f64>) {
    let t = levels.len();
    let last = |i: usize, j: usize| rho.powi(i.abs_diff(j) as i32);
    let keep = |i: usize| 1.0 - levels[i];
    // Covariances of what is seen, and of what is seen with the latent.
    let seen =
        |i: usize, j: usize| last(i, j) * (keep(i) * keep(j) * s * s + levels[i] * levels[j]);
    let with = |i: usize, j: usize| last(i, j) * keep(j) * s * s;
    let lower = cholesky(t, seen);
    let (mut weights, mut left) = (vec![0.0; t * t], vec![0.0; t]);
    for i in 0..t {
        let row = &mut weights[i * t..][..t];
        for (j, weight) in row.iter_mut().enumerate() {
            *weight = with(i, j);
        }
        solve(&lower, row);
        let error = s * s - (0..t).map(|j| row[j] * with(i, j)).sum::<f64>();
        let alone = levels[i] * s / seen(i, i).sqrt(); // deviation of the error from this frame alone
        left[i] = if alone > 0.0 {
            error.max(0.0).sqrt() / alone
        } else {
            1.0
        };
        row[i] -= with(i, i) / seen(i, i);
    }
    (weights, left)
}

/// The lower triangle `L` of a positive matrix `L L'` of `n` rows.
fn cholesky(n: usize, matrix: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let done: f64 = (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum();
            let rest = matrix(i, j) - done;
            lower[i * n + j] = if i == j {
                rest.max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / lower[j * n + j]
            };
        }
    }
    lower
}

/// Solves `L L' x = b` in place.
fn solve(lower: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in 0..n {
        let done: f64 = (0..i).map(|k| lower[i * n + k] * b[k]).sum();
        b[i] = (b[i] - done) / lower[i * n + i];
    }
    for i in (0..n).rev() {
        let done: f64 = (i + 1..n).map(|k| lower[k * n + i] * b[k]).sum();
        b[i] = (b[i] - done) / lower[i * n + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_frames_are_guessed_each_from_itself() {
        let (weights, left) = wiener(&[0.4; 5], 0.7, 0.9);
        assert!(weights.iter().all(|w| w.abs() < 1e-9), "{weights:?}");
        assert!(
            left.iter().all(|left| (left - 1.0).abs() < 1e-9),
            "{left:?}"
        );
    }

    #[test]
    fn a_given_frame_tells_what_lasts_of_it() {
        let (s, rho, sigma) = (1.5, 0.8, 0.999_999);
        let (weights, left) = wiener(&[0.0, sigma, sigma], s, rho);
        let told = |frame: usize| weights[frame * 3];
        assert!(told(0).abs() < 1e-6, "a given frame is itself: {}", told(0));
        assert!((told(1) - rho).abs() < 1e-4 && (told(2) - rho * rho).abs() < 1e-4);
        assert!(
            (left[1] - (1.0 - rho * rho).sqrt()).abs() < 1e-4,
            "{left:?}"
        );
        // Both neighbours: the mean of what they tell, as of a first-order autoregression.
        let (weights, _) = wiener(&[0.0, sigma, 0.0], s, rho);
        let expected = rho / (1.0 + rho * rho);
        assert!((weights[3] - expected).abs() < 1e-4 && (weights[5] - expected).abs() < 1e-4);
    }

    #[test]
    fn the_guess_is_the_one_that_least_squares_find() {
        // The error of the best linear guess is uncorrelated with all that is seen.
        let (levels, s, rho) = ([0.0, 0.3, 0.3, 0.1], 0.6, 0.7);
        let (mut weights, _) = wiener(&levels, s, rho);
        let last = |i: usize, j: usize| f64::powi(rho, i.abs_diff(j) as i32);
        let keep = |i: usize| 1.0 - levels[i];
        let seen =
            |i: usize, j: usize| last(i, j) * (keep(i) * keep(j) * s * s + levels[i] * levels[j]);
        for i in 0..4 {
            weights[i * 4 + i] += keep(i) * s * s / seen(i, i);
            for j in 0..4 {
                let of_guess: f64 = (0..4).map(|k| weights[i * 4 + k] * seen(k, j)).sum();
                assert!((of_guess - last(i, j) * keep(j) * s * s).abs() < 1e-9);
            }
        }
    }
}
