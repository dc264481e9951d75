//! Training of the autoencoder: crops of stage clips, a loss on pixels and edges, held-out PSNR and SSIM.

use crate::{
    RunFolder, TrainError,
    clips::{ClipCache, Clips},
    config::{CropConfig, ModelConfig, Split, VaeTraining},
    export,
    metrics::{detail_psnr, psnr, ssim},
    pixel_loss::pixel_loss,
    pixels::{self, floats},
    principal::PatchSums,
    random::{Purpose, generator, stream},
    run::{Loss, Part, Task},
};
use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use kinora_media::{SheetRow, contact_sheet, save_png};
use kinora_models::{
    kinora1::{Smoother, Vae},
    registry::file,
};
use kinora_nn::{Init, Precision, noise, weights};
use kinora_stage::Look;
use rand::Rng;
use rayon::prelude::*;
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// Batches of crops whose patches the linear code is computed from.
const CODE_BATCHES: u64 = 192;
/// Batches of decoded crops that the refiner's stem begins from.
const STEM_BATCHES: u64 = 24;
/// Batches of crops that the deviations of channels are taken from.
const STATISTICS_BATCHES: u64 = 64;
/// Batches of crops that the smoother is fitted to.
const SMOOTHER_BATCHES: u64 = 512;
/// Share of the mean variance that counts as noise in the smoother's inputs.
const SMOOTHER_FLOOR: f64 = 1e-4;
/// Variance below which what the refiner sees counts as noise.
const STEM_FLOOR: f64 = 1e-4;

/// Trains the autoencoder.
pub struct VaeTask {
    config: VaeTraining,
    model: ModelConfig,
    clips: ClipCache,
    device: Device,
}

impl VaeTask {
    /// Prepares the task over rendered clips.
    ///
    /// # Errors
    /// When no clip is large and long enough for a crop, or there are no held-out clips to observe.
    pub fn new(
        config: VaeTraining,
        model: ModelConfig,
        clips: ClipCache,
    ) -> Result<Self, TrainError> {
        if config.crops.is_empty() || clips.split(Split::HeldOut).next().is_none() {
            return Err(TrainError::Config(
                "the autoencoder needs at least one crop and one held-out bucket".into(),
            ));
        }
        for crop in &config.crops {
            if crop.width % 16 != 0
                || crop.height % 16 != 0
                || crop.frames % 4 != 1
                || !config.training.fills(crop.batch)
            {
                return Err(TrainError::Config(format!(
                    "{crop:?}: sizes are multiples of 16, frames are 1 + 4k, a batch has at least 1 sample for each of \
                     training.parts"
                )));
            }
            if eligible(&clips, *crop).next().is_none() {
                return Err(TrainError::Config(format!(
                    "{crop:?} fits in no training clip"
                )));
            }
        }
        Ok(Self {
            config,
            model,
            clips,
            device: Device::flex().autodiff(),
        })
    }

    /// The model that training begins with: that of the folder to go on from, or fresh weights with the principal
    /// components of crops as the code.
    ///
    /// # Errors
    /// When the clips can't be read, or the model to go on from can't be read or has another shape.
    pub fn fresh(&self) -> Result<Vae, TrainError> {
        let mut init = Init::new(self.config.seed, &self.device).with_precision(Precision::Bf16);
        let vae = Vae::new(&self.model.vae, &mut init);
        if let Some(folder) = &self.config.start {
            return self.with_smoother(weights::load_file(vae, &folder.join(file::VAE))?);
        }
        let device = Device::flex();
        let mut sums = PatchSums::new(Vae::PATCH, &device);
        for step in 0..CODE_BATCHES {
            let (values, dims) = self.crops(step, Part::WHOLE)?;
            let crops = Tensor::<5>::from_data(TensorData::new(values, dims), &device);
            sums = sums.with(Vae::patches(crops));
        }
        let code = sums.principal_components(self.model.vae.latent_channels, self.config.seed);
        let vae = vae.with_code(&code);

        let plain = vae.valid();
        let mut sums = PatchSums::new(Vae::FINE_PATCH, &device);
        for step in 0..STEM_BATCHES {
            let (values, dims) = self.crops(step, Part::WHOLE)?;
            let crops = Tensor::<5>::from_data(TensorData::new(values, dims), &device);
            let copies = plain.decode(plain.encode(crops));
            sums = sums.with(Vae::fine_patches(copies));
        }
        let (whitening, bias) = sums.whitening(STEM_FLOOR, self.config.seed);
        self.with_smoother(vae.with_whitening(whitening, bias))
    }

