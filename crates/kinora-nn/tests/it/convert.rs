//! Weight files written anew: in the reference's blocks, within the bound of each format, whole or not at all.

use kinora_nn::weights::{Container, Conversion, Dtype, Encoding, WeightsError, read};
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use tempfile::TempDir;

const F32: Encoding = Encoding::Plain(Dtype::F32);
const F16: Encoding = Encoding::Plain(Dtype::F16);
const BF16: Encoding = Encoding::Plain(Dtype::Bf16);

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::read(folder.join(name)).unwrap()
}

/// A safetensors file of f32 with these tensors.
fn file(tensors: &[(&str, &[usize], Vec<f32>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    header.insert(
        "__metadata__".into(),
        serde_json::json!({ "from": "a test" }),
    );
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let entry = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert((*name).into(), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &data,
    ]
    .concat()
}

/// Numbers of all signs, whose largest in 32 are from one to a thirtieth.
fn numbers(count: usize) -> Vec<f32> {
    let number = |i: usize| {
        let sine = (i as f32 * 12.9898).sin();
        sine * 10f32.powf(-0.5 * (i / 32 % 4) as f32)
    };
    (0..count).map(number).collect()
}

fn converted(
    bytes: &[u8],
    container: Container,
    encoding: Encoding,
) -> Result<Vec<u8>, WeightsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    write(bytes, container, encoding, &path)?;
    assert_eq!(names(&folder), ["out"]);
    Ok(fs::read(path).unwrap())
}

fn write(
    bytes: &[u8],
    container: Container,
    encoding: Encoding,
    path: &Path,
) -> Result<(), WeightsError> {
    let conversion = Conversion {
        container,
        encoding,
        delicate: &|name, _| name == "delicate",
        architecture: "test",
    };
    conversion.write(&read(bytes)?, path, &mut |_| ControlFlow::Continue(()))
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn blocks_are_those_that_the_reference_writes() {
    let reference = fixture("formats.gguf");
    let plain = converted(&reference, Container::Safetensors, F32).unwrap();
    for encoding in [Encoding::Q4_0, Encoding::Q5_0, Encoding::Q8_0] {
        let again = converted(&plain, Container::Gguf, encoding).unwrap();
        let name = encoding.name();
        let (again, reference) = (read(&again).unwrap(), read(&reference).unwrap());
        assert_eq!(again.tensors[name].encoding, encoding);
        assert_eq!(
            again.tensors[name].data, reference.tensors[name].data,
            "{name}"
        );
        assert_eq!(again.metadata["general.name"], "formats");
    }
}

#[test]
fn each_format_keeps_its_bound() {
    let values = numbers(64 * 96);
    let source = file(&[("matrix", &[64, 96], values.clone())]);
    // Of a number itself, and of the largest in its block of 32.
    for (encoding, of_number, of_block) in [
        (F32, 0.0, 0.0),
        (F16, 2f32.powi(-11), 1e-7),
        (BF16, 2f32.powi(-8), 0.0),
        (Encoding::Q8_0, 2f32.powi(-11), 0.5 / 127.0),
        (Encoding::Q5_0, 2f32.powi(-11), 1.0 / 16.0),
        (Encoding::Q4_0, 2f32.powi(-11), 1.0 / 8.0),
    ] {
        let bytes = converted(&source, Container::Gguf, encoding).unwrap();
        let found = read(&bytes).unwrap().tensors["matrix"].to_f32();
        assert_eq!(found.len(), values.len());
        let mut worst = 0f32;
        for (found, wanted) in found.chunks(32).zip(values.chunks(32)) {
            let largest = wanted.iter().map(|v| v.abs()).fold(0.0, f32::max);
            for (found, wanted) in found.iter().zip(wanted) {
                let most = of_number * wanted.abs() + of_block * largest * 1.001 + 2f32.powi(-25);
                let error = (found - wanted).abs();
                assert!(error <= most, "{}: {found} for {wanted}", encoding.name());
                worst = worst.max(error / largest);
            }
        }
        let coarse = of_number.max(of_block) > 1e-3;
        assert!(
            !coarse || worst > of_block / 8.0,
            "{}: {worst} is too good",
            encoding.name()
        );
    }
    let zeros = file(&[("matrix", &[1, 32], vec![0.0; 32])]);
    let bytes = converted(&zeros, Container::Gguf, Encoding::Q4_0).unwrap();
    assert_eq!(read(&bytes).unwrap().tensors["matrix"].to_f32(), [0.0; 32]);
}

#[test]
fn what_blocks_would_harm_stays_in_32_bits() {
    let source = file(&[
        ("delicate", &[2, 32], numbers(64)),
        ("kernel", &[2, 2, 32], numbers(128)),
        ("matrix", &[2, 32], numbers(64)),
        ("odd", &[32, 3], numbers(96)),
        ("scalar", &[], vec![0.5]),
        ("vector", &[64], numbers(64)),
    ]);
    let formats = |encoding| {
        let bytes = converted(&source, Container::Gguf, encoding).unwrap();
        let (out, source) = (read(&bytes).unwrap(), read(&source).unwrap());
        assert_eq!(out.metadata["from"], "a test");
        assert_eq!(out.metadata["general.architecture"], "test");
        for (name, tensor) in &out.tensors {
            let wanted = &source.tensors[name];
            assert!(tensor.shape == wanted.shape || name == "scalar", "{name}");
            if tensor.encoding == F32 {
                assert_eq!(tensor.data, wanted.data, "{name}");
            }
        }
        let of = |name: &str| out.tensors[name].encoding;
        ["delicate", "kernel", "matrix", "odd", "scalar", "vector"].map(of)
    };
    assert_eq!(
        formats(Encoding::Q8_0),
        [F32, F32, Encoding::Q8_0, F32, F32, F32]
    );
    assert_eq!(formats(F16), [F16, F16, F16, F16, F32, F32]);
    let plain = converted(&source, Container::Safetensors, BF16).unwrap();
    let plain = read(&plain).unwrap();
    assert!(plain.tensors.values().all(|tensor| tensor.encoding == BF16));
    assert_eq!(
        plain.metadata,
        BTreeMap::from([("from".into(), "a test".into())])
    );
}

#[test]
fn scaled_floats_of_8_bits_are_taken_with_their_scales() {
    let bytes = converted(&fixture("fp8.safetensors"), Container::Safetensors, F32).unwrap();
    let (found, source) = (read(&bytes).unwrap(), fixture("fp8.safetensors"));
    for (name, tensor) in &read(&source).unwrap().tensors {
        let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
        let (found, wanted) = (found.tensors[name].to_f32(), tensor.to_f32());
        assert!(
            found.len() == wanted.len() && found.iter().zip(&wanted).all(same),
            "{name}"
        );
    }
}

#[test]
fn a_failure_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    fs::write(&path, "before").unwrap();
    let with = |value: f32| {
        let mut values = numbers(64);
        values[40] = value;
        file(&[("a", &[2, 32], numbers(64)), ("b", &[2, 32], values)])
    };
    let out_of_range = |value: f32, encoding| {
        let error = write(&with(value), Container::Gguf, encoding, &path).unwrap_err();
        assert!(matches!(error, WeightsError::OutOfRange { .. }), "{error}");
    };
    out_of_range(1e5, F16);
    out_of_range(1e7, Encoding::Q8_0);
    out_of_range(1e6, Encoding::Q4_0);
    out_of_range(f32::NAN, Encoding::Q5_0);
    out_of_range(f32::INFINITY, Encoding::Q8_0);
    for (container, encoding) in [
        (Container::Safetensors, Encoding::Q8_0),
        (Container::Gguf, Encoding::Q4K),
        (Container::Gguf, Encoding::F8E4M3),
    ] {
        let error = write(&with(1.0), container, encoding, &path).unwrap_err();
        assert!(matches!(error, WeightsError::Unwritable(_)), "{error}");
    }
    let source = with(1.0);
    let stopped = Conversion {
        container: Container::Gguf,
        encoding: F16,
        delicate: &|_, _| false,
        architecture: "test",
    };
    let weights = read(&source).unwrap();
    let error = stopped
        .write(&weights, &path, &mut |_| ControlFlow::Break(()))
        .unwrap_err();
    assert!(matches!(error, WeightsError::Stopped));
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(names(&folder), ["out"], "nothing partial is left");
    // Plain floats hold what is not finite.
    write(&with(f32::INFINITY), Container::Gguf, F16, &path).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(
        read(&bytes).unwrap().tensors["b"].to_f32()[40],
        f32::INFINITY
    );
}

#[test]
fn bytes_that_are_no_numbers_stay_as_they_are() {
    let bytes: Vec<u8> = (0..=255).collect();
    let header = serde_json::json!({
        "pieces": { "dtype": "U8", "shape": [256], "data_offsets": [0, 256] },
        "weight": { "dtype": "F32", "shape": [1, 1], "data_offsets": [256, 260] },
    })
    .to_string();
    let length = (header.len() as u64).to_le_bytes();
    let number = 1.5f32.to_le_bytes();
    let file = [&length[..], header.as_bytes(), &bytes, &number].concat();
    for (container, encoding) in [
        (Container::Safetensors, BF16),
        (Container::Gguf, F16),
        (Container::Gguf, Encoding::Q8_0),
    ] {
        let converted = converted(&file, container, encoding).unwrap();
        let found = read(&converted).unwrap();
        assert_eq!(found.tensors["pieces"].encoding, Encoding::U8);
        assert_eq!(found.tensors["pieces"].data, bytes);
        assert_eq!(found.tensors["weight"].to_f32(), [1.5]);
    }
}
