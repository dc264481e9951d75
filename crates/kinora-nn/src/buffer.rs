//! Plain `f32` buffers: allocation, and work on them in fixed chunks over the thread pool.

use rayon::prelude::*;

/// Work on fewer elements than this is not worth a second thread.
pub(crate) const GRAIN: usize = 16 * 1024;

/// A buffer for a kernel's output.
pub(crate) fn buffer(len: usize) -> Vec<f32> {
    vec![0.0; len]
}

/// Rows of `width` in a chunk of about [`GRAIN`] elements. Depends on the width alone, so sums
/// over chunks do not change with the number of threads.
pub(crate) fn rows_per_chunk(width: usize) -> usize {
    (GRAIN / width.max(1)).max(1)
}

/// Calls `work(index, chunk)` for each chunk of `chunk` elements (the last may be shorter), on
/// several threads when there is enough to do.
pub(crate) fn for_chunks(out: &mut [f32], chunk: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if out.len() <= GRAIN {
        for (index, part) in out.chunks_mut(chunk).enumerate() {
            work(index, part);
        }
    } else {
        out.par_chunks_mut(chunk)
            .enumerate()
            .for_each(|(index, part)| work(index, part));
    }
}

/// As [`for_chunks`], and collects what each chunk returns, in order.
pub(crate) fn map_chunks<T: Send>(
    out: &mut [f32],
    chunk: usize,
    work: impl Fn(usize, &mut [f32]) -> T + Sync,
) -> Vec<T> {
    if out.len() <= GRAIN {
        out.chunks_mut(chunk)
            .enumerate()
            .map(|(index, part)| work(index, part))
            .collect()
    } else {
        out.par_chunks_mut(chunk)
            .enumerate()
            .map(|(index, part)| work(index, part))
            .collect()
    }
}

/// `sum += part`, element by element.
pub(crate) fn add_into(sum: &mut [f32], part: &[f32]) {
    for (s, p) in sum.iter_mut().zip(part) {
        *s += p;
    }
}

/// The sum over the rows of `x`, a matrix of `width` columns: fixed chunks of rows are summed in
/// parallel, then the partial sums in order.
pub(crate) fn column_sum(x: &[f32], width: usize) -> Vec<f32> {
    let sum_rows = |rows: &[f32]| {
        let mut sum = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            add_into(&mut sum, row);
        }
        sum
    };
    let chunk = rows_per_chunk(width) * width;
    let parts: Vec<Vec<f32>> = x.par_chunks(chunk).map(sum_rows).collect();
    let mut total = vec![0.0; width];
    for part in &parts {
        add_into(&mut total, part);
    }
    total
}