    /// Fits the smoother to latents of crops of which each channel is exchanged for noise of its own deviation as far as
    /// a flow at the noise level `smoothing` would, where the mean deviation of channels is one.
    fn with_smoother(&self, vae: Vae) -> Result<Vae, TrainError> {
        let plain = vae.valid();
        let latents = |step: u64| {
            let (values, dims) = self.crops(step, Part::WHOLE)?;
            let crops = Tensor::<5>::from_data(TensorData::new(values, dims), &Device::flex());
            Ok::<_, TrainError>(plain.encode(crops)) // (B, T, h, w, C)
        };
        let channels = self.model.vae.latent_channels;
        let (mut count, mut sum, mut square) = (0, vec![0.0; channels], vec![0.0; channels]);
        for step in 0..STATISTICS_BATCHES {
            for latent in floats(latents(step)?).chunks_exact(channels) {
                count += 1;
                for (channel, &value) in latent.iter().enumerate() {
                    sum[channel] += f64::from(value);
                    square[channel] += f64::from(value).powi(2);
                }
            }
        }
        let n = f64::from(count);
        let mean: Vec<f64> = sum.iter().map(|sum| sum / n).collect();
        let variance = mean
            .iter()
            .zip(&square)
            .map(|(mean, square)| square / n - mean * mean);
        let variance: Vec<f64> = variance.collect();
        let whole = (variance.iter().sum::<f64>() / channels as f64).sqrt();
        let kept = variance.iter().map(|variance| {
            let spread = variance.sqrt() / whole;
            (spread / (spread + self.config.smoothing.powi(2))).sqrt()
        });
        let kept: Vec<f64> = kept.collect();
        let by_channel = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Tensor::<1>::from_floats(values.as_slice(), &Device::flex())
                .reshape([1, 1, 1, 1, channels])
        };
        let exchanged = kept.iter().zip(&variance);
        let exchanged = exchanged.map(|(kept, variance)| ((1.0 - kept * kept) * variance).sqrt());
        let exchanged = by_channel(exchanged.collect());
        let (kept, mean) = (by_channel(kept), by_channel(mean));

        let inputs = Smoother::inputs(channels);
        let mut sums = PatchSums::new(inputs + channels, &Device::flex());
        for step in 0..SMOOTHER_BATCHES {
            let latent = latents(step)?;
            let noise = noise::normal(
                self.config.seed,
                stream(Purpose::Noise, step),
                latent.shape().num_elements(),
            );
            let noise =
                Tensor::<5>::from_data(TensorData::new(noise, latent.shape()), &Device::flex());
            let centred = latent.clone() - mean.clone();
            let painted = mean.clone() + centred * kept.clone() + noise * exchanged.clone();
            let rows = Tensor::cat(vec![Smoother::neighbourhoods(painted), latent], 4);
            sums = sums.with(rows.flatten(0, 3));
        }
        let (weight, bias) = sums.regression(inputs, SMOOTHER_FLOOR);
        Ok(vae.with_smoother(weight, bias))
    }

    /// A batch of crops `[B, T, H, W, 3]` as plain numbers; a pure function of the step.
    /// A part of the crops of `step`, and their shape `[B, T, H, W, 3]`.
    fn crops(&self, step: u64, part: Part) -> Result<(Vec<f32>, [usize; 5]), TrainError> {
        let mut rng = generator(self.config.seed, Purpose::Order, step);
        let total: f64 = self.config.crops.iter().map(|crop| crop.weight).sum();
        let mut ticket = rng.random::<f64>() * total;
        let last = self.config.crops.len() - 1;
        let choice = self.config.crops[..last].iter().position(|crop| {
            ticket -= crop.weight;
            ticket < 0.0
        });
        let crop = self.config.crops[choice.unwrap_or(last)];
        let sources: Vec<&Clips> = eligible(&self.clips, crop).collect();
        let samples = part
            .range(crop.batch)
            .into_par_iter()
            .map(|sample| self.crop(&crop, &sources, step << 8 | sample as u64))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((
            samples.concat(),
            [samples.len(), crop.frames, crop.height, crop.width, 3],
        ))
    }

    fn crop(
        &self,
        crop: &CropConfig,
        sources: &[&Clips],
        index: u64,
    ) -> Result<Vec<f32>, TrainError> {
        let mut rng = generator(self.config.seed, Purpose::Crop, index);
        let mut clip = rng.random_range(0..sources.iter().map(|clips| clips.len()).sum());
        let mut source = sources.iter();
        let mut clips = source
            .next()
            .expect("an eligible bucket was found at the start");
        while clip >= clips.len() {
            clip -= clips.len();
            clips = source
                .next()
                .expect("the clip is below the sum of the lengths");
        }
        let bucket = &clips.bucket;
        let first = rng.random_range(0..=bucket.frames - crop.frames);
        let (x, y) = (
            rng.random_range(0..=bucket.width - crop.width),
            rng.random_range(0..=bucket.height - crop.height),
        );
        let bytes = clips.frames(clip, first..first + crop.frames)?;
        let mut values = Vec::with_capacity(crop.frames * crop.height * crop.width * 3);
        for frame in bytes.chunks_exact(bucket.frame_bytes()) {
            for row in frame
                .chunks_exact(bucket.width * 3)
                .skip(y)
                .take(crop.height)
            {
                values.extend(pixels::to_model(
                    row[x * 3..(x + crop.width) * 3].iter().copied(),
                ));
            }
        }
        Ok(values)
    }
}

