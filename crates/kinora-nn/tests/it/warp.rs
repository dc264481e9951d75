//! Moved pictures against tents around each pixel.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kinora_nn::{noise, warp};

use crate::check::{check, tensor, values};

/// Down, across, side of a cell, frames of the motion.
const SHAPE: [usize; 4] = [2, 3, 2, 2];

fn picture(device: &Device) -> Tensor<5> {
    let [h, w, side, _] = SHAPE;
    let pixels = h * w * side * side * 3;
    tensor(noise::normal(5, 0, pixels), device).reshape([1, 1, h, w, side * side * 3])
}

/// The picture row by row, `[H, W, 3]`.
fn raster(cells: Tensor<5>) -> Tensor<3> {
    let [h, w, side, _] = SHAPE;
    cells
        .reshape([h, w, side, side, 3])
        .permute([0, 2, 1, 3, 4])
        .reshape([h * side, w * side, 3])
}

/// Each value as the sum of all pixels, each as near as a tent says.
fn by_tents(motion: Tensor<1>) -> Tensor<1> {
    let [h, w, side, frames] = SHAPE;
    let device = motion.device();
    let (area, count) = (side * side, h * w * frames * side * side);
    let start = |down: bool| {
        let places = (0..count).map(|index| {
            let (cell, pixel) = (index / (frames * area), index % area);
            let (cell, pixel) = match down {
                true => (cell / w, pixel / side),
                false => (cell % w, pixel % side),
            };
            (cell * side + pixel) as f32
        });
        tensor(places.collect(), &device)
    };
    let step = |axis: usize| {
        let step = motion
            .clone()
            .reshape([h * w * frames, 2])
            .narrow(1, axis, 1);
        step.repeat_dim(1, area).reshape([count])
    };
    let tents = |places: Tensor<1>, size: usize| {
        let places = places.clamp(0.0, (size - 1) as f32).reshape([count, 1]);
        let pixels = (0..size).map(|at| at as f32).collect();
        let far = (places - tensor(pixels, &device).reshape([1, size])).abs();
        relu(far * -1.0 + 1.0) // (count, size)
    };
    let (height, width) = (h * side, w * side);
    let rows = tents(start(true) + step(1), height).reshape([count, height, 1]);
    let columns = tents(start(false) + step(0), width).reshape([count, 1, width]);
    let near = (rows * columns).reshape([count, height * width]);
    let pixels = raster(picture(&device)).reshape([height * width, 3]);
    near.matmul(pixels).reshape([count * 3])
}

#[test]
fn a_warped_picture_is_linear_between_pixels() {
    let [h, w, side, frames] = SHAPE;
    check(
        &[h * w * frames * 2],
        |t| {
            let motion = t[0].clone().reshape([1, 1, h, w, frames * 2]);
            warp(picture(&t[0].device()), motion, side).reshape([h * w * frames * side * side * 3])
        },
        |t| by_tents(t[0].clone()),
    );
}

#[test]
fn a_still_picture_stays_and_one_from_beyond_the_border_is_the_border() {
    let [h, w, side, frames] = SHAPE;
    let device = Device::flex();
    let moved = |right: f32| {
        let step = [right, 0.0].repeat(h * w * frames);
        let motion = tensor(step, &device).reshape([1, 1, h, w, frames * 2]);
        let whole = warp(picture(&device), motion, side);
        raster(whole.narrow(4, side * side * 3, side * side * 3)) // the second frame
    };
    let still = raster(picture(&device));
    assert_eq!(values(moved(0.0)), values(still.clone()));
    let next = values(moved(1.0).narrow(1, 0, w * side - 1));
    assert_eq!(next, values(still.clone().narrow(1, 1, w * side - 1)));
    let last = still.narrow(1, w * side - 1, 1).repeat_dim(1, w * side);
    assert_eq!(values(moved(1e9)), values(last));
    assert!(values(moved(f32::NAN)).iter().all(|value| value.is_nan()));
}
