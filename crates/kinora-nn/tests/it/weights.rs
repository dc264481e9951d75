//! Weight files: round trips, strict loading, and damaged files.

use burn::module::Module;
use burn::tensor::Device;
use kinora_nn::weights::{Dtype, WeightsError, encode, load, load_file, read, save};
use kinora_nn::{Init, LayerNorm, Linear};
use std::collections::BTreeMap;

#[derive(Module, Debug)]
struct Block {
    norm: LayerNorm,
    proj: Linear,
}

#[derive(Module, Debug)]
struct Model {
    blocks: Vec<Block>,
    head: Linear,
}

fn model(seed: u64) -> Model {
    let mut init = Init::new(seed, &Device::flex());
    let blocks = (0..2).map(|_| Block {
        norm: LayerNorm::new(3, &mut init),
        proj: Linear::new(3, 3, &mut init),
    });
    Model {
        blocks: blocks.collect(),
        head: Linear::new(3, 5, &mut init).without_bias(),
    }
}

fn no_metadata() -> BTreeMap<String, String> {
    BTreeMap::new()
}

#[test]
fn a_file_gives_back_the_module() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    let metadata = BTreeMap::from([("config".to_owned(), "{\"width\": 3}".to_owned())]);
    save(&model(1), &metadata, &path, Dtype::F32).expect("saved");
    let bytes = std::fs::read(&path).expect("the file is there");
    let file = read(&bytes).expect("well-formed");
    assert_eq!(file.metadata, metadata);
    let names: Vec<&str> = file.tensors.keys().map(String::as_str).collect();
    assert_eq!(names[..2], ["blocks.0.norm.bias", "blocks.0.norm.weight"]);
    assert!(names.contains(&"blocks.1.proj.weight") && names.contains(&"head.weight"));

    let loaded = load_file(model(2), &path).expect("loaded");
    assert_eq!(
        encode(&loaded, &metadata, Dtype::F32).expect("encoded"),
        bytes
    );
    let files: Vec<_> = std::fs::read_dir(folder.path()).expect("listed").collect();
    assert_eq!(files.len(), 1, "a partial file is left behind");
}

#[test]
fn half_precision_rounds() {
    for (dtype, error) in [(Dtype::F16, 1e-3), (Dtype::Bf16, 8e-3)] {
        let bytes = encode(&model(1), &no_metadata(), dtype).expect("encoded");
        let loaded = load(model(2), &bytes).expect("loaded");
        let exact = model(1).head.weight.val();
        let difference = (loaded.head.weight.val() - exact.clone()).abs() / exact.abs();
        assert!(difference.max().into_scalar::<f32>() < error);
    }
}

#[test]
fn loading_keeps_gradients_on() {
    let bytes = encode(&model(1), &no_metadata(), Dtype::F32).expect("encoded");
    let loaded = load(model(2).train(), &bytes).expect("loaded");
    assert!(loaded.head.weight.val().is_require_grad());
}

#[test]
fn differences_are_listed() {
    let mut other = model(1);
    other.blocks.pop();
    other.head = Linear::zeros(3, 4, &mut Init::zeros(&Device::flex()));
    let bytes = encode(&other, &no_metadata(), Dtype::F32).expect("encoded");
    let Err(WeightsError::Mismatch(mismatch)) = load(model(1), &bytes) else {
        panic!("a wrong file was taken");
    };
    assert_eq!(mismatch.missing.len(), 4);
    assert_eq!(mismatch.unexpected, ["head.bias"]);
    assert_eq!(
        mismatch.shapes,
        [("head.weight".to_owned(), vec![5, 3], vec![4, 3])]
    );
}

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn damaged_files_are_refused() {
    let a = r#""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    assert!(read(&file(&format!("{{{a}}}"), 8)).is_ok());
    let cases = [
        (vec![1, 2, 3], "fewer than the eight"),
        (u64::MAX.to_le_bytes().to_vec(), "claims a header"),
        (100u64.to_le_bytes().to_vec(), "ends inside its header"),
        (file("{", 0), "not valid"),
        (file("[]", 0), "not valid"),
        (file(&format!("{{{a}}}"), 7), "ends at byte 8 of 7"),
        (file(&format!("{{{a}}}"), 9), "cover 8 of 9"),
        (file(&format!("{{{a},{a}}}"), 8), "appears twice"),
        (
            file(&format!("{{{a},{}}}", a.replace("\"a\"", "\"b\"")), 8),
            "overlap",
        ),
        (
            file(&format!("{{{}}}", a.replace("[0,8]", "[4,12]")), 12),
            "gap",
        ),
        (
            file(&format!("{{{}}}", a.replace("[0,8]", "[8,0]")), 8),
            "does not fill",
        ),
        (
            file(&format!("{{{}}}", a.replace("[2]", "[3]")), 8),
            "does not fill",
        ),
        (
            file(
                &format!("{{{}}}", a.replace("[2]", "[4611686018427387904,4]")),
                8,
            ),
            "does not fill",
        ),
        (
            file(
                r#"{"a":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}"#,
                0,
            ),
            "does not fill",
        ),
        (
            file(&format!("{{{}}}", a.replace("F32", "I64")), 8),
            "number format",
        ),
        (
            file(&format!("{{{}}}", a.replace("[0,8]", "[-1,8]")), 8),
            "not valid",
        ),
    ];
    for (bytes, part) in cases {
        match read(&bytes) {
            Err(WeightsError::Malformed(what)) => {
                assert!(what.contains(part), "{what:?} does not speak of {part:?}");
            }
            other => panic!("expected a refusal with {part:?}, got {other:?}"),
        }
    }
}

#[test]
fn values_too_large_for_half_precision_are_refused() {
    let mut layer = model(0).head;
    layer.weight = Init::new(0, &Device::flex()).normal([2, 2], 1e6);
    let error = encode(&layer, &no_metadata(), Dtype::F16).expect_err("65504 is the greatest");
    assert!(matches!(error, WeightsError::OutOfRange { .. }));
}
