//! A clip around its picture: the frame in its middle is painted first, and the others from what is foreseen of it (compare Emu
//! Video, arXiv:2311.10709, which begins with a picture). Where the model can stage the clip, both are painted over its sketch
//! (SDEdit, arXiv:2108.01073), the clip over one before the set that is painted.

use crate::conditioning::Conditioning;
use crate::known::Known;
use crate::paint::{Begun, UNGUIDED, beginning, noise, sample};
use crate::previews::Previews;
use crate::windows::Window;
use crate::{EngineError, Event, Job, Latents, Plan};
use burn::tensor::Tensor;
use kinora_diffusion::noised;
use kinora_models::kinora1::{Animatic, Clip, TEMPORAL_COMPRESSION};
use std::collections::BTreeSet;
use std::ops::Range;

/// The noise level from which a clip is painted around its picture: near enough to what is foreseen for subjects to stay
/// themselves, and far enough for them to move.
const ONWARD: f64 = 0.65;
/// The noise level from which a picture is painted over its sketch: from more, others than those in the sketch appear beside them.
const PICTURED: f64 = 0.8;
/// The noise level from which a clip is painted over its sketch: near enough for its actors to stay who they are.
const SKETCHED: f64 = 0.2;

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
        on_event(event.among(0..steps, of));
    })?;
    if alone {
        return Ok(painted(picture));
    }
    let noise = noise.clone().narrow(0, chosen, 1);
    let on_event = |event: Event| on_event(event.among(steps..of, of));
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

/// The staged shots of a clip of which more is told or given than a prompt, or that is painted in parts.
pub(crate) struct Takes(Vec<Take>);

impl Takes {
    /// The shots in which `windows` lie, as far as the model can stage them.
    pub fn new(job: &Job<'_>, windows: &[Window]) -> Self {
        let mut takes: Vec<Take> = Vec::new();
        // What only has a prompt is painted around its picture at once, and latents that are kept or begun from are those of a window.
        let latents = job.start.is_some() || job.save_latents.is_some();
        if windows.len() == 1 && (job.conditioning.is_empty() || latents) {
            return Self(takes);
        }
        for window in windows {
            let at = window.painted.start;
            if !takes.iter().any(|take| take.shot.contains(&at)) {
                let shot = job.conditioning.shot(at, job.plan.frames as usize);
                takes.extend(shot.and_then(|shot| Take::new(job, shot)));
            }
        }
        Self(takes)
    }

    /// The window without the frames of shots before it: nothing goes on in what is given after a shot.
    pub fn apart(&self, window: &Window) -> Window {
        let ends = self.0.iter().map(|take| take.shot.end);
        let last = ends.filter(|&end| end <= window.painted.start).max();
        last.map_or_else(|| window.clone(), |last| window.from(last))
    }

    /// That in which `window` lies.
    pub fn of(&mut self, window: &Window) -> Option<&mut Take> {
        let at = window.painted.start;
        self.0.iter_mut().find(|take| take.shot.contains(&at))
    }

    /// The steps of each of the clip's windows, counted through.
    pub fn spans(&self, plan: &Plan, windows: &[Window]) -> Vec<Range<usize>> {
        let (mut begun, mut done) = (BTreeSet::new(), 0);
        let span = |window: &Window| {
            let at = window.painted.start;
            let take = self.0.iter().find(|take| take.shot.contains(&at));
            let steps = take.map(|take| (take.steps(), begun.insert(take.shot.start)));
            done += match steps {
                Some(([before, more], true)) => before + more,
                Some(([_, more], false)) => more,
                None => plan.steps as usize,
            };
            done
        };
        let ends: Vec<usize> = windows.iter().map(span).collect();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).map(|(start, &end)| start..end).collect()
    }
}

/// A staged shot: its picture halfway is painted once, and each part over its sketch before the
/// set of that picture, so that who and what shows in it lasts however long it is.
pub(crate) struct Take {
    /// Its frames in the clip.
    pub shot: Range<usize>,
    plan: Plan,
    /// `[1, 1, h, w, C]`, once it is painted.
    picture: Option<Tensor<5>>,
}

impl Take {
    /// The frames `shot` of a clip, if the model can stage what their prompt says.
    pub fn new(job: &Job<'_>, shot: Range<usize>) -> Option<Self> {
        let plan = Plan {
            prompt: job.conditioning.prompt(shot.start, job.plan).to_owned(),
            frames: shot.len() as u32,
            ..job.plan.clone()
        };
        let known = job.model.geometry().around && stage(job, &plan, shot.len(), 0..0).is_some();
        known.then_some(Self {
            shot,
            plan,
            picture: None,
        })
    }

    /// The steps of its picture, and of each of its parts.
    pub fn steps(&self) -> [usize; 2] {
        [self.plan.steps, onward(&self.plan).steps].map(|steps| steps as usize)
    }

    /// Paints the frames of a window of it, the `index`-th of the clip, over their sketch; `frames` are those of the clip that are there.
    pub fn paint(
        &mut self,
        job: &Job<'_>,
        (window, index): (&Window, usize),
        frames: &[Option<Vec<u8>>],
        mut on_event: impl FnMut(Event),
    ) -> Result<Latents, EngineError> {
        let previews = Previews::new(job.previews);
        let start = window.start as usize - self.shot.start;
        let part = start..start + window.len;
        let length = self.shot.len();
        let animatic = stage(job, &self.plan, length, part.clone());
        let animatic = animatic.expect("what was staged once is staged again");
        let plan = |frames| Plan {
            frames,
            ..self.plan.clone()
        };
        let [before, more] = self.steps();
        let (picture, span) = match self.picture.take() {
            Some(picture) => (picture, 0..more),
            None => {
                // Of the noise of no part.
                let noise = noise(job, &plan(1), usize::MAX - self.shot.start).values;
                let animatic = Some(&animatic);
                let (picture, _) = picture(job, &plan(1), animatic, noise, &previews, |event| {
                    on_event(event.among(0..before, before + more));
                })?;
                (picture, before..before + more)
            }
        };
        self.picture = Some(picture.clone());
        let sketch = (job.model).sketch(&animatic, Some(picture), part, job.device);
        let plan = onward(&plan(window.len as u32));
        let noise = noise(job, &plan, index).values.narrow(0, 0, 1);
        let known = (window.start < window.painted.start as isize).then(|| {
            let nothing = Conditioning::default();
            let there = &frames[..window.painted.end];
            Known::encode(&nothing, there, window, (&plan, job.model, job.device))
        });
        over_sketch(job, &plan, (sketch, noise, known), &previews, |event| {
            on_event(event.among(span.clone(), span.end));
        })
    }
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

/// The sketch of a window of the job's clip, `[1, t, h, w, C]`, if it can be staged.
pub(crate) fn sketch(job: &Job<'_>, window: &Window) -> Option<Tensor<5>> {
    let start = window.start.max(0) as usize;
    let part = start..start + window.len;
    let animatic = stage(job, job.plan, job.plan.frames as usize, part.clone())?;
    Some((job.model).sketch(&animatic, None, part, job.device))
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
