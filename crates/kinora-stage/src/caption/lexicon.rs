//! Captions read the other way: which fact of a clip a phrase states.

use super::air::{light_phrases, light_sentences};
use super::camera::{
    angle_adjectives, angle_tags, angles_after, look_leads, look_sentences, look_tags, move_nouns,
    move_verbs, sizes,
};
use super::grammar::{Form, Number, inflect};
use super::nouns::{mood_complements, moods};
use crate::vocabulary::{Angle, CameraMove, Emotion, Light, Look, Setting, ShotSize, Subject};

/// A fact of the shot, the light, the finish or the mood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each holds what it is named after
pub enum Fact {
    Size(ShotSize),
    Angle(Angle),
    Move(CameraMove),
    Light(Light),
    Look(Look),
    Emotion(Emotion),
}

/// Every phrase by which a caption states one of these facts, with the fact, the plainest phrase of a fact first. `{}` in
/// a phrase stands for whom the camera films. A few phrases state one of two facts ("at night" also where neon lights the
/// night); they come with both.
pub fn phrases() -> Vec<(&'static str, Fact)> {
    let mut found = Vec::new();
    let mut say = |fact: Fact, phrases: &[&'static str]| {
        for &phrase in phrases {
            if !found.contains(&(phrase, fact)) {
                found.push((phrase, fact));
            }
        }
    };
    for &size in ShotSize::ALL {
        for subject in [Subject::Man, Subject::Fox, Subject::Car] {
            say(Fact::Size(size), sizes(size, subject));
        }
    }
    for &angle in Angle::ALL {
        for phrases in [
            angle_tags(angle),
            angle_adjectives(angle),
            angles_after(angle),
        ] {
            say(Fact::Angle(angle), phrases);
        }
    }
    for &camera_move in CameraMove::ALL {
        say(Fact::Move(camera_move), move_nouns(camera_move));
    }
    for &light in Light::ALL {
        for setting in Setting::ALL
            .iter()
            .copied()
            .filter(|s| s.lights().contains(&light))
        {
            for clear in [true, false] {
                say(Fact::Light(light), light_phrases(light, setting, clear));
            }
            say(Fact::Light(light), light_sentences(light, setting));
        }
    }
    for &look in Look::ALL {
        for phrases in [look_tags(look), look_leads(look), look_sentences(look)] {
            say(Fact::Look(look), phrases);
        }
    }
    for &emotion in Emotion::ALL {
        for phrases in [moods(emotion), mood_complements(emotion)] {
            say(Fact::Emotion(emotion), phrases);
        }
    }
    found
}

/// What a caption says that the camera does, in the forms that verbs take: "pans left", "is panning left", "panning
/// left". `{}` stands for whom it films.
pub fn moves() -> Vec<(String, CameraMove)> {
    let mut found = Vec::new();
    for &camera_move in CameraMove::ALL {
        for verb in move_verbs(camera_move) {
            for form in [Form::Simple, Form::Participle] {
                let phrase = format!("camera {}", inflect(verb, form, Number::Singular));
                found.push((phrase, camera_move));
            }
        }
    }
    found
}
