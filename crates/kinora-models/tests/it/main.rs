//! Properties of the networks that hold for any weights, on small random ones.

mod cast;
mod layouts;
mod lora;
mod wan;

use burn::tensor::{Device, Tensor, TensorData};
use kinora_models::kinora1::{
    Cells, Config, ConfigError, DecoderConfig, Defaults, DitConfig, Kinora1, LatentStats,
    TextConfig, Vae, VaeCache, VaeConfig, cast::CastConfig,
};
use kinora_nn::{Init, noise};

const CAST: CastConfig = CastConfig {
    role: [3, 2, 4, 2],
    scenery: [2, 2, 3, 2],
    shot: [3, 2, 2, 4],
};

fn config() -> Config {
    let decoder = DecoderConfig {
        width: 8,
        depth: 2,
        expansion: 2,
    };
    Config {
        name: "tiny".into(),
        licence: "Apache-2.0".into(),
        vae: VaeConfig {
            latent_channels: 4,
            decoder,
        },
        text: TextConfig {
            vocabulary: 10,
            max_tokens: 6,
            width: 16,
            depth: 1,
            heads: 2,
        },
        dit: DitConfig {
            width: 24,
            depth: 2,
            heads: 2,
            expansion: 2,
            fine_width: 16,
            fine_depth: 1,
            cell_width: 8,
            half_width: 8,
            cell_depth: 1,
            names: [27, 12],
        },
        cast: Some(CAST),
        latent: LatentStats {
            mean: vec![0.0; 4],
            std: vec![1.0; 4],
            persistence: vec![0.5; 4],
            spread: vec![1.0; 4],
        },
        defaults: Defaults {
            width: 64,
            height: 32,
            frames: 5,
            fps: 12,
            steps: 4,
            guidance: 3.0,
            sampler: "euler".into(),
            shift: 1.0,
            temperature: 1.0,
            candidates: 1,
        },
    }
}

fn random<const D: usize>(shape: [usize; D], stream: u64) -> Tensor<D> {
    let data = noise::normal(7, stream, shape.iter().product());
    Tensor::from_data(TensorData::new(data, shape), &Device::flex())
}

/// Largest difference, relative to the largest value expected.
fn relative_error<const D: usize>(got: Tensor<D>, expected: Tensor<D>) -> f32 {
    let scale = expected.clone().abs().max().into_scalar::<f32>();
    (got - expected).abs().max().into_scalar::<f32>() / scale
}

/// An autoencoder whose refiner adds something, which a fresh one's does not.
fn vae() -> Vae {
    let fresh = Vae::new(&config().vae, &mut Init::new(1, &Device::flex()));
    kinora_nn::layers::randomised(fresh, 2)
}

#[test]
fn chunked_coding_equals_the_whole_clip() {
    let vae = vae();
    let video = random([2, 13, 32, 48, 3], 0);

    let whole = vae.encode(video.clone());
    assert_eq!(whole.dims(), [2, 4, 2, 3, 4]);
    let mut cache = VaeCache::default();
    let chunks = [(0, 1), (1, 8), (9, 4)]
        .map(|(from, n)| vae.encode_chunk(video.clone().narrow(1, from, n), &mut cache));
    assert!(relative_error(Tensor::cat(chunks.to_vec(), 1), whole.clone()) < 1e-6);

    let decoded = vae.decode(whole.clone());
    assert_eq!(decoded.dims(), [2, 13, 32, 48, 3]);
    let mut cache = VaeCache::default();
    let chunks = [(0, 2), (2, 1), (3, 1)]
        .map(|(from, n)| vae.decode_chunk(whole.clone().narrow(1, from, n), &mut cache));
    assert!(relative_error(Tensor::cat(chunks.to_vec(), 1), decoded) < 1e-6);
}

#[test]
fn coding_is_causal() {
    let vae = vae();
    let video = random([1, 9, 32, 32, 3], 0);
    let changed = Tensor::cat(
        vec![video.clone().narrow(1, 0, 5), random([1, 4, 32, 32, 3], 1)],
        1,
    );
    let (a, b) = (vae.encode(video), vae.encode(changed));
    assert!(relative_error(a.clone().narrow(1, 0, 2), b.clone().narrow(1, 0, 2)) < 1e-6);
    assert!(relative_error(a.clone().narrow(1, 2, 1), b.clone().narrow(1, 2, 1)) > 1e-3);

    let (a, b) = (vae.decode(a), vae.decode(b));
    assert!(relative_error(a.clone().narrow(1, 0, 5), b.clone().narrow(1, 0, 5)) < 1e-6);
    assert!(relative_error(a.narrow(1, 5, 4), b.narrow(1, 5, 4)) > 1e-3);
}

/// A transformer whose zero-initialised layers have values too, so that every path carries a signal.
fn painter() -> Kinora1 {
    kinora_nn::layers::randomised(
        Kinora1::new(&config(), &mut Init::new(3, &Device::flex())),
        4,
    )
}

/// How latents show in the picture.
fn code() -> Cells {
    vae().cells(&config().latent, &Device::flex())
}

#[test]
fn one_model_takes_any_size_and_duration() {
    let painter = painter();
    let text = painter.text.forward(&[vec![1, 2, 3]], &Device::flex());
    for shape in [[1, 1, 2, 2, 4], [1, 4, 2, 6, 4], [1, 13, 8, 2, 4]] {
        let velocity = painter.dit.forward(
            random(shape, 0),
            Tensor::from_floats([0.3], &Device::flex()),
            None,
            &text,
            &code(),
        );
        assert_eq!(velocity.dims(), shape);
        assert!(velocity.abs().sum().into_scalar::<f32>().is_finite());
    }
}

