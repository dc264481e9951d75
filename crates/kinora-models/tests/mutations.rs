//! Files that are damaged at random: each is read or refused, and none makes a reader panic or take absurd memory.
//!
//! `fuzz/` looks for what such damages do not find. A seed gives the same damages. The long run, whose length in minutes and seed are in [`LONG`], is
//! `cargo test --release -p kinora-models --test mutations -- --ignored --nocapture`.

mod reading;

use kinora_models::wan::TokenizerFile;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Minutes and seed of the long run.
const LONG: (u64, u64) = (10, 0x5eed);
/// Damages of the short run.
const SHORT: u64 = 3000;
/// Bytes in which headers lie.
const HEAD: usize = 4096;

/// A generator whose whole state is one number (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % most.max(1)
    }
}

/// Which reader a file is for.
#[derive(Clone, Copy, Debug)]
enum Reader {
    Weights,
    Json,
    Pieces,
}

fn files() -> Vec<(Reader, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wan");
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kinora-nn/tests/fixtures");
    let of = |reader, path| (reader, fs::read(path).unwrap());
    vec![
        of(Reader::Weights, folder.join("film.safetensors")),
        of(Reader::Weights, folder.join("lora-comfy.safetensors")),
        of(
            Reader::Weights,
            folder.join("tiny/vae/diffusion_pytorch_model.safetensors"),
        ),
        of(Reader::Weights, formats.join("fp8.safetensors")),
        of(Reader::Weights, formats.join("formats.gguf")),
        of(Reader::Weights, folder.join("tiny.gguf")),
        of(Reader::Json, folder.join("tiny/tokenizer/tokenizer.json")),
        of(Reader::Pieces, folder.join("spiece.model")),
    ]
}

/// One to eight damages, most of them in the header.
fn damage(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..1 + random.below(8) {
        let near = if random.below(4) == 0 {
            bytes.len()
        } else {
            bytes.len().min(HEAD)
        };
        let at = random.below(near);
        let some = random.below(24).min(bytes.len() - at);
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + some)),
            2 => {
                let part = bytes[at..at + some].to_vec();
                bytes.splice(at..at, part);
            }
            3 => {
                // A length or an offset that lies.
                const LIES: [u64; 8] =
                    [0, 1, u64::MAX, 1 << 63, 1 << 32, u64::MAX / 2, 255, 65_535];
                let lie = LIES[random.below(LIES.len())].to_le_bytes();
                let wide = some.min(8).min(bytes.len() - at);
                bytes[at..at + wide].copy_from_slice(&lie[..wide]);
            }
            4 => {
                // A digit for another, which JSON takes.
                let digits = (0..near).filter(|&i| bytes[i].is_ascii_digit());
                let digits: Vec<usize> = digits.collect();
                if let Some(&place) = digits.get(random.below(digits.len())) {
                    bytes[place] = b"0123456789-"[random.below(11)];
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Whether a file was taken.
fn tried(reader: Reader, bytes: Vec<u8>) -> bool {
    let json = |bytes: Vec<u8>| TokenizerFile::Json(String::from_utf8_lossy(&bytes).into_owned());
    match reader {
        Reader::Weights => reading::weights(&bytes),
        Reader::Json => reading::tokenizer(&json(bytes)),
        Reader::Pieces => reading::tokenizer(&TokenizerFile::SentencePiece(bytes)),
    }
}

/// Damages files until `done`; how many, and how many were taken all the same.
fn run(seed: u64, mut done: impl FnMut(u64) -> bool) -> [u64; 2] {
    let files = files();
    let [mut count, mut taken] = [0, 0];
    while !done(count) {
        let mut random =
            Random((seed.wrapping_add(count) << 1 | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random.below(1);
        let (reader, file) = &files[random.below(files.len())];
        let bytes = damage(file, &mut random);
        let result = catch_unwind(AssertUnwindSafe(|| tried(*reader, bytes)));
        match result {
            Ok(was_taken) => taken += u64::from(was_taken),
            Err(_) => panic!("{reader:?} panics at damage {count} of seed {seed:#x}"),
        }
        count += 1;
    }
    [count, taken]
}

#[test]
fn damaged_files_are_read_or_refused() {
    let [count, taken] = run(1, |count| count == SHORT);
    println!("{taken} of {count} damaged files were taken");
    assert!(
        (count / 100..count).contains(&taken),
        "damages are too rough or too fine"
    );
}

#[test]
#[ignore = "ten minutes"]
fn damaged_files_are_read_or_refused_for_long() {
    let (minutes, seed) = LONG;
    let began = Instant::now();
    let [count, taken] = run(seed, |count| {
        count.is_multiple_of(256) && began.elapsed() > Duration::from_secs(60 * minutes)
    });
    println!("{count} damages in {minutes} minutes, {taken} taken, no panic");
}

#[test]
fn what_a_dependency_takes_for_granted_is_refused() {
    let (_, bytes) = &files()[6];
    let text = String::from_utf8(bytes.clone()).unwrap();
    let opened = |text: String| TokenizerFile::Json(text).open(1 << 18);
    assert!(opened(text.clone()).is_ok());
    assert!(opened(text.replacen("\"decoder\": {", "\"decoder\": {,", 1)).is_err());
    let mut lacking: serde_json::Value = serde_json::from_str(&text).unwrap();
    lacking["post_processor"]["special_tokens"] = serde_json::json!({});
    assert!(opened(lacking.to_string()).is_err());
    let mut second: serde_json::Value = serde_json::from_str(&text).unwrap();
    second["post_processor"]["single"][0]["Sequence"]["id"] = "B".into();
    assert!(opened(second.to_string()).is_err());
    // A part that umT5 has not, here one that divides by zero.
    let mut foreign: serde_json::Value = serde_json::from_str(&text).unwrap();
    foreign["pre_tokenizer"] = serde_json::json!({ "type": "FixedLength", "length": 0 });
    assert!(opened(foreign.to_string()).is_err());
    let mut model: serde_json::Value = serde_json::from_str(&text).unwrap();
    model["model"]["type"] = "WordLevel".into();
    assert!(opened(model.to_string()).is_err());
}

#[test]
fn a_damaged_table_of_characters_in_json_is_refused() {
    let pieces = TokenizerFile::SentencePiece(files()[7].1.clone());
    let text = pieces.open(1 << 18).unwrap().to_string(false).unwrap();
    let with = |map: &str| {
        let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file["normalizer"]["precompiled_charsmap"] = map.into();
        TokenizerFile::Json(file.to_string()).open(1 << 18)
    };
    assert!(TokenizerFile::Json(text.clone()).open(1 << 18).is_ok());
    // No base64, a trie of 4 GiB, and one that leads outside itself.
    for map in ["?", "/////wAA", "BAAAAAAAAAE="] {
        assert!(with(map).is_err(), "{map}");
    }
}
