//! Matrix products of inputs rounded to bfloat16, with sums in f32.
//!
//! The processor's dot product of pairs does twice the work of an f32 multiply-add, and matrix
//! tiles ([`amx`]) many times that. Both operands are rounded and packed into pairs along the inner
//! extent; a tile of the result is held in registers. Each element is summed in an order that
//! depends on the inner extent alone.

mod amx;

use std::arch::x86_64::{
    __m512bh, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
};
use std::mem::transmute;

use multiversion::multiversion;
use rayon::prelude::*;

use crate::matmul::View;

/// Rows and columns of a tile of vectors: 24 of the 32 registers hold sums.
const ROWS: usize = 12;
const COLS: usize = 32;
/// Panels packed by one task: reads of the same rows of the source stay together.
const GROUP: usize = 10;
/// Greatest inner extent handled at once: a packed panel of this depth stays in the first cache.
const DEPTH: usize = 384;

/// The instructions that multiply pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Matrix tiles.
    Tiles,
    /// Vectors of 16 lanes.
    Vectors,
}

impl Unit {
    /// The fastest that the processor has.
    pub(crate) fn best() -> Option<Self> {
        [Self::Tiles, Self::Vectors]
            .into_iter()
            .find(|unit| unit.available())
    }

    fn available(self) -> bool {
        match self {
            Self::Tiles => amx::available(),
            Self::Vectors => {
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
            }
        }
    }

    /// The rows of a tile of the result, and what the number of pairs is a multiple of.
    fn grain(self) -> (usize, usize) {
        match self {
            Self::Tiles => (amx::ROWS, amx::PAIRS),
            Self::Vectors => (ROWS, 1),
        }
    }
}

/// `out = a * b + bias`, with `out` row-major, on a unit that the processor has.
pub(crate) fn multiply(
    unit: Unit,
    out: &mut [f32],
    a: View<'_>,
    b: View<'_>,
    bias: Option<&[f32]>,
) {
    assert!(
        unit.available(),
        "this processor has no {unit:?} of bfloat16"
    );
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert!(
        k == b.rows && out.len() == m * n && bias.is_none_or(|bias| bias.len() == n),
        "the operands of a matrix product do not fit together"
    );
    if out.is_empty() {
        return;
    }
    let blocks = k.div_ceil(DEPTH).max(1);
    let (tile_rows, grain) = unit.grain();
    let pairs = k
        .div_ceil(blocks)
        .div_ceil(2)
        .max(1)
        .next_multiple_of(grain);
    let panels = n.div_ceil(COLS);
    let mut right = vec![0u32; blocks * panels * pairs * COLS];
    right
        .par_chunks_mut(panels * pairs * COLS)
        .enumerate()
        .for_each(|(block, right)| {
            right
                .par_chunks_mut(GROUP * pairs * COLS)
                .enumerate()
                .for_each(|(group, right)| {
                    let column = group * GROUP * COLS;
                    pack_panels(right, COLS, pairs, b, 2 * pairs * block, column);
                });
        });
    let share = m.div_ceil(8 * rayon::current_num_threads());
    let chunk = share.next_multiple_of(tile_rows).min(8 * tile_rows);
    out.par_chunks_mut(chunk * n)
        .enumerate()
        .for_each(|(i, out)| {
            match bias {
                Some(bias) => out
                    .chunks_exact_mut(n)
                    .for_each(|row| row.copy_from_slice(bias)),
                None => out.fill(0.0),
            }
            let tiles = (unit == Unit::Tiles).then(amx::Tiles::new);
            let in_rows = a.col_stride == 1 || unit == Unit::Tiles;
            let mut left = vec![0u32; chunk * pairs];
            for (block, right) in right.chunks_exact(panels * pairs * COLS).enumerate() {
                let start = 2 * pairs * block;
                if in_rows {
                    pack_rows(&mut left, pairs, a, i * chunk, start);
                } else {
                    pack_panels(&mut left, chunk, pairs, a.t(), start, i * chunk);
                }
                for (panel, right) in right.chunks_exact(pairs * COLS).enumerate() {
                    for row in (0..out.len() / n).step_by(tile_rows) {
                        let rows = tile_rows.min(out.len() / n - row);
                        let cols = COLS.min(n - panel * COLS);
                        let out = &mut out[row * n + panel * COLS..];
                        if let Some(tiles) = &tiles {
                            tiles.add(&left[row * pairs..], right, pairs, out, [rows, cols, n]);
                            continue;
                        }
                        let tile = Tile {
                            pairs,
                            rows,
                            cols,
                            stride: n,
                        };
                        // SAFETY: the processor has the instructions, asserted above.
                        unsafe {
                            if in_rows {
                                tile.add::<true>(&left[row * pairs..], pairs, right, out);
                            } else {
                                tile.add::<false>(&left[row..], chunk, right, out);
                            }
                        }
                    }
                }
            }
        });
}

