//! GGUF files: the magic is given, the bytes follow it.
#![no_main]

use kinora_fuzz::reading;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    reading::weights(&[b"GGUF", bytes].concat());
});
