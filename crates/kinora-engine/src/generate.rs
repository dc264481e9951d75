//! Generation, from a plan to a clip, in one readable function.

use crate::conditioning::{Conditioning, ConditioningError};
use crate::grade::Grade;
use crate::known::{self, Known};
use crate::previews::Previews;
use crate::windows::Window;
use crate::{EngineError, Keep, Latents, Painted, Plan, Room, Shortcuts};
use burn::tensor::{Device, Tensor};
use kinora_diffusion::{
    Branches, FirstBlock, Guidance, Step, denoiser, from_thousand, noised, shifted,
};
use kinora_media::Clip;
use kinora_models::wan::{Around, Tiles, Tiling};
use kinora_models::{Cache, Family, Geometry, Levels, Model, Text};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// The share of the steps after which one of several candidates is chosen: what they show can be told by then.
const CHOICE: f64 = 0.5;
/// Latent positions that are decoded at once: what bounds the decoder's memory.
const DECODE_POSITIONS: usize = 1024;

/// One clip to make.
#[derive(Debug)]
pub struct Job<'a> {
    /// The settings.
    pub plan: &'a Plan,
    /// The model they were planned for.
    pub model: &'a Model,
    /// Where the model's weights are.
    pub device: &'a Device,
    /// What is known of the clip besides its prompt.
    pub conditioning: &'a Conditioning,
    /// Where to begin; `None` is the noise of the plan's seed.
    pub start: Option<Latents>,
    /// Where to keep the painted latents, before they are decoded.
    pub save_latents: Option<Keep<'a>>,
    /// What is left out of the work.
    pub shortcuts: &'a Shortcuts,
    /// What may be held in memory.
    pub room: Room,
    /// Whether to show what the clip is becoming, now and then, where that costs little.
    pub previews: bool,
    /// Ends the work within a step when it becomes true.
    pub cancel: &'a AtomicBool,
}

/// What happened in a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The sampler has finished a step; of a clip that is painted in parts, the steps of all are counted.
    Sampled(Step),
    /// So many frames of so many are there.
    Decoded {
        /// Frames finished.
        done: usize,
        /// Frames in all.
        of: usize,
    },
    /// What a frame in the middle is becoming: RGB8 of the plan's size.
    Preview(Vec<u8>),
}

/// Makes a clip: at once, or part after part, each of which continues what is there.
///
/// # Errors
/// [`EngineError::Cancelled`] when the job's flag is set; when the conditioning is not that of such a clip; when the
/// latents can't be kept; when the model's numbers are not finite.
pub fn generate(job: &Job<'_>, mut on_event: impl FnMut(Event)) -> Result<Clip, EngineError> {
    let Job {
        plan, conditioning, ..
    } = *job;
    conditioning.check(plan)?;
    job.model.limit(job.room.weights);
    let mut frames = held(job);
    let whole = job.model.geometry().whole;
    let windows = conditioning.windows(frames.len(), whole);
    if windows.len() > 1 && (job.start.is_some() || job.save_latents.is_some()) {
        let parts = windows.len();
        return Err(ConditioningError::LatentsOfParts { whole, parts }.into());
    }
    if job.start.as_ref().is_some_and(|start| start.sigma < 1.0) && !conditioning.is_empty() {
        return Err(ConditioningError::LatentsNotNoise.into());
    }
    let mut grades: Vec<(String, Grade)> = Vec::new(); // of each prompt
    for (index, window) in windows.iter().enumerate() {
        let told = job.model.levels() == Levels::Beside;
        let known = (!conditioning.is_empty() || index > 0 || told)
            .then(|| Known::encode(conditioning, &frames, window, (plan, job.model, job.device)));
        let part = part(plan, window, conditioning);
        let latents = paint(job, &part, index, known, |event| {
            on_event(match event {
                Event::Sampled(step) => Event::Sampled(Step {
                    done: index * step.of + step.done,
                    of: windows.len() * step.of,
                    ..step
                }),
                other => other,
            });
        })?;
        if let Some(keep) = job.save_latents {
            keep.save(&latents, &conditioning.given)?;
        }
        let prompt = part.prompt.as_str();
        let open = conditioning.is_open_from(window.painted.start);
        let kept = grades.iter().find(|(of, _)| open && of == prompt);
        let grade = complete(
            job,
            window,
            latents,
            kept.map(|(_, grade)| grade),
            &mut frames,
            &mut on_event,
        )?;
        if open && kept.is_none() {
            grades.push((part.prompt, grade));
        }
    }
    let frames = frames.into_iter().flatten().collect();
    Ok(Clip::new(plan.width, plan.height, plan.fps, frames)?)
}

