//! The mechanics of English that the captions need: verb forms, articles, lists, pronouns, capitals.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Makes a caption's free choices.
pub(super) struct Pen {
    rng: ChaCha8Rng,
}

impl Pen {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// True in `share` of the cases.
    pub fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    /// One of `options`, each as likely.
    pub fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.rng.random_range(0..options.len())]
    }

    /// One of `options`, the first (the plain word) in about half of the cases.
    pub fn favour<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.favoured(options.len())]
    }

    /// An index below `count`, the first in about half of the cases.
    pub fn favoured(&mut self, count: usize) -> usize {
        if self.chance(0.4) {
            0
        } else {
            self.rng.random_range(0..count)
        }
    }

    /// One of `options` to stand before `name`, or nothing where it would repeat what the name says ("a snowy snowy
    /// field") or break an expression.
    pub fn adjective(&mut self, options: &[&'static str], name: &str) -> &'static str {
        if options.is_empty() {
            return "";
        }
        let adjective = self.pick(options);
        if name.contains(&adjective[..4]) {
            ""
        } else {
            adjective
        }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.rng);
    }
}

/// How a clause is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// "a fox runs"
    Simple,
    /// "a fox is running"
    Progressive,
    /// "a fox running"
    Participle,
}

/// One or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Singular,
    Plural,
}

/// A verb phrase in a form. `base` begins with its verb ("turn around"); with "be" it states a condition ("be
/// parked").
pub(super) fn inflect(base: &str, form: Form, number: Number) -> String {
    let (verb, rest) = base
        .split_once(' ')
        .map_or((base, String::new()), |(verb, rest)| {
            (verb, format!(" {rest}"))
        });
    let be = if number == Number::Singular {
        "is"
    } else {
        "are"
    };
    match (form, verb) {
        (Form::Participle, "be") => rest.trim_start().to_owned(),
        (_, "be") => format!("{be}{rest}"),
        (Form::Participle, _) => format!("{}{rest}", participle(verb)),
        (Form::Progressive, _) => format!("{be} {}{rest}", participle(verb)),
        (Form::Simple, _) if number == Number::Plural => base.to_owned(),
        (Form::Simple, _) => format!("{}{rest}", third_person(verb)),
    }
}

fn third_person(verb: &str) -> String {
    match verb.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if verb.ends_with(['s', 'x', 'o']) || verb.ends_with("sh") || verb.ends_with("ch") => {
            format!("{verb}es")
        }
        _ => format!("{verb}s"),
    }
}

fn participle(verb: &str) -> String {
    const DOUBLED: [&str; 11] = [
        "run", "sit", "spin", "swim", "hop", "jog", "bob", "pan", "drop", "get", "plod",
    ];
    match verb {
        "lie" => "lying".to_owned(),
        _ if DOUBLED.contains(&verb) => format!("{verb}{}ing", &verb[verb.len() - 1..]),
        _ => match verb.strip_suffix('e') {
            Some(stem) if !stem.ends_with('e') => format!("{stem}ing"),
            _ => format!("{verb}ing"),
        },
    }
}

/// "red", "red and blue", "red, blue and green".
pub(super) fn list(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// Puts words and phrases side by side, leaving out the empty ones.
pub(super) fn join(phrases: &[&str]) -> String {
    let filled: Vec<&str> = phrases
        .iter()
        .copied()
        .filter(|phrase| !phrase.is_empty())
        .collect();
    filled.join(" ")
}

/// Turns every "a" that stands before a vowel into "an". Tables and templates write "a" alone.
pub(super) fn fix_articles(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let fixed: Vec<&str> = (0..words.len())
        .map(|i| match (words[i], words.get(i + 1)) {
            ("a", Some(next)) if sounds_like_vowel(next) => "an",
            ("A", Some(next)) if sounds_like_vowel(next) => "An",
            (word, _) => word,
        })
        .collect();
    fixed.join(" ")
}

fn sounds_like_vowel(word: &str) -> bool {
    word.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U'])
        && !word.starts_with("uniform")
}

/// The text with its first letter in upper case.
pub(super) fn capitalise(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_inflect() {
        let simple = |base| inflect(base, Form::Simple, Number::Singular);
        let progressive = |base| inflect(base, Form::Progressive, Number::Plural);
        assert_eq!(simple("fly past"), "flies past");
        assert_eq!(simple("stay still"), "stays still");
        assert_eq!(simple("dash"), "dashes");
        assert_eq!(simple("be parked"), "is parked");
        assert_eq!(progressive("be parked"), "are parked");
        assert_eq!(progressive("swim"), "are swimming");
        assert_eq!(progressive("tilt up"), "are tilting up");
        assert_eq!(
            inflect("dance", Form::Participle, Number::Singular),
            "dancing"
        );
        assert_eq!(
            inflect("be parked", Form::Participle, Number::Singular),
            "parked"
        );
    }

    #[test]
    fn articles_fit_the_next_word() {
        assert_eq!(
            fix_articles("A orange cat and a fox in a uniform"),
            "An orange cat and a fox in a uniform"
        );
    }
}
