//! Characters: kept, named in prompts, picked among takes, forgotten.

use crate::bad_input::refused;
use crate::support::{Ended, Place};

/// Runs with a data folder of the place's own.
fn run(place: &Place, args: &[&str]) -> Ended {
    let mut command = place.command(args);
    command.env("XDG_DATA_HOME", place.path("data"));
    let output = command.output().expect("the program starts");
    Ended {
        status: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
    }
}

fn done(place: &Place, args: &[&str]) -> Ended {
    let ended = run(place, args);
    assert_eq!(ended.status, Some(0), "{args:?}: {}", ended.stderr);
    ended
}

/// A place with a character called Rusty, from a render of the stage and a picture of another shape.
fn place_with_rusty(more: &[&str]) -> Place {
    let place = Place::new();
    done(
        &place,
        &[
            "stage", "render", "--seed", "7", "--frames", "9", "-o", "shown/",
        ],
    );
    let tall = [
        "--seed", "7", "--size", "64x96", "--frames", "1", "-o", "tall.png",
    ];
    done(&place, &[&["stage", "render"], &tall[..]].concat());
    let from = ["character", "add", "Rusty", "--from", "shown", "tall.png"];
    done(&place, &[&from, more].concat());
    place
}

#[test]
fn a_character_is_described_from_its_pictures_or_in_words() {
    let place = place_with_rusty(&[]);
    let listed = done(&place, &["character", "list", "--json"]).json();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["pictures"]),
        (&"Rusty".into(), &9.into())
    );
    let described = listed[0]["description"].as_str().unwrap();
    assert!(described.starts_with("a"), "{described}");

    done(
        &place,
        &[
            "character",
            "add",
            "Rusty",
            "--from",
            "tall.png",
            "--as",
            "an old fox",
        ],
    );
    let listed = done(&place, &["character", "list", "--json"]).json();
    assert_eq!(
        listed.as_array().unwrap().len(),
        1,
        "it took the first one's place"
    );
    assert_eq!(
        (&listed[0]["description"], &listed[0]["pictures"]),
        (&"an old fox".into(), &1.into())
    );
    done(&place, &["character", "remove", "Rusty"]);
    assert_eq!(
        done(&place, &["character", "list", "--json"]).json(),
        serde_json::json!([])
    );
}

#[test]
fn the_nearest_of_several_takes_is_kept_and_repeats() {
    let place = place_with_rusty(&["--as", "a red fox"]);
    let ask = [
        "generate",
        "Rusty runs, then Rusty runs",
        "--character",
        "Rusty",
        "--model",
        "tiny",
    ];
    let told = done(&place, &[&ask[..], &["--show-prompt"]].concat());
    assert_eq!(told.stdout, b"a red fox runs, then the red fox runs\n");
    let take = ["--seed", "7", "--tries", "3", "-o", "out.gif", "--json"];
    let made = done(&place, &[&ask[..], &take].concat()).json();
    let seed = made["clips"][0]["recipe"]["seed"].as_u64().unwrap();
    assert!((7..10).contains(&seed), "{seed}");
    // The clip needs no character any more.
    place.run(&[
        "generate",
        "--like",
        "out.gif",
        "--model",
        "tiny",
        "-o",
        "again.gif",
    ]);
    assert_eq!(place.bytes("out.gif"), place.bytes("again.gif"));
}

#[test]
fn a_character_is_told_on_later_cards_too() {
    let place = place_with_rusty(&["--as", "a red fox"]);
    let cards = [
        "--card",
        "0s:a forest",
        "--card",
        "1s:Rusty runs",
        "--seconds",
        "2",
    ];
    let ask = [
        "generate",
        "--character",
        "Rusty",
        "--show-prompt",
        "--json",
    ];
    let shown = done(&place, &[&ask[..], &cards].concat()).json();
    assert_eq!(shown["prompt"], "a forest");
    assert_eq!(shown["later"]["12"], "a red fox runs");
}

#[test]
fn characters_that_make_no_sense_are_refused() {
    let place = place_with_rusty(&["--as", "a red fox"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    for (args, says) in [
        (
            &["character", "add", "../up", "--from", "tall.png"][..],
            "one word",
        ),
        (&["character", "add", "Ghost", "--from", "empty"], "empty"),
        (
            &["character", "add", "Ghost", "--from", "none.png"],
            "none.png",
        ),
        (
            &["generate", "a fox", "--character", "Ghost"],
            "known are Rusty",
        ),
        (
            &["generate", "a fox runs", "--character", "Rusty"],
            "does not say what Rusty does",
        ),
        (&["generate", "a fox", "--tries", "3"], "--character"),
        (&["character", "remove", "Ghost"], "known are Rusty"),
    ] {
        let ended = run(&place, args);
        refused(&place, &ended, 2, says);
    }
}

#[test]
fn variations_say_how_much_they_differ() {
    let place = place_with_rusty(&[]);
    let args = [
        "variations",
        "shown",
        "--count",
        "2",
        "--model",
        "tiny",
        "--seed",
        "1",
    ];
    let more = ["--prompt", "a red fox", "-o", "v.gif", "--json"];
    let report = done(&place, &[&args[..], &more].concat()).json();
    let diversity = report["diversity"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&diversity), "{diversity}");
}
