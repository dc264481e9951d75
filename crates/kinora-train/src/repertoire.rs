//! The repertoire's evaluation: what is given stays, seams do not show, strength acts evenly, variations differ.
//!
//! Clips to start from are true renders of held-out scenes, so their prompts and their own motion are known.

use crate::{
    TrainError,
    attributes::Attribute,
    characters::{Characters, characters},
    metrics::{psnr, ssim},
    profile::Profile,
    random::{Purpose, generator},
    recognition::Judge,
    run::Event,
};
use kinora_engine::{
    Device, Direction, Job, Model, Plan, PlanError, Room, Shortcuts, Task, generate,
};
use kinora_media::{Clip, Output, Reader, read_clip, write};
use kinora_stage::{Format, Length, Scene, caption, render};
use rand::Rng;
use serde::Serialize;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Strengths at which clips are remixed.
pub const STRENGTHS: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];
/// Strength at which clips are varied.
const VARIED: f64 = 0.9;
/// Variations of each clip.
const VARIATIONS: usize = 3;
/// Frames of a long take.
const LONG: usize = 121;
/// Most long takes.
const LONG_TAKES: usize = 8;
/// What should last over a long take.
const LASTING: [Attribute; 3] = [Attribute::Subject, Attribute::Colour, Attribute::Setting];
/// Frames that are painted by an extension, a loop and a connection.
const MORE: usize = 12;
/// What a remix should take from its prompt: what the model can paint.
const FOLLOWED: [Attribute; 3] = [Attribute::Setting, Attribute::Light, Attribute::Colour];

/// Which scenes, and how large.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scenes {
    /// How many.
    pub count: u64,
    /// Decides the scenes, the wording and the noise.
    pub seed: u64,
}

/// What the evaluation found, as means over the scenes.
#[derive(Clone, Debug, Serialize)]
pub struct RepertoireReport {
    /// The scenes.
    pub scenes: Scenes,
    /// First and last pictures.
    pub pictures: Pictures,
    /// Seams of extensions forward, extensions backward, loops and connections, in this order.
    pub seams: [Seams; 4],
    /// Share of neighbouring frames between two connected clips of which the later is nearer to the end.
    pub connect_forward: f64,
    /// Remixes at each of [`STRENGTHS`].
    pub remixes: Vec<Remix>,
    /// Edits of a box in the middle.
    pub edits: Edits,
    /// Variations.
    pub variations: Variations,
    /// Long takes.
    pub long_takes: LongTakes,
    /// Characters in new scenes.
    pub characters: Characters,
}

/// First and last pictures of a clip.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Pictures {
    /// PSNR of the first frame to its picture after H.264, in dB: the mean and the least.
    pub first: [f64; 2],
    /// The same of the last frame.
    pub last: [f64; 2],
    /// Mean difference of neighbouring frames, over that of the true render: 0 would be a still.
    pub motion: f64,
}

/// How much frames differ across the seams.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seams {
    /// The command.
    pub command: &'static str,
    /// Mean difference across a seam over the mean difference of other neighbours in the clip.
    pub ratio: f64,
    /// Share of seams at which frames differ no more than somewhere else in the clip.
    pub within: f64,
}

/// Remixes at a strength.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Remix {
    /// The strength.
    pub strength: f64,
    /// SSIM to the source clip.
    pub structure: f64,
    /// Share of setting, light and colour that the judge names as the new prompt says.
    pub followed: f64,
}

/// Edits of a box.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Edits {
    /// Largest difference of a value outside the box, of 255.
    pub outside: u8,
    /// Mean step across the box's border over the mean step between neighbours within four pixels of it.
    pub border: f64,
    /// Mean difference inside the box, of 255.
    pub inside: f64,
}

/// Variations of clips.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Variations {
    /// Mean distance of what the judge makes of pairs of variations of one clip, 0 to 1.
    pub diversity: f64,
    /// The same over pairs of different clips' variations: how far apart prompts are.
    pub between_prompts: f64,
    /// The same of true renders of one prompt's facts with other seeds, where nothing is homogenised.
    pub of_renders: f64,
    /// Share of setting, light and colour that the judge names as the clip's prompt says.
    pub true_to_prompt: f64,
}

