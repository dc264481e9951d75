//! Finds cinematic terms in what people write.

use crate::controls::{Angle, Controls, Emotion, Light, Look, Move, Size, Term};
use kinora_stage::{CameraMove, Fact, moves, phrases};

/// Most words that may stand where a phrase names who is filmed: "circles the little red fox to the left".
const MAX_FILMED: usize = 5;

/// A term that a text states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it states.
    pub term: Term,
    /// In which words.
    pub words: String,
}

/// A phrase's word; a name of who is filmed has no word of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Is(String),
    Filmed,
}

/// Knows the phrases that state a term.
#[derive(Clone, Debug)]
pub struct Finder {
    phrases: Vec<(Vec<Word>, Term)>,
}

impl Default for Finder {
    fn default() -> Self {
        Self::new()
    }
}

impl Finder {
    /// Of all names of all terms, and of the wordings that the stage's captions use.
    pub fn new() -> Self {
        let mut known: Vec<(Vec<Word>, Term)> = Vec::new();
        let mut learn = |phrase: &str, term: Term| {
            let words = phrase_words(phrase);
            if !known.iter().any(|(other, _)| *other == words) {
                known.push((words, term));
            }
        };
        for term in Term::all() {
            for name in term.names() {
                learn(name, term);
            }
        }
        for (phrase, fact) in phrases() {
            let told = term(fact);
            // By itself "overhead" is said of more than cameras, and so is "bright light".
            let bare = matches!(fact, Fact::Angle(_)) && !phrase.contains([' ', '-']);
            if !bare && told != Term::Emotion(Emotion::Calm) {
                learn(phrase, told);
            }
        }
        for (phrase, camera_move) in moves() {
            learn(&phrase, term(Fact::Move(camera_move)));
        }
        // The longest first, so that a medium close-up is not taken for a close-up.
        known.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        Self { phrases: known }
    }

    /// What `text` states, in its order.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let words = text_words(text);
        let mut found = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let hit = self.phrases.iter().find_map(|(phrase, term)| {
                matched(phrase, &words[at..]).map(|length| (length, *term))
            });
            match hit {
                Some((length, term)) => {
                    let words = words[at..at + length].join(" ");
                    found.push(Found { term, words });
                    at += length;
                }
                None => at += 1,
            }
        }
        found
    }

    /// What `text` states, of each control the first.
    pub fn controls(&self, text: &str) -> Controls {
        self.find(text)
            .into_iter()
            .rev()
            .map(|found| found.term)
            .collect()
    }
}

/// How many of `words` the phrase takes, if they begin with it.
fn matched(phrase: &[Word], words: &[String]) -> Option<usize> {
    let Some((first, rest)) = phrase.split_first() else {
        return Some(0);
    };
    match first {
        Word::Is(word) if words.first() == Some(word) => {
            matched(rest, &words[1..]).map(|length| length + 1)
        }
        Word::Is(_) => None,
        Word::Filmed => (1..=MAX_FILMED.min(words.len()))
            .find_map(|n| matched(rest, &words[n..]).map(|length| length + n)),
    }
}

fn phrase_words(phrase: &str) -> Vec<Word> {
    let mut words = Vec::new();
    for (index, part) in phrase.split("{}").enumerate() {
        if index > 0 {
            words.push(Word::Filmed);
        }
        words.extend(text_words(part).into_iter().map(Word::Is));
    }
    words
}

/// The words of a text in lower case. Hyphens part words; a mark that ends a phrase is a word of its own.
fn text_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '\'' {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() && c != '-' {
            words.push(c.to_string());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The film's word for a fact of the stage.
pub(crate) fn term(fact: Fact) -> Term {
    match fact {
        Fact::Size(size) => Term::Size(match size {
            kinora_stage::ShotSize::ExtremeWide => Size::ExtremeWide,
            kinora_stage::ShotSize::Wide => Size::Wide,
            kinora_stage::ShotSize::Full => Size::Full,
            kinora_stage::ShotSize::Medium => Size::Medium,
            kinora_stage::ShotSize::CloseUp => Size::CloseUp,
        }),
        Fact::Angle(angle) => Term::Angle(match angle {
            kinora_stage::Angle::EyeLevel => Angle::EyeLevel,
            kinora_stage::Angle::Low => Angle::Low,
            kinora_stage::Angle::High => Angle::High,
            kinora_stage::Angle::Overhead => Angle::Overhead,
            kinora_stage::Angle::Dutch => Angle::Dutch,
        }),
        Fact::Move(camera_move) => Term::Move(match camera_move {
            CameraMove::Static => Move::Static,
            CameraMove::PanLeft => Move::PanLeft,
            CameraMove::PanRight => Move::PanRight,
            CameraMove::TiltUp => Move::TiltUp,
            CameraMove::TiltDown => Move::TiltDown,
            CameraMove::PushIn => Move::PushIn,
            CameraMove::PullOut => Move::PullOut,
            CameraMove::TruckLeft => Move::TruckLeft,
            CameraMove::TruckRight => Move::TruckRight,
            CameraMove::BoomUp => Move::BoomUp,
            CameraMove::BoomDown => Move::BoomDown,
            CameraMove::OrbitLeft => Move::OrbitLeft,
            CameraMove::OrbitRight => Move::OrbitRight,
            CameraMove::Track => Move::Track,
            CameraMove::ZoomIn => Move::ZoomIn,
            CameraMove::ZoomOut => Move::ZoomOut,
            CameraMove::Handheld => Move::Handheld,
        }),
        Fact::Light(light) => Term::Light(match light {
            kinora_stage::Light::Day => Light::Day,
            kinora_stage::Light::Night => Light::Night,
            kinora_stage::Light::GoldenHour => Light::GoldenHour,
            kinora_stage::Light::BlueHour => Light::BlueHour,
            kinora_stage::Light::Neon => Light::Neon,
            kinora_stage::Light::CandleLight => Light::Candle,
        }),
        Fact::Look(look) => Term::Look(match look {
            kinora_stage::Look::Plain => Look::Plain,
            kinora_stage::Look::Film35 => Look::Film35,
            kinora_stage::Look::Film16 => Look::Film16,
            kinora_stage::Look::Noir => Look::BlackAndWhite,
            kinora_stage::Look::Watercolor => Look::Watercolor,
            kinora_stage::Look::Clay => Look::Clay,
            kinora_stage::Look::Cel => Look::Cel,
        }),
        Fact::Emotion(emotion) => Term::Emotion(match emotion {
            kinora_stage::Emotion::Neutral => Emotion::Calm,
            kinora_stage::Emotion::Happy => Emotion::Happy,
            kinora_stage::Emotion::Sad => Emotion::Sad,
            kinora_stage::Emotion::Angry => Emotion::Angry,
            kinora_stage::Emotion::Surprised => Emotion::Surprised,
            kinora_stage::Emotion::Afraid => Emotion::Afraid,
        }),
    }
}