/// The extents of a tile of the result, whose rows begin `stride` apart.
struct Tile {
    pairs: usize,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Tile {
    /// Adds the product of `ROWS` packed rows and a packed panel. Pair `p` of row `i` is at
    /// `left[i * left_stride + p]` if `IN_ROWS`, or else at `left[p * left_stride + i]`.
    ///
    /// # Safety
    /// The processor must have AVX-512 F and BF16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn add<const IN_ROWS: bool>(
        &self,
        left: &[u32],
        left_stride: usize,
        right: &[u32],
        out: &mut [f32],
    ) {
        let (down, along) = if IN_ROWS {
            (left_stride, 1)
        } else {
            (1, left_stride)
        };
        assert!(
            self.pairs > 0
                && left.len() > (ROWS - 1) * down + (self.pairs - 1) * along
                && right.len() >= self.pairs * COLS
                && self.rows <= ROWS
                && self.cols <= COLS
                && out.len() >= (self.rows - 1) * self.stride + self.cols
        );
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for p in 0..self.pairs {
            // SAFETY: `right` holds `pairs` groups of `COLS` words, and `left` reaches to pair
            // `pairs - 1` of row `ROWS - 1`, both asserted above. The vector types are plain bits.
            unsafe {
                let at = right.as_ptr().add(p * COLS);
                let b0: __m512bh = transmute(_mm512_loadu_si512(at.cast()));
                let b1: __m512bh = transmute(_mm512_loadu_si512(at.add(16).cast()));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let pair = *left.get_unchecked(i * down + p * along);
                    let a: __m512bh = transmute(_mm512_set1_epi32(pair.cast_signed()));
                    sums[0] = _mm512_dpbf16_ps(sums[0], a, b0);
                    sums[1] = _mm512_dpbf16_ps(sums[1], a, b1);
                }
            }
        }
        let mask = ((1u64 << self.cols) - 1) as u32;
        for (i, sums) in sums.iter().enumerate().take(self.rows) {
            for (half, sum) in sums.iter().enumerate() {
                let mask = (mask >> (16 * half)) as u16;
                // SAFETY: the mask leaves the columns before `cols` of row `i < rows`, which is in
                // `out` as asserted above; a pointer that no lane uses may lie past the end.
                unsafe {
                    let at = out.as_mut_ptr().wrapping_add(i * self.stride + 16 * half);
                    let total = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, at), *sum);
                    _mm512_mask_storeu_ps(at, mask, total);
                }
            }
        }
    }
}

/// Packs rows `start..` and columns `column..` of `x` into panels of `width` columns and `pairs`
/// pairs of rows: word `p * width + j` of a panel gets its column `j` of rows `2p` and `2p + 1`.
/// What lies outside `x` is zero.
#[multiversion(targets = "simd")]
#[allow(clippy::needless_lifetimes)] // The macro cannot do without.
fn pack_panels<'a>(
    out: &mut [u32],
    width: usize,
    pairs: usize,
    x: View<'a>,
    start: usize,
    column: usize,
) {
    let rows = x.rows.saturating_sub(start).min(2 * pairs);
    let cols = x.cols.saturating_sub(column).min(out.len() / pairs);
    if cols * pairs < out.len() || rows < 2 * pairs {
        out.fill(0);
    }
    if x.col_stride == 1 {
        let row = |i: usize| &x.data[(start + i) * x.row_stride + column..][..cols];
        for p in 0..rows / 2 {
            let (even, odd) = (row(2 * p).chunks(width), row(2 * p + 1).chunks(width));
            for (panel, (even, odd)) in even.zip(odd).enumerate() {
                let out = &mut out[(panel * pairs + p) * width..];
                for ((out, &even), &odd) in out.iter_mut().zip(even).zip(odd) {
                    *out = pair_of(even, odd);
                }
            }
        }
        if rows % 2 == 1 {
            for (j, &last) in row(rows - 1).iter().enumerate() {
                out[(j / width * pairs + rows / 2) * width + j % width] = pair_of(last, 0.0);
            }
        }
    } else {
        for j in 0..cols {
            let line = &x.data[(column + j) * x.col_stride + start..][..rows];
            let first = j / width * pairs * width + j % width;
            for (p, pair) in line.chunks(2).enumerate() {
                out[first + p * width] = pair_of(pair[0], *pair.get(1).unwrap_or(&0.0));
            }
        }
    }
}

