//! The Wan networks against diffusers and transformers, on small random weights made by `reference/wan.py`.

use burn::tensor::{Device, Tensor, TensorData};
use kinora_models::wan::{
    Around, TextConfig, TextEncoder, Tiling, Transformer, TransformerConfig, Vae, VaeCache,
    VaeConfig, of_text, of_transformer, of_vae,
};
use kinora_nn::layers::randomised;
use kinora_nn::weights::{WeightsError, load_renamed, read};
use kinora_nn::{Init, Precision, noise};
use serde::de::DeserializeOwned;

/// What stands before the names of inputs and outputs.
pub const CASE: &str = "case.";

/// A file of weights with inputs and outputs.
pub struct Fixture(pub Vec<u8>);

impl Fixture {
    /// Its file.
    pub fn path(file: &str) -> std::path::PathBuf {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wan");
        folder.join(file)
    }

    pub fn new(name: &str) -> Self {
        Self(std::fs::read(Self::path(&format!("{name}.safetensors"))).unwrap())
    }

    pub fn config<T: DeserializeOwned>(&self) -> T {
        let config = read(&self.0).unwrap().metadata["config"].clone();
        serde_json::from_str(&config).unwrap()
    }

    pub fn case<const D: usize>(&self, name: &str) -> Tensor<D> {
        let file = read(&self.0).unwrap();
        let tensor = &file.tensors[&format!("{CASE}{name}")];
        let data = TensorData::new(tensor.to_f32(), tensor.shape.clone());
        Tensor::from_data(data, &Device::flex())
    }

    /// A video or latent, channels last.
    pub fn clip(&self, name: &str) -> Tensor<5> {
        self.case::<5>(name).permute([0, 2, 3, 4, 1])
    }
}

/// The Euclidean distance over the length of what is expected.
fn relative_error<const D: usize>(got: Tensor<D>, expected: Tensor<D>) -> f32 {
    assert_eq!(got.dims(), expected.dims());
    let length = |x: Tensor<D>| x.square().sum().sqrt().into_scalar::<f32>();
    length(got - expected.clone()) / length(expected)
}

pub fn close<const D: usize>(what: &str, got: Tensor<D>, expected: Tensor<D>) {
    let error = relative_error(got, expected);
    println!("{what}: relative error {error:.1e}");
    assert!(error < 1e-4, "{what}: relative error {error:.1e}");
}

pub fn transformer(fixture: &Fixture) -> Transformer {
    let config: TransformerConfig = fixture.config();
    let empty = Transformer::new(&config, &mut Init::zeros(&Device::flex()));
    load_renamed(empty, &[&fixture.0], of_transformer).unwrap()
}

#[test]
fn the_transformer_is_that_of_diffusers_in_either_layout() {
    for name in ["transformer", "transformer-original"] {
        let fixture = Fixture::new(name);
        let model = transformer(&fixture);
        let (latent, text) = (fixture.clip("latent"), fixture.case::<3>("text"));
        let one = fixture.case::<1>("one").unsqueeze_dim::<2>(1);
        let out = model.forward(latent.clone(), one, text.clone());
        close(name, out, fixture.clip("out"));
        let out = model.forward(latent, fixture.case::<2>("each"), text);
        close("a timestep of each frame", out, fixture.clip("out_each"));
    }
}

#[test]
fn the_text_encoder_is_that_of_transformers() {
    let fixture = Fixture::new("text");
    let config: TextConfig = fixture.config();
    let empty = TextEncoder::new(&config, &mut Init::zeros(&Device::flex()));
    let model = load_renamed(empty, &[&fixture.0], of_text).unwrap();
    let ids: Vec<f32> = fixture.case::<2>("ids").try_into_vec_as().unwrap();
    let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
    let out = model.forward(&ids, &Device::flex());
    close("umT5", out.unsqueeze::<3>(), fixture.case::<3>("out"));
}

fn vae(fixture: &Fixture) -> Vae {
    let config: VaeConfig = fixture.config();
    let empty = Vae::new(&config, &mut Init::zeros(&Device::flex()));
    let rename = |name: &str, shape: &[usize]| match name.starts_with(CASE) {
        true => None,
        false => of_vae(name, shape, &config),
    };
    load_renamed(empty, &[&fixture.0], rename).unwrap()
}

#[test]
fn the_autoencoders_are_those_of_diffusers() {
    for name in ["vae-2.1", "vae-2.2"] {
        let fixture = Fixture::new(name);
        let model = vae(&fixture);
        close(
            name,
            model.encode(fixture.clip("video")),
            fixture.clip("latent"),
        );
        close(
            name,
            model.decode(fixture.clip("code")),
            fixture.clip("out"),
        );
    }
}