#[test]
fn an_untaught_transformer_is_the_linear_denoiser_of_each_channel() {
    let device = Device::flex();
    let mut config = config();
    config.latent.spread = vec![0.2, 0.5, 1.0, 3.0];
    let painter = Kinora1::new(&config, &mut Init::new(3, &device));
    let text = painter.text.forward(&[vec![1]], &device);
    let (noisy, sigma) = (random([1, 1, 2, 2, 4], 0), 0.3f32);
    let level = Tensor::from_floats([sigma], &device);
    let velocity = painter
        .dit
        .forward(noisy.clone(), level, None, &text, &code());
    // For Gaussian data the best guess of the latent is the covariance with it over the variance of what is seen.
    let share: Vec<f32> = (config.latent.spread.iter().map(|s| s * s))
        .map(|s2| (1.0 - sigma) * s2 / ((1.0 - sigma).powi(2) * s2 + sigma * sigma))
        .collect();
    let share = Tensor::<1>::from_floats(share.as_slice(), &device).reshape([1, 1, 1, 1, 4]);
    let expected = (noisy.clone() - noisy * share) / sigma;
    assert!(relative_error(velocity, expected) < 1e-5);
}

#[test]
fn known_positions_stay_and_the_others_see_them() {
    let painter = painter();
    let device = Device::flex();
    let text = painter.text.forward(&[vec![1, 2]], &device);
    let sigma = || Tensor::from_floats([0.7], &device);
    let shape = [1, 2, 2, 4, 4];
    let first = Tensor::<1>::from_floats([1.0, 0.0], &device).reshape([1, 2, 1, 1, 1]);
    let known = first.expand([1, 2, 2, 4, 1]);
    let answer = |x: &Tensor<5>, known: Option<&Tensor<5>>| {
        (painter.dit).forward(x.clone(), sigma(), known.cloned(), &text, &code())
    };
    let x = random(shape, 0);
    let with = answer(&x, Some(&known));
    let still = with.clone().narrow(1, 0, 1).abs().max();
    assert!(still.into_scalar::<f32>() < 1e-4, "the given frame moves");
    let other = Tensor::cat(
        vec![random([1, 1, 2, 4, 4], 9), x.clone().narrow(1, 1, 1)],
        1,
    );
    let beside = |velocity: Tensor<5>| velocity.narrow(1, 1, 1);
    assert!(relative_error(beside(answer(&other, Some(&known))), beside(with.clone())) > 1e-3);
    assert!(relative_error(beside(answer(&x, None)), beside(with)) > 1e-3);
    // Nothing known is as if it were not said.
    let nothing = answer(&x, Some(&known.zeros_like()));
    assert!(relative_error(nothing, answer(&x, None)) < 1e-6);
}

#[test]
fn a_caption_reads_the_same_alone_and_padded_in_a_batch() {
    let painter = painter();
    let device = Device::flex();
    let sigma = |n: usize| Tensor::<1>::from_floats(&[0.6; 2][..n], &device);
    let x = random([1, 2, 4, 4, 4], 0);
    let batch = painter
        .text
        .forward(&[vec![1, 2], vec![4, 3, 2, 1, 5]], &device);
    let twice = Tensor::cat(vec![x.clone(), x.clone()], 0);
    let together = painter.dit.forward(twice, sigma(2), None, &batch, &code());
    let alone = painter.dit.forward(
        x.clone(),
        sigma(1),
        None,
        &painter.text.forward(&[vec![1, 2]], &device),
        &code(),
    );
    assert!(relative_error(together.clone().narrow(0, 0, 1), alone) < 1e-4);
    let other = together.clone().narrow(0, 1, 1);
    assert!(
        relative_error(other, together.narrow(0, 0, 1)) > 1e-3,
        "the caption must matter"
    );
}

#[test]
fn the_empty_caption_is_finite_and_too_long_ones_are_cut() {
    let painter = painter();
    let device = Device::flex();
    let text = painter.text.forward(&[vec![], vec![3; 50]], &device);
    assert_eq!(text.lengths, [0, 6]);
    assert_eq!(
        text.pooled
            .clone()
            .narrow(0, 0, 1)
            .abs()
            .sum()
            .into_scalar::<f32>(),
        0.0
    );
    let x = random([2, 1, 2, 2, 4], 0);
    let velocity = painter.dit.forward(
        x,
        Tensor::from_floats([0.1, 0.9], &device),
        None,
        &text,
        &code(),
    );
    assert!(velocity.abs().sum().into_scalar::<f32>().is_finite());
}

#[test]
fn a_configuration_that_cannot_be_built_is_refused() {
    let json = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        Config::from_json(&serde_json::to_string(&config).expect("a config is plain data"))
    };
    assert!(json(|_| ()).is_ok());
    let field = |result: Result<Config, ConfigError>| match result {
        Err(ConfigError::Value { field, .. }) => field,
        other => panic!("expected a refused value, got {other:?}"),
    };
    assert_eq!(field(json(|c| c.dit.heads = 5)), "dit.heads");
    assert_eq!(
        field(json(|c| c.text.vocabulary = usize::MAX)),
        "text.vocabulary"
    );
    assert_eq!(field(json(|c| c.latent.mean = vec![0.0])), "latent.mean");
    assert_eq!(field(json(|c| c.latent.std[2] = 0.0)), "latent.std");
    assert_eq!(field(json(|c| c.latent.spread[0] = -1.0)), "latent.spread");
    assert!(matches!(Config::from_json("{}"), Err(ConfigError::Json(_))));
}
