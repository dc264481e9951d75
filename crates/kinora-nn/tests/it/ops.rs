//! Each operation against its plain composition, at odd sizes.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use kinora_nn::{
    RopeTable, attention, depthwise_conv3d, gated_residual, gelu, layer_norm, linear, modulate,
    rms_norm, rms_norm_heads, rope, silu,
};

use crate::check::{check, tensor, values};

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let len = x.shape().num_elements();
    x.reshape([len])
}

fn shaped<const D: usize>(x: &Tensor<1>, shape: [usize; D]) -> Tensor<D> {
    x.clone().reshape(shape)
}

fn standardise<const D: usize>(x: Tensor<D>, eps: f32) -> Tensor<D> {
    let x = x.clone() - x.mean_dim(D - 1);
    let variance = (x.clone() * x.clone()).mean_dim(D - 1);
    x / (variance + eps).sqrt()
}

#[test]
fn linear_maps_the_last_dimension() {
    for [b, n, inputs, outputs] in [[1, 1, 1, 1], [2, 3, 5, 7], [3, 170, 33, 65]] {
        let lens = [b * n * inputs, outputs * inputs, outputs];
        check(
            &lens,
            |t| {
                let x = shaped(&t[0], [b, n, inputs]);
                let weight = shaped(&t[1], [outputs, inputs]);
                flat(linear(x, weight, Some(t[2].clone())))
            },
            |t| {
                let x = shaped(&t[0], [b * n, inputs]);
                let weight = shaped(&t[1], [outputs, inputs]);
                flat(x.matmul(weight.transpose()) + shaped(&t[2], [1, outputs]))
            },
        );
        check(
            &lens[..2],
            |t| {
                let x = shaped(&t[0], [b * n, inputs]);
                flat(linear(x, shaped(&t[1], [outputs, inputs]), None))
            },
            |t| {
                let x = shaped(&t[0], [b * n, inputs]);
                flat(x.matmul(shaped(&t[1], [outputs, inputs]).transpose()))
            },
        );
    }
}

#[test]
fn linear_reads_strided_views() {
    let device = Device::flex();
    let x = tensor((0..12).map(|v| v as f32).collect(), &device).reshape([3, 4]);
    let weight = tensor((0..6).map(|v| v as f32).collect(), &device).reshape([2, 3]);
    let ours = linear(x.clone().transpose(), weight.clone(), None);
    assert_eq!(
        values(ours),
        values(x.transpose().matmul(weight.transpose()))
    );
}

#[test]
fn norms_scale_and_shift_rows() {
    for [b, n, c] in [[1, 1, 3], [2, 5, 19], [3, 200, 65]] {
        let x_len = b * n * c;
        check(
            &[x_len, c, c],
            |t| {
                let (weight, bias) = (Some(t[1].clone()), Some(t[2].clone()));
                flat(layer_norm(shaped(&t[0], [b, n, c]), weight, bias, 1e-2))
            },
            |t| {
                let x = standardise(shaped(&t[0], [b * n, c]), 1e-2);
                flat(x * shaped(&t[1], [1, c]) + shaped(&t[2], [1, c]))
            },
        );
        check(
            &[x_len],
            |t| flat(layer_norm(shaped(&t[0], [b * n, c]), None, None, 1e-2)),
            |t| flat(standardise(shaped(&t[0], [b * n, c]), 1e-2)),
        );
        check(
            &[x_len, c],
            |t| flat(rms_norm(shaped(&t[0], [b, n, c]), t[1].clone(), 1e-2)),
            |t| {
                let x = shaped(&t[0], [b * n, c]);
                let square = (x.clone() * x.clone()).mean_dim(1);
                flat(x / (square + 1e-2).sqrt() * shaped(&t[1], [1, c]))
            },
        );
        check(
            &[x_len, b * c, b * c],
            |t| {
                let (shift, scale) = (shaped(&t[1], [b, c]), shaped(&t[2], [b, c]));
                flat(modulate(shaped(&t[0], [b, n, c]), shift, scale, 1e-2))
            },
            |t| {
                let (shift, scale) = (shaped(&t[1], [b, 1, c]), shaped(&t[2], [b, 1, c]));
                flat(standardise(shaped(&t[0], [b, n, c]), 1e-2) * (scale + 1.0) + shift)
            },
        );
    }
}

