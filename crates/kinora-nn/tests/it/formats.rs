//! Weight files as people have them, against what the reference programs read from them (`reference/weights.py`).

use kinora_nn::weights::{WeightsError, read};
use std::path::Path;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).expect("a fixture")
}

#[test]
fn gguf_blocks_are_read_as_ggml_reads_them() {
    let (file, expected) = (fixture("formats.gguf"), fixture("formats.safetensors"));
    let (file, expected) = (read(&file).unwrap(), read(&expected).unwrap());
    assert_eq!(file.metadata["general.architecture"], "wan");
    assert_eq!(file.metadata["general.name"], "formats");
    assert_eq!(
        file.tensors.keys().collect::<Vec<_>>(),
        expected.tensors.keys().collect::<Vec<_>>()
    );
    for (name, wanted) in &expected.tensors {
        let found = &file.tensors[name];
        assert_eq!(found.shape, wanted.shape, "{name}");
        assert!(
            name.starts_with('F') || found.encoding.name() == name,
            "{name}"
        );
        let (found, wanted) = (found.to_f32(), wanted.to_f32());
        let largest = wanted.iter().map(|v| v.abs()).fold(0.0, f32::max);
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!(
                (found - wanted).abs() <= 1e-6 * largest,
                "{name}: {found} for {wanted}"
            );
        }
    }
}

#[test]
fn eight_bit_floats_are_read_with_their_scales() {
    let (file, expected) = (
        fixture("fp8.safetensors"),
        fixture("fp8-expected.safetensors"),
    );
    let (file, expected) = (read(&file).unwrap(), read(&expected).unwrap());
    let names: Vec<&String> = file.tensors.keys().collect();
    assert_eq!(
        names,
        expected.tensors.keys().collect::<Vec<_>>(),
        "scales are no tensors"
    );
    for (name, wanted) in &expected.tensors {
        let plain = |v: f32| match v {
            v if v.is_nan() => -1.0,
            v if v.is_infinite() => 1e6 * v.signum(),
            v => v,
        };
        let found: Vec<f32> = file.tensors[name].to_f32().into_iter().map(plain).collect();
        assert_eq!(found, wanted.to_f32(), "{name}");
    }
}

#[test]
fn damaged_gguf_is_refused_and_never_panics() {
    let whole = fixture("formats.gguf");
    // The last tensor may have padding behind it.
    for length in 4..whole.len() - 64 {
        let cut = read(&whole[..length]);
        assert!(
            matches!(cut, Err(WeightsError::Malformed(_))),
            "{length} bytes"
        );
    }
    // Each bit of the header flipped: some give another well-formed file, none a panic.
    for bit in 32..whole.len().min(1200) * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(file) = read(&bytes) {
            file.tensors
                .values()
                .for_each(|tensor| drop(tensor.to_f32()));
        }
    }
}

#[test]
fn a_zero_extent_hides_no_absurd_ones() {
    let file = |inner: [u64; 2]| {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend([1u64, 0, 1].map(u64::to_le_bytes).as_flattened());
        bytes.extend(b"a\x03\0\0\0");
        let extents = [inner[0], inner[1], 0];
        bytes.extend(extents.map(u64::to_le_bytes).as_flattened());
        bytes.extend([0; 12]);
        bytes
    };
    assert_eq!(read(&file([4, 8])).unwrap().tensors["a"].shape, [0, 8, 4]);
    let absurd = file([4, u64::MAX / 2]);
    assert!(matches!(read(&absurd), Err(WeightsError::Malformed(_))));
}
