//! The tokenizer of umT5, from a `tokenizer.json` or the SentencePiece model that it was made of.
//!
//! References: `sentencepiece_model.proto` (<https://github.com/google/sentencepiece>), and the T5 tokenizer of transformers,
//! which splits at blanks, marks where words begin and ends a text with `</s>`.

use super::networks::WanError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value as Json;
use tokenizers::decoders::metaspace::Metaspace;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;
use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

/// What ends a text.
const END: &str = "</s>";
/// What stands for a blank before a word.
const BLANK: char = '\u{2581}';
const DAMAGED_MAP: &str = "its table of characters is damaged";

/// A tokenizer's file.
#[derive(Clone, Debug)]
pub enum TokenizerFile {
    /// The text of a `tokenizer.json`.
    Json(String),
    /// The bytes of a `spiece.model`.
    SentencePiece(Vec<u8>),
}

impl TokenizerFile {
    /// The tokenizer of a text encoder that knows `vocabulary` tokens; it neither pads nor cuts.
    ///
    /// # Errors
    /// When the file is damaged or has more tokens.
    pub fn open(&self, vocabulary: usize) -> Result<Tokenizer, WanError> {
        let (file, read) = match self {
            Self::Json(text) => ("tokenizer.json", of_json(text)),
            Self::SentencePiece(bytes) => ("spiece.model", of_pieces(bytes)),
        };
        let refuse = |reason| WanError::Config { file, reason };
        let mut tokenizer = read.map_err(refuse)?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| refuse(error.to_string()))?;
        if tokenizer.get_vocab_size(true) > vocabulary {
            return Err(refuse(
                "it has more tokens than the text encoder".to_owned(),
            ));
        }
        Ok(tokenizer)
    }
}

/// What a `tokenizer.json` of umT5 is made of, whichever program wrote it. The tokenizers crate has more, some of which takes
/// for granted what a file may lack.
const PARTS: [&str; 17] = [
    "Sequence",
    "Precompiled",
    "Replace",
    "Strip",
    "StripAccents",
    "Lowercase",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Prepend",
    "WhitespaceSplit",
    "Metaspace",
    "TemplateProcessing",
    "ByteFallback",
    "Fuse",
];

/// Most bytes that may be put in for a match, and most parts that do so: each makes a text that many times as long.
const LONGEST_PUT_IN: usize = 8;
/// See [`LONGEST_PUT_IN`].
const MOST_LENGTHENING: usize = 4;

/// The tokenizer that a `tokenizer.json` describes.
fn of_json(text: &str) -> Result<Tokenizer, String> {
    #[derive(Deserialize)]
    struct Checked {
        model: Typed,
        normalizer: Option<Json>,
        pre_tokenizer: Option<Json>,
        post_processor: Option<Json>,
        decoder: Option<Json>,
    }
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    let checked: Checked = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if checked.model.kind != "Unigram" {
        return Err(format!(
            "its model is {:?}, and that of umT5 is Unigram",
            checked.model.kind
        ));
    }
    let parts = [
        &checked.normalizer,
        &checked.pre_tokenizer,
        &checked.post_processor,
        &checked.decoder,
    ];
    parts.into_iter().flatten().try_for_each(check_part)?;
    if checked.normalizer.iter().map(lengthening).sum::<usize>() > MOST_LENGTHENING {
        return Err("it replaces parts of a text too many times".to_owned());
    }
    if !checked.post_processor.iter().all(knows_its_tokens) {
        return Err("its template has a token or a text that is not there".to_owned());
    }
    text.parse()
        .map_err(|error: tokenizers::Error| error.to_string())
}

/// Refuses a part, or one within it, at which the tokenizers crate could panic or take absurd memory.
fn check_part(part: &Json) -> Result<(), String> {
    let kind = part["type"].as_str().unwrap_or_default();
    if !PARTS.contains(&kind) {
        return Err(format!("it has a part {kind:?}, and those of umT5 do not"));
    }
    let map = &part["precompiled_charsmap"];
    if kind == "Precompiled" || !map.is_null() {
        let bytes = map.as_str().and_then(|text| BASE64.decode(text).ok());
        if !bytes.is_some_and(|bytes| is_sound(&bytes)) {
            return Err(DAMAGED_MAP.to_owned());
        }
    }
    let put_in = part["content"].as_str().or(part["prepend"].as_str());
    if put_in.is_some_and(|text| text.len() > LONGEST_PUT_IN) {
        return Err("it puts long texts in for short ones".to_owned());
    }
    within(part).try_for_each(check_part)
}

