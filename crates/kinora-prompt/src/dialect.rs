//! From prompt, controls and style to the text that a model is told.

use crate::controls::{
    Angle, Controls, Emotion, Framing, Light, Look, Move, Size, Term, UnknownTerm,
};
use crate::find::Finder;
use crate::style::Style;

/// How a family of models is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Of models that learned from the captions of the film stage: short tags, of the stage's vocabulary alone.
    Stage,
    /// Of models that learned from captions of films at large: any of the film's words.
    Film,
}

/// What a model is told, and what became of each control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The text.
    pub prompt: String,
    /// What the style adds to what is kept away from.
    pub negative: Option<String>,
    /// The terms that were added to the prompt's own words.
    pub added: Vec<Term>,
    /// Terms that the model has no word for, with the nearest that it has and was told.
    pub nearest: Vec<(Term, Term)>,
    /// Terms that the model has no word for, nor for anything near; it was not told them.
    pub left_out: Vec<Term>,
}

/// Why a prompt can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// No control has such a value.
    #[error(transparent)]
    Unknown(#[from] UnknownTerm),
    /// A control says other than the prompt's own words.
    #[error(
        "the prompt says {words:?}, so its {what} is {said}, and the control asks for {asked}; change one of them"
    )]
    Conflict {
        /// The prompt's words.
        words: String,
        /// Which control.
        what: &'static str,
        /// What the words state.
        said: Term,
        /// What the control asks for.
        asked: Term,
    },
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 2] = [Dialect::Stage, Dialect::Film];

    /// The term that the dialect has a word for and that is nearest to `term`: most often itself.
    pub fn nearest(self, term: Term) -> Option<Term> {
        if self == Self::Film {
            return Some(term);
        }
        Some(match term {
            Term::Size(Size::MediumWide) => Size::Full.into(),
            Term::Size(Size::MediumCloseUp | Size::ExtremeCloseUp | Size::Insert) => {
                Size::CloseUp.into()
            }
            Term::Framing(Framing::Establishing) => Size::ExtremeWide.into(),
            Term::Framing(_) | Term::Lens(_) => return None,
            Term::Angle(Angle::Aerial) => Angle::Overhead.into(),
            Term::Angle(Angle::Ground) => Angle::Low.into(),
            Term::Move(Move::CraneUp) => Move::BoomUp.into(),
            Term::Move(Move::CraneDown) => Move::BoomDown.into(),
            Term::Move(Move::Steadicam) => Move::Track.into(),
            Term::Move(
                Move::RollLeft
                | Move::RollRight
                | Move::DollyZoom
                | Move::WhipPan
                | Move::RackFocus,
            ) => return None,
            Term::Light(Light::LowKey) => Light::Night.into(),
            Term::Light(Light::HighKey) => Light::Day.into(),
            Term::Light(Light::Practical) => Light::Candle.into(),
            Term::Light(
                Light::Rembrandt | Light::Rim | Light::Silhouette | Light::Hard | Light::Soft,
            ) => return None,
            Term::Look(Look::Reversal) => Look::Film35.into(),
            known => known,
        })
    }

    /// How a term that the dialect knows is told behind a prompt.
    pub(crate) fn tag(self, term: Term) -> &'static str {
        match term {
            Term::Light(Light::GoldenHour) => "at golden hour",
            Term::Light(Light::BlueHour) => "at blue hour",
            Term::Emotion(Emotion::Happy) => "looking happy",
            Term::Emotion(Emotion::Sad) => "looking sad",
            Term::Emotion(Emotion::Angry) => "looking angry",
            Term::Emotion(Emotion::Surprised) => "looking surprised",
            Term::Emotion(Emotion::Afraid) => "looking afraid",
            _ => term.names()[0],
        }
    }

    /// The text that says `prompt`, what `controls` ask for, and what `style` sets and neither of them does. What the
    /// prompt's own words state is not told twice; without controls and style the text is the prompt.
    ///
    /// # Errors
    /// When a control asks for other than the prompt's words state.
    pub fn tell(
        self,
        prompt: &str,
        controls: &Controls,
        style: Option<&Style>,
        finder: &Finder,
    ) -> Result<Told, PromptError> {
        let found = finder.find(prompt);
        for stated in &found {
            match controls.like(stated.term) {
                Some(asked) if asked != stated.term => {
                    return Err(PromptError::Conflict {
                        words: stated.words.clone(),
                        what: asked.what(),
                        said: stated.term,
                        asked,
                    });
                }
                _ => {}
            }
        }
        let stated: Controls = found.iter().map(|found| found.term).collect();
        let wanted = controls.or(&style.map_or(Controls::default(), |style| style.controls));
        let mut told = Told {
            prompt: String::new(),
            negative: style.and_then(|style| style.negative.clone()),
            added: Vec::new(),
            nearest: Vec::new(),
            left_out: Vec::new(),
        };
        let mut tags = Vec::new();
        // Another term of the same control may say it for the dialect: an establishing shot is an extreme wide one.
        let mut said = stated;
        for term in wanted.terms() {
            if stated.like(term).is_some() {
                continue;
            }
            let free = |near: &Term| {
                said.like(*near).is_none() && wanted.like(*near).is_none_or(|w| w == term)
            };
            let Some(near) = self
                .nearest(term)
                .filter(|near| *near == term || free(near))
            else {
                told.left_out.push(term);
                continue;
            };
            match near == term {
                true => told.added.push(term),
                false => told.nearest.push((term, near)),
            }
            said.set(near);
            tags.push(self.tag(near).to_owned());
        }
        if let (Self::Film, Some(words)) = (self, style.and_then(|style| style.words.clone())) {
            tags.push(words);
        }
        told.prompt = behind(prompt, &tags);
        Ok(told)
    }
}

/// `prompt` with the tags behind it. Without tags it is left as it is, to the letter.
fn behind(prompt: &str, tags: &[String]) -> String {
    if tags.is_empty() {
        return prompt.to_owned();
    }
    let prompt = prompt.trim().trim_end_matches(['.', ',', ';']);
    let tags = tags.join(", ");
    if prompt.is_empty() {
        tags
    } else {
        format!("{prompt}, {tags}")
    }
}
