//! Seeded random numbers: the same seed gives the same values on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

/// Values drawn by one task. Each starts at its own place in the key stream.
const CHUNK: usize = 4096;

/// `len` independent draws from the standard normal distribution.
///
/// ChaCha8 in counter mode and the Box-Muller transform, in f64 with a portable maths library:
/// each value depends on `seed`, `stream` and its index alone.
pub fn normal(seed: u64, stream: u64, len: usize) -> Vec<f32> {
    let mut out = vec![0.0; len];
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, out)| {
        let mut rng = generator(seed, stream);
        rng.set_word_pos((i * CHUNK) as u128);
        for pair in out.chunks_mut(2) {
            let values = box_muller(&mut rng);
            pair.copy_from_slice(&values[..pair.len()]);
        }
    });
    out
}

/// As [`normal`], without the draws farther than `limit` from zero.
pub fn truncated_normal(seed: u64, stream: u64, len: usize, limit: f32) -> Vec<f32> {
    let mut rng = generator(seed, stream);
    let mut out = Vec::with_capacity(len + 1);
    while out.len() < len {
        out.extend(box_muller(&mut rng).iter().filter(|v| v.abs() <= limit));
    }
    out.truncate(len);
    out
}

/// `len` independent draws, uniform over `0..1`.
pub fn uniform(seed: u64, stream: u64, len: usize) -> Vec<f32> {
    let mut rng = generator(seed, stream);
    // 24 bits: each value is exact in f32 and below one.
    let draw = || (rng.next_u32() >> 8) as f32 / (1 << 24) as f32;
    std::iter::repeat_with(draw).take(len).collect()
}

fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Two independent normal values out of two words of the stream.
fn box_muller(rng: &mut ChaCha8Rng) -> [f32; 2] {
    const WORD: f64 = 1.0 / (1u64 << 32) as f64;
    // In (0, 1], so that the logarithm is finite.
    let radius = (f64::from(rng.next_u32()) + 1.0) * WORD;
    let angle = f64::from(rng.next_u32()) * WORD * std::f64::consts::TAU;
    let radius = (-2.0 * libm::log(radius)).sqrt();
    let (sin, cos) = libm::sincos(angle);
    [(radius * cos) as f32, (radius * sin) as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_depends_on_seed_stream_and_index_alone() {
        let long = normal(7, 3, 3 * CHUNK + 1);
        assert_eq!(normal(7, 3, CHUNK + 5), long[..CHUNK + 5]);
        assert_ne!(normal(7, 4, 8), long[..8]);
        assert_ne!(normal(8, 3, 8), long[..8]);
    }

    #[test]
    fn moments_are_those_of_the_normal_distribution() {
        let x = normal(1, 0, 200_000);
        let moment = |p: i32| x.iter().map(|&v| f64::from(v).powi(p)).sum::<f64>() / 200_000.0;
        assert!(moment(1).abs() < 0.01);
        assert!((moment(2) - 1.0).abs() < 0.01);
        assert!(moment(3).abs() < 0.04);
        assert!((moment(4) - 3.0).abs() < 0.1);
        let cut = truncated_normal(1, 0, 1001, 2.0);
        assert!(cut.len() == 1001 && cut.iter().all(|v| v.abs() <= 2.0));
    }
}
