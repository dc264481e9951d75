//! The dense convolution against its definition.

use crate::check::{relative_error, values};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{
    CONV_TILE, Precision, Walk, conv3d, conv3d_behind, noise, rms_norm, rms_norm_silu, silu,
};
use std::ops::Range;

/// The sum over the kernel's places and channels, position by position.
fn plain(
    x: &[f32],
    [b, t, h, w, c]: [usize; 5],
    weight: &[f32],
    kernel: [usize; 4],
    walk: Walk,
) -> Vec<f32> {
    let [outputs, kt, kh, kw] = kernel;
    let [before, behind] = walk.padding;
    let count = |size: usize, k: usize, stride: usize| (size - k) / stride + 1;
    let (frames, high, wide) = (
        count(t, kt, walk.stride_time),
        count(h + before + behind, kh, walk.stride),
        count(w + before + behind, kw, walk.stride),
    );
    let mut out = Vec::new();
    for index in 0..b * frames * high * wide * outputs {
        let (o, at) = (index % outputs, index / outputs);
        let (j, i, f) = (at % wide, at / wide % high, at / wide / high % frames);
        let item = at / wide / high / frames;
        let mut sum = 0.0;
        for place in 0..kt * kh * kw {
            let (dt, dy, dx) = (place / kh / kw, place / kw % kh, place % kw);
            let frame = f * walk.stride_time + dt;
            let (y, x_) = (i * walk.stride + dy, j * walk.stride + dx);
            let (Some(y), Some(x_)) = (y.checked_sub(before), x_.checked_sub(before)) else {
                continue;
            };
            if y >= h || x_ >= w {
                continue;
            }
            for channel in 0..c {
                let value = x[(((item * t + frame) * h + y) * w + x_) * c + channel];
                let factor = weight[((o * c + channel) * kt + dt) * kh * kw + dy * kw + dx];
                sum += f64::from(value) * f64::from(factor);
            }
        }
        out.push(sum as f32);
    }
    out
}

#[test]
fn a_convolution_is_its_definition() {
    let device = Device::flex();
    let same = |padding| Walk {
        stride_time: 1,
        stride: 1,
        padding: [padding; 2],
    };
    let halving = Walk {
        stride_time: 1,
        stride: 2,
        padding: [0, 1],
    };
    let skipping = Walk {
        stride_time: 2,
        stride: 1,
        padding: [0, 0],
    };
    for (shape, kernel, walk, precision, most) in [
        ([1, 3, 5, 7, 4], [6, 3, 3, 3], same(1), Precision::F32, 1e-6),
        ([2, 1, 4, 6, 3], [5, 1, 1, 1], same(0), Precision::F32, 1e-6),
        // Of several strips.
        (
            [1, 2, 70, 40, 3],
            [2, 2, 3, 3],
            same(1),
            Precision::F32,
            1e-6,
        ),
        ([1, 1, 6, 9, 3], [4, 1, 3, 3], halving, Precision::F32, 1e-6),
        (
            [2, 5, 3, 2, 3],
            [4, 3, 1, 1],
            skipping,
            Precision::F32,
            1e-6,
        ),
        (
            [1, 3, 8, 9, 64],
            [50, 3, 3, 3],
            same(1),
            Precision::Bf16,
            1e-2,
        ),
    ] {
        let c = shape[4];
        let [outputs, kt, kh, kw] = kernel;
        let x = noise::normal(1, 0, shape.iter().product());
        let weight = noise::normal(1, 1, outputs * c * kt * kh * kw);
        let exact = plain(&x, shape, &weight, kernel, walk);
        let weight = TensorData::new(weight, [outputs, c, kt, kh, kw]);
        let out = conv3d(
            precision,
            Tensor::from_data(TensorData::new(x, shape), &device),
            Tensor::from_data(weight, &device),
            Tensor::zeros([outputs], &device),
            walk,
        );
        let out: Vec<f32> = out.try_into_vec_as().unwrap();
        let error = relative_error(&out, &exact);
        assert!(error < most, "{shape:?} by {kernel:?}: {error:.1e}");
    }
}

/// Random input, weight and bias of a 3 x 3 convolution without strides.
fn random(shape: [usize; 5], outputs: usize, kt: usize) -> (Tensor<5>, Tensor<5>, Tensor<1>) {
    let normal = |stream, len| noise::normal(2, stream, len);
    let weight = [outputs, shape[4], kt, 3, 3];
    let device = Device::flex();
    (
        Tensor::from_data(
            TensorData::new(normal(0, shape.iter().product()), shape),
            &device,
        ),
        Tensor::from_data(
            TensorData::new(normal(1, weight.iter().product()), weight),
            &device,
        ),
        Tensor::from_data(TensorData::new(normal(2, outputs), [outputs]), &device),
    )
}

