//! Clips from pictures and clips: what is given stays, what is not is painted, and nonsense is refused.

use crate::bad_input::refused;
use crate::support::{Ended, Place};
use kinora_media::{Clip, Fps, Output, Reader, read_clip, write};
use serde_json::{Value, json};

const FOX: [&str; 6] = [
    "--prompt",
    "a red fox runs",
    "--model",
    "tiny",
    "--seed",
    "7",
];

/// A clip of `frames` frames that differ from each other and from pixel to pixel, written as `name`.
fn film(place: &Place, name: &str, [width, height]: [u32; 2], frames: usize, seed: usize) -> Clip {
    let pixel = |f: usize, i: usize| ((i * 37 + f * 11 + seed * 53) % 251) as u8;
    let bytes = (width * height * 3) as usize;
    let frames = (0..frames).map(|f| (0..bytes).map(|i| pixel(f, i)).collect());
    let clip = Clip::new(width, height, Fps::new(12, 1).unwrap(), frames.collect()).unwrap();
    let output = Output::parse(place.path(name)).unwrap();
    write(&clip, &json!({}), &output).unwrap();
    clip
}

fn frames(place: &Place, name: &str) -> Vec<Vec<u8>> {
    let reader = Reader {
        fps: Fps::new(12, 1).unwrap(),
        max_frames: 1000,
        ffmpeg: None,
    };
    read_clip(&place.path(name), &reader).unwrap().into_frames()
}

fn recipe(place: &Place, name: &str) -> Value {
    place.run(&["inspect", name, "--json"]).json()["recipe"].clone()
}

fn done(place: &Place, args: &[&str]) -> Ended {
    let ended = place.run(args);
    assert_eq!(ended.status, Some(0), "{args:?}: {}", ended.stderr);
    ended
}

fn painted(place: &Place, args: &[&str]) -> Ended {
    done(place, &[args, &FOX].concat())
}

#[test]
fn an_extended_clip_keeps_every_pixel_both_ways_and_many_times() {
    let place = Place::new();
    let source = film(&place, "clip", [64, 32], 7, 1);
    painted(
        &place,
        &["extend", "clip", "--seconds", "0.5", "-o", "once/"],
    );
    painted(
        &place,
        &["extend", "once", "--seconds", "4", "-o", "twice/"],
    );
    painted(
        &place,
        &[
            "extend",
            "twice",
            "--seconds",
            "1",
            "--backward",
            "-o",
            "out/",
        ],
    );
    let out = frames(&place, "out");
    assert_eq!(out.len(), 12 + 7 + 6 + 48);
    assert_eq!(out[12..19], source.frames()[..]);
    assert_eq!(out[12..25], frames(&place, "once")[..]);
    assert_eq!(out[12..], frames(&place, "twice")[..]);
    let made_of = &recipe(&place, "out")["source"];
    assert_eq!(made_of["command"], "extend");
    assert_eq!(made_of["options"]["backward"], true);
    assert_eq!(made_of["inputs"][0]["file"], "twice");
    let again = place.run(&[
        "generate", "--like", "out", "--model", "tiny", "-o", "again/",
    ]);
    assert_eq!(again.status, Some(2));
    assert!(
        again.stderr.contains("made by `kinora extend` from twice"),
        "{}",
        again.stderr
    );
}

#[test]
fn the_same_extension_gives_the_same_bytes_at_any_size() {
    let place = Place::new();
    let source = film(&place, "clip.gif", [50, 34], 5, 2);
    let kept = frames(&place, "clip.gif");
    assert_eq!(kept.len(), source.frames().len());
    for name in ["a/", "b/"] {
        painted(
            &place,
            &["extend", "clip.gif", "--seconds", "0.4", "-o", name],
        );
    }
    let a = frames(&place, "a");
    assert_eq!(a, frames(&place, "b"));
    assert_eq!((a.len(), a[0].len()), (10, 50 * 34 * 3));
    assert_eq!(a[..5], kept[..]);
}

