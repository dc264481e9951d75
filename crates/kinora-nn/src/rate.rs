//! How fast this machine multiplies.

use burn::tensor::{Device, Tensor, TensorData};
use std::time::Instant;

use crate::matmul::Precision;
use crate::noise;
use crate::ops::linear_in;

/// Rows, columns of the input and of the result: as large as a layer's in shape, small enough for a moment.
const EXTENTS: [usize; 3] = [512, 1024, 1024];
/// Products that are timed; the fastest counts, for the others were disturbed.
const TIMES: usize = 4;

/// Operations a second (two for a multiplication with its sum) of a linear layer's products on this machine, timed in a
/// fraction of a second.
pub fn operations_a_second(precision: Precision, device: &Device) -> f64 {
    let [rows, inputs, outputs] = EXTENTS;
    let tensor = |stream, [rows, columns]: [usize; 2]| {
        let values = noise::normal(0, stream, rows * columns);
        Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
    };
    let (x, weight) = (tensor(0, [rows, inputs]), tensor(1, [outputs, inputs]));
    let time = || {
        let began = Instant::now();
        drop(linear_in(precision, x.clone(), weight.clone(), None));
        began.elapsed().as_secs_f64()
    };
    let least = (0..TIMES).map(|_| time()).fold(f64::INFINITY, f64::min);
    2.0 * EXTENTS.iter().product::<usize>() as f64 / least.max(1e-9)
}
