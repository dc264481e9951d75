//! Multi-head softmax attention with bounded memory.

use burn::tensor::Tensor;
use multiversion::multiversion;
use rayon::prelude::*;
use std::sync::Arc;

use crate::buffer::{buffer, for_chunks};
use crate::kernel::{Array, Kernel, apply3};
use crate::math::exp;
use crate::matmul::{Store, Threads, View, multiply};

/// Queries handled at once: bounds the scores in memory to this many rows a head.
const BLOCK: usize = 64;

/// `softmax(q k^T / sqrt(Dh)) v` for each head.
///
/// `q` is `[B, Nq, heads * Dh]`, `k` and `v` are `[B, Nk, heads * Dh]`; the result is shaped as
/// `q`. With `key_lengths` (one for each batch item), keys from that length on are left out; a
/// length of zero gives zeros. The scores are never held whole, and the backward pass computes
/// them again from the saved log-sum-exp of each row (Dao et al., 2022).
pub fn attention(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    heads: usize,
    key_lengths: Option<Vec<usize>>,
) -> Tensor<3> {
    let attention = Attention {
        heads,
        key_lengths: key_lengths.map(Arc::from),
    };
    apply3(q, k, v, attention)
}

#[derive(Clone, Debug)]
struct Attention {
    heads: usize,
    key_lengths: Option<Arc<[usize]>>,
}

/// The extents of a call.
#[derive(Clone, Copy)]
struct Extents {
    queries: usize,
    keys: usize,
    /// Width of all heads.
    width: usize,
    /// Width of one head.
    head: usize,
    heads: usize,
    scale: f32,
}

/// What the backward pass needs: q, k, v, the result, and the log-sum-exp `[B, heads, Nq]`.
type Saved = (Array, Array, Array, Array, Arc<[f32]>);

impl Attention {
    fn extents(&self, q: &Array, k: &Array, v: &Array) -> Extents {
        let (&[batch, queries, width], &[_, keys, _]) = (q.shape(), k.shape()) else {
            panic!(
                "attention works on [B, N, C], not {:?} and {:?}",
                q.shape(),
                k.shape()
            );
        };
        assert!(
            k.shape() == [batch, keys, width] && v.shape() == k.shape(),
            "attention: q {:?}, k {:?} and v {:?} do not fit together",
            q.shape(),
            k.shape(),
            v.shape()
        );
        assert!(
            self.heads > 0 && width.is_multiple_of(self.heads),
            "attention: width {width} does not split into {} heads",
            self.heads
        );
        if let Some(lengths) = &self.key_lengths {
            assert!(
                lengths.len() == batch && lengths.iter().all(|&l| l <= keys),
                "attention: key lengths {lengths:?} do not fit {batch} items of {keys} keys"
            );
        }
        let head = width / self.heads;
        Extents {
            queries,
            keys,
            width,
            head,
            heads: self.heads,
            scale: 1.0 / (head as f32).sqrt(),
        }
    }

    fn key_length(&self, item: usize, keys: usize) -> usize {
        self.key_lengths.as_ref().map_or(keys, |l| l[item])
    }
}

/// One head of one batch item's keys or values, cut to the valid length.
fn head_view(x: &Array, e: Extents, item: usize, head: usize, length: usize) -> View<'_> {
    let at = item * e.keys * e.width + head * e.head;
    View::strided(&x.data()[at..], length, e.head, e.width)
}

/// The rows of `x` behind each other: products read them once for each block of queries, and rows that lie apart cost them half
/// their time.
fn gathered(x: View<'_>) -> Vec<f32> {
    let mut out = buffer(x.rows * x.cols);
    for_chunks(&mut out, x.cols.max(1), |row, out| {
        out.copy_from_slice(x.row(row));
    });
    out
}

impl Kernel<3> for Attention {
    type Saved = Saved;

    fn forward(&self, [q, k, v]: [Array; 3]) -> (Array, Saved) {
        let e = self.extents(&q, &k, &v);
        let batch = q.shape()[0];
        let mut out = buffer(q.data().len());
        let mut lse = vec![f32::INFINITY; batch * e.queries * e.heads];
        let items = out
            .par_chunks_mut((e.queries * e.width).max(1))
            .zip(lse.par_chunks_mut((e.queries * e.heads).max(1)));
        items.enumerate().for_each(|(item, (out, lse))| {
            let length = self.key_length(item, e.keys);
            if length == 0 {
                out.fill(0.0);
                return;
            }
            for head in 0..e.heads {
                let [k, v] = [&k, &v].map(|x| gathered(head_view(x, e, item, head, length)));
                let k = View::new(&k, length, e.head);
                let v = View::new(&v, length, e.head);
                let blocks = out
                    .par_chunks_mut(BLOCK * e.width)
                    .zip(lse.par_chunks_mut(BLOCK * e.heads));
                blocks
                    .enumerate()
                    .for_each_init(Vec::new, |scores, (block, (out, lse))| {
                        let rows = out.len() / e.width;
                        let at = (item * e.queries + block * BLOCK) * e.width + head * e.head;
                        let q = View::strided(&q.data()[at..], rows, e.head, e.width);
                        scores.resize(rows * length, 0.0);
                        multiply(
                            scores,
                            length,
                            Store::Overwrite,
                            e.scale,
                            q,
                            k.t(),
                            Threads::One,
                        );
                        for (row, scores) in scores.chunks_exact_mut(length).enumerate() {
                            lse[row * e.heads + head] = softmax(scores);
                        }
                        multiply(
                            &mut out[head * e.head..],
                            e.width,
                            Store::Overwrite,
                            1.0,
                            View::new(scores, rows, length),
                            v,
                            Threads::One,
                        );
                    });
            }
        });
        let out = Array::new(out, q.shape());
        (out.clone(), (q, k, v, out, lse.into()))
    }

