//! The stage evaluation: clips painted from held-out scenes' captions, judged attribute by attribute against the scene,
//! beside true renders of the same scenes (the ceiling) and the same clips under other scenes' prompts (the control).

use crate::{
    TrainError,
    attributes::Attribute,
    copies::copy,
    finish::Finish,
    pixels::spread,
    random::{Purpose, generator},
    recognition::Judge,
    run::Event,
};
use kinora_engine::{Conditioning, Device, Job, Model, Plan, PlanError, Room, Shortcuts, generate};
use kinora_media::SheetRow;
use kinora_stage::{Format, Length, Relation, Scene, caption, render, reserved};
use rand::Rng;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is measured. Weather, emotion and angle are named by the recogniser too, but no floor is set for them.
pub const MEASURED: [Attribute; 10] = [
    Attribute::Subject,
    Attribute::Count,
    Attribute::Colour,
    Attribute::Setting,
    Attribute::Action,
    Attribute::Relation,
    Attribute::Light,
    Attribute::Look,
    Attribute::ShotSize,
    Attribute::CameraMove,
];

/// Which scenes are asked for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Questions {
    /// How many.
    pub count: u64,
    /// Decides the scenes, the wording and the noise.
    pub seed: u64,
    /// Whether they are of combinations that training may show, in scenes that it does not, instead of those that it
    /// never shows.
    pub seen: bool,
    /// The noise level at which painting begins over the true render, 0 to 1: below 1 it tells from where on a painter
    /// finds its way.
    pub strength: f64,
}

/// What the evaluation found.
#[derive(Clone, Debug, Serialize)]
pub struct StageReport {
    /// The scenes.
    pub questions: Questions,
    /// Settings of the first clip; the others differ in prompt and seed alone.
    pub plan: Plan,
    /// One entry for each of [`MEASURED`].
    pub attributes: Vec<AttributeReport>,
    /// Mean over the attributes of accuracy over ceiling, each counted as 1 at the most.
    pub mean_of_ceiling: f64,
    /// Mean accuracy over the mean accuracy of the control.
    pub mean_over_control: f64,
    /// Mean brightness difference of neighbouring pixels, over that of the true renders.
    pub sharpness: f64,
    /// Mean change of the change of brightness from frame to frame, over that of the true renders: 0 is a still, much
    /// above 1 flickers. 0 of single frames.
    pub flicker: f64,
    /// Of clips in which somebody passes behind another: whether who it is, and its colour, are named alike at the start
    /// and at the end.
    pub permanence: Permanence,
    /// Each clip.
    pub clips: Vec<ClipReport>,
}

/// Whether who passes behind somebody comes back as itself.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Permanence {
    /// Clips.
    pub count: usize,
    /// Share of painted clips.
    pub painted: f64,
    /// Share of true renders: the judge's own limit.
    pub ceiling: f64,
}

/// How well one attribute is painted.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AttributeReport {
    /// Which.
    pub attribute: Attribute,
    /// Share of painted clips that the judge names as asked.
    pub accuracy: f64,
    /// Its 95 % interval (Wilson, 1927).
    pub interval: [f64; 2],
    /// The same share of true renders: the judge's own limit.
    pub ceiling: f64,
    /// Its 95 % interval.
    pub ceiling_interval: [f64; 2],
    /// The same share of true renders that went through the model's autoencoder and smoother: what a painter without
    /// fault would reach.
    pub copy: f64,
    /// Share when each painted clip is compared with all the other scenes: what chance and habit give.
    pub control: f64,
    /// Accuracy over ceiling.
    pub of_ceiling: f64,
}

/// One clip.
#[derive(Clone, Debug, Serialize)]
pub struct ClipReport {
    /// The caption that was asked for.
    pub prompt: String,
    /// Seed of the noise.
    pub seed: u64,
    /// The scene.
    pub scene: Scene,
    /// What of it training never showed, as in "fox on stage".
    pub unseen: Vec<String>,
    /// Whether the painted clip was named as asked, for each of [`MEASURED`].
    pub painted_right: Vec<bool>,
    /// Whether the true render was.
    pub render_right: Vec<bool>,
    /// Whether the true render was after the autoencoder and the smoother.
    pub copy_right: Vec<bool>,
}