/// Training buckets that a crop fits in.
fn eligible(clips: &ClipCache, crop: CropConfig) -> impl Iterator<Item = &Clips> {
    clips.split(Split::Training).filter(move |clips| {
        let bucket = &clips.bucket;
        bucket.width >= crop.width && bucket.height >= crop.height && bucket.frames >= crop.frames
    })
}

impl Task for VaeTask {
    type Model = Vae;
    /// Each part cuts its own crops.
    type Batch = ();

    fn batch(&mut self, _: u64) {}

    fn loss(&self, model: &Vae, (): &(), step: u64, part: Part) -> Result<Loss, TrainError> {
        let loss = &self.config.loss;
        let (target, dims) = self.crops(step, part)?;
        let video = Tensor::<5>::from_data(TensorData::new(target.clone(), dims), &self.device);
        let latent = model.encode(video); // (B, 1+k, H/16, W/16, C)
        let shape = latent.shape();
        let noise = noise::normal(
            self.config.seed,
            stream(Purpose::Noise, part.index_at(step)),
            shape.num_elements(),
        );
        let noise =
            Tensor::<5>::from_data(TensorData::new(noise, shape), &self.device) * loss.latent_noise;
        let recon = model.decode(latent + noise); // (B, T, H, W, 3)
        let pixel = pixel_loss(&floats(recon.clone()), &target, dims, loss);
        // The gradient of <recon, g> with respect to the reconstruction is g.
        let gradient = Tensor::<5>::from_data(TensorData::new(pixel.gradient, dims), &self.device);
        Ok(Loss {
            backward: (recon * gradient).sum(),
            value: pixel.value,
            parts: [
                ("absolute", pixel.absolute),
                // Pixels span 2, and PSNR is relative to the span.
                ("psnr", 10.0 * (4.0 / pixel.square).log10()),
                ("edges", pixel.edges),
            ]
            .map(|(name, value)| (name.to_string(), value))
            .into(),
            samples: dims[0],
        })
    }

    fn observe(
        &mut self,
        model: &Vae,
        step: u64,
        folder: &RunFolder,
    ) -> Result<String, TrainError> {
        let (scores, sheet) = reconstruct(model, &self.clips, self.config.observe_clips, 4)?;
        save_png(
            &contact_sheet(&sheet),
            &folder
                .sheets()
                .join(format!("reconstruction-{step:06}.png")),
        )?;
        let all = Summary::of(&scores.iter().collect::<Vec<_>>());
        Ok(format!(
            "held-out PSNR {:.2} dB, of details {:.2} dB, SSIM {:.4}",
            all.psnr, all.detail_psnr, all.ssim
        ))
    }

    fn export(&self, model: &Vae, folder: &Path) -> Result<(), TrainError> {
        export::write_vae(model, &self.model, folder)
    }
}

