//! A whole Wan checkpoint in the layout of diffusers, tiny and of random weights (`reference/wan.py`): the program makes
//! of it what the reference makes.

use crate::bad_input::refused;
use crate::support::{Ended, Place};
use kinora_media::{Fps, Reader, read_clip};
use kinora_nn::weights::read;
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kinora-models/tests/fixtures/wan")
}

/// A place with the checkpoint in `wan/`.
fn place() -> Place {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap().path();
            let target = to.join(entry.file_name().unwrap());
            match entry.is_dir() {
                true => copy(&entry, &target),
                false => drop(fs::copy(&entry, &target).unwrap()),
            }
        }
    }
    let place = Place::new();
    copy(&fixtures().join("tiny"), &place.path("wan"));
    place
}

const CLIP: [&str; 10] = [
    "--model",
    "wan",
    "--size",
    "48x32",
    "--frames",
    "9",
    "--steps",
    "4",
    "--guidance",
    "4",
];

fn done(place: &Place, args: &[&str]) -> Ended {
    let ended = place.run(args);
    assert_eq!(ended.status, Some(0), "{args:?}: {}", ended.stderr);
    ended
}

fn frames(place: &Place, name: &str) -> Vec<Vec<u8>> {
    let reader = Reader {
        fps: Fps::new(16, 1).unwrap(),
        max_frames: 100,
        ffmpeg: None,
    };
    read_clip(&place.path(name), &reader).unwrap().into_frames()
}

#[test]
fn a_whole_run_is_that_of_diffusers() {
    let place = place();
    let noise = fixtures().join("noise.safetensors");
    let prompt = "A red fox  runs through the snow.";
    let ask = ["generate", prompt, "--negative", "blurry", "-o", "out/"];
    let from = ["--init-latents", noise.to_str().unwrap()];
    done(&place, &[&ask[..], &CLIP, &from].concat());
    let bytes = fs::read(fixtures().join("frames.safetensors")).unwrap();
    let wanted = read(&bytes).unwrap().tensors["frames"].to_f32();
    let found: Vec<f32> = frames(&place, "out")
        .concat()
        .into_iter()
        .map(f32::from)
        .collect();
    assert_eq!(found.len(), wanted.len());
    let most = found
        .iter()
        .zip(&wanted)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(most <= 1.0, "a value is off by {most} of 255");
}

#[test]
fn the_repertoire_works_without_training_for_it() {
    let place = place();
    let prompt = ["--prompt", "a red fox", "--seed", "3", "--steps", "3"];
    done(
        &place,
        &[
            &["generate", "a red fox", "--seed", "1", "-o", "clip/"],
            &CLIP[..],
        ]
        .concat(),
    );
    let source = frames(&place, "clip");
    let more = [
        "extend",
        "clip",
        "--seconds",
        "0.3",
        "--model",
        "wan",
        "--fps",
        "16",
        "-o",
        "more/",
    ];
    done(&place, &[&more[..], &prompt].concat());
    let longer = frames(&place, "more");
    assert!(longer.len() > source.len());
    assert_eq!(
        longer[..source.len()],
        source,
        "what is given stays, pixel for pixel"
    );
    let edit = [
        "edit",
        "clip",
        "--mask",
        "16,0,16,16",
        "--model",
        "wan",
        "-o",
        "edited/",
    ];
    done(&place, &[&edit[..], &prompt].concat());
    let edited = frames(&place, "edited");
    let at = |frame: &[u8], x: usize, y: usize| frame[(y * 48 + x) * 3];
    assert!(
        source
            .iter()
            .zip(&edited)
            .all(|(a, b)| at(a, 40, 20) == at(b, 40, 20))
    );
    assert_ne!(source, edited);
}

#[test]
fn a_checkpoint_is_described_and_told_in_the_films_words() {
    let place = place();
    let shown = done(&place, &["models", "--json", "show", "wan"]).json();
    assert_eq!(shown["defaults"]["sampler"], "unipc");
    assert_eq!(shown["defaults"]["shift"], 3.0);
    let told = done(
        &place,
        &[
            "generate",
            "a fox",
            "--lens",
            "fisheye",
            "--model",
            "wan",
            "--show-prompt",
        ],
    );
    assert_eq!(told.stdout, b"a fox, fisheye lens\n");
}

#[test]
fn broken_checkpoints_are_refused_in_a_sentence() {
    let place = place();
    let ask = || place.run(&[&["generate", "a fox", "-o", "out.mp4"], &CLIP[..]].concat());
    let spoil = |file: &str, text: &str, says: &str| {
        let path = place.path("wan").join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        let ended = ask();
        refused(&place, &ended, 2, says);
        fs::write(&path, whole).unwrap();
    };
    spoil("transformer/config.json", "{}", "transformer/config.json");
    spoil("vae/config.json", "[", "vae/config.json");
    spoil("tokenizer/tokenizer.json", "{}", "tokenizer");
    spoil(
        "transformer/diffusion_pytorch_model.safetensors",
        "short",
        "transformer",
    );
    let index = fs::read_to_string(place.path("wan/model_index.json")).unwrap();
    let two = index.replace("\"expand_timesteps\": false", "\"expand_timesteps\": true");
    assert_ne!(two, index);
    spoil("model_index.json", &two, "TI2V is not supported yet");
    fs::remove_file(place.path("wan/vae/diffusion_pytorch_model.safetensors")).unwrap();
    refused(&place, &ask(), 2, ".safetensors");
    let odd = place.run(&[
        "generate", "a fox", "--model", "wan", "--size", "40x32", "-o", "out.mp4",
    ]);
    refused(&place, &odd, 2, "");
}