/// Paints and judges. `plan` makes a plan of a prompt and a seed. Returns the report and a sheet row for each of the
/// first `rows` clips, painted frames left and the true render's middle frame last.
///
/// # Errors
/// When a plan is refused, painting fails, or `stop` is set.
pub fn evaluate_stage(
    model: &Model,
    judge: &Judge,
    questions: Questions,
    rows: usize,
    plan: impl Fn(&str, u64) -> Result<Plan, PlanError>,
    stop: &AtomicBool,
    report: &mut dyn FnMut(Event),
) -> Result<(StageReport, Vec<SheetRow>), TrainError> {
    let mut clips = Vec::new();
    let mut named = Vec::new();
    let mut sheet = Vec::new();
    let mut first_plan = None;
    let mut finish = Finish::default();
    let mut kept: Vec<[bool; 2]> = Vec::new();
    let device = Device::flex();
    for index in 0..questions.count {
        let scene_seed = generator(questions.seed, Purpose::Scene, index).random();
        let scene = match questions.seen {
            true => Scene::sample_training(scene_seed),
            false => Scene::sample_held_out(scene_seed),
        };
        let prompt = caption(
            &scene,
            Length::Paragraph,
            &mut generator(questions.seed, Purpose::Caption, index),
        );
        let seed = generator(questions.seed, Purpose::Noise, index)
            .random::<u32>()
            .into();
        let plan = plan(&prompt, seed).map_err(kinora_engine::EngineError::from)?;
        let (width, height) = (plan.width as usize, plan.height as usize);
        let format = Format {
            width: plan.width,
            height: plan.height,
            frames: plan.frames,
            fps: plan.fps.as_f64() as f32,
        };
        let truth = render(&scene, format)?.frames;
        let frames = truth.chunks_exact(width * height * 3).map(<[u8]>::to_vec);
        let conditioning = Conditioning {
            base: (questions.strength < 1.0).then(|| frames.collect()),
            strength: Some(questions.strength),
            ..Conditioning::default()
        };
        let job = Job {
            plan: &plan,
            model,
            device: &device,
            conditioning: &conditioning,
            start: None,
            save_latents: None,
            shortcuts: &Shortcuts::NONE,
            room: Room::ALL,
            previews: false,
            cancel: stop,
        };
        let painted = generate(&job, |_| ())?.into_frames().concat();
        finish.add(&painted, &truth, width, height);
        if scene.relation == Relation::PassesBehind && plan.frames > 1 {
            kept.push([&painted, &truth].map(|frames| stays(judge, frames, width, height)));
        }
        let classes = measured(&Attribute::ALL.map(|attribute| attribute.of(&scene)));
        let in_painted = measured(&judge.name(&painted, width, height));
        let in_truth = measured(&judge.name(&truth, width, height));
        let right = |named: &[usize]| {
            named
                .iter()
                .zip(&classes)
                .map(|(named, class)| named == class)
                .collect()
        };
        let copy = copy(model, &truth, width, height);
        let in_copy = measured(&judge.name(&copy, width, height));
        let [painted_right, render_right, copy_right] =
            [&in_painted, &in_truth, &in_copy].map(|named| right(named));
        if sheet.len() < rows {
            let mut frames = spread(&painted, width, height, 4);
            frames.extend(spread(&truth, width, height, 3).into_iter().nth(1));
            sheet.push(SheetRow {
                label: prompt.clone(),
                frames,
            });
        }
        named.push((classes, in_painted));
        clips.push(ClipReport {
            prompt,
            seed,
            unseen: unseen(&scene),
            scene,
            painted_right,
            render_right,
            copy_right,
        });
        first_plan.get_or_insert(plan);
        if (index + 1) % 8 == 0 && !stop.load(Ordering::Relaxed) {
            report(Event::Note(format!(
                "{} of {} clips painted and judged",
                index + 1,
                questions.count
            )));
        }
    }
    let plan = first_plan.ok_or_else(|| TrainError::Config("ask for at least 1 prompt".into()))?;
    let attributes: Vec<AttributeReport> = MEASURED
        .iter()
        .enumerate()
        .map(|(place, &attribute)| judge_attribute(attribute, place, &clips, &named))
        .collect();
    let mean = |part: fn(&AttributeReport) -> f64| {
        attributes.iter().map(part).sum::<f64>() / attributes.len() as f64
    };
    let mean_of_ceiling = mean(|it| it.of_ceiling.min(1.0));
    let mean_over_control = mean(|it| it.accuracy) / mean(|it| it.control).max(f64::MIN_POSITIVE);
    let share = |which: usize| {
        kept.iter().filter(|kept| kept[which]).count() as f64 / kept.len().max(1) as f64
    };
    Ok((
        StageReport {
            questions,
            plan,
            attributes,
            mean_of_ceiling,
            mean_over_control,
            sharpness: finish.sharpness(),
            flicker: finish.flicker(),
            permanence: Permanence {
                count: kept.len(),
                painted: share(0),
                ceiling: share(1),
            },
            clips,
        },
        sheet,
    ))
}