/// Clips of many windows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LongTakes {
    /// How many.
    pub count: usize,
    /// How long.
    pub seconds: f64,
    /// Mean distance, from the first second to the last, of who is there, in which colour and where, as the judge sees
    /// it.
    pub kept: f64,
    /// The same between the ends of different takes.
    pub others: f64,
}

/// What the evaluation works with.
pub struct Bench<'a> {
    /// The model.
    pub model: &'a Model,
    /// Names what clips show.
    pub judge: &'a Judge,
    /// Noise level at which frames beside given ones begin.
    pub ease: Option<f64>,
    /// A folder for files that pass through a codec.
    pub scratch: &'a Path,
    /// Ends the work when it becomes true.
    pub stop: &'a AtomicBool,
}

/// A scene to start from.
struct Shot {
    scene: Scene,
    prompt: String,
    clip: Clip,
    plan: Plan,
}

impl Bench<'_> {
    /// Paints and measures. `plan` makes a plan of a prompt and a seed.
    ///
    /// # Errors
    /// When a plan is refused, painting fails, or the stop flag is set.
    pub fn evaluate(
        &self,
        scenes: Scenes,
        plan: impl Fn(&str, u64) -> Result<Plan, PlanError>,
        report: &mut dyn FnMut(Event),
    ) -> Result<RepertoireReport, TrainError> {
        if scenes.count < 2 {
            return Err(TrainError::Config("ask for at least 2 scenes".into()));
        }
        let shots = (0..scenes.count)
            .map(|index| Shot::new(scenes.seed, index, &plan))
            .collect::<Result<Vec<_>, _>>()?;
        let mut found = Found::default();
        for (index, shot) in shots.iter().enumerate() {
            let other = &shots[(index + 1) % shots.len()];
            self.pictures(shot, &mut found)?;
            self.seams(shot, other, &mut found)?;
            self.remixes(shot, other, &mut found)?;
            self.edits(shot, &mut found)?;
            self.variations(shot, &mut found)?;
            report(Event::Note(format!(
                "{} of {} scenes measured",
                index + 1,
                shots.len()
            )));
        }
        let long_takes = self.long_takes(&shots)?;
        let first = &shots[0];
        let format = format(&first.plan);
        let count = (scenes.count as usize).saturating_mul(2);
        let characters = characters(self.judge, count, scenes.seed, format, |prompt, seed| {
            let plan = plan(prompt, seed).map_err(kinora_engine::EngineError::from)?;
            self.paint(&Task::pictures(plan.frames as usize, []), &plan)
        })?;
        Ok(found.report(scenes, long_takes, characters))
    }

    fn paint(&self, task: &Task, plan: &Plan) -> Result<Clip, TrainError> {
        let plan = Plan {
            frames: task.frames as u32,
            ..plan.clone()
        };
        let job = Job {
            plan: &plan,
            model: self.model,
            device: &Device::flex(),
            conditioning: &task.conditioning,
            start: None,
            save_latents: None,
            shortcuts: &Shortcuts::NONE,
            room: Room::ALL,
            previews: false,
            cancel: self.stop,
        };
        Ok(generate(&job, |_| ())?.part(task.keep.clone())?)
    }

    fn pictures(&self, shot: &Shot, found: &mut Found) -> Result<(), TrainError> {
        let frames = shot.clip.frames();
        let last = frames.len() - 1;
        let ends = [(0, frames[0].clone()), (last, frames[last].clone())];
        let task = Task::pictures(frames.len(), ends).from_strength(self.ease);
        let painted = self.paint(&task, &shot.plan)?;
        let path = self.scratch.join("pictures.mp4");
        write(&painted, &json!({}), &Output::Mp4(path.clone()))?;
        let reader = Reader {
            fps: shot.plan.fps,
            max_frames: frames.len(),
            ffmpeg: None,
        };
        let through = read_clip(&path, &reader)?;
        let kept = |at: usize| psnr(&frames[at], &through.frames()[at]);
        found.first.push(kept(0));
        found.last.push(kept(last));
        found
            .motion
            .push(mean(&steps(&painted)) / mean(&steps(&shot.clip)).max(1e-9));
        Ok(())
    }

    fn seams(&self, shot: &Shot, other: &Shot, found: &mut Found) -> Result<(), TrainError> {
        let (clip, count) = (&shot.clip, shot.clip.frames().len());
        let longer = self.paint(
            &Task::extend(clip, MORE, Direction::Forward).from_strength(self.ease),
            &shot.plan,
        )?;
        found.seams[0].add(&steps(&longer), &[count - 1]);
        let longer = self.paint(
            &Task::extend(clip, MORE, Direction::Backward).from_strength(self.ease),
            &shot.plan,
        )?;
        found.seams[1].add(&steps(&longer), &[MORE - 1]);

        let round = self.paint(
            &Task::looped(clip, MORE).from_strength(self.ease),
            &shot.plan,
        )?;
        let mut differences = steps(&round);
        let ends = [round.frames().last(), round.frames().first()];
        differences.extend(ends[0].zip(ends[1]).map(|(a, b)| difference(a, b)));
        found.seams[2].add(&differences, &[count - 1, differences.len() - 1]);

        let both = self.paint(
            &Task::connect(clip, &other.clip, MORE).from_strength(self.ease),
            &shot.plan,
        )?;
        found.seams[3].add(&steps(&both), &[count - 1, count + MORE - 1]);
        let (start, end) = (&both.frames()[count - 1], &both.frames()[count + MORE]);
        let progress = both.frames()[count - 1..=count + MORE].iter().map(|frame| {
            let (from, to) = (difference(frame, start), difference(frame, end));
            from / (from + to).max(1e-9)
        });
        let progress: Vec<f64> = progress.collect();
        found.forward.extend(
            progress
                .windows(2)
                .map(|w| f64::from(u8::from(w[1] >= w[0]))),
        );
        Ok(())
    }

    fn remixes(&self, shot: &Shot, other: &Shot, found: &mut Found) -> Result<(), TrainError> {
        let plan = Plan {
            prompt: other.prompt.clone(),
            ..shot.plan.clone()
        };
        for (index, strength) in STRENGTHS.into_iter().enumerate() {
            let clip = self.paint(&Task::remix(&shot.clip, strength), &plan)?;
            found.structure[index].push(alike(&clip, &shot.clip));
            found.followed[index].push(self.follows(&clip, &other.scene));
        }
        Ok(())
    }

    fn edits(&self, shot: &Shot, found: &mut Found) -> Result<(), TrainError> {
        let (width, height) = (shot.plan.width as usize, shot.plan.height as usize);
        let (columns, rows) = (width / 4..width * 3 / 4, height / 4..height * 3 / 4);
        let inside = |i: usize| columns.contains(&(i % width)) && rows.contains(&(i / width));
        let mask = (0..width * height).map(|i| if inside(i) { u8::MAX } else { 0 });
        let task = Task::edit(&shot.clip, &[mask.collect()], 1.0);
        let clip = self.paint(&task, &shot.plan)?;
        for (painted, source) in clip.frames().iter().zip(shot.clip.frames()) {
            for (i, (p, s)) in painted.iter().zip(source).enumerate() {
                match inside(i / 3) {
                    true => found.inside.push(f64::from(p.abs_diff(*s))),
                    false => found.outside = found.outside.max(p.abs_diff(*s)),
                }
            }
            for y in rows.clone() {
                let step = |x: usize| {
                    let at = (y * width + x) * 3;
                    let pairs = painted[at..at + 3].iter().zip(&painted[at - 3..at]);
                    pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>()
                };
                for border in [columns.start, columns.end] {
                    found.across.push(step(border));
                    found
                        .near
                        .extend((1..=4).flat_map(|d| [step(border - d), step(border + d)]));
                }
            }
        }
        Ok(())
    }

    fn variations(&self, shot: &Shot, found: &mut Found) -> Result<(), TrainError> {
        let (mut clips, mut renders) = (Vec::new(), Vec::new());
        for variation in 0..VARIATIONS {
            let plan = Plan {
                seed: shot.plan.seed.wrapping_add(variation as u64),
                ..shot.plan.clone()
            };
            let clip = self.paint(&Task::remix(&shot.clip, VARIED), &plan)?;
            found.true_to_prompt.push(self.follows(&clip, &shot.scene));
            clips.push(self.profile(&clip));
            let scene = Scene {
                seed: shot.scene.seed.wrapping_add(1 + variation as u64),
                ..shot.scene.clone()
            };
            let frames = render(&scene, format(&shot.plan))?.frames;
            let [width, height] = [shot.plan.width, shot.plan.height].map(|side| side as usize);
            renders.push(self.judge.profile(&frames, width, height));
        }
        found.diversity.push(Profile::diversity(&clips));
        found.of_renders.push(Profile::diversity(&renders));
        let pairs = clips.iter().zip(&found.earlier);
        let apart = pairs.map(|(a, b)| a.distance(b, &Attribute::ALL));
        found.between.extend(apart);
        found.earlier = clips;
        Ok(())
    }

    fn long_takes(&self, shots: &[Shot]) -> Result<LongTakes, TrainError> {
        let shots = &shots[..shots.len().min(LONG_TAKES)];
        let mut ends = Vec::new();
        for shot in shots {
            let take = self.paint(&Task::pictures(LONG, []), &shot.plan)?;
            let second = take.fps().as_f64().round() as usize;
            ends.push([
                self.profile(&take.part(0..second)?),
                self.profile(&take.part(LONG - second..LONG)?),
            ]);
        }
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for (i, [start, _]) in ends.iter().enumerate() {
            for (j, [_, end]) in ends.iter().enumerate() {
                let distance = start.distance(end, &LASTING);
                if i == j {
                    kept.push(distance)
                } else {
                    others.push(distance)
                }
            }
        }
        Ok(LongTakes {
            count: shots.len(),
            seconds: shots[0].plan.fps.seconds(LONG),
            kept: mean(&kept),
            others: mean(&others),
        })
    }

    fn profile(&self, clip: &Clip) -> Profile {
        let (width, height) = (clip.width() as usize, clip.height() as usize);
        self.judge.profile(&clip.frames().concat(), width, height)
    }

    /// Share of [`FOLLOWED`] that the judge names as in `scene`.
    fn follows(&self, clip: &Clip, scene: &Scene) -> f64 {
        let (width, height) = (clip.width() as usize, clip.height() as usize);
        let named = self.judge.name(&clip.frames().concat(), width, height);
        let right = Attribute::ALL
            .iter()
            .zip(named)
            .filter(|(attribute, class)| {
                FOLLOWED.contains(attribute) && attribute.of(scene) == *class
            });
        right.count() as f64 / FOLLOWED.len() as f64
    }
}