#[test]
fn rms_norm_of_heads_treats_each_head_as_a_row() {
    let (b, n, heads, head) = (2, 37, 3, 10);
    check(
        &[b * n * heads * head, head],
        |t| {
            let x = shaped(&t[0], [b, n, heads * head]);
            flat(rms_norm_heads(x, t[1].clone(), heads, 1e-6))
        },
        |t| {
            let x = shaped(&t[0], [b * n * heads, head]);
            let square = (x.clone() * x.clone()).mean_dim(1);
            flat(x / (square + 1e-6).sqrt() * shaped(&t[1], [1, head]))
        },
    );
}

#[test]
fn gated_residual_adds_the_gated_branch() {
    for [b, n, c] in [[1, 1, 3], [3, 170, 37]] {
        check(
            &[b * n * c, b * n * c, b * c],
            |t| {
                let (x, y) = (shaped(&t[0], [b, n, c]), shaped(&t[1], [b, n, c]));
                flat(gated_residual(x, y, shaped(&t[2], [b, c])))
            },
            |t| {
                let (x, y) = (shaped(&t[0], [b, n, c]), shaped(&t[1], [b, n, c]));
                flat(x + y * shaped(&t[2], [b, 1, c]))
            },
        );
    }
}

#[test]
fn activations_follow_their_formulas() {
    for len in [1, 31, 20_011] {
        check(
            &[len],
            |t| gelu(t[0].clone() * 3.0),
            |t| {
                let x = t[0].clone() * 3.0;
                let cube = x.clone() * x.clone() * x.clone();
                let u = (x.clone() + cube * 0.044_715) * (2.0 / std::f32::consts::PI).sqrt();
                x * 0.5 * (u.tanh() + 1.0)
            },
        );
        check(
            &[len],
            |t| silu(t[0].clone() * 3.0),
            |t| {
                let x = t[0].clone() * 3.0;
                x.clone() / ((-x).exp() + 1.0)
            },
        );
    }
}

/// Attention by whole score matrices, one batch item at a time.
fn plain_attention(
    [q, k, v]: [Tensor<3>; 3],
    heads: usize,
    key_lengths: Option<&[usize]>,
) -> Tensor<3> {
    let [batch, queries, width] = q.dims();
    let head = width / heads;
    let split = |x: Tensor<3>, item: usize, length: usize| {
        x.slice([item..item + 1, 0..length])
            .reshape([length, heads, head])
            .swap_dims(0, 1)
    };
    let items = (0..batch).map(|item| {
        let length = key_lengths.map_or(k.dims()[1], |l| l[item]);
        let q = split(q.clone(), item, queries);
        if length == 0 {
            return (q.swap_dims(0, 1) * 0.0).reshape([1, queries, width]);
        }
        let k = split(k.clone(), item, length);
        let v = split(v.clone(), item, length);
        let scores = q.matmul(k.swap_dims(1, 2)) / (head as f32).sqrt();
        let out = softmax(scores, 2).matmul(v);
        out.swap_dims(0, 1).reshape([1, queries, width])
    });
    Tensor::cat(items.collect(), 0)
}

#[test]
fn attention_is_exact_softmax_attention() {
    let cases = [
        (1, 1, 1, 1, 3, None),
        (2, 24, 24, 4, 32, None),
        (2, 131, 131, 2, 33, None),
        (3, 70, 9, 2, 5, Some(vec![9, 0, 4])),
    ];
    for (b, queries, keys, heads, head, lengths) in cases {
        let c = heads * head;
        let split = |t: &[Tensor<1>]| {
            [
                shaped(&t[0], [b, queries, c]),
                shaped(&t[1], [b, keys, c]),
                shaped(&t[2], [b, keys, c]),
            ]
        };
        check(
            &[b * queries * c, b * keys * c, b * keys * c],
            |t| {
                let [q, k, v] = split(t);
                flat(attention(q, k, v, heads, lengths.clone()))
            },
            |t| flat(plain_attention(split(t), heads, lengths.as_deref())),
        );
    }
}

#[test]
fn attention_bears_large_scores() {
    let device = Device::flex();
    let x = Tensor::<3>::full([1, 5, 4], 100.0, &device);
    let out = values(attention(x.clone(), x.clone(), x, 1, None));
    assert!(out.iter().all(|v| (v - 100.0).abs() < 1e-3), "{out:?}");
}

