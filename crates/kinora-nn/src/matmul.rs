//! A checked front to the matrix product of the `gemm` crate.

use gemm::Parallelism;

/// A matrix in a slice, with any strides.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
    /// One of the strides is 1.
    pub(crate) col_stride: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose rows begin `row_stride` elements apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(
            fits(data.len(), rows, cols, row_stride),
            "a {rows}x{cols} matrix with row stride {row_stride} needs more than {} elements",
            data.len()
        );
        Self {
            data,
            rows,
            cols,
            row_stride,
            col_stride: 1,
        }
    }

    /// The transpose; nothing moves.
    pub(crate) fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }
}

fn fits(len: usize, rows: usize, cols: usize, row_stride: usize) -> bool {
    rows == 0 || cols == 0 || (rows - 1) * row_stride + cols <= len
}

/// Whether a product overwrites its destination or adds to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Overwrite,
    Add,
}

/// Whether one product is spread over the threads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    One,
    All,
}

/// `out = alpha * a * b`, or `out += alpha * a * b`. The rows of `out` begin `out_stride` apart.
pub(crate) fn multiply(
    out: &mut [f32],
    out_stride: usize,
    store: Store,
    alpha: f32,
    a: View<'_>,
    b: View<'_>,
    threads: Threads,
) {
    assert_eq!(a.cols, b.rows, "inner extents of a matrix product differ");
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert!(
        n <= out_stride && fits(out.len(), m, n, out_stride),
        "a {m}x{n} product does not fit its destination"
    );
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::All if m * n * k >= 1 << 18 => Parallelism::Rayon(0),
        _ => Parallelism::None,
    };
    let add = store == Store::Add;
    // SAFETY: `fits` was checked for the three matrices, so each element the strides lead to is in
    // its slice; `out` is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// The precision of the inputs of a matrix product; sums are f32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bfloat16, where the processor has a dot product for it and the matrices are
    /// large enough to gain: about twice as fast, with a relative error of 2^-9 an input.
    Bf16,
}

/// `out = a * b + bias` at the given precision, over all threads; `out` is row-major.
pub(crate) fn product(
    precision: Precision,
    out: &mut [f32],
    a: View<'_>,
    b: View<'_>,
    bias: Option<&[f32]>,
) {
    #[cfg(target_arch = "x86_64")]
    {
        const WORTHWHILE: usize = 48;
        let smallest = a.rows.min(a.cols).min(b.cols);
        if precision == Precision::Bf16
            && smallest >= WORTHWHILE
            && let Some(unit) = crate::bf16::Unit::best()
        {
            return crate::bf16::multiply(unit, out, a, b, bias);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = precision;
    let cols = b.cols;
    let store = match bias {
        Some(bias) => {
            for row in out.chunks_exact_mut(cols) {
                row.copy_from_slice(bias);
            }
            Store::Add
        }
        None => Store::Overwrite,
    };
    multiply(out, cols, store, 1.0, a, b, Threads::All);
}