/// Packs rows `row..` and columns `start..` of `x`: word `i * pairs + p` gets columns `2p` and
/// `2p + 1` of row `i`. What lies outside `x` is zero.
#[multiversion(targets = "simd")]
#[allow(clippy::needless_lifetimes)] // The macro cannot do without.
fn pack_rows<'a>(out: &mut [u32], pairs: usize, x: View<'a>, row: usize, start: usize) {
    let rows = x.rows.saturating_sub(row).min(out.len() / pairs);
    let cols = x.cols.saturating_sub(start).min(2 * pairs);
    if rows * pairs < out.len() || cols < 2 * pairs {
        out.fill(0);
    }
    if x.col_stride == 1 {
        for (i, out) in out.chunks_exact_mut(pairs).enumerate().take(rows) {
            let line = &x.data[(row + i) * x.row_stride + start..][..cols];
            let (whole, rest) = line.as_chunks::<2>();
            for (out, pair) in out.iter_mut().zip(whole) {
                *out = pair_of(pair[0], pair[1]);
            }
            if let [last] = rest {
                out[whole.len()] = pair_of(*last, 0.0);
            }
        }
        return;
    }
    // Columns are contiguous: squares of words are turned in registers.
    const SIDE: usize = 16;
    let column = |c: usize| &x.data[(start + c) * x.col_stride + row..][..rows];
    for i in (0..rows).step_by(SIDE) {
        let height = SIDE.min(rows - i);
        for p in (0..cols.div_ceil(2)).step_by(SIDE) {
            let width = SIDE.min(cols.div_ceil(2) - p);
            let mut square = [[0; SIDE]; SIDE];
            for (q, words) in square.iter_mut().enumerate().take(width) {
                let even = &column(2 * (p + q))[i..i + height];
                if 2 * (p + q) + 1 < cols {
                    let odd = &column(2 * (p + q) + 1)[i..i + height];
                    for ((word, &even), &odd) in words.iter_mut().zip(even).zip(odd) {
                        *word = pair_of(even, odd);
                    }
                } else {
                    for (word, &even) in words.iter_mut().zip(even) {
                        *word = pair_of(even, 0.0);
                    }
                }
            }
            for (j, out) in out[i * pairs..].chunks_mut(pairs).enumerate().take(height) {
                for (out, words) in out[p..p + width].iter_mut().zip(&square) {
                    *out = words[j];
                }
            }
        }
    }
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
    use crate::matmul::{self, Store, Threads};
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
    fn products_equal_f32_products_of_rounded_inputs() {
        let rounded = |stream, len| -> Vec<f32> {
            let values = noise::normal(2, stream, len);
            values.iter().map(|&v| bf16::from_f32(v).to_f32()).collect()
        };
        for (m, k, n) in [
            (1, 1, 1),
            (12, 2, 32),
            (13, 37, 33),
            (100, 771, 65),
            (70, 64, 96),
            (5, 2, 100),
        ] {
            let (a, b, bias) = (rounded(0, m * k), rounded(1, k * n), rounded(2, n));
            for (a, b) in [
                (View::new(&a, m, k), View::new(&b, k, n)),
                (View::new(&a, m, k), View::new(&b, n, k).t()),
                (View::new(&a, k, m).t(), View::new(&b, k, n)),
                (View::new(&a, k, m).t(), View::new(&b, n, k).t()),
            ] {
                let mut exact = bias.repeat(m);
                matmul::multiply(&mut exact, n, Store::Add, 1.0, a, b, Threads::One);
                for unit in [Unit::Tiles, Unit::Vectors] {
                    if !unit.available() {
                        continue;
                    }
                    let mut out = vec![f32::NAN; m * n];
                    multiply(unit, &mut out, a, b, Some(&bias));
                    for (out, exact) in out.iter().zip(&exact) {
                        assert!(
                            (out - exact).abs() < 1e-4,
                            "{unit:?}, {m}x{k}x{n}: {out}, not {exact}"
                        );
                    }
                }
            }
        }
    }
}
