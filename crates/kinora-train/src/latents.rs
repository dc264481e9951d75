//! Latents of the rendered clips on disk, in f16, with the statistics that normalise them.

use crate::{
    clips::{Clips, Label},
    error::TrainError,
    pixels::{self, floats},
    run::Event,
    shards::{Shards, read_json, write_json},
};
use burn::tensor::{Device, Tensor};
use half::f16;
use kinora_models::kinora1::{LatentStats, SPATIAL_COMPRESSION, Vae, latent_frames};
use rayon::prelude::*;
use std::{
    ops::Range,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// Clips that are encoded together.
const BATCH: usize = 4;
/// Records of a bucket that the statistics are taken over.
const SAMPLE: u64 = 256;

/// Latents of one bucket.
pub(crate) struct Latents {
    shards: Shards,
    labels: Vec<Label>,
    /// Latent frames, height, width, channels of the whole clips.
    pub dims: [usize; 4],
}

impl Latents {
    /// Opens the cache of a bucket's latents and encodes what is missing. `vae_mark` names the autoencoder's weights;
    /// latents of other weights are refused.
    pub fn fill(
        clips: &Clips,
        vae: &Vae,
        vae_mark: &str,
        channels: usize,
        folder: &Path,
        stop: &AtomicBool,
        report: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let bucket = &clips.bucket;
        let (height, width) = (
            bucket.height / SPATIAL_COMPRESSION,
            bucket.width / SPATIAL_COMPRESSION,
        );
        let dims = [latent_frames(bucket.frames), height, width, channels];
        let recipe = serde_json::json!({"clips": bucket.recipe(), "vae": vae_mark});
        let bytes = dims.iter().product::<usize>() * size_of::<f16>();
        let shards = Shards::open(&folder.join(&bucket.name), bytes as u64, recipe)?;
        let missing = shards.missing(clips.len());
        let device = Device::flex();
        for (done, &shard) in missing.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Err(TrainError::Stopped);
            }
            let range: Vec<u64> = Shards::range(shard).collect();
            let encode = |part: &[u64]| {
                let videos = part.iter().map(|&clip| {
                    let frames = clips.frames(clip, 0..bucket.frames)?;
                    Ok(pixels::video(&frames, bucket.width, bucket.height, &device))
                });
                let videos = videos.collect::<Result<Vec<_>, TrainError>>()?;
                let latent = floats(vae.encode(Tensor::cat(videos, 0)));
                let bytes = latent
                    .into_iter()
                    .flat_map(|value| f16::from_f32(value).to_le_bytes());
                Ok(bytes.collect())
            };
            let record: Vec<Vec<u8>> = range
                .par_chunks(BATCH)
                .map(encode)
                .collect::<Result<_, TrainError>>()?;
            let labels: Vec<&Label> = range.iter().map(|&clip| clips.label(clip)).collect();
            shards.write(shard, &record.concat(), &labels)?;
            if (done + 1) % 8 == 0 || done + 1 == missing.len() {
                report(Event::Note(format!(
                    "{}: {} of {} shards encoded",
                    bucket.name,
                    done + 1,
                    missing.len()
                )));
            }
        }
        Ok(Self {
            labels: shards.labels(clips.len())?,
            shards,
            dims,
        })
    }

    /// Number of clips.
    pub fn len(&self) -> u64 {
        self.labels.len() as u64
    }

    /// What a clip shows.
    pub fn label(&self, clip: u64) -> &Label {
        &self.labels[clip as usize]
    }

    /// Some latent frames of a clip, not normalised.
    pub fn read(&self, clip: u64, frames: Range<usize>) -> Result<Vec<f32>, TrainError> {
        let frame = self.dims[1..].iter().product::<usize>() * size_of::<f16>();
        let bytes = (frames.start * frame) as u64..(frames.end * frame) as u64;
        let bytes = self.shards.read(clip, bytes)?;
        Ok(bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
            .collect())
    }
}

/// Mean and deviation of each channel over all the caches; kept in `path` once known.
pub(crate) fn statistics(
    caches: &[(Clips, Latents)],
    path: &Path,
) -> Result<LatentStats, TrainError> {
    if path.exists() {
        return read_json("latent statistics", path);
    }
    let channels = caches[0].1.dims[3];
    let (mut count, mut sum, mut square) = (0.0f64, vec![0.0f64; channels], vec![0.0f64; channels]);
    for (_, cache) in caches {
        for clip in 0..cache.len().min(SAMPLE) {
            for position in cache.read(clip, 0..cache.dims[0])?.chunks_exact(channels) {
                count += 1.0;
                for (channel, &value) in position.iter().enumerate() {
                    sum[channel] += f64::from(value);
                    square[channel] += f64::from(value).powi(2);
                }
            }
        }
    }
    let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
    let deviation = mean
        .iter()
        .zip(&square)
        .map(|(mean, square)| (square / count - mean * mean).max(1e-8).sqrt());
    // Half whitened: scaled by the geometric mean of the channel's deviation and that of all channels, so that what
    // matters more to the picture stays larger, but not so much larger that the noise drowns the rest at once.
    let deviation: Vec<f64> = deviation.collect();
    let whole = (deviation.iter().map(|d| d * d).sum::<f64>() / channels as f64).sqrt();
    let stats = LatentStats {
        std: deviation
            .iter()
            .map(|deviation| (deviation * whole).sqrt() as f32)
            .collect(),
        spread: deviation
            .iter()
            .map(|deviation| (deviation / whole).sqrt() as f32)
            .collect(),
        persistence: persistence(caches, &mean)?,
        mean: mean.iter().map(|&mean| mean as f32).collect(),
    };
    write_json(path, &stats)?;
    Ok(stats)
}

/// The correlation of each channel with itself one latent frame later, around `mean`, over the caches that hold clips.
fn persistence(caches: &[(Clips, Latents)], mean: &[f64]) -> Result<Vec<f32>, TrainError> {
    let channels = mean.len();
    let (mut product, mut square) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    for (_, cache) in caches.iter().filter(|(_, cache)| cache.dims[0] > 1) {
        let frame: usize = cache.dims[1..].iter().product();
        for clip in 0..cache.len().min(SAMPLE) {
            let clip = cache.read(clip, 0..cache.dims[0])?;
            for (index, (now, next)) in clip.iter().zip(&clip[frame..]).enumerate() {
                let channel = index % channels;
                let [now, next] = [now, next].map(|&value| f64::from(value) - mean[channel]);
                product[channel] += now * next;
                square[channel] += (now * now + next * next) / 2.0;
            }
        }
    }
    Ok(product
        .iter()
        .zip(&square)
        .map(|(product, square)| (product / square.max(1e-8)) as f32)
        .collect())
}
