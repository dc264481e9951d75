//! A short prompt written out the way the captions are written that `kinora-1` learned from.

use crate::controls::{Angle, Controls, Light, Look, Move, Size, Term};
use crate::find::Finder;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `prompt` with sentences behind it that settle what it leaves open of light, shot and finish; what it states stays as
/// it is. Nothing is said of who is in the picture. The same prompt is always written out the same way.
pub fn expand(prompt: &str, finder: &Finder) -> String {
    let stated = finder.controls(prompt);
    let mut rng = ChaCha8Rng::seed_from_u64(fingerprint(prompt));
    let chosen = stated.or(&choice(&mut rng));
    let mut sentences = vec![prompt.trim().trim_end_matches(['.', ',', ';']).to_owned()];
    if stated.light.is_none() {
        sentences.extend(chosen.light.map(|light| light_sentence(light).to_owned()));
    }
    sentences.extend(shot_sentence(&stated, &chosen));
    if stated.look.is_none() {
        sentences.extend(chosen.look.map(|look| look_sentence(look).to_owned()));
    }
    sentences.retain(|sentence| !sentence.is_empty());
    let sentences: Vec<String> = sentences
        .iter()
        .map(|s| format!("{}.", capitalised(s)))
        .collect();
    sentences.join(" ")
}

/// What suits any scene, drawn anew.
fn choice(rng: &mut impl Rng) -> Controls {
    fn one<T: Copy>(options: &[T], rng: &mut impl Rng) -> Option<T> {
        options.choose(rng).copied()
    }
    Controls {
        size: one(&[Size::Wide, Size::Full, Size::Full, Size::Medium], rng),
        angle: one(
            &[Angle::EyeLevel, Angle::EyeLevel, Angle::Low, Angle::High],
            rng,
        ),
        camera_move: one(
            &[
                Move::Static,
                Move::PushIn,
                Move::PullOut,
                Move::OrbitLeft,
                Move::OrbitRight,
            ],
            rng,
        ),
        light: one(
            &[Light::Day, Light::Day, Light::GoldenHour, Light::Night],
            rng,
        ),
        look: one(&[Look::Film35, Look::Film35, Look::Plain], rng),
        ..Controls::default()
    }
}

fn light_sentence(light: Light) -> &'static str {
    match light {
        Light::GoldenHour => "the sun is low and the light is golden",
        Light::Night => "it is night",
        _ => "it is day",
    }
}

fn look_sentence(look: Look) -> &'static str {
    match look {
        Look::Plain => "the picture looks like a clean 3D render",
        _ => "the clip is shot on 35mm film",
    }
}

/// "this is a wide shot, low angle, and the camera pushes in", of what is not stated.
fn shot_sentence(stated: &Controls, chosen: &Controls) -> Option<String> {
    let new = |term: Option<Term>| term.filter(|&term| stated.like(term).is_none());
    let size = new(chosen.size.map(Term::from)).map(|size| format!("a {size}"));
    let angle = new(chosen.angle.map(Term::from)).map(|angle| match angle {
        Term::Angle(Angle::EyeLevel) => "at eye level".to_owned(),
        Term::Angle(Angle::Low) => "from a low angle".to_owned(),
        _ => "from a high angle".to_owned(),
    });
    let shown = match (size, angle) {
        (Some(size), Some(angle)) => Some(format!("this is {size} {angle}")),
        (Some(size), None) => Some(format!("this is {size}")),
        (None, Some(angle)) => Some(format!("the scene is shown {angle}")),
        (None, None) => None,
    };
    let moves = stated
        .camera_move
        .is_none()
        .then_some(match chosen.camera_move {
            Some(Move::PushIn) => "the camera pushes in",
            Some(Move::PullOut) => "the camera pulls back",
            Some(Move::OrbitLeft) => "the camera orbits left",
            Some(Move::OrbitRight) => "the camera orbits right",
            _ => "the camera stays still",
        });
    match (shown, moves) {
        (Some(shown), Some(moves)) => Some(format!("{shown}, and {moves}")),
        (shown, moves) => shown.or(moves.map(str::to_owned)),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// FNV-1a of the text: it has to be the same on every machine and in every version.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