/// The parts of a part.
fn within(part: &Json) -> impl Iterator<Item = &Json> {
    let lists = ["normalizers", "pretokenizers", "processors", "decoders"];
    let lists = lists.into_iter().filter_map(|list| part[list].as_array());
    lists.flatten()
}

/// How many parts may make a text longer.
fn lengthening(part: &Json) -> usize {
    let itself = usize::from(part["type"] == "Replace" || part["type"] == "Prepend");
    itself + within(part).map(lengthening).sum::<usize>()
}

/// Whether all special tokens in the templates of a post-processor are among those that it lists, and that for one text takes
/// no second.
fn knows_its_tokens(processor: &Json) -> bool {
    let list = |key: &str| processor[key].as_array().into_iter().flatten();
    let known = |piece: &Json| {
        let id = piece["SpecialToken"]["id"].as_str();
        id.is_none_or(|id| !processor["special_tokens"][id].is_null())
    };
    let second = |piece: &Json| piece["Sequence"]["id"] == "B";
    let mut pieces = list("single").chain(list("pair"));
    pieces.all(known) && !list("single").any(second) && list("processors").all(knows_its_tokens)
}

/// The tokenizer that a SentencePiece model describes.
fn of_pieces(bytes: &[u8]) -> Result<Tokenizer, String> {
    let model = Model::read(bytes).ok_or("it is not a SentencePiece model, or is cut short")?;
    if model.kind != UNIGRAM {
        return Err("it is a SentencePiece model of another kind than Unigram, T5's".to_owned());
    }
    let at = |kind| model.pieces.iter().position(|piece| piece.kind == kind);
    let unknown = at(Kind::Unknown).ok_or("it has no piece for what is unknown")?;
    let end = model.pieces.iter().position(|piece| piece.text == END);
    let end = end.ok_or("it has no piece </s>, which ends a text")?;
    let vocabulary = model
        .pieces
        .iter()
        .map(|piece| (piece.text.clone(), piece.score.into()));
    let said = |error: Box<dyn std::error::Error + Send + Sync>| error.to_string();
    let unigram = Unigram::from(vocabulary.collect(), Some(unknown), model.byte_fallback);
    let mut tokenizer = Tokenizer::new(unigram.map_err(said)?);
    if !model.charsmap.is_empty() {
        if !is_sound(model.charsmap) {
            return Err(DAMAGED_MAP.to_owned());
        }
        let map = Precompiled::from(model.charsmap).map_err(|error| error.to_string())?;
        tokenizer.with_normalizer(Some(map)).map_err(said)?;
    }
    let words = Metaspace::new(BLANK, PrependScheme::Always, true);
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![
        WhitespaceSplit.into(),
        words.into(),
    ])));
    let ending = TemplateProcessing::builder()
        .try_single(vec!["$A".to_owned(), END.to_owned()])
        .map_err(|error| error.to_string())?
        .special_tokens(vec![(END, end as u32)])
        .build()
        .map_err(|error| error.to_string())?;
    tokenizer.with_post_processor(Some(ending));
    for piece in &model.pieces {
        let special = match piece.kind {
            Kind::Control | Kind::Unknown => true,
            Kind::UserDefined => false,
            Kind::Other => continue,
        };
        let token = AddedToken::from(piece.text.clone(), special);
        let added = match special {
            true => tokenizer.add_special_tokens([token]),
            false => tokenizer.add_tokens([token]),
        };
        added.map_err(said)?;
    }
    Ok(tokenizer)
}

/// The number of Unigram among the kinds of models.
const UNIGRAM: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unknown,
    Control,
    UserDefined,
    /// Normal ones, bytes and unused ones.
    Other,
}

#[derive(Debug)]
struct Piece {
    text: String,
    score: f32,
    kind: Kind,
}

/// What is needed of a `ModelProto`.
#[derive(Debug)]
struct Model<'a> {
    pieces: Vec<Piece>,
    kind: u64,
    byte_fallback: bool,
    charsmap: &'a [u8],
}

impl<'a> Model<'a> {
    /// `None` if the bytes are not such a message.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut model = Self {
            pieces: Vec::new(),
            kind: UNIGRAM,
            byte_fallback: false,
            charsmap: &[],
        };
        for field in fields(bytes) {
            match field? {
                (1, Value::Bytes(piece)) => model.pieces.push(Piece::read(piece)?),
                (2, Value::Bytes(trainer)) => {
                    for field in fields(trainer) {
                        match field? {
                            (3, Value::Number(kind)) => model.kind = kind,
                            (35, Value::Number(fallback)) => model.byte_fallback = fallback != 0,
                            _ => {}
                        }
                    }
                }
                (3, Value::Bytes(normalizer)) => {
                    for field in fields(normalizer) {
                        if let (2, Value::Bytes(map)) = field? {
                            model.charsmap = map;
                        }
                    }
                }
                _ => {}
            }
        }
        (!model.pieces.is_empty()).then_some(model)
    }
}

