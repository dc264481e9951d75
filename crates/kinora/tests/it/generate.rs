//! What `generate` makes: the same again, in every kind of file, under the right name, or nothing at all.

use crate::support::Place;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn the_same_command_gives_the_same_bytes_and_like_repeats_them() {
    let place = Place::new();
    for name in ["fox.mp4", "fox.gif"] {
        place.generate(&[
            "-o",
            name,
            "--guidance",
            "4.2",
            "--fps",
            "24000/1001",
            "--negative",
            "a cat",
        ]);
        let first = place.bytes(name);
        place.generate(&[
            "-o",
            name,
            "--guidance",
            "4.2",
            "--fps",
            "24000/1001",
            "--negative",
            "a cat",
        ]);
        assert_eq!(place.bytes(name), first, "{name}");
        let again = format!("again-{name}");
        let ended = place.run(&["generate", "--like", name, "--model", "tiny", "-o", &again]);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert_eq!(place.bytes(&again), first, "{again}");
    }
    let ended = place.run(&[
        "generate",
        "--like",
        "fox.mp4",
        "--model",
        "tiny",
        "--seed",
        "8",
        "-o",
        "other.mp4",
    ]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let recipe = |name| place.run(&["inspect", name, "--json"]).json()["recipe"].clone();
    let (mut first, other) = (recipe("fox.mp4"), recipe("other.mp4"));
    first["seed"] = 8.into();
    assert_eq!(first, other);
}

#[test]
fn inspect_tells_the_recipe() {
    let place = Place::new();
    place.generate(&["-o", "fox.mp4", "--steps", "2"]);
    let json = place.run(&["inspect", "fox.mp4", "--json"]).json();
    assert_eq!(
        (json["kind"].as_str(), json["frames"].as_u64()),
        (Some("mp4"), Some(6))
    );
    let recipe = &json["recipe"];
    assert_eq!(recipe["prompt"], "a red fox runs");
    assert_eq!(
        (recipe["seed"].as_u64(), recipe["steps"].as_u64()),
        (Some(7), Some(2))
    );
    assert_eq!(
        (recipe["sampler"].as_str(), recipe["model"]["name"].as_str()),
        (Some("ab2"), Some("tiny"))
    );
    let shown = String::from_utf8(place.run(&["inspect", "fox.mp4"]).stdout).unwrap();
    assert!(
        shown.starts_with("mp4, 64x32, 6 frames at 12 a second\n")
            && shown.contains("a red fox runs"),
        "{shown}"
    );
}

#[test]
fn every_kind_of_output() {
    let place = Place::new();
    place.generate(&["-o", "frames/"]);
    assert_eq!(
        fs::read_dir(place.path("frames")).unwrap().count(),
        6 + 1,
        "six frames and the recipe"
    );
    place.generate(&["-o", "still.png", "--frames", "1"]);
    assert_eq!(
        place.run(&["inspect", "still.png", "--json"]).json()["recipe"]["frames"],
        1
    );
    place.generate(&["-o", "fox.mp4"]);
    let piped = place.generate(&["-o", "-"]);
    assert_eq!(piped.stdout, place.bytes("fox.mp4"));
    let seconds = place
        .generate(&["-o", "long.mp4", "--seconds", "1", "--fps", "8", "--json"])
        .json();
    assert_eq!(seconds["clips"][0]["recipe"]["frames"], 8);
    assert_eq!(seconds["clips"][0]["file"], "long.mp4");
}

#[test]
fn count_numbers_the_files_and_the_seeds() {
    let place = Place::new();
    place.generate(&["-o", "fox.mp4", "--count", "3"]);
    assert_eq!(place.names(), ["fox-1.mp4", "fox-2.mp4", "fox-3.mp4"]);
    let ended = place.run(&[
        "generate",
        "a red fox runs",
        "--model",
        "tiny",
        "--seed",
        "9",
        "-o",
        "one.mp4",
    ]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(place.bytes("one.mp4"), place.bytes("fox-3.mp4"));
}

#[test]
fn without_a_name_the_prompt_gives_one_and_nothing_is_replaced() {
    let place = Place::new();
    let name = |ended: crate::support::Ended| String::from_utf8(ended.stdout).unwrap();
    assert_eq!(name(place.generate(&[])), "a-red-fox-runs-7.mp4\n");
    assert_eq!(name(place.generate(&[])), "a-red-fox-runs-7-2.mp4\n");
    assert_eq!(
        name(place.generate(&["--frames", "1"])),
        "a-red-fox-runs-7.png\n"
    );
}

#[test]
fn saved_latents_decode_to_the_same_frames() {
    let place = Place::new();
    place.generate(&["-o", "first/", "--save-latents", "latents"]);
    place.generate(&["-o", "again/", "--init-latents", "latents"]);
    for frame in 1002..=1006 {
        let name = format!("frame.{frame}.png");
        assert_eq!(
            place.bytes(&format!("again/{name}")),
            place.bytes(&format!("first/{name}"))
        );
    }
    // The recipe remembers the latents, and does without them no more.
    let ended = place.run(&[
        "generate", "--like", "again/", "--model", "tiny", "-o", "third/",
    ]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("--init-latents"), "{}", ended.stderr);
    place.generate(&[
        "--like",
        "again/",
        "-o",
        "third/",
        "--init-latents",
        "latents",
    ]);
    assert_eq!(
        place.bytes("third/recipe.json"),
        place.bytes("again/recipe.json")
    );
}

#[test]
fn unknown_words_are_named() {
    let place = Place::new();
    let ended = place.run(&[
        "generate",
        "a Zebra, a fox",
        "--model",
        "tiny",
        "-o",
        "fox.mp4",
    ]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("leaves them out: Zebra\n"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.lines().any(|line| line.starts_with("seed ")),
        "a chosen seed is told: {}",
        ended.stderr
    );
}

#[test]
fn the_card_of_a_folder_is_shown() {
    let place = Place::new();
    assert_eq!(
        place.run(&["models", "show", "tiny"]).stdout,
        b"# tiny\nRandom weights.\n"
    );
}

#[test]
#[cfg(unix)]
fn ctrl_c_stops_and_leaves_nothing() {
    let place = Place::new();
    let args = [
        "generate", "a fox", "--model", "tiny", "--steps", "1000", "--frames", "401", "--size",
        "128x128",
    ];
    let mut child = place
        .command(&[&args[..], &["-o", "out.mp4"]].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap(); // the seed: the work begins now
    assert!(line.starts_with("seed "), "{line}");
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(place.names().is_empty(), "{:?}", place.names());
}
