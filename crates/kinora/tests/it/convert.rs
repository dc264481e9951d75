//! Weight files in another precision, written by the program and used by it.

use crate::support::Place;
use crate::wan::{done, frames, place_of, run};
use std::fs;

/// Puts `network` of the checkpoint in `wan/` into another file that ends so, in the place of its own.
fn convert(place: &Place, network: &str, ending: &str, to: &str) -> serde_json::Value {
    let folder = place.path(&format!("wan/{network}"));
    let name = format!("new.{ending}");
    let source = folder.to_str().unwrap();
    let told = done(
        place,
        &["convert", source, "-o", &name, "--to", to, "--json"],
    )
    .json();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|e| e == "safetensors" || e == "gguf")
        {
            fs::remove_file(path).unwrap();
        }
    }
    fs::rename(place.path(&name), folder.join(&name)).unwrap();
    told
}

const SIZE: [&str; 4] = ["--size", "48x32", "--frames", "9"];

/// The mean difference of two clips, of 255. The tiny autoencoder's norms of one channel are signs, so that single values
/// jump.
fn mean_off(found: &[Vec<u8>], wanted: &[Vec<u8>]) -> f32 {
    let (found, wanted) = (found.concat(), wanted.concat());
    assert_eq!(found.len(), wanted.len());
    let pairs = found.iter().zip(&wanted);
    pairs.map(|(a, b)| f32::from(a.abs_diff(*b))).sum::<f32>() / found.len() as f32
}

#[test]
fn a_checkpoint_generates_in_every_precision() {
    let exact = place_of("tiny");
    run(&exact, "tiny", &SIZE);
    let exact = frames(&exact, "out");
    for (ending, to, most) in [
        ("gguf", "f32", 0.0),
        ("safetensors", "f16", 2.0),
        ("gguf", "bf16", 4.0),
        ("gguf", "q8_0", 4.0),
        ("gguf", "Q4_0", 16.0),
    ] {
        let place = place_of("tiny");
        let told = convert(&place, "transformer", ending, to);
        assert_eq!(told["is"], "Wan transformer, width 24, 3 latent channels");
        let text = convert(&place, "text_encoder", ending, to);
        for network in [told, text] {
            let format = to.to_uppercase();
            assert!(
                network["precision"][&format].as_u64() > Some(500),
                "{network}"
            );
        }
        run(&place, "tiny", &SIZE);
        let off = mean_off(&frames(&place, "out"), &exact);
        assert!(off <= most, "{to}: off by {off} of 255 on average");
    }
}

#[test]
fn what_can_not_be_converted_is_told() {
    let place = place_of("tiny");
    let source = "wan/transformer/diffusion_pytorch_model.safetensors";
    let whole = place.bytes(source);
    fs::write(place.path("cut.safetensors"), &whole[..whole.len() / 2]).unwrap();
    fs::create_dir(place.path("twice")).unwrap();
    for name in ["twice/a.safetensors", "twice/b.safetensors"] {
        fs::write(place.path(name), &whole).unwrap();
    }
    fs::write(place.path("out.gguf"), "before").unwrap();
    for (source, out, to, says) in [
        (source, "out.bin", "f16", ".safetensors nor in .gguf"),
        (source, "out.safetensors", "q8_0", "can't be written"),
        (source, "out.gguf", "q9_9", "q9_9"),
        (source, "no/out.gguf", "f16", "does not exist"),
        ("gone.safetensors", "out.gguf", "f16", "gone.safetensors"),
        ("cut.safetensors", "out.gguf", "f16", "damaged"),
        ("twice", "out.gguf", "f16", "in several files"),
        (
            "wan/scheduler",
            "out.gguf",
            "f16",
            "no .safetensors or .gguf",
        ),
    ] {
        let ended = place.run(&["convert", source, "-o", out, "--to", to]);
        assert_eq!(ended.status, Some(2), "{out} {to}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    assert_eq!(place.bytes("out.gguf"), b"before");
    assert!(!place.path("out.safetensors").exists() && !place.path("out.gguf.partial").exists());
}
