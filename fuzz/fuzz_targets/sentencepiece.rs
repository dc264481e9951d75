//! The bytes of a `spiece.model`.
#![no_main]

use kinora_fuzz::reading;
use kinora_models::wan::TokenizerFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    reading::tokenizer(&TokenizerFile::SentencePiece(bytes.to_vec()));
});