/// How well one clip survives compression: means over its frames.
#[derive(Clone, Debug)]
struct Score {
    look: Look,
    psnr: f64,
    detail_psnr: f64,
    ssim: f64,
}

/// Encodes and decodes the first `count` held-out clips; a sheet row for each of the first `rows` and its copy.
fn reconstruct(
    model: &Vae,
    clips: &ClipCache,
    count: u64,
    rows: usize,
) -> Result<(Vec<Score>, Vec<SheetRow>), TrainError> {
    let device = Device::flex();
    let mut scores = Vec::new();
    let mut sheet = Vec::new();
    let held_out = clips
        .split(Split::HeldOut)
        .flat_map(|clips| (0..clips.len()).map(move |clip| (clips, clip)));
    for (clips, clip) in held_out.take(count as usize) {
        let (width, height) = (clips.bucket.width, clips.bucket.height);
        let frames = clips.frames(clip, 0..clips.bucket.frames)?;
        let video = pixels::video(&frames, width, height, &device);
        let copy = pixels::to_bytes(&floats(model.decode(model.encode(video))));
        let pairs = frames
            .chunks_exact(clips.bucket.frame_bytes())
            .zip(copy.chunks_exact(clips.bucket.frame_bytes()));
        let frame_scores: Vec<[f64; 3]> = pairs
            .map(|(a, b)| {
                [
                    psnr(a, b),
                    detail_psnr(a, b, width, height),
                    ssim(a, b, width, height),
                ]
            })
            .collect();
        let mean = |part: usize| {
            frame_scores.iter().map(|score| score[part]).sum::<f64>() / frame_scores.len() as f64
        };
        let (psnr, detail_psnr, ssim) = (mean(0), mean(1), mean(2));
        let look = clips.label(clip).scene.look;
        if sheet.len() < 2 * rows {
            let label = format!("{look:?}: PSNR {psnr:.1} dB, SSIM {ssim:.3}");
            sheet.push(SheetRow {
                label,
                frames: pixels::spread(&frames, width, height, 4),
            });
            sheet.push(SheetRow {
                label: String::new(),
                frames: pixels::spread(&copy, width, height, 4),
            });
        }
        scores.push(Score {
            look,
            psnr,
            detail_psnr,
            ssim,
        });
    }
    Ok((scores, sheet))
}

/// What `kinora eval vae` reports.
#[derive(Clone, Debug, Serialize)]
pub struct VaeReport {
    /// Held-out clips measured.
    pub clips: usize,
    /// Over all clips.
    pub all: Summary,
    /// For each look.
    pub looks: BTreeMap<Look, Summary>,
}

/// Means over clips.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// Clips.
    pub clips: usize,
    /// dB.
    pub psnr: f64,
    /// The worst clip's, dB.
    pub least_psnr: f64,
    /// Of the tenth of the pixels with the most detail, dB.
    pub detail_psnr: f64,
    /// Structural similarity.
    pub ssim: f64,
}

impl Summary {
    fn of(scores: &[&Score]) -> Self {
        let mean = |part: fn(&Score) -> f64| {
            scores.iter().map(|score| part(score)).sum::<f64>() / scores.len() as f64
        };
        Self {
            clips: scores.len(),
            psnr: mean(|score| score.psnr),
            least_psnr: scores
                .iter()
                .map(|score| score.psnr)
                .fold(f64::INFINITY, f64::min),
            detail_psnr: mean(|score| score.detail_psnr),
            ssim: mean(|score| score.ssim),
        }
    }
}

/// Measures an autoencoder on held-out clips and draws originals above their copies.
pub fn evaluate(
    model: &Vae,
    clips: &ClipCache,
    count: u64,
    sheet: Option<&Path>,
) -> Result<VaeReport, TrainError> {
    let (scores, rows) = reconstruct(model, clips, count, 8)?;
    if let Some(path) = sheet {
        save_png(&contact_sheet(&rows), path)?;
    }
    let mut looks: BTreeMap<Look, Vec<&Score>> = BTreeMap::new();
    for score in &scores {
        looks.entry(score.look).or_default().push(score);
    }
    Ok(VaeReport {
        clips: scores.len(),
        all: Summary::of(&scores.iter().collect::<Vec<_>>()),
        looks: looks
            .into_iter()
            .map(|(look, scores)| (look, Summary::of(&scores)))
            .collect(),
    })
}
