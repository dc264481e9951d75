//! A clip around its picture: the frame in its middle is painted first, and the others from what is foreseen of it (compare Emu
//! Video, arXiv:2311.10709, which begins with a picture). Where the model can stage the clip, both are painted over its sketch
//! (SDEdit, arXiv:2108.01073), the clip over one before the set that is painted.

use crate::known::Known;
use crate::paint::{Begun, UNGUIDED, beginning, noise, sample};
use crate::previews::Previews;
use crate::windows::Window;
use crate::{EngineError, Event, Job, Latents, Plan};
use burn::tensor::Tensor;
use kinora_diffusion::noised;
use kinora_models::kinora1::{Animatic, Clip, TEMPORAL_COMPRESSION};
use std::ops::Range;

/// The noise level from which a clip is painted around its picture: near enough to what is foreseen for subjects to stay
/// themselves, and far enough for them to move.
const ONWARD: f64 = 0.65;
/// The noise level from which a picture is painted over its sketch: from more, others than those in the sketch appear beside them.
const PICTURED: f64 = 0.8;
/// The noise level from which a clip is painted over its sketch: near enough for its actors to stay who they are.
const SKETCHED: f64 = 0.1;

/// Paints a clip at once, from `noise` `[candidates, T, h, w, C]`: its picture, the best of several, and the clip around it.
pub(crate) fn around(
    job: &Job<'_>,
    plan: &Plan,
    noise: &Tensor<5>,
    previews: &Previews,
    mut on_event: impl FnMut(Event),
) -> Result<Latents, EngineError> {
    let [_, frames, ..] = noise.dims();
    let middle = frames / 2;
    let all = 0..1 + (frames - 1) * TEMPORAL_COMPRESSION;
    let animatic = stage(job, plan, all.len(), all.clone());
    let alone = frames == 1 && animatic.is_none();
    let onward = onward(plan);
    let steps = plan.steps as usize;
    let of = steps + if alone { 0 } else { onward.steps as usize };
    let white = noise.clone().narrow(1, middle, 1);
    let (picture, chosen) = picture(job, plan, animatic.as_ref(), white, previews, |event| {
        on_event(event.among(0, of));
    })?;
    if alone {
        return Ok(painted(picture));
    }
    let noise = noise.clone().narrow(0, chosen, 1);
    let on_event = |event: Event| on_event(event.among(steps, of));
    if let Some(animatic) = animatic {
        let sketch = (job.model).sketch(&animatic, Some(picture), all, job.device);
        return over_sketch(job, &onward, (sketch, noise, None), previews, on_event);
    }
    let text = (job.model.read(&[&plan.prompt], job.device)).over(job.plan.frames);
    let picture = job.model.in_motion(picture, &text).repeat_dim(1, frames);
    let known = Known::frames(picture, middle..middle + 1).foreseen(job, plan);
    let begun = Begun {
        values: beginning(job.model, &known, &noise, ONWARD).values,
        noise,
        sigma: ONWARD,
        guidance: UNGUIDED,
        known: Some(known),
        sketch: None,
    };
    let (values, _) = sample(job, &onward, begun, previews, on_event)?;
    Ok(painted(values))
}

/// A staged clip that is painted in parts: its picture halfway is painted once, and each part over its sketch before the set of
/// that picture, so that who and what shows in it lasts however long it is.
pub(crate) struct Take {
    /// `[1, 1, h, w, C]`.
    picture: Tensor<5>,
    parts: usize,
}

impl Take {
    /// Paints the picture of a clip of several `parts`, if the model can stage it and nothing but its prompt is given.
    pub fn begin(
        job: &Job<'_>,
        parts: usize,
        mut on_event: impl FnMut(Event),
    ) -> Result<Option<Self>, EngineError> {
        let given = !job.conditioning.is_empty() || !job.conditioning.prompts.is_empty();
        if !job.model.geometry().around || given {
            return Ok(None);
        }
        let frames = job.plan.frames as usize;
        let Some(animatic) = stage(job, job.plan, frames, 0..0) else {
            return Ok(None);
        };
        let plan = Plan {
            frames: 1,
            ..job.plan.clone()
        };
        let noise = noise(job, &plan, parts).values; // no part has that index
        let of = before(&plan, parts);
        let previews = Previews::new(job.previews);
        let (picture, _) = picture(job, &plan, Some(&animatic), noise, &previews, |event| {
            on_event(event.among(0, of));
        })?;
        Ok(Some(Self { picture, parts }))
    }

