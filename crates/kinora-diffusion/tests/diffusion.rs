//! Samplers, guidance and the flow-matching target against the exact flow of Gaussian data.
//!
//! Data with mean `M` and deviation `S` stay Gaussian under noise: `x(sigma)` has mean `(1 - sigma) M` and variance
//! `(1 - sigma)^2 S^2 + sigma^2`, its best denoiser is linear, and the flow carries each `x` at a fixed number of
//! deviations from the mean. So the end of each path is known, and the error of a sampler can be measured.

use burn::tensor::{DType, Device, Tensor, TensorData, Tolerance};
use kinora_diffusion::{
    Branches, FirstBlock, Guidance, Sampler, Step, Timesteps, denoiser, from_thousand, noised,
    shift, shifted, velocity,
};
use kinora_nn::weights::read;
use std::convert::Infallible;

const M: f64 = 0.7;
const S: f64 = 0.4;

/// Double precision, so that the error of the method is not hidden by the error of the numbers.
fn tensor(values: &[f64]) -> Tensor<2> {
    let data = TensorData::new(values.to_vec(), [values.len(), 1]);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

fn variance(sigma: f64) -> f64 {
    (1.0 - sigma).powi(2) * S * S + sigma * sigma
}

/// The exact velocity `E[noise - clean | x]`.
fn exact_velocity(x: Tensor<2>, sigma: f64) -> Tensor<2> {
    let slope = (sigma - (1.0 - sigma) * S * S) / variance(sigma);
    (x - (1.0 - sigma) * M) * slope - M
}

/// The largest error at sigma 0 after `steps` steps from `from`.
fn error(sampler: Sampler, steps: usize, s: f64, from: f64) -> f64 {
    let deviations = [-1.5, -0.2, 0.9, 2.0];
    let start = tensor(&deviations.map(|z| (1.0 - from) * M + z * variance(from).sqrt()));
    let exact = tensor(&deviations.map(|z| M + z * S));
    let denoise = denoiser(
        |x, sigma, _| Ok::<_, Infallible>(exact_velocity(x, sigma)),
        Guidance::everywhere(1.0),
    );
    let end = sampler
        .run(denoise, start, &shifted(steps, s, from), |_| Ok(()))
        .unwrap();
    (end - exact).abs().max().into_scalar::<f64>()
}

#[test]
fn samplers_converge_at_their_order() {
    for (sampler, order) in [
        (Sampler::Euler, 1.0),
        (Sampler::Heun, 2.0),
        (Sampler::AdamsBashforth, 2.0),
        (Sampler::UniPc, 2.0),
    ] {
        for (s, from) in [(1.0, 1.0), (3.0, 1.0), (3.0, 0.7)] {
            let (coarse, fine) = (error(sampler, 256, s, from), error(sampler, 1024, s, from));
            let measured = (coarse / fine).log2() / 2.0;
            println!(
                "{sampler} shift {s} from {from}: {coarse:.2e} -> {fine:.2e}, order {measured:.2}"
            );
            assert!(
                (measured - order).abs() < 0.25,
                "{sampler}, shift {s}, from {from}: order {measured:.2}"
            );
        }
    }
}

/// Trajectories of `scheduling_unipc_multistep.py` in diffusers 0.42.1, made by `reference/wan.py`.
#[test]
fn unipc_follows_the_reference() {
    let bytes = std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/unipc.safetensors"),
    )
    .unwrap();
    let file = read(&bytes).unwrap();
    let values = |name: &str| -> Vec<f64> {
        let tensor = &file.tensors[&format!("case.{name}")];
        tensor.to_f32().into_iter().map(f64::from).collect()
    };
    let (start, goal) = (tensor(&values("start")), tensor(&values("goal")));
    for (steps, s) in [(1, 3.0), (2, 3.0), (5, 5.0), (8, 3.0), (20, 8.0)] {
        let sigmas = from_thousand(steps, s);
        let wanted = values(&format!("sigmas.{steps}.{s}"));
        for (ours, theirs) in sigmas.iter().zip(&wanted) {
            assert!((ours - theirs).abs() < 2e-6, "{sigmas:?} {wanted:?}");
        }
        let denoise = denoiser(
            |x: Tensor<2>, sigma, _| {
                let wanted = (x.clone() * 0.7 - goal.clone() * (1.0 + sigma)).tanh() + x * 0.3;
                Ok::<_, Infallible>(wanted)
            },
            Guidance::everywhere(1.0),
        );
        let end = Sampler::UniPc
            .run(denoise, start.clone(), &sigmas, |_| Ok(()))
            .unwrap();
        let wanted = tensor(&values(&format!("out.{steps}.{s}")));
        let scale = wanted.clone().abs().max().into_scalar::<f64>();
        let error = (end - wanted).abs().max().into_scalar::<f64>() / scale;
        println!("{steps} steps, shift {s}: relative error {error:.1e}");
        assert!(
            error < 1e-5,
            "{steps} steps, shift {s}: relative error {error:.1e}"
        );
    }
}

