//! RGB8 to planar YUV 4:2:0 (BT.709, limited range), and back from what others write.

/// How numbers stand for colours: the codes of H.264, tables E-3 to E-5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color {
    pub primaries: u8,
    pub transfer: u8,
    pub matrix: u8,
    /// Luma from 0 to 255, and not from 16 to 235.
    pub full: bool,
}

impl Color {
    /// What this crate writes.
    pub const BT709: Self = Self::of(1);
    /// The code 2 says that nothing is said.
    pub const UNSAID: Self = Self::of(2);

    const fn of(code: u8) -> Self {
        Self {
            primaries: code,
            transfer: code,
            matrix: code,
            full: false,
        }
    }

    /// The shares of red and blue in luma. Where nothing is said, high
    /// definition is BT.709 and the rest BT.601, as players take it.
    fn shares(self, width: usize, height: usize) -> (f64, f64) {
        match self.matrix {
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            5 | 6 => (0.299, 0.114),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            _ if width >= 1280 || height > 576 => (0.2126, 0.0722),
            _ => (0.299, 0.114),
        }
    }
}

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

/// Converts one frame back; `width` and `height` are even.
///
/// Chroma is brought to the pixels by straight lines, from the same places that
/// [`rgb_to_yuv420`] puts it at.
pub(crate) fn yuv420_to_rgb(yuv: &Yuv420, width: usize, height: usize, color: Color) -> Vec<u8> {
    let (red, blue) = color.shares(width, height);
    let green = 1.0 - red - blue;
    let (black, luma, chroma) = if color.full {
        (0, 1.0, 1.0)
    } else {
        (16, 255.0 / 219.0, 255.0 / 224.0)
    };
    // Luma by 2^13; chroma by 2^10, as its eight weights make up the rest.
    let scaled = |x: f64, bits: i32| (x * f64::from(1 << bits)).round() as i32;
    let luma = scaled(luma, 13);
    let red_v = scaled(2.0 * (1.0 - red) * chroma, 10);
    let blue_u = scaled(2.0 * (1.0 - blue) * chroma, 10);
    let green_u = scaled(2.0 * (1.0 - blue) * blue / green * chroma, 10);
    let green_v = scaled(2.0 * (1.0 - red) * red / green * chroma, 10);

    let (across, down) = (width / 2, height / 2);
    // Weights 3 and 1 down, in quarters.
    let blend = |plane: &[u8], y: usize, into: &mut Vec<i32>| {
        let near = y / 2;
        let far = if y.is_multiple_of(2) {
            near.saturating_sub(1)
        } else {
            (near + 1).min(down - 1)
        };
        into.clear();
        let rows = plane[near * across..].iter().zip(&plane[far * across..]);
        into.extend(
            rows.take(across)
                .map(|(&a, &b)| 3 * i32::from(a) + i32::from(b) - 4 * 128),
        );
    };
    let (mut u_row, mut v_row) = (Vec::new(), Vec::new());
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        blend(&yuv.u, y, &mut u_row);
        blend(&yuv.v, y, &mut v_row);
        for x in 0..width {
            let (left, right) = (x / 2, (x.div_ceil(2)).min(across - 1));
            let (u, v) = (u_row[left] + u_row[right], v_row[left] + v_row[right]);
            let light = luma * (i32::from(yuv.y[y * width + x]) - black) + (1 << 12);
            let pixel = [
                light + red_v * v,
                light - green_u * u - green_v * v,
                light + blue_u * u,
            ];
            rgb.extend(pixel.map(|c| (c >> 13).clamp(0, 255) as u8));
        }
    }
    rgb
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
            let back = yuv420_to_rgb(&yuv, 2, 2, Color::BT709);
            for (a, b) in back.iter().zip(rgb.repeat(4)) {
                assert!(a.abs_diff(b) <= 2, "{rgb:?} came back as {back:?}");
            }
        }
    }

    #[test]
    fn each_matrix_and_range_has_its_own_red() {
        // Table of BT.601: red is 81, 90, 240 in limited and 76, 85, 255 in full range.
        let red = |y, u, v, color| {
            let yuv = Yuv420 {
                y: vec![y; 4],
                u: vec![u],
                v: vec![v],
            };
            yuv420_to_rgb(&yuv, 2, 2, color)[..3].to_vec()
        };
        let full = Color {
            matrix: 6,
            full: true,
            ..Color::UNSAID
        };
        for found in [red(81, 90, 240, Color::UNSAID), red(76, 85, 255, full)] {
            assert!(
                found[0] >= 253 && found[1] <= 2 && found[2] <= 2,
                "{found:?}"
            );
        }
    }
}
