//! A word tokenizer: lower-case words of a fixed list; a word outside it is tried without its ending, then left out
//! and reported.

use std::collections::HashMap;

/// Splits prompts into the ids of known words.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    ids: HashMap<String, u32>,
}

/// A prompt as ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// One id a known word or mark, in order.
    pub ids: Vec<u32>,
    /// Words that were left out, as the user wrote them, each once.
    pub unknown: Vec<String>,
}

/// Why a vocabulary can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenizerError {
    /// Not a JSON list of words.
    #[error("vocab.json is not a list of words: {0}")]
    Json(String),
    /// A word that stands twice.
    #[error("vocab.json lists {0:?} twice")]
    Duplicate(String),
}

impl Tokenizer {
    /// A tokenizer of these words; a word's id is its place.
    ///
    /// # Errors
    /// When a word stands twice.
    pub fn new(words: impl IntoIterator<Item = String>) -> Result<Self, TokenizerError> {
        let mut ids = HashMap::new();
        for (id, word) in words.into_iter().enumerate() {
            if ids.insert(word.clone(), id as u32).is_some() {
                return Err(TokenizerError::Duplicate(word));
            }
        }
        Ok(Self { ids })
    }

    /// Reads a `vocab.json`: a list of words.
    ///
    /// # Errors
    /// When the text is not such a list, or a word stands twice.
    pub fn from_json(text: &str) -> Result<Self, TokenizerError> {
        let words: Vec<String> =
            serde_json::from_str(text).map_err(|e| TokenizerError::Json(e.to_string()))?;
        Self::new(words)
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it knows no word at all.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids of a prompt, and the words it does not know.
    pub fn encode(&self, prompt: &str) -> Encoded {
        let mut encoded = Encoded {
            ids: Vec::new(),
            unknown: Vec::new(),
        };
        for word in words(prompt) {
            match self.find(&word.to_lowercase()) {
                Some(id) => encoded.ids.push(id),
                None if word.chars().any(char::is_alphanumeric)
                    && !encoded.unknown.contains(&word) =>
                {
                    encoded.unknown.push(word);
                }
                None => {}
            }
        }
        encoded
    }

    fn find(&self, word: &str) -> Option<u32> {
        self.ids
            .get(word)
            .copied()
            .or_else(|| stems(word).find_map(|stem| self.ids.get(stem.as_str()).copied()))
    }
}

/// Words (letters, digits, inner apostrophes) and punctuation marks, in order. Hyphens part words.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || (matches!(c, '\'' | '\u{2019}') && !word.is_empty()) {
            word.push(if c == '\u{2019}' { '\'' } else { c });
            continue;
        }
        push_word(&mut words, &mut word);
        if matches!(c, ',' | '.' | ':' | ';') {
            words.push(c.to_string());
        }
    }
    push_word(&mut words, &mut word);
    words
}

fn push_word(words: &mut Vec<String>, word: &mut String) {
    let trimmed = word.trim_end_matches('\'');
    if !trimmed.is_empty() {
        words.push(trimmed.to_string());
    }
    word.clear();
}

/// Other forms under which a word may be known: without a plural, a possessive or a verb's ending, or with one.
fn stems(word: &str) -> impl Iterator<Item = String> {
    const ENDINGS: [(&str, &str); 14] = [
        ("'s", ""),
        ("s", ""),
        ("es", ""),
        ("ies", "y"),
        ("ing", ""),
        ("ing", "e"),
        ("ing", "s"),
        ("ed", ""),
        ("ed", "e"),
        ("ly", ""),
        ("y", ""),
        ("", "s"),
        ("", "ing"),
        ("", "y"),
    ];
    ENDINGS.iter().filter_map(move |(ending, instead)| {
        word.strip_suffix(ending)
            .filter(|stem| stem.len() >= 3)
            .map(|stem| format!("{stem}{instead}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Tokenizer {
        Tokenizer::new(["a", "fox", "run", "snow", ",", "o'clock"].map(String::from))
            .expect("distinct words")
    }

    #[test]
    fn words_are_found_in_any_case_and_form() {
        let encoded = tokenizer().encode("A FOX runs, Snowy o\u{2019}clock");
        assert_eq!(
            encoded,
            Encoded {
                ids: vec![0, 1, 2, 4, 3, 5],
                unknown: vec![]
            }
        );
    }

    #[test]
    fn unknown_words_are_left_out_and_named_once() {
        let encoded = tokenizer().encode("a Zebra zigzags past a Zebra \u{1F98A} !?");
        assert_eq!(
            encoded,
            Encoded {
                ids: vec![0, 0],
                unknown: vec!["Zebra".into(), "zigzags".into(), "past".into()]
            }
        );
    }

    #[test]
    fn a_word_that_stands_twice_is_refused() {
        let twice = Tokenizer::new(["a", "a"].map(String::from));
        assert_eq!(twice.err(), Some(TokenizerError::Duplicate("a".into())));
    }
}
