//! Rotary position embedding of video tokens.

use burn::tensor::Tensor;
use multiversion::multiversion;
use std::sync::Arc;

use crate::buffer::{buffer, for_chunks, rows_per_chunk};
use crate::kernel::{Array, Kernel, apply1};

/// Cosines and sines of the rotation angles, `[N, Dh / 2]` each. Cloning shares the tables.
#[derive(Clone, Debug)]
pub struct RopeTable {
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
    tokens: usize,
    half: usize,
}

impl RopeTable {
    /// The table of a `t` x `h` x `w` grid of tokens (time outermost) for heads of width `dh`.
    ///
    /// The pairs of a head are split between time, height and width as in Wan 2.1: `dh - 4 (dh/6)`
    /// dimensions for time and `2 (dh/6)` for each of the others; within an axis of `d`
    /// dimensions, pair `i` turns by `position * theta^(-2i/d)`. Angles are computed in f64.
    ///
    /// # Panics
    /// If `dh` is odd.
    pub fn new_3d(t: usize, h: usize, w: usize, dh: usize, theta: f64) -> Self {
        assert!(
            dh.is_multiple_of(2),
            "rotary heads have an even width, not {dh}"
        );
        let space = 2 * (dh / 6);
        let time = dh - 2 * space;
        let frequencies =
            |dims: usize| (0..dims / 2).map(move |i| theta.powf(-2.0 * i as f64 / dims as f64));
        let mut cos = Vec::with_capacity(t * h * w * dh / 2);
        let mut sin = Vec::with_capacity(t * h * w * dh / 2);
        for (z, y, x) in
            (0..t).flat_map(|z| (0..h).flat_map(move |y| (0..w).map(move |x| (z, y, x))))
        {
            for (position, dims) in [(z, time), (y, space), (x, space)] {
                for frequency in frequencies(dims) {
                    let angle = position as f64 * frequency;
                    cos.push(angle.cos() as f32);
                    sin.push(angle.sin() as f32);
                }
            }
        }
        Self {
            cos: cos.into(),
            sin: sin.into(),
            tokens: t * h * w,
            half: dh / 2,
        }
    }

    /// The number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The cosines, `[N, Dh / 2]` row-major.
    pub fn cos(&self) -> &[f32] {
        &self.cos
    }

    /// The sines, `[N, Dh / 2]` row-major.
    pub fn sin(&self) -> &[f32] {
        &self.sin
    }
}

/// Turns the interleaved pairs of each head by the angles of its token (Su et al., 2021).
///
/// `x` is `[B, N, heads * Dh]`; the table has `N` tokens and `Dh / 2` angles.
pub fn rope(x: Tensor<3>, table: &RopeTable, heads: usize) -> Tensor<3> {
    apply1(
        x,
        Rope {
            table: table.clone(),
            heads,
        },
    )
}

#[derive(Clone, Debug)]
struct Rope {
    table: RopeTable,
    heads: usize,
}

impl Rope {
    /// Turns by the angle times `direction`, which is 1 or -1.
    fn turn(&self, x: &Array, direction: f32) -> Array {
        let &[batch, tokens, width] = x.shape() else {
            panic!("rope works on [B, N, C], not {:?}", x.shape());
        };
        let half = self.table.half;
        assert!(
            tokens == self.table.tokens && width == self.heads * half * 2,
            "rope: [{batch}, {tokens}, {width}] with {} heads does not fit a table of {} tokens \
             and heads of {}",
            self.heads,
            self.table.tokens,
            half * 2
        );
        let mut out = buffer(x.data().len());
        let chunk = rows_per_chunk(width);
        for_chunks(&mut out, chunk * width, |i, out| {
            let x = &x.data()[i * chunk * width..][..out.len()];
            let rows = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
            for (row, (out, x)) in rows.enumerate() {
                let at = (i * chunk + row) % tokens * half;
                let (cos, sin) = (&self.table.cos[at..][..half], &self.table.sin[at..][..half]);
                turn_row(out, x, cos, sin, direction);
            }
        });
        Array::new(out, x.shape())
    }
}

impl Kernel<1> for Rope {
    type Saved = ();

    fn forward(&self, [x]: [Array; 1]) -> (Array, ()) {
        (self.turn(&x, 1.0), ())
    }

    fn backward(&self, (): (), grad: Array, _: [bool; 1]) -> [Option<Array>; 1] {
        [Some(self.turn(&grad, -1.0))]
    }
}

#[multiversion(targets = "simd")]
fn turn_row(out: &mut [f32], x: &[f32], cos: &[f32], sin: &[f32], direction: f32) {
    let head = 2 * cos.len();
    for (out, x) in out.chunks_exact_mut(head).zip(x.chunks_exact(head)) {
        let pairs = out.chunks_exact_mut(2).zip(x.chunks_exact(2));
        for ((out, x), (cos, sin)) in pairs.zip(cos.iter().zip(sin)) {
            let sin = direction * sin;
            out[0] = x[0] * cos - x[1] * sin;
            out[1] = x[0] * sin + x[1] * cos;
        }
    }
}
