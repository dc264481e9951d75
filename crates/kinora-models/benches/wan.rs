//! Wan at its published sizes and with random weights: a transformer block of 1.3B, a whole step, a block of umT5, and the
//! autoencoder. `reference/bench_wan.py` measures the same in diffusers and transformers.
//!
//! `cargo bench -p kinora-models --bench wan -- [f32] [bf16] [int8] [block] [block-long] [text] [vae] [vae-whole] [step]`; with
//! no precision, all; with no other name, all but `step`, which takes minutes and 7 GB. `vae` decodes in the six tiles that the
//! program takes by default at this size, `vae-whole` without. Peaks of memory are those of the process: ask for one thing.

use burn::tensor::{Device, Tensor, TensorData};
use kinora_models::wan::{
    Around, TextConfig, TextEncoder, Tiles, Transformer, TransformerConfig, Vae, VaeCache,
    VaeConfig,
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
    let (chosen, asked): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .partition(|a| Precision::ALL.iter().any(|p| p.name() == a));
    let precisions = Precision::ALL
        .into_iter()
        .filter(|p| chosen.is_empty() || chosen.iter().any(|a| p.name() == a));
    let wants = |name: &str| match asked.is_empty() {
        true => name != "step",
        false => asked.iter().any(|a| a == name),
    };
    for precision in precisions {
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
            vae(precision, Tiles::TRIED[3]);
        }
        if wants("vae-whole") {
            vae(precision, Tiles::WHOLE);
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
        "{name:<38} {:<5} {:8.3} s",
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

fn vae(precision: Precision, tiles: Tiles) {
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
    let name = match tiles {
        Tiles::WHOLE => "decode, 5 frames 832x480, whole".to_owned(),
        _ => format!("decode, 5 frames 832x480, {} tiles", tiles.count()),
    };
    time(&name, precision, 1, || match tiles {
        Tiles::WHOLE => {
            let mut cache = VaeCache::default();
            for chunk in latent.clone().split(1, 1) {
                drop(model.decode_chunk(chunk, &mut cache));
            }
        }
        _ => in_tiles(&model, &config, &latent, tiles),
    });
    if let Some(peak) = peak_memory() {
        println!(
            "{:<38} {:<5} {:8.2} GB",
            "the process at its peak",
            precision.name(),
            peak as f64 / 1e9
        );
    }
}

/// As the program decodes: whole frames as far as needed, then all frames of one tile after the other.
fn in_tiles(model: &Vae, config: &VaeConfig, latent: &Tensor<5>, tiles: Tiles) {
    let mut cache = VaeCache::default();
    let chunks = latent.clone().split(1, 1).into_iter();
    let features: Vec<Tensor<5>> = chunks
        .map(|chunk| model.decode_whole(chunk, &mut cache))
        .collect();
    drop(cache);
    let [_, _, high, wide, _] = features[0].dims();
    let [rows, columns] = tiles.spans([high, wide], config.tiling().halo);
    for (row, column) in rows
        .iter()
        .flat_map(|r| columns.iter().map(move |c| (r, c)))
    {
        let mut cache = VaeCache::default();
        let around = Around {
            rows: row.around(),
            columns: column.around(),
        };
        for features in &features {
            let tile = features.clone().narrow(2, row.read.start, row.read.len());
            let tile = tile.narrow(3, column.read.start, column.read.len());
            drop(model.decode_tile(tile, around, &mut cache));
        }
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
