//! Wan at its published sizes and with random weights: a transformer block of 1.3B, a whole step, a block of umT5, and the
//! autoencoder. `reference/bench_wan.py` measures the same in diffusers and transformers.
//!
//! `cargo bench -p kinora-models --bench wan -- [block] [block-long] [text] [vae] [step]`; with no name, all but `step`, which
//! takes minutes and 7 GB.

use burn::tensor::{Device, Tensor, TensorData};
use kinora_models::wan::{
    TextConfig, TextEncoder, Transformer, TransformerConfig, Vae, VaeCache, VaeConfig,
};
use kinora_nn::{Init, Precision, noise};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Timed runs, after one that is not.
const RUNS: usize = 3;
/// Latent frames, rows and columns of 2,240 tokens: 448 x 320 pixels, 13 frames.
const SHORT: [usize; 3] = [4, 40, 56];
/// Of 7,800 tokens: 832 x 480 pixels, 17 frames.
const LONG: [usize; 3] = [5, 60, 104];

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wants = |name: &str| match asked.is_empty() {
        true => name != "step",
        false => asked.iter().any(|a| a == name),
    };
    for precision in Precision::ALL {
        if wants("block") {
            transformer("block, 2,240 tokens", precision, 1, SHORT, RUNS);
        }
        if wants("block-long") {
            transformer("block, 7,800 tokens", precision, 1, LONG, RUNS);
        }
        if wants("step") {
            transformer("step, 2,240 tokens", precision, 30, SHORT, 1);
        }
        if wants("text") {
            text(precision);
        }
        if wants("vae") {
            vae(precision);
        }
    }
}

/// The median of runs of `work` after the first.
fn time(name: &str, precision: Precision, runs: usize, mut work: impl FnMut()) {
    work();
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!(
        "{name:<28} {:<5} {:8.3} s",
        precision.name(),
        seconds[runs / 2]
    );
}

fn random<const D: usize>(stream: u64, shape: [usize; D]) -> Tensor<D> {
    let values = noise::normal(1, stream, shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn transformer(
    name: &str,
    precision: Precision,
    layers: usize,
    [t, h, w]: [usize; 3],
    runs: usize,
) {
    let config = TransformerConfig {
        patch_size: [1, 2, 2],
        num_attention_heads: 12,
        attention_head_dim: 128,
        in_channels: 16,
        out_channels: 16,
        text_dim: 4096,
        freq_dim: 256,
        ffn_dim: 8960,
        num_layers: layers,
        image_dim: None,
    };
    let mut init = Init::new(0, &Device::flex()).with_precision(precision);
    let model = Transformer::new(&config, &mut init);
    let (latent, text) = (random(0, [1, t, h, w, 16]), random(1, [1, 512, 4096]));
    let timestep = Tensor::from_data(TensorData::new(vec![500.0f32], [1, 1]), &Device::flex());
    time(name, precision, runs, || {
        drop(model.forward(latent.clone(), timestep.clone(), text.clone()));
    });
}

fn text(precision: Precision) {
    let config = TextConfig {
        vocab_size: 512,
        d_model: 4096,
        d_kv: 64,
        d_ff: 10_240,
        num_layers: 1,
        num_heads: 64,
        relative_attention_num_buckets: 32,
        relative_attention_max_distance: 128,
    };
    let mut init = Init::new(0, &Device::flex()).with_precision(precision);
    let model = TextEncoder::new(&config, &mut init);
    let ids: Vec<u32> = (0..512).collect();
    time("umT5 block, 512 tokens", precision, RUNS, || {
        drop(model.forward(&ids, &Device::flex()));
    });
}

fn vae(precision: Precision) {
    let config = VaeConfig {
        base_dim: 96,
        decoder_base_dim: None,
        z_dim: 16,
        dim_mult: vec![1, 2, 4, 4],
        num_res_blocks: 2,
        temperal_downsample: vec![false, true, true],
        is_residual: false,
        in_channels: 3,
        out_channels: 3,
        patch_size: None,
        latents_mean: vec![0.0; 16],
        latents_std: vec![1.0; 16],
    };
    let mut init = Init::new(0, &Device::flex()).with_precision(precision);
    let model = Vae::new(&config, &mut init);
    let latent = random(0, [1, 2, 60, 104, 16]);
    time("decode, 5 frames 832x480", precision, 1, || {
        let mut cache = VaeCache::default();
        for chunk in latent.clone().split(1, 1) {
            drop(model.decode_chunk(chunk, &mut cache));
        }
    });
    if let Some(peak) = peak_memory() {
        println!(
            "{:<28} {:<5} {:8.2} GB",
            "peak so far",
            precision.name(),
            peak as f64 / 1e9
        );
    }
}

/// Bytes of resident memory at the peak, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
