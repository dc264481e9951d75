//! A checked front to the matrix product of the `gemm` crate.

use gemm::Parallelism;
use serde::{Deserialize, Serialize};
use std::ops::Range;

use crate::buffer::{for_chunks, rows_per_chunk};
use crate::int8;
use crate::weights::Stored;

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

impl<'a> View<'a> {
    /// Row `i`. Its elements must be neighbours.
    pub(crate) fn row(self, i: usize) -> &'a [f32] {
        debug_assert_eq!(self.col_stride, 1);
        &self.data[i * self.row_stride..][..self.cols]
    }

    /// Some of the rows.
    pub(crate) fn rows(self, rows: Range<usize>) -> Self {
        Self {
            data: &self.data[(rows.start * self.row_stride).min(self.data.len())..],
            rows: rows.len(),
            ..self
        }
    }
}

/// The right operand of a product, `[k, n]`.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// Floats in memory.
    Dense(View<'a>),
    /// The transpose of a weight `[n, k]` as a file has it.
    Stored(&'a Stored),
}

impl Right<'_> {
    /// `[k, n]`.
    pub(crate) fn extents(self) -> [usize; 2] {
        match self {
            Self::Dense(b) => [b.rows, b.cols],
            Self::Stored(weight) => {
                let [n, k] = weight.shape();
                [k, n]
            }
        }
    }

    /// What `work` makes of some of the columns.
    pub(crate) fn columns<T>(self, columns: Range<usize>, work: impl FnOnce(View<'_>) -> T) -> T {
        match self {
            Self::Dense(b) => work(b.t().rows(columns).t()),
            Self::Stored(weight) => {
                let rows = weight.rows(columns.clone());
                work(View::new(&rows, columns.len(), weight.shape()[1]).t())
            }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bfloat16, where the processor has a dot product for it and the matrices are
    /// large enough to gain: about twice as fast, with a relative error of 2^-9 an input.
    Bf16,
    /// Rounded to 8 bits with a scale a row, of large matrices of linear layers: about 2^-8 of a row's largest value an input.
    /// For inference; other products are done as they are.
    Int8,
}

impl Precision {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// The precision of layers beside those of this one that 8 bits would harm.
    pub fn of_delicate(self) -> Self {
        match self {
            Self::Int8 => Self::Bf16,
            other => other,
        }
    }

    /// Whether inputs are multiplied as they are.
    pub fn is_f32(&self) -> bool {
        *self == Self::F32
    }
}

/// What sums begin with.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// The same row everywhere.
    Bias(&'a [f32]),
    /// What is there.
    Sum,
}

/// What multiplies such extents at this precision, if it is not `gemm`.
#[cfg(target_arch = "x86_64")]
fn unit(precision: Precision, extents: [usize; 3]) -> Option<crate::bf16::Unit> {
    let wanted = precision == Precision::Bf16 && are_large(extents);
    wanted.then(crate::bf16::Unit::best).flatten()
}

/// Whether rounding such matrices costs less than it saves.
fn are_large(extents: [usize; 3]) -> bool {
    const WORTHWHILE: usize = 48;
    extents.into_iter().all(|extent| extent >= WORTHWHILE)
}

/// `out += a * b` at the given precision, `out` row-major.
pub(crate) fn accumulate(precision: Precision, out: &mut [f32], a: View<'_>, b: Right<'_>) {
    let [k, n] = b.extents();
    #[cfg(target_arch = "x86_64")]
    if let Some(unit) = unit(precision, [a.rows, k, n]) {
        return crate::bf16::multiply(unit, out, a, b, Start::Sum);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (precision, k);
    b.columns(0..n, |b| {
        multiply(out, n, Store::Add, 1.0, a, b, Threads::One);
    });
}

/// Columns of a stored weight that are decoded for one f32 product: bounds what is decoded at once.
const STORED_COLUMNS: usize = 512;

/// `out = a * b + bias` at the given precision, over all threads; `out` is row-major.
pub(crate) fn product(
    precision: Precision,
    out: &mut [f32],
    a: View<'_>,
    b: Right<'_>,
    bias: Option<&[f32]>,
) {
    let [k, n] = b.extents();
    if precision == Precision::Int8 && are_large([a.rows, k, n]) {
        return int8::multiply(out, a, b, bias);
    }
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(unit) = unit(precision, [a.rows, k, n]) {
            let start = bias.map_or(Start::Zero, Start::Bias);
            return crate::bf16::multiply(unit, out, a, b, start);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (precision, k);
    let store = match bias {
        Some(bias) => {
            for_chunks(out, rows_per_chunk(n) * n.max(1), |_, rows| {
                for row in rows.chunks_exact_mut(n) {
                    row.copy_from_slice(bias);
                }
            });
            Store::Add
        }
        None => Store::Overwrite,
    };
    let at_once = match b {
        Right::Dense(_) => n,
        Right::Stored(_) => STORED_COLUMNS,
    };
    for first in (0..n).step_by(at_once.max(1)) {
        b.columns(first..n.min(first + at_once), |b| {
            let start = first.min(out.len());
            let out = &mut out[start..];
            multiply(out, n, store, 1.0, a, b, Threads::All);
        });
    }
}
