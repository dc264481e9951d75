//! Matrix products of inputs rounded to 8 bits, with sums in 32-bit integers.
//!
//! Each row of the left operand (a token) and each column of the right one (an output channel) has a scale of its own, its
//! largest value over 127 (LLM.int8, arXiv:2208.07339, without its outliers). Sums of integers are exact in any order, so
//! every processor gives the same result; one with AVX-512 VNNI multiplies four pairs an instruction and lane.

use rayon::prelude::*;
use std::borrow::Cow;

use crate::matmul::{Right, View};

/// Rows and columns of a tile of the result: 24 of the 32 vector registers hold sums.
const ROWS: usize = 12;
const COLS: usize = 32;
/// Numbers in a word.
const QUAD: usize = 4;
/// Panels packed by one task.
const GROUP: usize = 8;
/// What is added to rounded values of the left operand, which the instruction wants unsigned.
const OFFSET: i32 = 128;

/// One operand, rounded and packed.
struct Packed {
    /// Four neighbours along the inner extent a word.
    words: Vec<[u8; QUAD]>,
    /// Of each row or column.
    scales: Vec<f32>,
}

/// `out = a * b + bias`, with `out` row-major. Sums fit 32 bits up to an inner extent of 130,000.
pub(crate) fn multiply(out: &mut [f32], a: View<'_>, b: Right<'_>, bias: Option<&[f32]>) {
    let (m, k) = (a.rows, a.cols);
    let [inner, n] = b.extents();
    assert!(
        k == inner && out.len() == m * n && bias.is_none_or(|bias| bias.len() == n),
        "the operands of a matrix product do not fit together"
    );
    if out.is_empty() {
        return;
    }
    let quads = k.div_ceil(QUAD).max(1);
    let (right, offsets) = pack_right(b, quads);
    let chunk = ROWS
        * m.div_ceil(8 * rayon::current_num_threads())
            .div_ceil(ROWS)
            .min(8);
    out.par_chunks_mut(chunk * n)
        .enumerate()
        .for_each(|(index, out)| {
            let rows = out.len() / n;
            let left = pack_left(a.rows(index * chunk..index * chunk + rows), quads);
            for (panel, words) in right.words.chunks_exact(quads * COLS).enumerate() {
                for row in (0..rows).step_by(ROWS) {
                    let sums = sums(&left.words[row * quads..][..ROWS * quads], words, quads);
                    for (i, sums) in sums.iter().enumerate().take(rows - row) {
                        let first = panel * COLS;
                        let columns = first..n.min(first + COLS);
                        let scale = left.scales[row + i];
                        let out = &mut out[(row + i) * n..][columns.clone()];
                        for ((out, sum), column) in out.iter_mut().zip(sums).zip(columns) {
                            let exact = (sum - offsets[column]) as f32;
                            let value = exact * (scale * right.scales[column]);
                            *out = value + bias.map_or(0.0, |bias| bias[column]);
                        }
                    }
                }
            }
        });
}

/// The scale of some values, and what they are multiplied with. If one is not finite, nor is the scale.
fn scale(values: &[f32]) -> (f32, f32) {
    let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let finite = values.iter().fold(true, |finite, v| finite & v.is_finite());
    match (finite, most > 0.0) {
        (true, true) => (most / 127.0, 127.0 / most),
        (true, false) => (0.0, 0.0),
        (false, _) => (f32::NAN, 0.0),
    }
}

/// The nearest integer to a product between -2^22 and 2^22, ties to even: the last bits of a float that large are ones.
fn rounded(value: f32, times: f32) -> i32 {
    const LARGE: f32 = 12_582_912.0; // 1.5 * 2^23
    (value * times + LARGE).to_bits().cast_signed() - LARGE.to_bits().cast_signed()
}

/// Row `i`.
fn line(x: View<'_>, i: usize) -> Cow<'_, [f32]> {
    match x.col_stride {
        1 => Cow::Borrowed(x.row(i)),
        stride => {
            let values = x.data[i * x.row_stride..].iter().step_by(stride);
            Cow::Owned(values.take(x.cols).copied().collect())
        }
    }
}

/// The rows of `a`, filled up to whole tiles: row after row.
fn pack_left(a: View<'_>, quads: usize) -> Packed {
    let rows = a.rows.next_multiple_of(ROWS);
    let mut words = vec![[OFFSET as u8; QUAD]; rows * quads];
    let mut scales = vec![0.0; rows];
    for row in 0..a.rows {
        let values = line(a, row);
        let (scale, times) = scale(&values);
        scales[row] = scale;
        let words = words[row * quads..][..quads].as_flattened_mut();
        for (byte, &value) in words.iter_mut().zip(values.iter()) {
            *byte = (rounded(value, times) + OFFSET) as u8;
        }
    }
    Packed { words, scales }
}

/// The columns of `b` in panels of [`COLS`], in each of them word after word; and what [`OFFSET`] adds to each column's sums.
fn pack_right(b: Right<'_>, quads: usize) -> (Packed, Vec<i32>) {
    let [_, n] = b.extents();
    let panels = n.div_ceil(COLS);
    let mut words = vec![[0; QUAD]; panels * quads * COLS];
    let (mut scales, mut offsets) = (vec![0.0; panels * COLS], vec![0; panels * COLS]);
    words
        .par_chunks_mut(GROUP * quads * COLS)
        .zip(scales.par_chunks_mut(GROUP * COLS))
        .zip(offsets.par_chunks_mut(GROUP * COLS))
        .enumerate()
        .for_each(|(group, ((words, scales), offsets))| {
            let first = group * GROUP * COLS;
            b.columns(first..n.min(first + GROUP * COLS), |b| {
                let mut bytes = vec![0; quads * QUAD];
                for column in 0..b.cols {
                    let values = line(b.t(), column);
                    let (scale, times) = scale(&values);
                    scales[column] = scale;
                    for (byte, &value) in bytes.iter_mut().zip(values.iter()) {
                        *byte = rounded(value, times) as i8 as u8;
                    }
                    let sum: i32 = bytes.iter().map(|&byte| i32::from(byte as i8)).sum();
                    offsets[column] = OFFSET * sum;
                    let words = &mut words[column / COLS * quads * COLS + column % COLS..];
                    let places = words.iter_mut().step_by(COLS);
                    places
                        .zip(bytes.as_chunks::<QUAD>().0)
                        .for_each(|(word, quad)| *word = *quad);
                }
            });
        });
    (Packed { words, scales }, offsets)
}

/// Sums of a tile: rows of the left operand times a panel of the right one.
fn sums(left: &[[u8; QUAD]], right: &[[u8; QUAD]], quads: usize) -> [[i32; COLS]; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
        // SAFETY: the processor has the instructions.
        return unsafe { vectors(left, right, quads) };
    }
    plain(left, right, quads)
}

