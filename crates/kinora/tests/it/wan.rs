//! A whole Wan checkpoint in the layout of diffusers, tiny and of random weights (`reference/wan.py`): the program makes
//! of it what the reference makes.

use crate::bad_input::refused;
use crate::support::{Ended, Place};
use kinora_media::{Fps, Reader, read_clip};
use kinora_nn::weights::read;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kinora-models/tests/fixtures/wan")
}

/// A place with a checkpoint of the fixtures in `wan/`.
pub fn place_of(name: &str) -> Place {
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
    copy(&fixtures().join(name), &place.path("wan"));
    place
}

fn place() -> Place {
    place_of("tiny")
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

pub fn done(place: &Place, args: &[&str]) -> Ended {
    let ended = place.run(args);
    assert_eq!(ended.status, Some(0), "{args:?}: {}", ended.stderr);
    ended
}

pub fn frames(place: &Place, name: &str) -> Vec<Vec<u8>> {
    let reader = Reader {
        fps: Fps::new(16, 1).unwrap(),
        max_frames: 100,
        ffmpeg: None,
    };
    read_clip(&place.path(name), &reader).unwrap().into_frames()
}

/// The largest difference from the frames that the reference made, of 255, from frame `from` on.
pub fn off(place: &Place, out: &str, name: &str, which: &str, from: usize) -> f32 {
    off_within(place, out, name, which, from..usize::MAX)
}

/// The same of frames `within` alone.
pub fn off_within(place: &Place, out: &str, name: &str, which: &str, within: Range<usize>) -> f32 {
    let bytes = fs::read(fixtures().join(format!("{name}-frames.safetensors"))).unwrap();
    let wanted = read(&bytes).unwrap().tensors[which].to_f32();
    let found = frames(place, out);
    let size = found[0].len();
    let found: Vec<f32> = found.concat().into_iter().map(f32::from).collect();
    assert_eq!(found.len(), wanted.len());
    let pairs = found.chunks(size).zip(wanted.chunks(size)).enumerate();
    pairs
        .filter(|(frame, _)| within.contains(frame))
        .flat_map(|(_, (a, b))| a.iter().zip(b))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// Runs a checkpoint of the fixtures from the reference's own noise, into `out/`.
pub fn run(place: &Place, name: &str, flags: &[&str]) {
    let noise = fixtures().join(format!("{name}-noise.safetensors"));
    let prompt = "A red fox  runs through the snow.";
    let ask = [
        "generate",
        prompt,
        "--negative",
        "blurry",
        "--model",
        "wan",
        "-o",
        "out/",
    ];
    let how = [
        "--steps",
        "4",
        "--guidance",
        "4",
        "--init-latents",
        noise.to_str().unwrap(),
    ];
    done(place, &[&ask[..], &how, flags].concat());
}

#[test]
fn whole_runs_are_those_of_diffusers() {
    for (name, flags) in [
        ("tiny", &["--size", "48x32", "--frames", "9"][..]),
        (
            "tiny-a14b",
            &["--size", "32x32", "--frames", "5", "--guidance-2", "3"],
        ),
        ("tiny-ti2v", &["--size", "64x32", "--frames", "9"]),
    ] {
        let place = place_of(name);
        run(&place, name, flags);
        let most = off(&place, "out", name, "frames", 0);
        assert!(most <= 1.0, "{name}: a value is off by {most} of 255");
    }
}

#[test]
fn a_first_picture_is_given_as_diffusers_gives_it() {
    let (name, first) = ("tiny-ti2v", fixtures().join("tiny-ti2v-first.png"));
    let place = place_of(name);
    let size = ["--size", "64x32", "--frames", "9", "--strength", "1"];
    run(
        &place,
        name,
        &[&size[..], &["--image", first.to_str().unwrap()]].concat(),
    );
    // The picture itself stays as it is, and what coding lost of it fades out over the frames after it.
    assert_eq!(frames(&place, "out")[0], {
        fs::copy(&first, place.path("first.png")).unwrap();
        frames(&place, "first.png").concat()
    });
    let most = off(&place, "out", name, "from_image", 6);
    assert!(most <= 1.0, "a value is off by {most} of 255");
}

#[test]
fn weights_without_room_are_read_again_to_the_same_bytes() {
    let place = place_of("tiny-a14b");
    let clip = |out: &str, flags: &[&str]| {
        let ask = ["generate", "a fox", "--seed", "1", "-o", out];
        let how = ["--model", "wan", "--size", "32x32", "--frames", "5"];
        let steps = ["--steps", "4"];
        place.run(&[&ask[..], &how, &steps, flags].concat())
    };
    assert_eq!(clip("free.mp4", &[]).status, Some(0));
    // What is always needed; a byte more than that leaves room for no weight.
    let ended = clip("none.mp4", &["--max-memory", "1MB"]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    let need = ended.stderr.split("about ").nth(1).unwrap();
    let need = need.split(" MB").next().unwrap().parse::<u64>().unwrap() + 1;
    let tight = clip("tight.mp4", &["--max-memory", &format!("{need}MB")]);
    assert_eq!(tight.status, Some(0), "{}", tight.stderr);
    assert_eq!(place.bytes("free.mp4"), place.bytes("tight.mp4"));
    let ended = clip("odd.mp4", &["--max-memory", "much"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("6GB"), "{}", ended.stderr);
}

#[test]
fn what_is_given_stands_beside_the_latent_of_an_image_to_video_model() {
    let name = "tiny-i2v";
    let place = place_of(name);
    let picture = |which: &str| fixtures().join(format!("{name}-{which}.png"));
    let (first, last) = (picture("first"), picture("last"));
    let (first, last) = (first.to_str().unwrap(), last.to_str().unwrap());
    let flags = [
        "--size",
        "32x32",
        "--frames",
        "17",
        "--strength",
        "1",
        "--image",
        first,
    ];
    run(&place, name, &flags);
    // Given frames stay as they are, and what coding lost of them fades out over their neighbours.
    let most = off(&place, "out", name, "first", 6);
    assert!(most <= 1.0, "a value is off by {most} of 255");
    fs::remove_dir_all(place.path("out")).unwrap();
    run(
        &place,
        name,
        &[&flags[..], &["--last-image", last]].concat(),
    );
    let most = off_within(&place, "out", name, "both", 6..11);
    assert!(most <= 1.0, "a value is off by {most} of 255");
    let with_both = frames(&place, "out");
    fs::remove_dir_all(place.path("out")).unwrap();
    run(&place, name, &flags[..6]);
    assert_ne!(frames(&place, "out"), with_both);
    let config = place.path("wan/transformer/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("\"image_dim\": null", "\"image_dim\": 1280"),
    )
    .unwrap();
    let ended = place.run(&["generate", "a fox", "--model", "wan", "-o", "out.mp4"]);
    fs::remove_dir_all(place.path("out")).unwrap();
    refused(&place, &ended, 2, "picture encoder");
}

#[test]
fn a_transformer_in_gguf_takes_the_others_place() {
    let place = place();
    let file = "diffusion_pytorch_model.safetensors";
    fs::remove_file(place.path("wan/transformer").join(file)).unwrap();
    fs::copy(
        fixtures().join("tiny.gguf"),
        place.path("wan/transformer/tiny.gguf"),
    )
    .unwrap();
    run(&place, "tiny", &["--size", "48x32", "--frames", "9"]);
    let most = off(&place, "out", "tiny", "frames", 0);
    assert!(most <= 1.0, "a value is off by {most} of 255");
}

#[test]
fn weights_are_told_from_their_headers() {
    let place = place();
    let found = done(&place, &["inspect", "wan", "--json"]).json();
    let is = |at: usize| found["networks"][at]["is"].as_str().unwrap().to_owned();
    assert_eq!(is(0), "Wan transformer, width 24, 3 latent channels");
    assert_eq!(is(1), "umT5 text encoder, 44 tokens of width 16");
    assert_eq!(is(2), "Wan 2.1 autoencoder");
    assert_eq!(found["networks"][0]["layout"], "diffusers");
    assert_eq!(found["missing"], serde_json::json!([]));
    fs::remove_file(place.path("wan/tokenizer/tokenizer.json")).unwrap();
    let found = done(&place, &["inspect", "wan", "--json"]).json();
    assert_eq!(found["missing"][0], "tokenizer/tokenizer.json");
    let file = fixtures().join("tiny.gguf");
    let shown = done(&place, &["inspect", file.to_str().unwrap()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("names of original") && shown.contains("M in F32"),
        "{shown}"
    );
    fs::write(place.path("cut.gguf"), &fs::read(&file).unwrap()[..900]).unwrap();
    let cut = place.run(&["inspect", "cut.gguf"]);
    assert_eq!(cut.status, Some(2), "{}", cut.stderr);
}

#[test]
fn finished_latents_and_given_pictures_are_refused_together() {
    let place = place();
    let ask = ["generate", "a fox", "--seed", "1"];
    let keep = ["--save-latents", "kept.safetensors", "-o", "clip/"];
    done(&place, &[&ask[..], &keep, &CLIP].concat());
    let first = fixtures().join("tiny-ti2v-first.png");
    let both = [
        "--init-latents",
        "kept.safetensors",
        "--image",
        first.to_str().unwrap(),
    ];
    let ended = place.run(&[&ask[..], &both, &["-o", "out/"], &CLIP].concat());
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("must be noise"), "{}", ended.stderr);
    assert!(!place.path("out").exists());
}

#[test]
fn guidance_and_blocks_can_be_left_out_at_steps() {
    for (name, size) in [("tiny", "48x32"), ("tiny-a14b", "32x32")] {
        let place = place_of(name);
        let made = |out: &str, flags: &[&str]| {
            let ask = [
                "generate",
                "a red fox",
                "--seed",
                "1",
                "--model",
                "wan",
                "-o",
            ];
            let how = ["--size", size, "--frames", "9", "--steps", "6"];
            done(&place, &[&ask[..], &[out], &how, flags].concat());
            frames(&place, out)
        };
        let plain = made("plain/", &["--guidance", "4"]);
        let alone = made("alone/", &["--guidance", "1"]);
        let spanned = |out, span| made(out, &["--guidance", "4", "--guidance-span", span]);
        assert_eq!(spanned("all/", "0..1"), plain);
        assert_eq!(spanned("none/", "1..1"), alone);
        let some = spanned("some/", "0.3..0.7");
        assert!(some != plain && some != alone);
        let cached = |out, change| made(out, &["--guidance", "4", "--step-cache", change]);
        assert_eq!(cached("exact/", "0"), plain);
        let near = cached("near/", "1");
        assert!(near != plain, "no step was left out");
        // Both are in the recipe.
        done(
            &place,
            &[
                "generate", "--like", "near", "-o", "again/", "--model", "wan",
            ],
        );
        assert_eq!(frames(&place, "again"), near);
    }
    let place = place();
    let ask = [
        "generate",
        "a fox",
        "-o",
        "out.mp4",
        "--guidance-span",
        "0.8..0.2",
    ];
    refused(&place, &place.run(&[&ask[..], &CLIP].concat()), 2, "span");
}

#[test]
fn the_transformers_file_stands_for_its_folder() {
    let place = place();
    let ask = |model, out| {
        let ask = [
            "generate", "a fox", "--seed", "1", "--model", model, "-o", out,
        ];
        let how = [
            "--size",
            "48x32",
            "--frames",
            "5",
            "--steps",
            "2",
            "--precision",
            "f32",
        ];
        place.run(&[&ask[..], &how].concat())
    };
    let file = "wan/transformer/diffusion_pytorch_model.safetensors";
    fs::remove_file(place.path("wan/model_index.json")).unwrap();
    assert_eq!(ask("wan", "folder/").status, Some(0));
    // Another transformer beside it: the one that is named counts.
    fs::copy(fixtures().join("tiny.gguf"), place.path("wan/other.gguf")).unwrap();
    refused(&place, &ask("wan", "out/"), 2, "two of a kind");
    let named = ask(file, "file/");
    assert_eq!(named.status, Some(0), "{}", named.stderr);
    assert_eq!(frames(&place, "file"), frames(&place, "folder"));
    let vae = "wan/vae/diffusion_pytorch_model.safetensors";
    refused(&place, &ask(vae, "out/"), 2, "no transformer");
    refused(&place, &ask("wann", "out/"), 2, "kinora pull");
}

#[test]
fn a_second_guidance_is_for_two_transformers() {
    let place = place();
    let ask = ["generate", "a fox", "--guidance-2", "3", "-o", "out.mp4"];
    let ended = place.run(&[&ask[..], &CLIP].concat());
    refused(&place, &ended, 2, "one transformer");
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
    let two = index.replace("\"boundary_ratio\": null", "\"boundary_ratio\": 0.875");
    assert_ne!(two, index);
    spoil("model_index.json", &two, "transformer_2");
    fs::remove_file(place.path("wan/vae/diffusion_pytorch_model.safetensors")).unwrap();
    refused(&place, &ask(), 2, ".safetensors");
    let odd = place.run(&[
        "generate", "a fox", "--model", "wan", "--size", "40x32", "-o", "out.mp4",
    ]);
    refused(&place, &odd, 2, "");
}