#[test]
fn second_order_is_worth_it_at_few_steps() {
    // About equal numbers of network evaluations: 20 steps of Euler and of the multistep, 10 of Heun.
    let euler = error(Sampler::Euler, 20, 1.0, 1.0);
    assert!(error(Sampler::Heun, 10, 1.0, 1.0) < euler / 2.0);
    assert!(error(Sampler::AdamsBashforth, 20, 1.0, 1.0) < euler / 4.0);
}

#[test]
fn samplers_report_and_stop() {
    for sampler in Sampler::ALL {
        let mut seen = Vec::new();
        let stopped = sampler.run(
            |x: &Tensor<2>, _| Ok(x.clone()),
            tensor(&[1.0]),
            &shifted(5, 1.0, 1.0),
            |step: Step| {
                seen.push((step.done, step.of));
                if step.done == 2 {
                    Err("cancelled")
                } else {
                    Ok(())
                }
            },
        );
        assert_eq!(stopped.err(), Some("cancelled"));
        assert_eq!(seen, [(1, 5), (2, 5)]);
        let broken = sampler.run(
            |_: &Tensor<2>, _| Err("no memory"),
            tensor(&[1.0]),
            &[1.0, 0.0],
            |_| Ok(()),
        );
        assert_eq!(broken.err(), Some("no memory"));
    }
}

#[test]
fn a_schedule_without_steps_changes_nothing() {
    for sampler in Sampler::ALL {
        let end = sampler.run(
            |_: &Tensor<2>, _| Err("asked"),
            tensor(&[3.0]),
            &shifted(9, 3.0, 0.0),
            |_| Ok(()),
        );
        assert_eq!(end.unwrap().into_scalar::<f64>(), 3.0);
    }
}

#[test]
fn names_are_read_back() {
    for sampler in Sampler::ALL {
        assert_eq!(sampler.name().parse(), Ok(sampler));
    }
    assert!("ddim".parse::<Sampler>().is_err());
}

#[test]
fn guidance_goes_from_the_negative_through_the_positive() {
    let mut asked = Vec::new();
    let network = |x: Tensor<2>, sigma: f64, branches| {
        asked.push((sigma, branches, x.dims()[0]));
        Ok::<_, Infallible>(match branches {
            Branches::Positive => tensor(&[10.0]),
            Branches::Both => tensor(&[10.0, 4.0]),
        })
    };
    let mut denoise = denoiser(
        network,
        Guidance {
            scale: 3.0,
            interval: 0.2..=0.8,
            below: None,
        },
    );
    let at = |denoise: &mut dyn FnMut(&Tensor<2>, f64) -> Result<Tensor<2>, Infallible>, sigma| {
        denoise(&tensor(&[0.0]), sigma)
            .unwrap()
            .into_scalar::<f64>()
    };
    assert_eq!(at(&mut denoise, 0.5), -0.5 * (4.0 + 3.0 * 6.0));
    assert_eq!(at(&mut denoise, 1.0), -10.0);
    drop(denoise);
    assert_eq!(
        asked,
        [(0.5, Branches::Both, 2), (1.0, Branches::Positive, 1)]
    );
}