/// [`sums`], one number at a time.
fn plain(left: &[[u8; QUAD]], right: &[[u8; QUAD]], quads: usize) -> [[i32; COLS]; ROWS] {
    let mut sums = [[0; COLS]; ROWS];
    for (row, sums) in sums.iter_mut().enumerate() {
        for (a, panel) in left[row * quads..][..quads]
            .iter()
            .zip(right.chunks_exact(COLS))
        {
            for (sum, b) in sums.iter_mut().zip(panel) {
                let products = a
                    .iter()
                    .zip(b)
                    .map(|(&a, &b)| i32::from(a) * i32::from(b as i8));
                *sum += products.sum::<i32>();
            }
        }
    }
    sums
}

/// [`sums`], in vectors.
///
/// # Safety
/// The processor must have AVX-512 F and VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn vectors(left: &[[u8; QUAD]], right: &[[u8; QUAD]], quads: usize) -> [[i32; COLS]; ROWS] {
    use std::arch::x86_64::{
        _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
        _mm512_storeu_si512,
    };
    assert!(left.len() >= ROWS * quads && right.len() >= quads * COLS);
    let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
    for quad in 0..quads {
        // SAFETY: `right` holds `quads` groups of `COLS` words, asserted above.
        let [low, high] = unsafe {
            let at = right.as_ptr().add(quad * COLS);
            [
                _mm512_loadu_si512(at.cast()),
                _mm512_loadu_si512(at.add(16).cast()),
            ]
        };
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `left` holds `quads` words of each of `ROWS` rows, asserted above.
            let word = unsafe { *left.get_unchecked(row * quads + quad) };
            let a = _mm512_set1_epi32(i32::from_le_bytes(word));
            sums[0] = _mm512_dpbusd_epi32(sums[0], a, low);
            sums[1] = _mm512_dpbusd_epi32(sums[1], a, high);
        }
    }
    let mut out = [[0; COLS]; ROWS];
    for (out, sums) in out.iter_mut().zip(&sums) {
        for (half, sum) in sums.iter().enumerate() {
            // SAFETY: a row of the result holds two vectors.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(16 * half).cast(), *sum) };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise;

    #[test]
    fn vectors_give_the_sums_of_the_plain_loop() {
        if !(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")) {
            return;
        }
        for quads in [1, 2, 7, 300] {
            let bytes = |stream, len| -> Vec<[u8; QUAD]> {
                let values = noise::normal(3, stream, QUAD * len);
                let bytes: Vec<u8> = values.iter().map(|v| (v * 90.0) as i32 as u8).collect();
                bytes.as_chunks::<QUAD>().0.to_vec()
            };
            let (left, right) = (bytes(0, ROWS * quads), bytes(1, COLS * quads));
            // SAFETY: the processor has the instructions.
            let fast = unsafe { vectors(&left, &right, quads) };
            assert_eq!(fast, plain(&left, &right, quads));
        }
    }

    #[test]
    fn products_are_those_of_rounded_inputs() {
        for (m, k, n) in [
            (1, 1, 1),
            (12, 4, 32),
            (13, 37, 33),
            (100, 771, 65),
            (70, 64, 300),
        ] {
            let [a, b, bias] = [m * k, k * n, n].map(|len| noise::normal(2, len as u64, len));
            let mut out = vec![f32::NAN; m * n];
            let right = View::new(&b, n, k);
            multiply(
                &mut out,
                View::new(&a, m, k),
                Right::Dense(right.t()),
                Some(&bias),
            );
            for (i, row) in a.chunks_exact(k).enumerate() {
                let (scale_a, times_a) = scale(row);
                for (j, column) in b.chunks_exact(k).enumerate() {
                    let (scale_b, times_b) = scale(column);
                    let products = row.iter().zip(column);
                    let products = products.map(|(&a, &b)| {
                        i64::from(rounded(a, times_a)) * i64::from(rounded(b, times_b))
                    });
                    let sum = products.sum::<i64>() as f64;
                    let exact = sum * f64::from(scale_a) * f64::from(scale_b) + f64::from(bias[j]);
                    let found = f64::from(out[i * n + j]);
                    assert!(
                        (found - exact).abs() < 1e-4,
                        "{m}x{k}x{n}: {found}, not {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let a = [f32::NAN, 1.0, f32::INFINITY, 1.0, 0.0, 0.0];
        let mut out = [0.0; 3];
        let one = [1.0, 1.0];
        multiply(
            &mut out,
            View::new(&a, 3, 2),
            Right::Dense(View::new(&one, 2, 1)),
            None,
        );
        assert!(!out[1].is_finite());
        assert_eq!(out[2], 0.0);
    }
}
