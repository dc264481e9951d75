//! Packing of matrices into pairs of bfloat16 along the inner extent.

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use crate::matmul::View;

/// Words of a vector; squares of so many lines are turned in registers.
const SIDE: usize = 16;
type Square = [[u32; SIDE]; SIDE];

/// Packs rows `start..` of `x` into panels of `width` columns, `stride` words apart, and `pairs` pairs of rows: word
/// `p * width + j` of a panel gets its column `j` of rows `2p` and `2p + 1`. What lies outside `x` is left as it is.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn pack_panels(
    out: &mut [u32],
    [width, stride]: [usize; 2],
    pairs: usize,
    x: View<'_>,
    start: usize,
) {
    let rows = x.rows.saturating_sub(start).min(2 * pairs);
    if x.col_stride == 1 {
        for p in 0..rows.div_ceil(2) {
            let row = |i: usize| (i < rows).then(|| x.row(start + i).chunks(width));
            let mut odd = row(2 * p + 1);
            for (panel, even) in x.row(start + 2 * p).chunks(width).enumerate() {
                let out = &mut out[panel * stride + p * width..][..even.len()];
                pack_two(out, even, odd.as_mut().and_then(Iterator::next));
            }
        }
        return;
    }
    for first in (0..x.cols).step_by(width) {
        let out = &mut out[first / width * stride..];
        for j in (first..x.cols.min(first + width)).step_by(SIDE) {
            let lines = SIDE.min(x.cols.min(first + width) - j);
            for p in (0..rows.div_ceil(2)).step_by(SIDE) {
                let depth = SIDE.min(rows.div_ceil(2) - p);
                let mut square = Square::default();
                for (line, words) in square.iter_mut().enumerate().take(lines) {
                    let column = &x.t().row(j + line)[start..start + rows];
                    pack_line(
                        &mut words[..depth],
                        &column[2 * p..rows.min(2 * (p + SIDE))],
                    );
                }
                let square = turned(&square);
                for (q, words) in square.iter().enumerate().take(depth) {
                    let at = (p + q) * width + j - first;
                    out[at..at + lines].copy_from_slice(&words[..lines]);
                }
            }
        }
    }
}

/// Packs columns `start..` of `x`: word `i * pairs + p` gets columns `2p` and `2p + 1` of row `i`. What lies outside `x` is
/// left as it is.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn pack_rows(out: &mut [u32], pairs: usize, x: View<'_>, start: usize) {
    let cols = x.cols.saturating_sub(start).min(2 * pairs);
    if x.col_stride == 1 {
        for (i, out) in out.chunks_exact_mut(pairs).enumerate().take(x.rows) {
            pack_line(&mut out[..cols.div_ceil(2)], &x.row(i)[start..start + cols]);
        }
        return;
    }
    let column = |c: usize| x.t().row(start + c);
    for i in (0..x.rows).step_by(SIDE) {
        let lines = SIDE.min(x.rows - i);
        for p in (0..cols.div_ceil(2)).step_by(SIDE) {
            let depth = SIDE.min(cols.div_ceil(2) - p);
            let mut square = Square::default();
            for (q, words) in square.iter_mut().enumerate().take(depth) {
                let even = &column(2 * (p + q))[i..i + lines];
                let odd = 2 * (p + q) + 1;
                let odd = (odd < cols).then(|| &column(odd)[i..i + lines]);
                pack_two(&mut words[..lines], even, odd);
            }
            let square = turned(&square);
            for (line, words) in square.iter().enumerate().take(lines) {
                let at = (i + line) * pairs + p;
                out[at..at + depth].copy_from_slice(&words[..depth]);
            }
        }
    }
}

/// Pairs of neighbours in a line.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn pack_line(out: &mut [u32], line: &[f32]) {
    let (whole, rest) = line.as_chunks::<2>();
    for (out, pair) in out.iter_mut().zip(whole) {
        *out = pair_of(pair[0], pair[1]);
    }
    if let [last] = rest {
        out[whole.len()] = pair_of(*last, 0.0);
    }
}