    fn backward(
        &self,
        (q, k, v, out, lse): Saved,
        grad: Array,
        _: [bool; 3],
    ) -> [Option<Array>; 3] {
        let e = self.extents(&q, &k, &v);
        let mut q_grad = buffer(q.data().len());
        let mut k_grad = vec![0.0; k.data().len()];
        let mut v_grad = vec![0.0; v.data().len()];
        let items = q_grad
            .par_chunks_mut((e.queries * e.width).max(1))
            .zip(k_grad.par_chunks_mut((e.keys * e.width).max(1)))
            .zip(v_grad.par_chunks_mut((e.keys * e.width).max(1)));
        items
            .enumerate()
            .for_each(|(item, ((q_grad, k_grad), v_grad))| {
                let length = self.key_length(item, e.keys);
                if length == 0 {
                    q_grad.fill(0.0);
                    return;
                }
                let mut scores = buffer(BLOCK.min(e.queries) * length);
                let mut slopes = buffer(BLOCK.min(e.queries) * length);
                for head in 0..e.heads {
                    let offset = head * e.head;
                    let key = head_view(&k, e, item, head, length);
                    let value = head_view(&v, e, item, head, length);
                    for start in (0..e.queries).step_by(BLOCK) {
                        let rows = BLOCK.min(e.queries - start);
                        let first = item * e.queries + start;
                        let at = first * e.width + offset;
                        let query = View::strided(&q.data()[at..], rows, e.head, e.width);
                        let slope = View::strided(&grad.data()[at..], rows, e.head, e.width);
                        let scores = &mut scores[..rows * length];
                        let slopes = &mut slopes[..rows * length];
                        multiply(
                            scores,
                            length,
                            Store::Overwrite,
                            e.scale,
                            query,
                            key.t(),
                            Threads::One,
                        );
                        multiply(
                            slopes,
                            length,
                            Store::Overwrite,
                            1.0,
                            slope,
                            value.t(),
                            Threads::One,
                        );
                        for row in 0..rows {
                            let at = at + row * e.width;
                            softmax_backward(
                                &mut scores[row * length..][..length],
                                &mut slopes[row * length..][..length],
                                lse[(first + row) * e.heads + head],
                                dot(&out.data()[at..][..e.head], &grad.data()[at..][..e.head]),
                                e.scale,
                            );
                        }
                        let probabilities = View::new(scores, rows, length);
                        let slopes = View::new(slopes, rows, length);
                        multiply(
                            &mut v_grad[offset..],
                            e.width,
                            Store::Add,
                            1.0,
                            probabilities.t(),
                            slope,
                            Threads::One,
                        );
                        multiply(
                            &mut k_grad[offset..],
                            e.width,
                            Store::Add,
                            1.0,
                            slopes.t(),
                            query,
                            Threads::One,
                        );
                        multiply(
                            &mut q_grad[start * e.width + offset..],
                            e.width,
                            Store::Overwrite,
                            1.0,
                            slopes,
                            key,
                            Threads::One,
                        );
                    }
                }
            });
        [
            Some(Array::new(q_grad, q.shape())),
            Some(Array::new(k_grad, k.shape())),
            Some(Array::new(v_grad, v.shape())),
        ]
    }
}

/// Turns a row of scores into probabilities; returns its log-sum-exp.
#[multiversion(targets = "simd")]
fn softmax(scores: &mut [f32]) -> f32 {
    let mut max = [f32::NEG_INFINITY; 16];
    let (blocks, rest) = scores.as_chunks::<16>();
    for block in blocks {
        for (max, &s) in max.iter_mut().zip(block) {
            *max = if s > *max { s } else { *max };
        }
    }
    let max = max
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut sums = [0.0f32; 16];
    let (blocks, rest) = scores.as_chunks_mut::<16>();
    for block in blocks {
        for (sum, s) in sums.iter_mut().zip(block) {
            *s = exp(*s - max);
            *sum += *s;
        }
    }
    let mut sum = sums.iter().sum::<f32>();
    for s in rest {
        *s = exp(*s - max);
        sum += *s;
    }
    let inverse = 1.0 / sum;
    for s in scores {
        *s *= inverse;
    }
    max + sum.ln()
}

/// Turns a row of scores into probabilities p, and a row of gradients d of the probabilities into
/// gradients `p (d - expected) scale` of the unscaled scores.
#[multiversion(targets = "simd")]
fn softmax_backward(scores: &mut [f32], slopes: &mut [f32], lse: f32, expected: f32, scale: f32) {
    for (s, d) in scores.iter_mut().zip(slopes) {
        *s = exp(*s - lse);
        *d = *s * (*d - expected) * scale;
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
