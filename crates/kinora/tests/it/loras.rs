//! `--lora`: the reference's frames, the recipe, few steps, and what is refused.

use crate::bad_input::refused;
use crate::support::{Ended, Place};
use crate::wan::{done, fixtures, off, place_of, run};
use std::fs;

fn place(name: &str) -> Place {
    let place = place_of(name);
    for lora in ["film.safetensors", "night.safetensors"] {
        fs::copy(fixtures().join(lora), place.path(lora)).unwrap();
    }
    place
}

const SIZE: [&str; 4] = ["--size", "48x32", "--frames", "9"];
const BOTH: [&str; 4] = [
    "--lora",
    "film.safetensors:0.5",
    "--lora",
    "night.safetensors:-1.5",
];

fn ask(place: &Place, more: &[&str]) -> Ended {
    let ask = ["generate", "a fox", "--seed", "7", "--model", "wan"];
    place.run(&[&ask[..], &["--size", "32x32", "--frames", "1"], more].concat())
}

fn asked(place: &Place, more: &[&str]) -> Ended {
    let ended = ask(place, more);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended
}

#[test]
fn two_loras_give_the_frames_of_the_reference() {
    let place = place("tiny");
    run(&place, "tiny", &[&SIZE[..], &BOTH].concat());
    let most = off(&place, "out", "tiny-loras", "frames", 0);
    assert!(most <= 1.0, "a value is off by {most} of 255");
}

#[test]
fn a_recipe_keeps_its_loras() {
    let place = place("tiny");
    asked(
        &place,
        &[&["--steps", "2", "-o", "a.png"], &BOTH[..]].concat(),
    );
    asked(&place, &["--steps", "2", "-o", "plain.png"]);
    let recipe = done(&place, &["inspect", "a.png", "--json"]).json();
    let loras = &recipe["recipe"]["model"]["loras"];
    assert_eq!(loras[0]["file"], "film.safetensors");
    assert_eq!(loras[1]["weight"], -1.5);
    let like = ["generate", "--like", "a.png"];
    done(&place, &[&like[..], &["-o", "b.png"]].concat());
    assert_eq!(place.bytes("a.png"), place.bytes("b.png"));
    assert_ne!(place.bytes("a.png"), place.bytes("plain.png"));
    fs::copy(
        place.path("night.safetensors"),
        place.path("film.safetensors"),
    )
    .unwrap();
    let ended = place.run(&[&like[..], &["-o", "out.png"]].concat());
    refused(&place, &ended, 2, "with the LoRA film.safetensors");
}

#[test]
fn a_distillation_brings_its_settings() {
    let place = place("tiny");
    let name = "wan_lightx2v_4steps.safetensors";
    fs::copy(place.path("film.safetensors"), place.path(name)).unwrap();
    let ended = asked(&place, &["--lora", name, "-o", "a.png"]);
    assert!(
        ended.stderr.contains("paints in few steps"),
        "{}",
        ended.stderr
    );
    let made = done(&place, &["inspect", "a.png", "--json"]).json();
    let of = |key: &str| made["recipe"][key].clone();
    assert_eq!(
        (of("steps"), of("guidance"), of("shift")),
        (4.into(), 1.0.into(), 5.0.into())
    );
    assert_eq!(of("sampler"), "euler");
    let flags = ["--steps", "3", "--shift", "8", "--sampler", "unipc"];
    asked(
        &place,
        &[&["--lora", name, "-o", "b.png"], &flags[..]].concat(),
    );
    let made = done(&place, &["inspect", "b.png", "--json"]).json();
    let of = |key: &str| made["recipe"][key].clone();
    assert_eq!(
        (of("steps"), of("guidance"), of("shift")),
        (3.into(), 1.0.into(), 8.0.into())
    );
}

#[test]
fn a_lora_goes_to_the_expert_that_it_is_for() {
    let place = place("tiny-a14b");
    let paint = |lora: &str, out: &str| {
        let flags = ["--steps", "8", "--lora", lora, "-o", out];
        asked(&place, &flags);
        crate::wan::frames(&place, out)
    };
    let file = |name: &str| fs::copy(place.path("film.safetensors"), place.path(name)).unwrap();
    file("film_low_noise.safetensors");
    let [both, high, low, named] = [
        paint("film.safetensors", "both.png"),
        paint("film.safetensors@high", "high.png"),
        paint("film.safetensors:1@low", "low.png"),
        paint("film_low_noise.safetensors", "named.png"),
    ];
    assert_eq!(low, named);
    assert!(both != high && both != low && high != low);
}

#[test]
fn what_no_lora_can_be_added_with_is_refused() {
    let place = place("tiny");
    let refuse = |flags: &[&str], says: &str| {
        let ended = ask(&place, &[flags, &["-o", "out.png"]].concat());
        refused(&place, &ended, 2, says);
    };
    refuse(
        &["--lora", "nowhere.safetensors"],
        "the LoRA nowhere.safetensors can't be read",
    );
    refuse(&["--lora", "film.safetensors@low"], "one transformer");
    refuse(&["--lora", "film.safetensors:0"], "changes nothing");
    fs::copy(
        fixtures().join("lora-comfy.safetensors"),
        place.path("wide.safetensors"),
    )
    .unwrap();
    refuse(
        &["--lora", "wide.safetensors"],
        "is [32, 32] and the transformer's [24, 24]",
    );
    let ended = place.run(&[
        "generate",
        "a fox",
        "--model",
        "tiny",
        "--lora",
        "film.safetensors",
        "-o",
        "out.png",
    ]);
    refused(&place, &ended, 2, "takes no LoRA");
    let shown = done(&place, &["inspect", "film.safetensors"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("LoRA of rank 2 for Wan, a transformer 24 wide"),
        "{shown}"
    );
}