/// Pairs of one line and another, or of one line and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn pack_two(out: &mut [u32], even: &[f32], odd: Option<&[f32]>) {
    let out = out.iter_mut().zip(even);
    match odd {
        Some(odd) => out
            .zip(odd)
            .for_each(|((out, &even), &odd)| *out = pair_of(even, odd)),
        None => out.for_each(|(out, &even)| *out = pair_of(even, 0.0)),
    }
}

/// The square with rows for columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(square: &Square) -> Square {
    // SAFETY: each row is the 64 bytes of a vector.
    let rows: [__m512i; SIDE] =
        std::array::from_fn(|i| unsafe { _mm512_loadu_si512(square[i].as_ptr().cast()) });
    let mut pairs = rows;
    for i in (0..SIDE).step_by(2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    // Lane `l` of `fours[4 g + c]` holds column `4 l + c` of rows `4 g` to `4 g + 3`.
    let mut fours = pairs;
    for g in (0..SIDE).step_by(4) {
        fours[g] = _mm512_unpacklo_epi64(pairs[g], pairs[g + 2]);
        fours[g + 1] = _mm512_unpackhi_epi64(pairs[g], pairs[g + 2]);
        fours[g + 2] = _mm512_unpacklo_epi64(pairs[g + 1], pairs[g + 3]);
        fours[g + 3] = _mm512_unpackhi_epi64(pairs[g + 1], pairs[g + 3]);
    }
    const EVEN: i32 = 0x88;
    const ODD: i32 = 0xdd;
    let mut out = Square::default();
    for c in 0..4 {
        let [a, b, d, e] = std::array::from_fn(|g| fours[4 * g + c]);
        let even = [
            _mm512_shuffle_i32x4::<EVEN>(a, b),
            _mm512_shuffle_i32x4::<EVEN>(d, e),
        ];
        let odd = [
            _mm512_shuffle_i32x4::<ODD>(a, b),
            _mm512_shuffle_i32x4::<ODD>(d, e),
        ];
        let lanes = [
            _mm512_shuffle_i32x4::<EVEN>(even[0], even[1]),
            _mm512_shuffle_i32x4::<EVEN>(odd[0], odd[1]),
            _mm512_shuffle_i32x4::<ODD>(even[0], even[1]),
            _mm512_shuffle_i32x4::<ODD>(odd[0], odd[1]),
        ];
        for (l, lane) in lanes.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(out[4 * l + c].as_mut_ptr().cast(), lane) };
        }
    }
    out
}

#[inline(always)]
fn pair_of(low: f32, high: f32) -> u32 {
    round(low) >> 16 | round(high) & 0xffff_0000
}

/// The bits of `x`, of which the upper half is `x` rounded to the nearest bfloat16, ties to even.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    // Rounding could carry a NaN over into a number: keep it, and make it quiet.
    if x.is_nan() {
        bits | 0x40_0000
    } else {
        rounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise;
    use half::bf16;

    #[test]
    fn rounding_is_that_of_the_half_crate() {
        let special = [
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            1.003_906_2,
            1.011_718_7,
        ];
        for x in noise::normal(1, 0, 1000).into_iter().chain(special) {
            assert_eq!((round(x) >> 16) as u16, bf16::from_f32(x).to_bits(), "{x}");
        }
        assert!(f32::from_bits(round(f32::from_bits(0x7fff_ffff)) & 0xffff_0000).is_nan());
    }

    #[test]
    fn a_turned_square_has_rows_for_columns() {
        if !is_x86_feature_detected!("avx512f") {
            return;
        }
        let square: Square =
            std::array::from_fn(|i| std::array::from_fn(|j| (SIDE * i + j) as u32));
        // SAFETY: the processor has the instructions.
        let turned = unsafe { turned(&square) };
        for (i, row) in turned.iter().enumerate() {
            for (j, &word) in row.iter().enumerate() {
                assert_eq!(word, square[j][i]);
            }
        }
    }
}
