//! The text of a `tokenizer.json`.
#![no_main]

use kinora_fuzz::reading;
use kinora_models::wan::TokenizerFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    reading::tokenizer(&TokenizerFile::Json(text.to_owned()));
});