impl Shot {
    fn new(
        seed: u64,
        index: u64,
        plan: impl Fn(&str, u64) -> Result<Plan, PlanError>,
    ) -> Result<Self, TrainError> {
        let scene = Scene::sample_held_out(generator(seed, Purpose::Scene, index).random());
        let mut wording = generator(seed, Purpose::Caption, index);
        let prompt = caption(&scene, Length::Paragraph, &mut wording);
        let noise = generator(seed, Purpose::Noise, index).random::<u32>();
        let plan = plan(&prompt, noise.into()).map_err(kinora_engine::EngineError::from)?;
        let format = format(&plan);
        let size = plan.width as usize * plan.height as usize * 3;
        let frames = render(&scene, format)?.frames;
        let frames = frames.chunks_exact(size).map(<[u8]>::to_vec).collect();
        Ok(Self {
            clip: Clip::new(plan.width, plan.height, plan.fps, frames)?,
            scene,
            prompt,
            plan,
        })
    }
}

fn format(plan: &Plan) -> Format {
    Format {
        width: plan.width,
        height: plan.height,
        frames: plan.frames,
        fps: plan.fps.as_f64() as f32,
    }
}

/// Measurements as they come in.
#[derive(Default)]
struct Found {
    first: Vec<f64>,
    last: Vec<f64>,
    motion: Vec<f64>,
    seams: [SeamsFound; 4],
    forward: Vec<f64>,
    structure: [Vec<f64>; STRENGTHS.len()],
    followed: [Vec<f64>; STRENGTHS.len()],
    outside: u8,
    inside: Vec<f64>,
    across: Vec<f64>,
    near: Vec<f64>,
    diversity: Vec<f64>,
    between: Vec<f64>,
    of_renders: Vec<f64>,
    true_to_prompt: Vec<f64>,
    earlier: Vec<Profile>,
}