impl Piece {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut piece = Self {
            text: String::new(),
            score: 0.0,
            kind: Kind::Other,
        };
        for field in fields(bytes) {
            match field? {
                (1, Value::Bytes(text)) => piece.text = String::from_utf8(text.to_vec()).ok()?,
                (2, Value::Word(bits)) => piece.score = f32::from_bits(bits),
                (3, Value::Number(2)) => piece.kind = Kind::Unknown,
                (3, Value::Number(3)) => piece.kind = Kind::Control,
                (3, Value::Number(4)) => piece.kind = Kind::UserDefined,
                _ => {}
            }
        }
        piece.score.is_finite().then_some(piece)
    }
}

/// A field's value in the wire format of protocol buffers.
enum Value<'a> {
    Number(u64),
    Word(u32),
    Long,
    Bytes(&'a [u8]),
}

/// The numbers and values of a message's fields; `None` once where it is damaged.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Option<(u64, Value<'_>)>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let field = field(&mut bytes);
        if field.is_none() {
            bytes = &[];
        }
        Some(field)
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(bytes)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(bytes)?),
        1 => {
            bytes.split_off(..8)?;
            Value::Long
        }
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Value::Bytes(bytes.split_off(..length)?)
        }
        5 => {
            let (word, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            Value::Word(u32::from_le_bytes(*word))
        }
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Whether no walk through a table of characters leaves it: the crate that reads it takes that for granted.
///
/// It is a u32 with the bytes of a double-array trie of u32s, the trie, and texts that end with zeros, at which leaves point.
fn is_sound(map: &[u8]) -> bool {
    let Some((size, rest)) = map.split_first_chunk::<4>() else {
        return false;
    };
    let Some((trie, texts)) = rest.split_at_checked(u32::from_le_bytes(*size) as usize) else {
        return false;
    };
    let (units, odd) = trie.as_chunks::<4>();
    let Ok(texts) = std::str::from_utf8(texts) else {
        return false;
    };
    let units: Vec<usize> = units
        .iter()
        .map(|unit| u32::from_le_bytes(*unit) as usize)
        .collect();
    let inside = |(at, unit): (usize, &usize)| {
        if unit >> 31 == 1 && at > 0 {
            return true; // a leaf, which is looked at through its parent alone; every walk begins at the first
        }
        let next = at ^ ((unit >> 10) << ((unit & (1 << 9)) >> 6));
        let leaf = || {
            units
                .get(next)
                .is_some_and(|leaf| texts.is_char_boundary(leaf & 0x7fff_ffff))
        };
        (next | 0xff) < units.len() && (unit >> 8 & 1 == 0 || leaf())
    };
    odd.is_empty() && !units.is_empty() && units.iter().enumerate().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tokenizer_that_makes_texts_long_is_refused() {
        let with = |content: &str, times: usize| {
            let replace =
                json!({"type": "Replace", "pattern": {"Regex": " *"}, "content": content});
            let normalizer = json!({"type": "Sequence", "normalizers": vec![replace; times]});
            let model = json!({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]]});
            of_json(&json!({"model": model, "normalizer": normalizer}).to_string())
        };
        let reason = |found: Result<Tokenizer, String>| found.err().unwrap_or_default();
        assert!(reason(with(&"a".repeat(9), 1)).contains("long texts"));
        assert!(reason(with("_", 5)).contains("too many times"));
        assert!(!reason(with("_", 4)).contains("times"));
    }

    #[test]
    fn a_table_that_leads_outside_itself_is_refused() {
        // 256 units, of which the first leads to the block of the first.
        let mut map = 1024u32.to_le_bytes().to_vec();
        map.extend([0; 1024]);
        assert!(is_sound(&map));
        map[4..8].copy_from_slice(&(7u32 << 10).to_le_bytes());
        assert!(is_sound(&map));
        map[4..8].copy_from_slice(&(256u32 << 10).to_le_bytes());
        assert!(!is_sound(&map));
        map[4..8].copy_from_slice(&(1u32 << 31 | 256 << 10).to_le_bytes());
        assert!(!is_sound(&map));
        assert!(!is_sound(&map[..1000]));
    }
}
