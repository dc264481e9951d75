//! How alike two pictures are: PSNR and SSIM (Wang et al., 2004).

/// Peak signal-to-noise ratio in dB of RGB8 data; infinite if they are equal.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
    let error = a.iter().zip(b).map(square).sum::<u64>() as f64 / a.len() as f64;
    10.0 * (255.0f64 * 255.0 / error).log10()
}

/// Share of a picture's pixels that count as detail.
const DETAIL: usize = 10;

/// PSNR over the tenth of the pixels of `a` that differ most from their neighbours: lines, textures, small things.
pub fn detail_psnr(a: &[u8], b: &[u8], width: usize, height: usize) -> f64 {
    let luma = |x: usize, y: usize| {
        a[(y * width + x) * 3..][..3]
            .iter()
            .map(|&v| i32::from(v))
            .sum::<i32>()
    };
    let mut pixels: Vec<(i32, usize)> = (0..width * height)
        .map(|i| {
            let (x, y) = (i % width, i / width);
            let across = luma((x + 1).min(width - 1), y) - luma(x.saturating_sub(1), y);
            let down = luma(x, (y + 1).min(height - 1)) - luma(x, y.saturating_sub(1));
            (across.abs() + down.abs(), i)
        })
        .collect();
    pixels.select_nth_unstable_by(width * height / DETAIL, |x, y| y.cmp(x));
    let chosen = pixels[..=width * height / DETAIL]
        .iter()
        .flat_map(|&(_, i)| i * 3..i * 3 + 3);
    let (a, b): (Vec<u8>, Vec<u8>) = chosen.map(|i| (a[i], b[i])).unzip();
    psnr(&a, &b)
}

/// Standard deviation of SSIM's window, in pixels; the window is 11 wide.
const SIGMA: f32 = 1.5;
const REACH: usize = 5;

/// Structural similarity of the luma of two RGB8 pictures, 1 if they are equal. Only windows that lie within the
/// picture count; a picture smaller than the window has no similarity to measure and gives 1.
pub fn ssim(a: &[u8], b: &[u8], width: usize, height: usize) -> f64 {
    let luma = |rgb: &[u8]| -> Vec<f32> {
        let weigh =
            |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        rgb.chunks_exact(3).map(weigh).collect()
    };
    let (a, b) = (luma(a), luma(b));
    if width <= 2 * REACH || height <= 2 * REACH {
        return 1.0;
    }
    let product =
        |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let smooth = |values: &[f32]| smooth(values, width, height);
    let (mean_a, mean_b) = (smooth(&a), smooth(&b));
    let (aa, bb, ab) = (
        smooth(&product(&a, &a)),
        smooth(&product(&b, &b)),
        smooth(&product(&a, &b)),
    );
    let (c1, c2) = ((0.01f32 * 255.0).powi(2), (0.03f32 * 255.0).powi(2));
    let at = |i: usize| {
        let (m, n) = (mean_a[i], mean_b[i]);
        let (variance_a, variance_b, covariance) = (aa[i] - m * m, bb[i] - n * n, ab[i] - m * n);
        (2.0 * m * n + c1) * (2.0 * covariance + c2)
            / ((m * m + n * n + c1) * (variance_a + variance_b + c2))
    };
    (0..mean_a.len()).map(|i| f64::from(at(i))).sum::<f64>() / mean_a.len() as f64
}

/// Gaussian means over all windows that lie within the picture.
fn smooth(values: &[f32], width: usize, height: usize) -> Vec<f32> {
    let mut kernel: Vec<f32> = (0..=2 * REACH)
        .map(|i| (-(i as f32 - REACH as f32).powi(2) / (2.0 * SIGMA * SIGMA)).exp())
        .collect();
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= sum);
    let inner = width - 2 * REACH;
    let mut rows = Vec::with_capacity(inner * height);
    for row in values.chunks_exact(width) {
        rows.extend(
            row.windows(kernel.len())
                .map(|window| window.iter().zip(&kernel).map(|(v, k)| v * k).sum::<f32>()),
        );
    }
    let mut out = vec![0.0; inner * (height - 2 * REACH)];
    for (y, out) in out.chunks_exact_mut(inner).enumerate() {
        for (k, row) in kernel.iter().zip(rows[y * inner..].chunks_exact(inner)) {
            out.iter_mut()
                .zip(row)
                .for_each(|(out, value)| *out += k * value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(shift: u8) -> Vec<u8> {
        (0..32 * 24 * 3)
            .map(|i| ((i * 37 % 101) as u8).wrapping_mul(2) + shift)
            .collect()
    }

    /// An error on an edge counts tenfold against the same error spread over a plain picture.
    #[test]
    fn detail_is_where_the_picture_changes() {
        let (width, height) = (20, 10);
        let mut a = vec![50; width * height * 3];
        (0..height).for_each(|y| a[(y * width + 10) * 3..(y * width + 11) * 3].fill(200));
        let mut edge = a.clone();
        (0..height).for_each(|y| edge[(y * width + 9) * 3..(y * width + 10) * 3].fill(60));
        let mut plain = a.clone();
        (0..height).for_each(|y| plain[(y * width + 2) * 3..(y * width + 3) * 3].fill(60));
        assert_eq!(psnr(&a, &edge), psnr(&a, &plain));
        assert!(detail_psnr(&a, &edge, width, height) < 35.0);
        assert!(detail_psnr(&a, &plain, width, height) > 40.0);
    }

    #[test]
    fn known_values() {
        let a = picture(0);
        assert_eq!(psnr(&a, &a), f64::INFINITY);
        assert!((psnr(&a, &picture(10)) - 28.13).abs() < 0.01);
        assert!((ssim(&a, &a, 32, 24) - 1.0).abs() < 1e-6);
        // A constant shift leaves the structure: near 1. A mirrored contrast turns it round: below 0.
        assert!(ssim(&a, &picture(10), 32, 24) > 0.97);
        let inverted: Vec<u8> = a.iter().map(|v| 200 - v).collect();
        assert!(ssim(&a, &inverted, 32, 24) < 0.0);
    }
}
