//! The optimiser against its formulas in f64.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use kinora_nn::optim::{AdamW, AdamWConfig, Ema, Grads, parameters};
use kinora_nn::{Init, Linear};

use crate::check::{relative_error, values};

const CONFIG: AdamWConfig = AdamWConfig {
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weight_decay: 0.1,
};

fn layer() -> Linear {
    let device = Device::flex().autodiff();
    Linear::new(150, 131, &mut Init::new(3, &device))
}

fn grads_of(layer: &Linear, seed: u64) -> Grads {
    let x: Param<Tensor<2>> = Init::new(seed, &layer.weight.device()).normal([4, 150], 1.0);
    let out = layer.forward(x.val().detach());
    Grads::take(layer, &mut (out.clone() * out).mean().backward())
}

#[test]
fn parameters_are_named_by_their_fields() {
    let layer = layer();
    let found = parameters(&layer);
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].name.as_str(), &found[0].shape[..]),
        ("weight", &[131, 150][..])
    );
    assert_eq!(
        (found[1].name.as_str(), found[1].id),
        ("bias", layer.bias.as_ref().expect("has a bias").id)
    );
}

#[test]
fn adamw_follows_its_formulas() {
    let mut layer = layer();
    let mut optimiser = AdamW::new(CONFIG);
    let as_f64 = |x: Vec<f32>| -> Vec<f64> { x.into_iter().map(f64::from).collect() };
    let mut p = as_f64(values(layer.weight.val()));
    let (mut m, mut v) = (vec![0.0; p.len()], vec![0.0; p.len()]);
    for step in 1..=3 {
        let grads = grads_of(&layer, step);
        let scale = 0.5f32;
        for (i, &g) in grads.get("weight").expect("a gradient").iter().enumerate() {
            let g = f64::from(g) * 0.5;
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            let m = m[i] / (1.0 - 0.9f64.powi(step as i32));
            let v = v[i] / (1.0 - 0.95f64.powi(step as i32));
            p[i] = p[i] * (1.0 - 0.01 * 0.1) - 0.01 * m / (v.sqrt() + 1e-8);
        }
        layer = optimiser.step(layer, &grads, 0.01, scale);
        assert!(layer.weight.val().is_require_grad());
    }
    let expected: Vec<f32> = p.iter().map(|&p| p as f32).collect();
    let error = relative_error(&values(layer.weight.val()), &expected);
    assert!(error < 1e-5, "off by {error}");
}

#[test]
fn a_step_leaves_clones_alone() {
    let before = layer();
    let grads = grads_of(&before, 1);
    let after = AdamW::new(CONFIG).step(before.clone(), &grads, 0.1, 1.0);
    assert_eq!(values(before.weight.val()), values(layer().weight.val()));
    assert_ne!(values(after.weight.val()), values(before.weight.val()));
}

#[test]
fn gradients_add_up() {
    let layer = layer();
    let one = grads_of(&layer, 1);
    let mut two = one.clone();
    two.add(one.clone());
    assert!((two.norm() / one.norm() - 2.0).abs() < 1e-5);
    let exact: f64 = ["weight", "bias"]
        .iter()
        .flat_map(|name| one.get(name).expect("a gradient"))
        .map(|&g| f64::from(g).powi(2))
        .sum();
    assert!((f64::from(one.norm()) / exact.sqrt() - 1.0).abs() < 1e-6);
}

#[test]
fn the_average_follows_the_parameters() {
    let layer = layer();
    let mut ema = Ema::new(&layer);
    let mut doubled = layer.clone().without_bias();
    doubled.weight = Param::from_tensor(layer.weight.val().inner() * 2.0);
    ema.update(&doubled, 0.75);
    let average = ema.apply(layer.clone().valid());
    let expected = values(layer.weight.val() * 1.25);
    assert!(relative_error(&values(average.weight.val()), &expected) < 1e-6);
    let start = values(layer.weight.val());
    assert!(
        relative_error(&start, &expected) > 0.1,
        "the average must be a copy"
    );
}