#[test]
fn a_loop_ends_before_its_start_and_a_connection_has_both_clips() {
    let place = Place::new();
    let a = film(&place, "a", [64, 32], 9, 3);
    let b = film(&place, "b", [64, 32], 6, 4);
    painted(&place, &["loop", "a", "-o", "loop/"]);
    let loops = frames(&place, "loop");
    assert_eq!(loops.len(), 9 + 12);
    assert_eq!(loops[..9], a.frames()[..]);
    painted(
        &place,
        &["connect", "a", "b", "--seconds", "0.6", "-o", "both/"],
    );
    let both = frames(&place, "both");
    assert_eq!(both.len(), 9 + 8 + 6);
    assert_eq!(both[..9], a.frames()[..]);
    assert_eq!(both[17..], b.frames()[..]);
    // Long gaps are painted in several parts.
    painted(
        &place,
        &["connect", "a", "b", "--seconds", "5", "-o", "far/"],
    );
    assert_eq!(frames(&place, "far").len(), 9 + 60 + 6);
}

#[test]
fn first_and_last_pictures_are_frames_of_the_clip() {
    let place = Place::new();
    let first = film(&place, "first.png", [64, 32], 1, 5);
    let last = film(&place, "last.png", [32, 32], 1, 6);
    let flags = [
        "--image",
        "first.png",
        "--last-image",
        "last.png",
        "--fit",
        "pad",
    ];
    let ended = place.generate(&[&flags[..], &["-o", "out/"]].concat());
    let told = "last.png: padded 32x32 to 64x32: black left and right of the 32x32 picture";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let out = frames(&place, "out");
    assert_eq!((out.len(), &out[0]), (6, &first.frames()[0]));
    let middle = |line: &[u8]| line[16 * 3..48 * 3].to_vec();
    let inside: Vec<u8> = out[5].chunks(64 * 3).flat_map(middle).collect();
    assert_eq!(inside, last.frames()[0]);
    let made_of = recipe(&place, "out")["source"].clone();
    assert_eq!(made_of["inputs"][1]["role"], "last picture");
    assert!(told.ends_with(made_of["inputs"][1]["fitted"].as_str().unwrap()));

    let like = [
        "generate", "--like", "out", "--model", "tiny", "-o", "again/",
    ];
    done(&place, &[&like[..], &flags].concat());
    assert_eq!(frames(&place, "again"), out);
    let without = place.run(&["generate", "--like", "out", "--model", "tiny", "-o", "x/"]);
    assert_eq!(without.status, Some(2));
    assert!(
        without.stderr.contains("made from first picture first.png"),
        "{}",
        without.stderr
    );
}

#[test]
fn an_edit_leaves_what_is_outside_the_mask() {
    let place = Place::new();
    let source = film(&place, "clip", [64, 40], 6, 7);
    let inside = |x: usize, y: usize| (30..50).contains(&x) && (4..30).contains(&y);
    let mut mask = vec![0; 64 * 40 * 3];
    for (i, pixel) in mask.chunks_exact_mut(3).enumerate() {
        pixel.fill(if inside(i % 64, i / 64) { 255 } else { 0 });
    }
    let mask = Clip::new(64, 40, Fps::new(12, 1).unwrap(), vec![mask]).unwrap();
    write(
        &mask,
        &json!({}),
        &Output::parse(place.path("mask.png")).unwrap(),
    )
    .unwrap();
    painted(
        &place,
        &["edit", "clip", "--mask", "mask.png", "-o", "by-file/"],
    );
    painted(
        &place,
        &["edit", "clip", "--mask", "30,4,20,26", "-o", "by-box/"],
    );
    let out = frames(&place, "by-file");
    assert_eq!(out, frames(&place, "by-box"));
    assert_eq!(out.len(), 6);
    let mut changed = 0;
    for (out, source) in out.iter().zip(source.frames()) {
        for (i, (o, s)) in out.chunks(3).zip(source.chunks(3)).enumerate() {
            assert!(o == s || inside(i % 64, i / 64), "pixel {i}");
            changed += usize::from(o != s);
        }
    }
    assert!(changed > 6 * 200, "{changed} pixels are painted");
}

#[test]
fn remixes_of_any_strength_and_numbered_variations() {
    let place = Place::new();
    film(&place, "clip", [64, 32], 6, 8);
    let mut before = frames(&place, "clip");
    for strength in ["0", "0.5", "1"] {
        let name = format!("remix{strength}/");
        painted(
            &place,
            &["remix", "clip", "--strength", strength, "-o", &name],
        );
        let now = frames(&place, &name);
        assert_eq!(now.len(), 6);
        assert_ne!(now, before);
        before = now;
    }
    let ended = painted(
        &place,
        &["variations", "clip", "--count", "2", "--json", "-o", "v/"],
    );
    assert_eq!(ended.json()["clips"][1]["recipe"]["seed"], 8);
    assert_ne!(frames(&place, "v-1"), frames(&place, "v-2"));
}