/// Whether the first actor and its colour are named alike at the start of a clip and at its end.
fn stays(judge: &Judge, frames: &[u8], width: usize, height: usize) -> bool {
    let size = width * height * 3;
    let count = frames.len() / size;
    let part = (count / 5).max(1) * size;
    let ends = [&frames[..part], &frames[frames.len() - part..]];
    let [start, end] = ends.map(|part| judge.profile(part, width, height).character());
    start == end
}

/// Of classes for [`Attribute::ALL`], those of [`MEASURED`].
fn measured(classes: &[usize]) -> Vec<usize> {
    let all = || Attribute::ALL.iter().zip(classes);
    MEASURED
        .iter()
        .flat_map(|wanted| all().find(|(attribute, _)| *attribute == wanted))
        .map(|(_, class)| *class)
        .collect()
}

fn judge_attribute(
    attribute: Attribute,
    place: usize,
    clips: &[ClipReport],
    named: &[(Vec<usize>, Vec<usize>)],
) -> AttributeReport {
    let count = clips.len();
    let hits = |of: fn(&ClipReport) -> &[bool]| clips.iter().filter(|clip| of(clip)[place]).count();
    let right = hits(|clip| &clip.painted_right);
    let known = hits(|clip| &clip.render_right);
    let pairs = || {
        (0..count)
            .flat_map(|clip| (0..count).map(move |other| (clip, other)))
            .filter(|(a, b)| a != b)
    };
    let by_chance = pairs()
        .filter(|&(clip, other)| named[clip].1[place] == named[other].0[place])
        .count();
    let share = |hits: usize, of: usize| hits as f64 / of.max(1) as f64;
    let (accuracy, ceiling) = (share(right, count), share(known, count));
    AttributeReport {
        attribute,
        accuracy,
        interval: wilson(right, count),
        ceiling,
        ceiling_interval: wilson(known, count),
        copy: share(hits(|clip| &clip.copy_right), count),
        control: share(by_chance, count * count.saturating_sub(1)),
        of_ceiling: accuracy / ceiling.max(f64::MIN_POSITIVE),
    }
}

/// The 95 % interval of a share (Wilson, 1927).
fn wilson(hits: usize, of: usize) -> [f64; 2] {
    const Z: f64 = 1.959_964;
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let centre = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [centre - reach, centre + reach].map(|end| (end / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
}

/// The combinations of a scene that training never shows.
fn unseen(scene: &Scene) -> Vec<String> {
    let mut found = Vec::new();
    for actor in &scene.cast {
        let (setting, colour) = reserved(actor.subject);
        if scene.setting == setting {
            found.push(format!("{:?} in {setting:?}", actor.subject));
        }
        if actor.colour == colour {
            found.push(format!("{colour:?} {:?}", actor.subject));
        }
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from Wilson's formula worked out by hand.
    #[test]
    fn intervals_are_wilsons() {
        let [low, high] = wilson(50, 100);
        assert!((low - 0.4038).abs() < 1e-4 && (high - 0.5962).abs() < 1e-4);
        let [low, high] = wilson(0, 10);
        assert!(low == 0.0 && (high - 0.2775).abs() < 1e-4);
    }

    #[test]
    fn a_constant_answer_is_no_better_than_its_control() {
        let scenes: Vec<Scene> = (0..60).map(Scene::sample_held_out).collect();
        assert!(scenes.iter().all(|scene| !unseen(scene).is_empty()));
        let truth = |scene: &Scene| measured(&Attribute::ALL.map(|attribute| attribute.of(scene)));
        let clip = |scene: &Scene, painted_right| ClipReport {
            prompt: String::new(),
            seed: 0,
            scene: scene.clone(),
            unseen: Vec::new(),
            painted_right,
            render_right: vec![true; MEASURED.len()],
            copy_right: vec![true; MEASURED.len()],
        };
        let answer = truth(&scenes[0]);
        let constant: Vec<_> = scenes
            .iter()
            .map(|scene| (truth(scene), answer.clone()))
            .collect();
        let perfect: Vec<_> = scenes
            .iter()
            .map(|scene| (truth(scene), truth(scene)))
            .collect();
        let judged = |named: &[(Vec<usize>, Vec<usize>)]| {
            let right =
                |(a, b): &(Vec<usize>, Vec<usize>)| a.iter().zip(b).map(|(a, b)| a == b).collect();
            let clips: Vec<_> = scenes
                .iter()
                .zip(named)
                .map(|(scene, named)| clip(scene, right(named)))
                .collect();
            judge_attribute(Attribute::Subject, 0, &clips, named)
        };
        let report = judged(&constant);
        assert!((report.accuracy - report.control).abs() < 1e-9);
        let report = judged(&perfect);
        assert!(report.accuracy == 1.0 && report.of_ceiling == 1.0 && report.control < 0.3);
    }
}