#[test]
fn the_target_points_from_the_clip_to_the_noise() {
    let (clean, noise) = (tensor(&[1.0, 2.0]), tensor(&[5.0, -2.0]));
    let sigma = tensor(&[0.25, 1.0]).reshape([2, 1]);
    let x = noised(clean.clone(), noise.clone(), sigma.clone());
    x.clone()
        .into_data()
        .assert_approx_eq::<f64>(&tensor(&[2.0, -2.0]).into_data(), Tolerance::default());
    let back = x - velocity(clean.clone(), noise) * sigma;
    back.into_data()
        .assert_approx_eq::<f64>(&clean.into_data(), Tolerance::default());
}

#[test]
fn timesteps_are_seeded_and_shifted() {
    let draw = |s| {
        Timesteps {
            mean: 0.0,
            std: 1.0,
            shift: s,
        }
        .draw(7, 0, 2000)
    };
    let mut plain = draw(1.0);
    assert!(plain.iter().all(|s| (0.0..1.0).contains(s) && *s > 0.0));
    assert_eq!(plain, draw(1.0));
    assert!(
        plain
            .iter()
            .zip(draw(3.0))
            .all(|(p, s)| (shift(f64::from(*p), 3.0) - f64::from(s)).abs() < 1e-6)
    );
    plain.sort_by(f32::total_cmp);
    assert!(
        (plain[1000] - 0.5).abs() < 0.03,
        "the median of a logistic-normal about 0 is 1/2"
    );
}

#[test]
fn guidance_within_a_span_is_that_of_its_steps() {
    let sigmas = shifted(10, 3.0, 1.0);
    let guided = |span| {
        let mut both = Vec::new();
        let guidance = Guidance::everywhere(4.0).within(&span, &sigmas);
        let denoise = denoiser(
            |x, sigma, branches| {
                both.push(branches == Branches::Both);
                Ok::<_, Infallible>(exact_velocity(x, sigma))
            },
            guidance,
        );
        let run = Sampler::Euler.run(denoise, tensor(&[0.3]), &sigmas, |_| Ok(()));
        run.unwrap();
        both
    };
    assert_eq!(guided(0.0..1.0), [true; 10]);
    assert_eq!(guided(0.5..0.5), [false; 10]);
    let some: Vec<bool> = (0..10).map(|step| (2..8).contains(&step)).collect();
    assert_eq!(guided(0.2..0.8), some);
}

#[test]
fn a_first_block_that_changes_little_spares_the_others() {
    let mut cache = FirstBlock::new(0.1);
    let mut runs = 0;
    // The first block adds `first`, the others add ten times what is behind it.
    let mut step = |x: f64, first: f64, rows: usize| {
        let x = tensor(&vec![x; rows]);
        let end = cache.run(x.clone(), x + first, |behind| {
            runs += 1;
            behind.clone() + behind * 10.0
        });
        (end.max().into_scalar::<f64>(), runs)
    };
    let close = |(value, runs): (f64, i32), wanted: (f64, i32)| {
        assert!(
            (value - wanted.0).abs() < 1e-6 && runs == wanted.1,
            "{value} {runs}"
        );
    };
    close(step(1.0, 1.0, 2), (22.0, 1));
    close(step(1.2, 1.06, 2), (2.26 + 20.0, 1)); // a change of 6 %
    close(step(1.2, 1.12, 2), (11.0 * 2.32, 2)); // of 12 % since the others ran
    close(step(1.2, 1.18, 2), (2.38 + 23.2, 2)); // of 5 %
    close(step(1.2, 1.18, 1), (11.0 * 2.38, 3)); // of another shape
}