    /// Paints the frames of a window, the `index`-th part, of which some may be `known`. `plan` is that of the window.
    pub fn paint(
        &self,
        job: &Job<'_>,
        plan: &Plan,
        (window, index): (&Window, usize),
        known: Option<Known>,
        mut on_event: impl FnMut(Event),
    ) -> Result<Latents, EngineError> {
        let start = window.start.max(0) as usize; // a take is painted forward
        let part = start..start + window.len;
        let animatic = stage(job, job.plan, job.plan.frames as usize, part.clone());
        let animatic = animatic.expect("what was staged once is staged again");
        let picture = Some(self.picture.clone());
        let sketch = job.model.sketch(&animatic, picture, part, job.device);
        let noise = noise(job, plan, index).values.narrow(0, 0, 1);
        let [done, of] = [index, self.parts].map(|parts| before(plan, parts));
        let previews = Previews::new(job.previews);
        let begun = (sketch, noise, known);
        over_sketch(job, &onward(plan), begun, &previews, |event| {
            on_event(event.among(done, of));
        })
    }
}

/// The steps of a take's picture and of so many of its parts.
fn before(plan: &Plan, parts: usize) -> usize {
    plan.steps as usize + parts * onward(plan).steps as usize
}

/// How what comes after a picture is painted: half of the noise is half of the way.
fn onward(plan: &Plan) -> Plan {
    Plan {
        steps: plan.steps.div_ceil(2),
        ..plan.clone()
    }
}

/// Stages the frames `part` of a clip of so many, and the one halfway, if the model can and knows somebody in the prompt.
fn stage(job: &Job<'_>, plan: &Plan, frames: usize, part: Range<usize>) -> Option<Animatic> {
    let clip = Clip {
        size: [plan.height as usize, plan.width as usize],
        frames,
        fps: plan.fps.as_f64() as f32,
    };
    (job.model).stage(&plan.prompt, (clip, part), plan.seed, job.device)
}

/// Paints the picture halfway through a clip from `white` noise `[candidates, 1, h, w, C]`, over its sketch if it is staged. Says which
/// of the candidates it was.
fn picture(
    job: &Job<'_>,
    plan: &Plan,
    animatic: Option<&Animatic>,
    white: Tensor<5>,
    previews: &Previews,
    on_event: impl FnMut(Event),
) -> Result<(Tensor<5>, usize), EngineError> {
    let sketch = animatic.map(|animatic| {
        let halfway = animatic.middle()..animatic.middle() + 1;
        job.model.sketch(animatic, None, halfway, job.device)
    });
    let (values, sigma) = match &sketch {
        Some(sketch) => (over(sketch, &white, PICTURED), PICTURED),
        None => (white.clone(), 1.0),
    };
    let begun = Begun {
        values,
        noise: white,
        sigma,
        guidance: plan.guidance,
        known: None,
        sketch,
    };
    sample(job, plan, begun, previews, on_event)
}

/// Paints frames of a staged clip over their sketch, going on from what is known.
fn over_sketch(
    job: &Job<'_>,
    plan: &Plan,
    (sketch, noise, known): (Tensor<5>, Tensor<5>, Option<Known>),
    previews: &Previews,
    on_event: impl FnMut(Event),
) -> Result<Latents, EngineError> {
    let known = known.map(|known| known.over(&sketch));
    let values = match &known {
        Some(known) => beginning(job.model, known, &noise, SKETCHED).values,
        None => over(&sketch, &noise, SKETCHED),
    };
    let begun = Begun {
        values,
        noise,
        sigma: SKETCHED,
        guidance: UNGUIDED,
        known,
        sketch: Some(sketch),
    };
    let (values, _) = sample(job, plan, begun, previews, on_event)?;
    Ok(painted(values))
}

/// A `sketch` `[1, t, h, w, C]` with as much of `noise` as the level `sigma` says.
fn over(sketch: &Tensor<5>, noise: &Tensor<5>, sigma: f64) -> Tensor<5> {
    let level = Tensor::full([1, 1, 1, 1, 1], sigma, &noise.device());
    noised(sketch.clone(), noise.clone(), level)
}

/// Latents without noise.
fn painted(values: Tensor<5>) -> Latents {
    Latents { values, sigma: 0.0 }
}