const AROUND: Walk = Walk {
    stride_time: 1,
    stride: 1,
    padding: [1; 2],
};

#[test]
fn minimal_filtering_is_the_definition_at_any_size() {
    let sizes = [
        [1, 1],
        [1, 9],
        [7, 1],
        [2, 3],
        [4, 4],
        [5, 8],
        [6, 5],
        [9, 31],
        [41, 70],
    ];
    let channels = [[8, 8], [16, 96], [33, 9], [12, 12], [100, 17]];
    for (index, [h, w]) in sizes.into_iter().enumerate() {
        for (kt, stride_time, padding) in [(1, 1, [1, 1]), (3, 1, [1, 1]), (2, 2, [0, 2])] {
            let [inputs, outputs] = channels[(index + kt) % channels.len()];
            let walk = Walk {
                stride_time,
                padding,
                ..AROUND
            };
            let shape = [2, 4, h, w, inputs];
            let (x, weight, bias) = random(shape, outputs, kt);
            let mut exact = plain(
                &values(x.clone()),
                shape,
                &values(weight.clone()),
                [outputs, kt, 3, 3],
                walk,
            );
            let bias_values = values(bias.clone());
            for row in exact.chunks_exact_mut(outputs) {
                row.iter_mut().zip(&bias_values).for_each(|(v, b)| *v += b);
            }
            let out = conv3d(Precision::F32, x, weight, bias, walk);
            let error = relative_error(&values(out), &exact);
            assert!(
                error < 4e-6,
                "{shape:?} to {outputs}, {walk:?}: {error:.1e}"
            );
        }
    }
}

#[test]
fn parts_of_a_frame_give_the_numbers_of_the_whole() {
    let (x, weight, bias) = random([1, 3, 40, 61, 24], 40, 3);
    let of = |x| conv3d(Precision::F32, x, weight.clone(), bias.clone(), AROUND);
    let part = |x: &Tensor<5>, rows: Range<usize>, columns: Range<usize>| {
        let x = x.clone().narrow(2, rows.start, rows.len());
        x.narrow(3, columns.start, columns.len())
    };
    let whole = of(x.clone());
    // A part, and what is seen of the frame: a tile around it decides its results.
    for (rows, columns) in [(4..12, 8..32), (36..40, 56..61), (0..4, 20..60)] {
        let seen = |range: &Range<usize>, size: usize| {
            range.start.saturating_sub(CONV_TILE)..size.min(range.end + CONV_TILE)
        };
        let (high, wide) = (seen(&rows, 40), seen(&columns, 61));
        let out = of(part(&x, high.clone(), wide.clone()));
        let inside = |range: &Range<usize>, seen: &Range<usize>| {
            range.start - seen.start..range.end - seen.start
        };
        let out = part(&out, inside(&rows, &high), inside(&columns, &wide));
        let same = values(out) == values(part(&whole, rows.clone(), columns.clone()));
        assert!(same, "{rows:?} by {columns:?}");
    }
}

#[test]
fn frames_before_need_not_be_joined() {
    for (outputs, precision) in [
        (12, Precision::F32),
        (5, Precision::F32),
        (64, Precision::Bf16),
    ] {
        let (x, weight, bias) = random([2, 4, 6, 7, 64], outputs, 3);
        let joined = conv3d(precision, x.clone(), weight.clone(), bias.clone(), AROUND);
        let frames = |from, count| x.clone().narrow(1, from, count);
        let before = [frames(0, 1), frames(1, 1)];
        let apart = conv3d_behind(precision, before, frames(2, 2), weight, bias, AROUND);
        assert!(
            values(apart) == values(joined),
            "{outputs} in {precision:?}"
        );
    }
}

#[test]
fn norm_and_silu_at_once_are_one_after_the_other() {
    let (x, ..) = random([1, 3, 9, 11, 50], 1, 1);
    let gain = Tensor::from_data(
        TensorData::new(noise::normal(3, 0, 50), [50]),
        &Device::flex(),
    );
    let after = silu(rms_norm(x.clone(), gain.clone(), 1e-6));
    assert!(values(rms_norm_silu(x, gain, 1e-6)) == values(after));
}
