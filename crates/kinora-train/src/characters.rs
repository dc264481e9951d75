//! The evaluation of characters: is who was added told from others by what is painted of them in new scenes?
//!
//! Characters are subjects in the colour that is reserved for them, which training never shows.

use crate::{
    TrainError,
    profile::{IDENTITY, Profile, area_under_curve},
    random::{Purpose, generator},
    recognition::Judge,
};
use kinora_media::Clip;
use kinora_stage::{
    Actor, Colour, Emotion, Format, Length, Scene, Subject, caption, describe, render, reserved,
};
use rand::Rng;
use serde::Serialize;

/// True renders that a character is added from.
const SHOWN: u64 = 4;
/// New scenes of each character.
const SCENES: u64 = 2;

/// How well characters are kept.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Characters {
    /// How many there were.
    pub count: usize,
    /// Area under the curve of the identity distance to the character's own pictures against those of others, of painted
    /// clips.
    pub auc: f64,
    /// The same of true renders of the same scenes: what the measure can tell at best.
    pub ceiling: f64,
    /// Share of characters whose subject, and whose colour, was named rightly from the pictures.
    pub named: [f64; 2],
}

/// Measures `count` characters, at most as many as there are subjects. `paint` makes a clip of a prompt and a seed.
pub(crate) fn characters(
    judge: &Judge,
    count: usize,
    seed: u64,
    format: Format,
    mut paint: impl FnMut(&str, u64) -> Result<Clip, TrainError>,
) -> Result<Characters, TrainError> {
    let who: Vec<Subject> = Subject::ALL.iter().copied().take(count).collect();
    let mut known = Vec::new();
    let (mut painted, mut rendered) = (Vec::new(), Vec::new());
    let mut right = [0.0; 2];
    for (index, &subject) in who.iter().enumerate() {
        let shots: Vec<Scene> = (0..SHOWN + SCENES)
            .map(|shot| scene(subject, seed, index as u64 * (SHOWN + SCENES) + shot))
            .collect();
        let (shown, new) = shots.split_at(SHOWN as usize);
        let looks = shown.iter().map(|scene| seen(judge, scene, format));
        let looks = looks.collect::<Result<Vec<_>, _>>()?;
        let own = Profile::mean(&looks).expect("there are pictures");
        let (named, colour) = own.character();
        right[0] += f64::from(u8::from(named == subject));
        right[1] += f64::from(u8::from(colour == reserved(subject).1));
        for (at, scene) in new.iter().enumerate() {
            rendered.push((index, seen(judge, scene, format)?));
            let mut wording = generator(seed, Purpose::Caption, index as u64);
            let prompt = prompt(scene, named, colour, &mut wording);
            let clip = paint(&prompt, seed + (index as u64 * SCENES) + at as u64)?;
            let (width, height) = (clip.width() as usize, clip.height() as usize);
            painted.push((index, judge.profile(&clip.frames().concat(), width, height)));
        }
        known.push(own);
    }
    Ok(Characters {
        count: who.len(),
        auc: parted(&known, &painted),
        ceiling: parted(&known, &rendered),
        named: right.map(|right| right / who.len().max(1) as f64),
    })
}

/// What the scene's caption would be with who the character was taken for in it.
fn prompt(scene: &Scene, subject: Subject, colour: Colour, wording: &mut impl Rng) -> String {
    let action = scene.cast[0].action;
    let actor = Actor {
        subject,
        colour,
        action: if subject.can(action) {
            action
        } else {
            subject.actions()[0]
        },
        emotion: Emotion::Neutral,
    };
    let told = Scene {
        cast: vec![actor],
        ..scene.clone()
    };
    match told.validate() {
        Ok(()) => caption(&told, Length::Sentence, wording),
        // Who can't be there can still be asked for.
        Err(_) => describe(subject, colour),
    }
}

/// The area under the curve of clips' distances to their own character against those to the others.
fn parted(known: &[Profile], clips: &[(usize, Profile)]) -> f64 {
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for (own, clip) in clips {
        for (index, character) in known.iter().enumerate() {
            let distance = clip.distance(character, &IDENTITY);
            if index == *own {
                same.push(distance)
            } else {
                other.push(distance)
            }
        }
    }
    area_under_curve(&same, &other)
}

/// A scene with the character alone and near, in its reserved colour.
fn scene(subject: Subject, seed: u64, index: u64) -> Scene {
    let mut rng = generator(seed, Purpose::Scene, index);
    loop {
        let mut scene = Scene::sample_portrait(rng.random());
        if scene.cast[0].subject == subject && scene.look.keeps_hue() {
            scene.cast[0].colour = reserved(subject).1;
            return scene;
        }
    }
}

fn seen(judge: &Judge, scene: &Scene, format: Format) -> Result<Profile, TrainError> {
    let frames = render(scene, format)?.frames;
    Ok(judge.profile(&frames, format.width as usize, format.height as usize))
}