#[test]
fn rope_turns_pairs_by_the_angles_of_the_table() {
    let (b, heads, head) = (2, 3, 14);
    let table = RopeTable::new_3d(2, 3, 5, head, 10_000.0);
    let (n, half) = (table.tokens(), head / 2);
    check(
        &[b * n * heads * head],
        |t| flat(rope(shaped(&t[0], [b, n, heads * head]), &table, heads)),
        |t| {
            let x = shaped(&t[0], [b, n, heads, half, 2]);
            let angle =
                |values: &[f32]| tensor(values.to_vec(), &x.device()).reshape([1, n, 1, half, 1]);
            let (cos, sin) = (angle(table.cos()), angle(table.sin()));
            let first = x.clone().narrow(4, 0, 1);
            let second = x.clone().narrow(4, 1, 1);
            let turned = [
                first.clone() * cos.clone() - second.clone() * sin.clone(),
                first * sin + second * cos,
            ];
            flat(Tensor::cat(turned.into(), 4))
        },
    );
}

#[test]
fn rope_table_splits_a_head_between_time_height_and_width() {
    // Heads of 16 give 8 dimensions to time and 4 each to height and width.
    let table = RopeTable::new_3d(3, 4, 5, 16, 10_000.0);
    let token = (2 * 4 + 3) * 5 + 4;
    let slow = |dims: f64, i: f64| 10_000f64.powf(-2.0 * i / dims);
    let angles = [
        2.0,
        2.0 * slow(8.0, 1.0),
        2.0 * slow(8.0, 2.0),
        2.0 * slow(8.0, 3.0),
        3.0,
        3.0 * slow(4.0, 1.0),
        4.0,
        4.0 * slow(4.0, 1.0),
    ];
    let expected: Vec<f32> = angles.iter().map(|a: &f64| a.cos() as f32).collect();
    assert_eq!(table.cos()[token * 8..][..8], expected);
    let expected: Vec<f32> = angles.iter().map(|a: &f64| a.sin() as f32).collect();
    assert_eq!(table.sin()[token * 8..][..8], expected);
}

/// The convolution as a sum of shifted products.
fn plain_conv(x: Tensor<5>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let [kt, kh, kw, _] = weight.dims();
    let zeros = |shape: [usize; 5]| Tensor::<5>::zeros(shape, &x.device());
    let (top, left) = ((kh - 1) / 2, (kw - 1) / 2);
    let tall = Tensor::cat(
        vec![
            zeros([b, t, top, w, c]),
            x.clone(),
            zeros([b, t, kh - 1 - top, w, c]),
        ],
        2,
    );
    let height = h + kh - 1;
    let padded = Tensor::cat(
        vec![
            zeros([b, t, height, left, c]),
            tall,
            zeros([b, t, height, kw - 1 - left, c]),
        ],
        3,
    );
    let frames = t + 1 - kt;
    let mut out = zeros([b, frames, h, w, c]) + bias.reshape([1, 1, 1, 1, c]);
    for z in 0..kt {
        for y in 0..kh {
            for x in 0..kw {
                let part = padded
                    .clone()
                    .slice([0..b, z..z + frames, y..y + h, x..x + w]);
                let tap = weight.clone().slice([z..z + 1, y..y + 1, x..x + 1]);
                out = out + part * tap.reshape([1, 1, 1, 1, c]);
            }
        }
    }
    out
}

#[test]
fn depthwise_conv_is_valid_in_time_and_same_in_space() {
    let cases = [
        ([1, 1, 1, 1, 1], [1, 1, 1]),
        ([2, 4, 5, 6, 7], [3, 3, 3]),
        ([1, 3, 2, 1, 19], [2, 5, 3]),
        ([2, 2, 4, 5, 3], [1, 2, 4]),
    ];
    for (shape, [kt, kh, kw]) in cases {
        let c = shape[4];
        let kernel = [kt, kh, kw, c];
        check(
            &[shape.iter().product(), kernel.iter().product(), c],
            |t| {
                let (x, weight) = (shaped(&t[0], shape), shaped(&t[1], kernel));
                flat(depthwise_conv3d(x, weight, t[2].clone()))
            },
            |t| {
                let (x, weight) = (shaped(&t[0], shape), shaped(&t[1], kernel));
                flat(plain_conv(x, weight, t[2].clone()))
            },
        );
    }
}
