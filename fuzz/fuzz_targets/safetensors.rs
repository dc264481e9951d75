//! Safetensors files. Most changes of a header change its length, so three in four have the length put right.
#![no_main]

use kinora_fuzz::reading;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| {
    reading::weights(bytes);
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let size = fuzzer_mutate(bytes, size, most);
    if seed % 4 != 0
        && let Some((length, rest)) = bytes[..size].split_first_chunk_mut::<8>()
        && let Some(end) = rest.windows(2).position(|pair| pair == b"}}")
    {
        let padding = rest[end + 2..].iter().take_while(|&&byte| byte == b' ');
        *length = ((end + 2 + padding.count()) as u64).to_le_bytes();
    }
    size
});
