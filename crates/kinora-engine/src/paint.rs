//! Painting: from noise and what is known to the latents of a part of a clip.

use crate::around::{around, sketch};
use crate::known::Known;
use crate::previews::Previews;
use crate::windows::Window;
use crate::{EngineError, Event, Job, Latents, Plan};
use burn::tensor::Tensor;
use kinora_diffusion::{
    Branches, FirstBlock, Guidance, Step, denoiser, from_thousand, noised, shifted,
};
use kinora_models::{Family, Levels, Model, Text};
use std::cell::RefCell;
use std::ops::Range;

/// The share of the steps after which one of several candidates is chosen: what they show can be told by then.
const CHOICE: f64 = 0.5;
/// The guidance of what goes on from frames: they show already what the prompt insists on, and insisting again would add to
/// their colours and to the noise of each pass.
pub(crate) const UNGUIDED: f64 = 1.0;

/// The noise level from which painting begins, if nothing else is asked for, where a new prompt tells what comes.
const FREE: f64 = 0.8;

/// Latents of the clip that `plan` describes, the `index`-th part of the job's.
pub(crate) fn paint(
    job: &Job<'_>,
    plan: &Plan,
    (window, index): (&Window, usize),
    known: Option<Known>,
    on_event: impl FnMut(Event),
) -> Result<Latents, EngineError> {
    let noise = noise(job, plan, index);
    let geometry = job.model.geometry();
    let own = job.conditioning.goes_on(window, job.plan.frames as usize);
    let previews = Previews::new(job.previews);
    if geometry.around && known.is_none() && noise.sigma == 1.0 {
        return around(job, plan, &noise.values, &previews, on_event);
    }
    let known = known.map(|known| match own && noise.sigma == 1.0 {
        true => known.foreseen(job, plan),
        false => known,
    });
    let start = match &known {
        Some(known) if noise.sigma == 1.0 => {
            let otherwise = if own { job.model.ease() } else { FREE };
            let strength = job.conditioning.strength.unwrap_or(otherwise);
            let sigma = if known.begun { strength } else { 1.0 };
            beginning(job.model, known, &noise.values, sigma)
        }
        _ => noise.clone(), // or what is painted already
    };
    // What goes on from given frames is theirs: unless cards say something else, there is nothing to insist on or to choose.
    let goes_on = geometry.around && start.sigma < 1.0 && known.is_some() && own;
    let (candidates, guidance) = match goes_on {
        true => (1, UNGUIDED),
        false => (start.values.dims()[0], plan.guidance),
    };
    let sketch = (job.conditioning.is_remake()).then(|| sketch(job, window));
    let sketch = sketch.flatten();
    let begun = Begun {
        values: start.values.narrow(0, 0, candidates),
        noise: noise.values.narrow(0, 0, candidates),
        sigma: start.sigma,
        guidance,
        known,
        sketch,
    };
    let (values, _) = sample(job, plan, begun, &previews, on_event)?;
    Ok(Latents { values, sigma: 0.0 })
}

/// What a pass begins with.
pub(crate) struct Begun {
    /// `[candidates, t, h, w, C]`.
    pub values: Tensor<5>,
    /// The noise in them.
    pub noise: Tensor<5>,
    /// The noise level of what is not known.
    pub sigma: f64,
    /// How strongly the pass insists on the prompt.
    pub guidance: f64,
    pub known: Option<Known>,
    /// What it should show, `[1, t, h, w, C]`, if it is staged.
    pub sketch: Option<Tensor<5>>,
}

/// Paints what a pass sees: the latents `[1, t, h, w, C]`, and which of the candidates they were.
pub(crate) fn sample(
    job: &Job<'_>,
    plan: &Plan,
    Begun {
        values: start,
        noise,
        sigma: from,
        guidance,
        known,
        sketch,
    }: Begun,
    previews: &Previews,
    mut on_event: impl FnMut(Event),
) -> Result<(Tensor<5>, usize), EngineError> {
    let model = job.model;
    let candidates = start.dims()[0];
    let texts = RefCell::new(Texts::read(job, plan, candidates, sketch.as_ref()));

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
        Family::Wan if from == 1.0 => from_thousand(plan.steps as usize, plan.shift),
        _ => shifted(plan.steps as usize, plan.shift, from),
    };
    let steps = sigmas.len() - 1; // none from latents that are painted
    let mut guided = Guidance {
        below: model.boundary().zip(plan.guidance_2),
        ..Guidance::everywhere(guidance)
    };
    if let Some(span) = &job.shortcuts.guidance_span {
        guided = guided.within(span, &sigmas);
    }
    let mut denoise = denoiser(velocity, guided);
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
    let (values, chosen) = if candidates == 1 {
        (follow(start, 0..steps)?, 0)
    } else {
        let choice = (steps as f64 * CHOICE).ceil() as usize;
        let begun = follow(start, 0..choice)?;
        let plainest = plainest(job, plan, &begun, sigmas[choice], known.as_ref());
        texts.replace(Texts::read(job, plan, 1, sketch.as_ref()));
        let rest = follow(begun.narrow(0, plainest, 1), choice..steps)?;
        (rest, plainest)
    };
    if !values.clone().abs().max().into_scalar::<f32>().is_finite() {
        return Err(EngineError::NotFinite);
    }
    // As far as it was painted, a position comes to agree with its neighbours; what is given is what it was.
    let smooth = model.smooth(values.clone());
    let smoothed = (smooth - values.clone()) * from;
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
    Ok((values, chosen))
}

/// The prompts, read once.
struct Texts {
    positive: Text,
    both: Text,
}

impl Texts {
    /// For so many clips of one prompt, staged as `sketch`.
    fn read(job: &Job<'_>, plan: &Plan, clips: usize, sketch: Option<&Tensor<5>>) -> Self {
        let of = |prompt: &'_ str| vec![prompt.to_owned(); clips];
        let read = |prompts: Vec<String>| {
            let sketch = sketch.map(|sketch| sketch.clone().repeat_dim(0, prompts.len()));
            let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
            let text = job.model.read(&prompts, job.device);
            text.over(job.plan.frames).staged(sketch)
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

/// The noise of a part: the seed's, once for each candidate, or that of the job; or the latents that the job goes on from.
pub(crate) fn noise(job: &Job<'_>, plan: &Plan, index: usize) -> Latents {
    match &job.start {
        Some(latents) => latents.clone(),
        None => Latents::noise(plan, index as u64, job.model, job.device),
    }
}

/// Where the sampler begins: what is known, with as much of `noise` as each position has to lose from the level `sigma`.
pub(crate) fn beginning(model: &Model, known: &Known, noise: &Tensor<5>, sigma: f64) -> Latents {
    let Known { latent, share, .. } = known;
    let level = match model.levels() {
        Levels::Positions => (1.0 - share.clone()) * sigma, // (1, T, h, w, 1)
        Levels::Frames | Levels::One | Levels::Beside => (1.0 - whole_frames(model, share)) * sigma,
    };
    Latents {
        values: noised(latent.clone(), noise.clone(), level),
        sigma,
    }
}

/// Which frames are given whole and stay clean, `[B, T, 1, 1, 1]`: none, if the model has one level for all.
fn whole_frames(model: &Model, share: &Tensor<5>) -> Tensor<5> {
    match model.levels() {
        Levels::One => share.clone().min_dim(2).min_dim(3) * 0.0,
        _ => share.clone().min_dim(2).min_dim(3).floor(),
    }
}