/// Finishes the clip of latents that were kept: what [`generate`] does once it has painted them. The job's conditioning is
/// that of `painted`.
///
/// # Errors
/// As [`generate`]; when the latents are not those of the plan's clip.
pub fn finish(
    job: &Job<'_>,
    painted: &Painted,
    mut on_event: impl FnMut(Event),
) -> Result<Clip, EngineError> {
    let Job {
        plan, conditioning, ..
    } = *job;
    conditioning.check(plan)?;
    let geometry = job.model.geometry();
    let mut frames = held(job);
    let windows = conditioning.windows(frames.len(), geometry.whole);
    let [window] = windows.as_slice() else {
        let (whole, parts) = (geometry.whole, windows.len());
        return Err(ConditioningError::LatentsOfParts { whole, parts }.into());
    };
    let wanted = part(plan, window, conditioning).latent_shape(geometry);
    painted.latents.check_shape(wanted, &painted.path)?;
    let latents = painted.latents.clone();
    complete(job, window, latents, None, &mut frames, &mut on_event)?;
    let frames = frames.into_iter().flatten().collect();
    Ok(Clip::new(plan.width, plan.height, plan.fps, frames)?)
}

/// The plan of a window.
fn part(plan: &Plan, window: &Window, conditioning: &Conditioning) -> Plan {
    Plan {
        prompt: conditioning.prompt(window.painted.start, plan).to_owned(),
        frames: window.len as u32,
        ..plan.clone()
    }
}

/// Decodes a window's latents, brings what is painted to the colours `kept`, if there are any, and joins it to the frames
/// that are there. Gives the colours that it had.
fn complete(
    job: &Job<'_>,
    window: &Window,
    latents: Latents,
    kept: Option<&Grade>,
    frames: &mut [Option<Vec<u8>>],
    on_event: &mut impl FnMut(Event),
) -> Result<Grade, EngineError> {
    let (plan, conditioning) = (job.plan, job.conditioning);
    let (of, start) = (frames.len(), window.painted.start);
    let mut decoded = decode(job, latents, |done| {
        let done = (start + done).min(of);
        on_event(Event::Decoded { done, of });
    })?;
    let offset = |frame: usize| (frame as isize - window.start) as usize;
    let painted = offset(start)..offset(window.painted.end);
    let grade = Grade::of(&decoded[painted]);
    if let Some(kept) = kept {
        kept.bring(&mut decoded, &grade);
    }
    known::join(conditioning, frames, window, &decoded, plan.width as usize);
    Ok(grade)
}

/// The frames that are given whole; the others are still to be painted.
fn held(job: &Job<'_>) -> Vec<Option<Vec<u8>>> {
    let picture = |index| job.conditioning.picture(index).filter(|p| p.is_held());
    (0..job.plan.frames as usize)
        .map(|index| Some(picture(index)?.pixels.clone()))
        .collect()
}

