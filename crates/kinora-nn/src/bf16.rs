//! Matrix products of inputs rounded to bfloat16, with sums in f32.
//!
//! The processor's dot product of pairs does twice the work of an f32 multiply-add, and matrix
//! tiles ([`amx`]) many times that. Both operands are rounded and packed into pairs along the inner
//! extent; a tile of the result is held in registers. Each element is summed in an order that
//! depends on the inner extent alone.

mod amx;
mod pack;

use rayon::prelude::*;
use std::arch::x86_64::{
    __m512bh, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
};
use std::mem::transmute;

use crate::matmul::{Right, Start, View};
use pack::{pack_panels, pack_rows};

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
            Self::Tiles => Self::Vectors.available() && amx::available(),
            Self::Vectors => {
                is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512bf16")
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

/// `out = start + a * b`, with `out` row-major, on a unit that the processor has.
pub(crate) fn multiply(unit: Unit, out: &mut [f32], a: View<'_>, b: Right<'_>, start: Start<'_>) {
    assert!(
        unit.available(),
        "this processor has no {unit:?} of bfloat16"
    );
    let (m, k) = (a.rows, a.cols);
    let [inner, n] = b.extents();
    assert!(
        k == inner && out.len() == m * n && !matches!(start, Start::Bias(bias) if bias.len() != n),
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
    // Panel after panel, in each of them block after block.
    let panel_words = blocks * pairs * COLS;
    let mut right = vec![0u32; panels * panel_words];
    right
        .par_chunks_mut(GROUP * panel_words)
        .enumerate()
        .for_each(|(group, right)| {
            let first = group * GROUP * COLS;
            b.columns(first..n.min(first + GROUP * COLS), |b| {
                for block in 0..blocks {
                    let right = &mut right[block * pairs * COLS..];
                    // SAFETY: the processor has the instructions, asserted above.
                    unsafe { pack_panels(right, [COLS, panel_words], pairs, b, 2 * pairs * block) };
                }
            });
        });
    let share = m.div_ceil(8 * rayon::current_num_threads());
    let chunk = share.next_multiple_of(tile_rows).min(8 * tile_rows);
    out.par_chunks_mut(chunk * n)
        .enumerate()
        .for_each(|(i, out)| {
            match start {
                Start::Bias(bias) => out
                    .chunks_exact_mut(n)
                    .for_each(|row| row.copy_from_slice(bias)),
                Start::Zero => out.fill(0.0),
                Start::Sum => {}
            }
            let tiles = (unit == Unit::Tiles).then(amx::Tiles::new);
            let in_rows = a.col_stride == 1 || unit == Unit::Tiles;
            let mut left = vec![0u32; chunk * pairs];
            let rows = out.len() / n;
            let a = a.rows(i * chunk..i * chunk + rows);
            for block in 0..blocks {
                let start = 2 * pairs * block;
                if rows < chunk || start + 2 * pairs > k {
                    left.fill(0); // where nothing is packed
                }
                // SAFETY: the processor has the instructions, asserted above.
                unsafe {
                    if in_rows {
                        pack_rows(&mut left, pairs, a, start);
                    } else {
                        pack_panels(&mut left, [chunk, 0], pairs, a.t(), start);
                    }
                }
                for (panel, right) in right.chunks_exact(panel_words).enumerate() {
                    let right = &right[block * pairs * COLS..][..pairs * COLS];
                    for row in (0..rows).step_by(tile_rows) {
                        let rows = tile_rows.min(rows - row);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matmul::{self, Store, Threads};
    use crate::noise;
    use half::bf16;

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
                    multiply(unit, &mut out, a, Right::Dense(b), Start::Bias(&bias));
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