#[test]
fn coding_in_chunks_of_any_size_is_coding_the_whole() {
    for name in ["vae-2.1", "vae-2.2"] {
        let fixture = Fixture::new(name);
        let model = vae(&fixture);
        let (video, code) = (fixture.clip("video"), fixture.clip("code"));
        let mut cache = VaeCache::default();
        let chunks = [5, 4].into_iter().scan(0, |at, count| {
            let chunk = video.clone().narrow(1, *at, count);
            *at += count;
            Some(model.encode_chunk(chunk, &mut cache))
        });
        let chunks = Tensor::cat(chunks.collect(), 1);
        assert!(relative_error(chunks, model.encode(video.clone())) < 1e-6);
        let mut cache = VaeCache::default();
        let chunks = [2, 1].into_iter().scan(0, |at, count| {
            let chunk = code.clone().narrow(1, *at, count);
            *at += count;
            Some(model.decode_chunk(chunk, &mut cache))
        });
        let chunks = Tensor::cat(chunks.collect(), 1);
        assert!(relative_error(chunks, model.decode(code.clone())) < 1e-6);
    }
}

/// A tile is the same number for number, for each position sees no farther than the halo.
#[test]
fn tiles_are_parts_of_the_whole() {
    let small = ["vae-2.1", "vae-2.2"].map(|name| {
        let fixture = Fixture::new(name);
        (vae(&fixture), fixture.config::<VaeConfig>())
    });
    // So many channels that convolutions work at tiles of their own, which see farther.
    let wide = VaeConfig {
        base_dim: 8,
        ..small[0].1.clone()
    };
    let empty = Vae::new(&wide, &mut Init::new(3, &Device::flex()));
    let wide = (randomised(empty, 3), wide);
    for (model, config) in small.into_iter().chain([wide]) {
        let Tiling { scale, halo } = config.tiling();
        let [frames, h, w] = [3, 5, 56];
        let values = noise::normal(5, 0, frames * h * w * config.z_dim);
        let data = TensorData::new(values, [1, frames, h, w, config.z_dim]);
        let latent = Tensor::from_data(data, &Device::flex());
        let features = model.decode_whole(latent, &mut VaeCache::default());
        assert_eq!(features.dims()[2..4], [scale * h, scale * w]);
        let decode = |features: Tensor<5>, around| {
            model.decode_tile(features, around, &mut VaeCache::default())
        };
        let whole = decode(features.clone(), Around::default());
        let pixels = whole.dims()[2] / (scale * h);
        // From the halo before the tile to the halo behind it; above and below is the frame's own edge.
        let [left, wide] = [scale * w / 2, 8];
        let tile = |halo: usize| {
            let seen = features.clone().narrow(3, left - halo, wide + 2 * halo);
            let around = Around {
                columns: [halo; 2],
                ..Around::default()
            };
            let same = whole.clone().narrow(3, left * pixels, wide * pixels);
            let tile = decode(seen, around);
            assert_eq!(tile.dims(), same.dims());
            (tile - same).abs().max().into_scalar::<f32>()
        };
        assert_eq!(tile(halo), 0.0, "{config:?}");
        // And it does see as far as another layer's share of it.
        assert!(tile(8) > 0.0, "{config:?}");
    }
}

#[test]
fn weights_of_another_network_are_named() {
    let fixture = Fixture::new("transformer");
    let config = TransformerConfig {
        num_layers: 3,
        ..fixture.config()
    };
    let empty = Transformer::new(&config, &mut Init::zeros(&Device::flex()));
    match load_renamed(empty, &[&fixture.0], of_transformer) {
        Err(WeightsError::Mismatch(mismatch)) => {
            assert!(
                mismatch
                    .missing
                    .iter()
                    .all(|name| name.starts_with("blocks.2."))
            );
            assert!(!mismatch.missing.is_empty() && mismatch.unexpected.is_empty());
        }
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn rounded_products_change_the_velocity_by_their_rounding() {
    let config: TransformerConfig = serde_json::from_value(serde_json::json!({
        "patch_size": [1, 2, 2], "num_attention_heads": 2, "attention_head_dim": 64, "in_channels": 16,
        "out_channels": 16, "text_dim": 96, "freq_dim": 64, "ffn_dim": 256, "num_layers": 3, "eps": 1e-6,
        "cross_attn_norm": true, "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 1024,
    }))
    .unwrap();
    let device = Device::flex();
    let random = |stream, shape: &[usize]| {
        let len = shape.iter().product();
        TensorData::new(noise::normal(7, stream, len), shape.to_vec())
    };
    let velocity = |precision| {
        let mut init = Init::new(3, &device).with_precision(precision);
        let model = randomised(Transformer::new(&config, &mut init), 3);
        model.forward(
            Tensor::from_data(random(0, &[1, 3, 8, 8, 16]), &device),
            Tensor::from_data(TensorData::new(vec![700.0f32], [1, 1]), &device),
            Tensor::from_data(random(1, &[1, 50, 96]), &device),
        )
    };
    let exact = velocity(Precision::F32);
    for (precision, most) in [(Precision::Bf16, 2e-2), (Precision::Int8, 5e-2)] {
        let error = relative_error(velocity(precision), exact.clone());
        println!("{precision:?}: relative error {error:.1e}");
        let least = if rounds(precision) { 1e-4 } else { -1.0 };
        assert!(error > least && error < most, "{precision:?}: {error:.1e}");
    }
}

/// Whether products in this precision are rounded here: without AVX-512 BF16, those of bfloat16 are worked at in f32.
fn rounds(precision: Precision) -> bool {
    #[cfg(target_arch = "x86_64")]
    let bf16 = is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw");
    #[cfg(not(target_arch = "x86_64"))]
    let bf16 = false;
    bf16 || precision != Precision::Bf16
}
