//! Captions: what a viewer would say of a clip, in natural English, from a grammar with many words for each thing.
//!
//! A caption is true of its clip: it says less than the facts, never other than the facts. What can't be seen (hues in
//! black and white, a mood in an extreme wide shot) is left out. The same scene, length and random numbers give the
//! same caption.

mod air;
mod camera;
mod clause;
mod compose;
mod grammar;
mod lexicon;
mod nouns;
mod places;
#[cfg(test)]
mod tests;
mod verbs;

use crate::scene::Scene;
use crate::vocabulary::{Colour, Subject};
use grammar::Pen;
pub use lexicon::{Fact, moves, phrases};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// How much a caption says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Length {
    /// A few words, as one types them: "red fox running in the snow". Says only some of the facts.
    Short,
    /// One sentence: subjects, colours, actions and setting, and some of the rest.
    Sentence,
    /// Two to four sentences with all the facts that can be seen.
    Paragraph,
}

impl Length {
    /// Every length, the shortest first.
    pub const ALL: [Length; 3] = [Length::Short, Length::Sentence, Length::Paragraph];
}

/// A caption that is true of the scene's clip. The scene must be coherent ([`Scene::validate`]); of an empty cast there
/// is nothing to say, and the caption is empty.
pub fn caption(scene: &Scene, length: Length, rng: &mut impl Rng) -> String {
    let mut pen = Pen::new(rng.random());
    if scene.cast.is_empty() {
        return String::new();
    }
    match length {
        Length::Short => compose::short(scene, &mut pen),
        Length::Sentence => compose::sentence(scene, &mut pen),
        Length::Paragraph => compose::paragraph(scene, &mut pen),
    }
}

/// A subject of a colour in the plainest words that captions use: "a red fox", "a woman in a red dress".
pub fn describe(subject: Subject, colour: Colour) -> String {
    grammar::fix_articles(&nouns::plainly(subject, colour))
}

/// The words of the captions, in lower case, sorted, each once: runs of letters and digits with inner apostrophes;
/// hyphens part words.
///
/// They are gathered from captions of many scenes, enough that a word left out is rarer than one in some ten thousand
/// captions.
pub fn words() -> Vec<String> {
    const SCENES: u64 = 40_000;
    let mut found = BTreeSet::new();
    for seed in 0..SCENES {
        let scene = Scene::sample(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for length in Length::ALL {
            for word in
                caption(&scene, length, &mut rng).split(|c: char| !c.is_alphanumeric() && c != '\'')
            {
                let word = word.trim_matches('\'').to_lowercase();
                if !word.is_empty() && !found.contains(&word) {
                    found.insert(word);
                }
            }
        }
    }
    found.into_iter().collect()
}