#[test]
fn cards_hold_from_their_times_on() {
    let place = Place::new();
    let picture = film(&place, "card.png", [64, 32], 1, 9);
    let scene = film(&place, "scene", [64, 32], 4, 10);
    let cards = [
        "--card",
        "0s:a red fox",
        "--card",
        "1s:card.png",
        "--card",
        "18f:a blue cat",
        "--card",
        "2s:scene",
    ];
    let sampling = ["--model", "tiny", "--seed", "7", "--seconds", "3"];
    let args = [&["generate"][..], &cards, &sampling].concat();
    done(&place, &[&args[..], &["-o", "out/"]].concat());
    let out = frames(&place, "out");
    assert_eq!(out.len(), 36);
    assert_eq!(out[12], picture.frames()[0]);
    assert_eq!(out[24..28], scene.frames()[..]);
    let told = recipe(&place, "out");
    assert_eq!(told["prompt"], "a red fox");
    assert_eq!(told["source"]["options"]["cards"]["18"], "a blue cat");
    // Another text changes what comes after it and nothing before.
    let other = args.iter().map(|a| a.replace("a blue cat", "a red cat"));
    let other: Vec<String> = other.chain(["-o".into(), "other/".into()]).collect();
    done(
        &place,
        &other.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let other = frames(&place, "other");
    assert_eq!(out[..18], other[..18]);
    assert_ne!(out[18], other[18]);
}

#[test]
fn a_long_take_is_painted_in_parts() {
    let place = Place::new();
    place.generate(&["--frames", "120", "--steps", "1", "-o", "long.mp4"]);
    assert_eq!(frames(&place, "long.mp4").len(), 120);
    let flags = [
        "--frames",
        "120",
        "--save-latents",
        "out.safetensors",
        "-o",
        "out.mp4",
    ];
    let args = ["generate", "a fox", "--model", "tiny"];
    let ended = place.run(&[&args[..], &flags, &["--seed", "1"]].concat());
    let says = "of up to 49 frames; this one takes 6 parts";
    refused(&place, &ended, 2, says);
}

#[test]
fn a_long_take_shows_the_same_from_end_to_end_without_a_cut() {
    let place = Place::new();
    let take = |prompt: &str, name: &str| {
        let flags = ["--seconds", "5", "--steps", "4", "--seed", "1", "-o", name];
        done(&place, &[&["generate", prompt], &flags[..]].concat());
        frames(&place, name)
    };
    let boat = take("a yellow boat on the sea at sunset", "boat/");
    let knight = take("a medieval knight in a forest at night", "knight/");
    assert_eq!(boat.len(), 60);
    // The mean colours of blocks of 32 x 32 pixels tell a place from another, whatever moves in it.
    let blocks = |frame: &Vec<u8>| {
        let mut sums = [0.0; 4 * 6 * 3];
        for (at, &value) in frame.iter().enumerate() {
            let (x, y, c) = (at / 3 % 192, at / 3 / 192, at % 3);
            sums[(y / 32 * 6 + x / 32) * 3 + c] += f64::from(value) / 1024.0;
        }
        sums
    };
    let apart = |a: &Vec<u8>, b: &Vec<u8>| {
        let (a, b) = (blocks(a), blocks(b));
        let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
        (squares.sum::<f64>() / a.len() as f64).sqrt()
    };
    let (kept, other) = (apart(&boat[0], &boat[59]), apart(&boat[0], &knight[59]));
    assert!(kept < 0.4 * other, "{kept} of {other}");
    // Parts begin at frames 25 and 41.
    let steps: Vec<f64> = boat.windows(2).map(|two| apart(&two[0], &two[1])).collect();
    let mut sorted = steps.clone();
    sorted.sort_by(f64::total_cmp);
    for cut in [24, 40] {
        assert!(
            steps[cut] <= 3.0 * sorted[30],
            "{} of {steps:?}",
            steps[cut]
        );
    }
}

#[test]
fn cuts_and_joins_are_exact_to_the_frame() {
    let place = Place::new();
    let a = film(&place, "a", [64, 32], 10, 11);
    let b = film(&place, "b", [64, 32], 3, 12);
    done(&place, &["trim", "a", "--frames", "2..9", "-o", "cut/"]);
    assert_eq!(frames(&place, "cut"), a.frames()[2..9]);
    done(
        &place,
        &["trim", "a", "--from", "0.25", "--to", "0.5", "-o", "time/"],
    );
    assert_eq!(frames(&place, "time"), a.frames()[3..6]);
    done(&place, &["concat", "a", "b", "-o", "all/"]);
    assert_eq!(frames(&place, "all"), [a.frames(), b.frames()].concat());
    place.generate(&["-o", "fox.mp4"]);
    let ended = done(
        &place,
        &["concat", "fox.mp4", "fox.mp4", "--json", "-o", "two.mp4"],
    );
    assert_eq!(
        (&ended.json()["copied"], &ended.json()["encoded"]),
        (&json!(12), &json!(0))
    );
}

#[test]
fn requests_that_can_not_be_met() {
    let place = Place::new();
    film(&place, "clip", [64, 32], 6, 13);
    film(&place, "large.png", [96, 64], 1, 14);
    std::fs::write(place.path("broken.mp4"), b"no film").unwrap();
    let table: &[(&[&str], &str)] = &[
        (
            &["extend", "clip", "--seconds", "0"],
            "more than 0 and at most",
        ),
        (
            &["extend", "clip", "--seconds", "-1"],
            "more than 0 and at most",
        ),
        (
            &["extend", "clip", "--seconds", "1e9"],
            "more than 0 and at most",
        ),
        (&["extend", "none.mp4", "--seconds", "1"], "none.mp4"),
        (&["extend", "broken.mp4", "--seconds", "1"], "broken.mp4"),
        (
            &["remix", "clip", "--strength", "1.5"],
            "the strength is 1.5; it can be 0",
        ),
        (
            &["remix", "clip", "--strength", "-0.1"],
            "the strength is -0.1",
        ),
        (
            &["edit", "clip", "--mask", "large.png"],
            "has 96x64 pixels, and the clip 64x32",
        ),
        (
            &["edit", "clip", "--mask", "50,0,20,10"],
            "not inside the clip's 64x32",
        ),
        (
            &["edit", "clip", "--mask", "0,0,0,10"],
            "not inside the clip's 64x32",
        ),
        (&["edit", "clip", "--mask", "none.png"], "none.png"),
        (&["connect", "clip", "none.mp4"], "none.mp4"),
        (&["variations", "clip", "--count", "0"], "--count"),
    ];
    for (args, says) in table {
        let ended = place.run(&[args, &FOX[..], &["-o", "out.mp4"]].concat());
        refused(&place, &ended, 2, says);
    }
    let table: &[(&[&str], &str)] = &[
        (
            &["loop", "clip"],
            "clip does not say what it shows; say it with --prompt",
        ),
        (
            &["trim", "clip", "--frames", "4..4"],
            "no frame lies from 4 to 4",
        ),
        (&["trim", "clip", "--frames", "4..9"], "clip"),
        (&["concat", "clip", "large.png"], "large.png"),
        (
            &["generate", "--card", "1s:a fox"],
            "nothing says what the clip begins with",
        ),
        (
            &["generate", "a", "--card", "9s:a fox"],
            "a card is at frame 108, and the clip has 25",
        ),
        (
            &[
                "generate",
                "a",
                "--card",
                "1s:a fox",
                "--card",
                "0.5s:a cat",
            ],
            "give cards in order of time",
        ),
        (&["generate", "a", "--card", "soon:a fox"], "write a time"),
        (&["generate", "a", "--card", "1s:none.png"], "none.png"),
        (
            &["generate", "a", "--image", "clip"],
            "clip has 6 frames; the first picture is one",
        ),
        (
            &["generate", "a", "--card", "2s:clip"],
            "clip ends at frame 30",
        ),
    ];
    for (args, says) in table {
        let ended = place.run(&[args, &["-o", "out.mp4"][..]].concat());
        assert_eq!(ended.status, Some(2), "{args:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(says),
            "{args:?}: {:?} lacks {says:?}",
            ended.stderr
        );
        assert!(!place.path("out.mp4").exists());
    }
}