/// Latents of the clip that `plan` describes, the `index`-th part of the job's.
fn paint(
    job: &Job<'_>,
    plan: &Plan,
    index: usize,
    known: Option<Known>,
    mut on_event: impl FnMut(Event),
) -> Result<Latents, EngineError> {
    let model = job.model;
    let (start, noise) = start(job, plan, index, known.as_ref());
    let texts = RefCell::new(Texts::read(job, plan, start.values.dims()[0]));

    let mut caches = job
        .shortcuts
        .step_cache
        .map(|least| [FirstBlock::new(least), FirstBlock::new(least)]);

    let velocity = |x: Tensor<5>, sigma: f64, branches: Branches| {
        job.check()?;
        let late = model.boundary().is_some_and(|boundary| sigma < boundary);
        let mut blocks = |x, behind, rest: &dyn Fn(Tensor<3>) -> Tensor<3>| match &mut caches {
            Some(caches) => caches[usize::from(late)].run(x, behind, rest),
            None => rest(behind),
        };
        let texts = texts.borrow();
        let text = match branches {
            Branches::Positive => &texts.positive,
            Branches::Both => &texts.both,
        };
        let batch = x.dims()[0];
        let mut ask = |x, known| model.velocity(x, sigma, known, text, &mut blocks);
        let repeat = |x: &Tensor<5>| x.clone().repeat_dim(0, batch);
        let Some(Known {
            latent,
            share,
            beside,
            ..
        }) = &known
        else {
            return Ok::<_, EngineError>(ask(x, None));
        };
        let share = repeat(share); // (B, T, h, w, 1)
        let velocity = match model.levels() {
            Levels::Positions => ask(x, Some(share.clone())),
            Levels::Beside => ask(x, beside.as_ref().map(repeat)),
            // What can't have a level of its own is as noisy as the rest (RePaint, arXiv:2201.09865).
            Levels::Frames | Levels::One => {
                let whole = whole_frames(model, &share);
                let level = (1.0 - whole.clone()) * sigma; // (B, T, 1, 1, 1)
                let given = noised(repeat(latent), repeat(&noise), level);
                let x = x * (1.0 - share.clone()) + given * share.clone();
                ask(x, Some(whole))
            }
        };
        Ok(velocity * (1.0 - share)) // what is given stays
    };
    let sigmas = match model.family() {
        Family::Wan if start.sigma == 1.0 => from_thousand(plan.steps as usize, plan.shift),
        _ => shifted(plan.steps as usize, plan.shift, start.sigma),
    };
    let steps = sigmas.len() - 1; // none from latents that are painted
    let mut guidance = Guidance {
        below: model.boundary().zip(plan.guidance_2),
        ..Guidance::everywhere(plan.guidance)
    };
    if let Some(span) = &job.shortcuts.guidance_span {
        guidance = guidance.within(span, &sigmas);
    }
    let mut denoise = denoiser(velocity, guidance);
    let previews = &Previews::new(job.previews);
    let mut follow = |x: Tensor<5>, span: Range<usize>| {
        let denoise = |x: &Tensor<5>, sigma| {
            let clean = denoise(x, sigma)?;
            previews.see(&clean.clone().narrow(0, 0, 1));
            Ok(clean)
        };
        let sigmas = &sigmas[span.start..=span.end];
        plan.sampler.run(denoise, x, sigmas, |step| {
            let step = Step {
                done: span.start + step.done,
                of: steps,
                ..step
            };
            on_event(Event::Sampled(step));
            if let Some(frame) = previews.after(step, model) {
                on_event(Event::Preview(frame));
            }
            job.check()
        })
    };
    let candidates = start.values.dims()[0];
    let values = if candidates == 1 {
        follow(start.values.clone(), 0..steps)?
    } else {
        let choice = (steps as f64 * CHOICE).ceil() as usize;
        let begun = follow(start.values.clone(), 0..choice)?;
        let plainest = plainest(job, plan, &begun, sigmas[choice], known.as_ref());
        texts.replace(Texts::read(job, plan, 1));
        follow(begun.narrow(0, plainest, 1), choice..steps)?
    };
    if !values.clone().abs().max().into_scalar::<f32>().is_finite() {
        return Err(EngineError::NotFinite);
    }
    // As far as it was painted, a position comes to agree with its neighbours; what is given is what it was.
    let smooth = model.smooth(values.clone());
    let smoothed = (smooth - values.clone()) * start.sigma;
    let values = match &known {
        None => values + smoothed,
        Some(Known { latent, share, .. }) => {
            let free: Tensor<5> = 1.0 - share.clone();
            let painted = values + smoothed * free.clone();
            match model.levels() {
                Levels::Positions | Levels::Beside => painted,
                Levels::Frames | Levels::One => painted * free + latent.clone() * share.clone(),
            }
        }
    };
    Ok(Latents { values, sigma: 0.0 })
}

/// The prompts, read once.
struct Texts {
    positive: Text,
    both: Text,
}

impl Texts {
    /// For so many clips of one prompt.
    fn read(job: &Job<'_>, plan: &Plan, clips: usize) -> Self {
        let of = |prompt: &'_ str| vec![prompt.to_owned(); clips];
        let read = |prompts: Vec<String>| {
            let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
            job.model.read(&prompts, job.device)
        };
        Self {
            positive: read(of(&plan.prompt)),
            both: read([of(&plan.prompt), of(&plan.negative)].concat()),
        }
    }
}

/// Which of the clips begun in `x` `[B, T, h, w, C]`, at noise level `sigma`, shows most plainly what it should.
fn plainest(job: &Job<'_>, plan: &Plan, x: &Tensor<5>, sigma: f64, known: Option<&Known>) -> usize {
    let clips = x.dims()[0];
    let prompts = [vec![plan.prompt.as_str(); clips], vec![""; clips]].concat();
    let text = job.model.read(&prompts, job.device);
    let share = known.map(|known| known.share.clone().repeat_dim(0, clips));
    let told = job.model.plainness(x.clone(), sigma, share, &text);
    (0..clips)
        .max_by(|&a, &b| told[a].total_cmp(&told[b]))
        .unwrap_or(0)
}

/// Where the sampler begins, noise or what is known with as much noise as each position has to lose, and the noise: the
/// seed's, once for each candidate, or that of the job.
fn start(job: &Job<'_>, plan: &Plan, index: usize, known: Option<&Known>) -> (Latents, Tensor<5>) {
    let model = job.model;
    let noise = match &job.start {
        Some(latents) if latents.sigma < 1.0 => {
            return (latents.clone(), latents.values.clone());
        }
        Some(noise) => noise.clone(),
        None => Latents::noise(plan, index as u64, model, job.device),
    };
    let Some(Known {
        latent,
        share,
        begun,
        ..
    }) = known
    else {
        return (noise.clone(), noise.values);
    };
    let sigma = if *begun {
        job.conditioning.strength
    } else {
        1.0
    };
    let level = match model.levels() {
        Levels::Positions => (1.0 - share.clone()) * sigma, // (1, T, h, w, 1)
        Levels::Frames | Levels::One | Levels::Beside => (1.0 - whole_frames(model, share)) * sigma,
    };
    let values = noised(latent.clone(), noise.values.clone(), level);
    (Latents { values, sigma }, noise.values)
}

