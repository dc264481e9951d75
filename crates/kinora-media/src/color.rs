//! RGB8 to planar YUV 4:2:0, BT.709, limited range.

/// The planes of one frame, without padding.
pub(crate) struct Yuv420 {
    pub y: Vec<u8>,
    pub u: Vec<u8>,
    pub v: Vec<u8>,
}

// ITU-R BT.709-6, items 3.2 and 3.4, scaled to 8 bits (219 and 224 steps) and
// by 2^16. Each row of the chroma weights adds up to zero, so greys stay grey.
const Y: [i32; 3] = [11966, 40254, 4064];
const U: [i32; 3] = [-6596, -22189, 28785];
const V: [i32; 3] = [28784, -26145, -2639];

/// Converts one frame; `width` and `height` are even.
///
/// Chroma is sited at the left of each pair of pixels, between its two rows:
/// the place a decoder assumes when the stream names none (H.264, E.2.1).
pub(crate) fn rgb_to_yuv420(rgb: &[u8], width: usize, height: usize) -> Yuv420 {
    let y = rgb
        .chunks_exact(3)
        .map(|p| (16 + ((dot(Y, [p[0].into(), p[1].into(), p[2].into()]) + (1 << 15)) >> 16)) as u8)
        .collect();

    let mut u = Vec::with_capacity(width * height / 4);
    let mut v = Vec::with_capacity(width * height / 4);
    for top in (0..height).step_by(2) {
        for left in (0..width).step_by(2) {
            // Weights 1 2 1 across and 1 1 down: eight in all.
            let mut sum = [0i32; 3];
            for row in [top, top + 1] {
                for (column, weight) in [(left.saturating_sub(1), 1), (left, 2), (left + 1, 1)] {
                    let pixel = &rgb[(row * width + column) * 3..][..3];
                    for (s, &p) in sum.iter_mut().zip(pixel) {
                        *s += weight * i32::from(p);
                    }
                }
            }
            let chroma = |weights| (128 + ((dot(weights, sum) + (1 << 18)) >> 19)) as u8;
            u.push(chroma(U));
            v.push(chroma(V));
        }
    }
    Yuv420 { y, u, v }
}

fn dot(weights: [i32; 3], rgb: [i32; 3]) -> i32 {
    weights[0] * rgb[0] + weights[1] * rgb[1] + weights[2] * rgb[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corners_of_the_cube_have_the_values_of_the_standard() {
        let cases = [
            ([255, 255, 255], (235, 128, 128)),
            ([0, 0, 0], (16, 128, 128)),
            ([255, 0, 0], (63, 102, 240)),
            ([0, 255, 0], (173, 42, 26)),
            ([0, 0, 255], (32, 240, 118)),
        ];
        for (rgb, expected) in cases {
            let yuv = rgb_to_yuv420(&rgb.repeat(4), 2, 2);
            assert_eq!((yuv.y[0], yuv.u[0], yuv.v[0]), expected, "{rgb:?}");
        }
    }
}