#[derive(Default)]
struct SeamsFound {
    ratios: Vec<f64>,
    within: Vec<f64>,
}

impl SeamsFound {
    /// Adds a clip whose neighbouring frames have these `differences`; those at `seams` are seams.
    fn add(&mut self, differences: &[f64], seams: &[usize]) {
        let others = differences
            .iter()
            .enumerate()
            .filter(|(i, _)| !seams.contains(i));
        let others: Vec<f64> = others.map(|(_, difference)| *difference).collect();
        let most = others.iter().copied().fold(0.0, f64::max);
        for &seam in seams {
            self.ratios
                .push(differences[seam] / mean(&others).max(1e-9));
            self.within
                .push(f64::from(u8::from(differences[seam] <= most)));
        }
    }
}

impl Found {
    fn report(
        self,
        scenes: Scenes,
        long_takes: LongTakes,
        characters: Characters,
    ) -> RepertoireReport {
        let ends = |values: &[f64]| {
            [
                mean(values),
                values.iter().copied().fold(f64::INFINITY, f64::min),
            ]
        };
        let names = ["extend", "extend --backward", "loop", "connect"];
        let mut names = names.into_iter();
        let remixes = STRENGTHS
            .iter()
            .zip(self.structure.iter().zip(&self.followed));
        RepertoireReport {
            scenes,
            pictures: Pictures {
                first: ends(&self.first),
                last: ends(&self.last),
                motion: mean(&self.motion),
            },
            seams: self.seams.map(|found| Seams {
                command: names.next().unwrap_or_default(),
                ratio: mean(&found.ratios),
                within: mean(&found.within),
            }),
            connect_forward: mean(&self.forward),
            remixes: remixes
                .map(|(&strength, (structure, followed))| Remix {
                    strength,
                    structure: mean(structure),
                    followed: mean(followed),
                })
                .collect(),
            edits: Edits {
                outside: self.outside,
                border: mean(&self.across) / mean(&self.near).max(1e-9),
                inside: mean(&self.inside),
            },
            variations: Variations {
                diversity: mean(&self.diversity),
                between_prompts: mean(&self.between),
                of_renders: mean(&self.of_renders),
                true_to_prompt: mean(&self.true_to_prompt),
            },
            long_takes,
            characters,
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Root mean square difference of two frames, of 255.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    let squares = a
        .iter()
        .zip(b)
        .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    (squares.sum::<f64>() / a.len().max(1) as f64).sqrt()
}

/// Differences of neighbouring frames.
fn steps(clip: &Clip) -> Vec<f64> {
    let pairs = clip.frames().windows(2);
    pairs.map(|pair| difference(&pair[0], &pair[1])).collect()
}

/// SSIM of two clips of one size over every eighth frame.
fn alike(a: &Clip, b: &Clip) -> f64 {
    let (width, height) = (a.width() as usize, a.height() as usize);
    let pairs = a.frames().iter().zip(b.frames()).step_by(8);
    let each: Vec<f64> = pairs.map(|(a, b)| ssim(a, b, width, height)).collect();
    mean(&each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_no_seam_within_the_clips_own_spread() {
        let mut found = SeamsFound::default();
        found.add(&[2.0, 2.0, 9.0, 2.0], &[2]);
        found.add(&[2.0, 4.0, 3.0, 3.0], &[2]);
        assert_eq!(
            (found.ratios, found.within),
            (vec![4.5, 1.0], vec![0.0, 1.0])
        );
    }
}