/// Which frames are given whole and stay clean, `[B, T, 1, 1, 1]`: none, if the model has one level for all.
fn whole_frames(model: &Model, share: &Tensor<5>) -> Tensor<5> {
    match model.levels() {
        Levels::One => share.clone().min_dim(2).min_dim(3) * 0.0,
        _ => share.clone().min_dim(2).min_dim(3).floor(),
    }
}

impl Job<'_> {
    fn check(&self) -> Result<(), EngineError> {
        if self.cancel.load(Ordering::Relaxed) {
            Err(EngineError::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// Latents to frames, a few latent frames at a time, or all of them of one tile after the other.
fn decode(
    job: &Job<'_>,
    latents: Latents,
    mut on_frames: impl FnMut(usize),
) -> Result<Vec<Vec<u8>>, EngineError> {
    let (model, tiles) = (job.model, job.room.tiles);
    let at_once = decode_frames(job.plan, model.geometry());
    let chunks = latents.values.split(at_once, 1);
    let mut cache = Cache::default();
    if let Some(tiling) = model.tiling().filter(|_| tiles != Tiles::WHOLE) {
        let features = chunks.into_iter().map(|chunk| {
            job.check()?;
            Ok(model.decode_whole(chunk, &mut cache))
        });
        let features = features.collect::<Result<Vec<_>, EngineError>>()?;
        drop(cache);
        return decode_tiles(job, &features, (tiles, tiling), on_frames);
    }
    let mut frames = Vec::new();
    for chunk in chunks {
        job.check()?;
        let video = model.decode_chunk(chunk, &mut cache); // (1, n, H, W, 3)
        frames.extend(pixels(video));
        on_frames(frames.len());
    }
    Ok(frames)
}

/// Features of whole frames `[1, t, s h, s w, F]` to frames, tile by tile.
fn decode_tiles(
    job: &Job<'_>,
    features: &[Tensor<5>],
    (tiles, Tiling { scale, halo }): (Tiles, Tiling),
    mut on_frames: impl FnMut(usize),
) -> Result<Vec<Vec<u8>>, EngineError> {
    let [_, _, high, wide, _] = features[0].dims();
    let cell = job.model.geometry().spatial / scale; // pixels of a position
    let line = 3 * cell * wide;
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let [rows, columns] = tiles.spans([high, wide], halo);
    let spans = rows
        .iter()
        .flat_map(|row| columns.iter().map(move |column| (row, column)));
    for (index, (row, column)) in spans.enumerate() {
        let (mut cache, mut at) = (Cache::default(), 0);
        let around = Around {
            rows: row.around(),
            columns: column.around(),
        };
        for features in features {
            job.check()?;
            let tile = features.clone().narrow(2, row.read.start, row.read.len());
            let tile = tile.narrow(3, column.read.start, column.read.len());
            for tile in pixels(job.model.decode_tile(tile, around, &mut cache)) {
                frames.resize(frames.len().max(at + 1), vec![0; line * cell * high]);
                let part = 3 * cell * column.keep.len();
                let to = frames[at]
                    .chunks_exact_mut(line)
                    .skip(cell * row.keep.start);
                for (to, from) in to.zip(tile.chunks_exact(part)) {
                    to[3 * cell * column.keep.start..][..part].copy_from_slice(from);
                }
                at += 1;
            }
        }
        on_frames(frames.len() * (index + 1) / tiles.count());
    }
    Ok(frames)
}

/// Latent frames that are decoded at once.
pub(crate) fn decode_frames(plan: &Plan, geometry: Geometry) -> usize {
    let side = |pixels: u32| pixels as usize / geometry.spatial;
    (DECODE_POSITIONS / (side(plan.width) * side(plan.height))).max(1)
}

/// The frames of a video `[1, T, H, W, 3]` of -1 to 1, in RGB8.
pub(crate) fn pixels(video: Tensor<5>) -> Vec<Vec<u8>> {
    let [_, _, h, w, c] = video.dims();
    let values: Vec<f32> = video.try_into_vec_as().expect("flex tensors are in memory");
    let byte = |v: &f32| ((v + 1.0) * 127.5).round() as u8; // saturates
    values
        .chunks_exact(h * w * c)
        .map(|frame| frame.iter().map(byte).collect())
        .collect()
}
