//! Exponentials that the compiler can turn into vector code.

/// `exp(x)` with a relative error below 1e-6; saturates at about 1e-38 and 2.4e38.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // exp(x) = 2^n * exp(r), with n the nearest integer to x / ln 2 and |r| <= ln(2) / 2. Adding
    // and taking away 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts: the first has trailing zeros, so n * HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.3, 88.3);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    // The Taylor series to r^7 / 7!, whose remainder at |r| = 0.35 is 5e-9.
    let p = r.mul_add(1.0 / 5040.0, 1.0 / 720.0);
    let p = r.mul_add(p, 1.0 / 120.0);
    let p = r.mul_add(p, 1.0 / 24.0);
    let p = r.mul_add(p, 1.0 / 6.0);
    let p = r.mul_add(p, 0.5);
    let p = r.mul_add(p, 1.0);
    let p = r.mul_add(p, 1.0);
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    p * scale
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_over_its_range() {
        for i in -87_000..88_000 {
            let x = i as f32 * 1e-3;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 1e-6, "exp({x}) is off by {error}");
        }
    }

    #[test]
    fn exp_saturates() {
        assert!(exp(-1e30) < 1.3e-38);
        assert!(exp(1e30).is_finite());
        assert_eq!(exp(0.0), 1.0);
    }
}
