//! Linear layers with rounded products against the same layers in f32.

use crate::check::{relative_error, values};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{Init, Linear, Precision, noise};

/// The output of a layer, and the gradients of its input, weight and bias.
fn run(precision: Precision) -> [Vec<f32>; 4] {
    const ROWS: usize = 203;
    const INPUTS: usize = 97;
    const OUTPUTS: usize = 130;
    let device = Device::flex().autodiff();
    let random = |stream, cols| -> Tensor<2> {
        let values = noise::normal(5, stream, ROWS * cols);
        Tensor::from_data(TensorData::new(values, [ROWS, cols]), &device)
    };
    let mut init = Init::new(4, &device).with_precision(precision);
    let layer = Linear::new(INPUTS, OUTPUTS, &mut init);
    let x = random(0, INPUTS).require_grad();
    let out = layer.forward(x.clone());
    let grads = (out.clone() * random(1, OUTPUTS)).sum().backward();
    let bias = layer.bias.as_ref().expect("a new layer has a bias");
    [
        values(out),
        values(x.grad(&grads).expect("the input is tracked")),
        values(
            layer
                .weight
                .val()
                .grad(&grads)
                .expect("weights are tracked"),
        ),
        values(bias.val().grad(&grads).expect("biases are tracked")),
    ]
}

#[test]
fn bf16_layers_stay_within_its_rounding() {
    let exact = run(Precision::F32);
    let rounded = run(Precision::Bf16);
    let errors: Vec<f64> = rounded
        .iter()
        .zip(&exact)
        .map(|(rounded, exact)| relative_error(rounded, exact))
        .collect();
    assert!(errors.iter().all(|&error| error < 1e-2), "{errors:?}");
    assert_eq!(errors[3], 0.0, "the bias is not part of a product");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512bf16") {
        let products = &errors[..3];
        assert!(products.iter().all(|&e| e > 1e-4), "in f32: {errors:?}");
    }
}

#[test]
fn int8_layers_stay_within_its_rounding() {
    let [exact, rounded] = [Precision::F32, Precision::Int8].map(|p| run(p)[0].clone());
    let error = relative_error(&rounded, &exact);
    assert!((1e-4..2e-2).contains(&error), "{error}");
}
