//! Comparison of an operation with its plain composition.

use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::noise;

/// The Euclidean distance from `a` to `b` over the length of `b`.
pub fn relative_error(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "results differ in size");
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    difference / norm(&mut b.iter().map(|&b| f64::from(b))).max(1e-12)
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32 data")
}

pub fn tensor(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), device)
}

/// Checks `ours` on random inputs of the given lengths: its value and gradients against the
/// autodiff of `plain`, its value without autodiff, and its slope along a random direction
/// against central differences.
pub fn check(
    lens: &[usize],
    ours: impl Fn(&[Tensor<1>]) -> Tensor<1>,
    plain: impl Fn(&[Tensor<1>]) -> Tensor<1>,
) {
    let inputs: Vec<Vec<f32>> = lens
        .iter()
        .enumerate()
        .map(|(i, &len)| noise::normal(11, i as u64, len))
        .collect();
    let run = |f: &dyn Fn(&[Tensor<1>]) -> Tensor<1>| {
        let device = Device::flex().autodiff();
        let leaves: Vec<Tensor<1>> = inputs
            .iter()
            .map(|x| tensor(x.clone(), &device).require_grad())
            .collect();
        let out = f(&leaves);
        let weights = tensor(noise::normal(12, 0, out.dims()[0]), &device);
        let grads = (out.clone() * weights).sum().backward();
        let grads: Vec<Vec<f32>> = leaves
            .iter()
            .map(|leaf| values(leaf.grad(&grads).expect("each input has a gradient")))
            .collect();
        (values(out), grads)
    };
    let (out, grads) = run(&ours);
    let (plain_out, plain_grads) = run(&plain);
    let error = relative_error(&out, &plain_out);
    assert!(error < 1e-5, "the value is off by {error}");
    for (i, (a, b)) in grads.iter().zip(&plain_grads).enumerate() {
        let error = relative_error(a, b);
        assert!(error < 3e-5, "the gradient of input {i} is off by {error}");
    }

    let evaluate = |along: f32| {
        let leaves: Vec<Tensor<1>> = inputs
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let step = noise::normal(13, i as u64, x.len());
                let x = x.iter().zip(step).map(|(x, d)| x + along * d).collect();
                tensor(x, &Device::flex())
            })
            .collect();
        values(ours(&leaves))
    };
    assert_eq!(evaluate(0.0), out, "autodiff changes the value");
    let weights = noise::normal(12, 0, out.len());
    let loss = |along: f32| -> f64 {
        let out = evaluate(along);
        out.iter()
            .zip(&weights)
            .map(|(&o, &w)| f64::from(o) * f64::from(w))
            .sum()
    };
    const STEP: f32 = 2e-3;
    let measured = (loss(STEP) - loss(-STEP)) / (2.0 * f64::from(STEP));
    let mut expected = 0.0;
    let mut size = 0.0;
    for (i, grad) in grads.iter().enumerate() {
        for (g, d) in grad.iter().zip(noise::normal(13, i as u64, grad.len())) {
            expected += f64::from(*g) * f64::from(d);
            size += f64::from(*g).powi(2);
        }
    }
    let error = (measured - expected).abs() / size.sqrt().max(1e-12);
    assert!(
        error < 1e-2,
        "the slope is {measured} by differences and {expected} by the gradient"
    );
}
