//! Generation, from a plan to a clip, in one readable function.

use crate::around::Takes;
use crate::conditioning::{Conditioning, ConditioningError};
use crate::grade::Grade;
use crate::known::{self, Known};
use crate::paint::paint;
use crate::windows::Window;
use crate::{EngineError, Keep, Latents, Painted, Plan, Room, Shortcuts};
use burn::tensor::{Device, Tensor};
use kinora_diffusion::Step;
use kinora_media::Clip;
use kinora_models::wan::{Around, Tiles, Tiling};
use kinora_models::{Cache, Geometry, Levels, Model};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

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

impl Event {
    /// The same in work of `of` steps, of which it is a part that takes `span`.
    pub(crate) fn among(self, span: Range<usize>, of: usize) -> Self {
        match self {
            Self::Sampled(step) => Self::Sampled(Step {
                done: span.start + step.done * span.len() / step.of,
                of,
                ..step
            }),
            other => other,
        }
    }
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
    let mut takes = Takes::new(job, &windows);
    let spans = takes.spans(plan, &windows);
    let steps = spans.last().map_or(0, |last| last.end);
    let mut grades: Vec<(String, Grade)> = Vec::new(); // of each prompt
    for (index, window) in windows.iter().enumerate() {
        let mut on_event = |event: Event| match windows.len() {
            1 => on_event(event),
            _ => on_event(event.among(spans[index].clone(), steps)),
        };
        if let Some(take) = takes.of(window) {
            let window = window.within(&take.shot);
            let latents = take.paint(job, (&window, index), &frames, &mut on_event)?;
            // It has nothing of what comes after it, and so nothing to fade into.
            let frames = &mut frames[..window.painted.end];
            complete(job, &window, latents, None, frames, &mut on_event)?;
            continue;
        }
        let window = &takes.apart(window);
        let told = job.model.levels() == Levels::Beside;
        let known = (!conditioning.is_empty() || index > 0 || told)
            .then(|| Known::encode(conditioning, &frames, window, (plan, job.model, job.device)));
        let part = part(plan, window, conditioning);
        let latents = paint(job, &part, (window, index), known, &mut on_event)?;
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
    let (of, start) = (plan.frames as usize, window.painted.start);
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

impl Job<'_> {
    pub(crate) fn check(&self) -> Result<(), EngineError> {
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
