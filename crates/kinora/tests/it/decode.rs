//! `kinora decode`: a run that broke once its clip was painted is finished to the same bytes.

use crate::bad_input::refused;
use crate::support::Place;
use crate::wan::{done, fixtures, place_of};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Painted in a moment, decoded in seconds: the kill below hits the time between.
const LONG: [&str; 9] = [
    "--model",
    "wan",
    "--seed",
    "5",
    "--steps",
    "1",
    "--guidance",
    "1",
    "--json",
];

/// Runs the program with `args` and kills it as soon as the file `latents` is there.
fn killed(place: &Place, args: &[&str], latents: &str) {
    let mut child = place.command(args).spawn().unwrap();
    let began = Instant::now();
    while !place.path(latents).exists() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "nothing is kept"
        );
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_that_is_killed_before_its_clip_is_written_is_finished() {
    let place = place_of("tiny");
    let size = ["--size", "192x192", "--frames", "81"];
    let ask = |out| [&["generate", "a red fox", "-o", out][..], &size, &LONG].concat();
    killed(&place, &ask("broken.mp4"), "broken.latents.safetensors");
    assert_eq!(place.names(), ["broken.latents.safetensors", "wan"]);

    done(
        &place,
        &["decode", "broken.latents.safetensors", "-o", "broken.mp4"],
    );
    done(&place, &ask("whole.mp4"));
    assert!(place.bytes("broken.mp4") == place.bytes("whole.mp4"));
    // What was kept by itself is gone once the clip is there; what is given to the command stays.
    assert!(!place.path("whole.latents.safetensors").exists());
    assert!(place.path("broken.latents.safetensors").exists());
}

#[test]
fn what_was_given_comes_back() {
    let place = place_of("tiny-ti2v");
    let first = fixtures().join("tiny-ti2v-first.png");
    let image = [
        "--image",
        first.to_str().unwrap(),
        "--size",
        "128x128",
        "--frames",
        "41",
    ];
    let ask = |out| [&["generate", "a red fox", "-o", out][..], &image, &LONG].concat();
    done(&place, &ask("source.mp4"));
    // An edit holds part of each frame; an extension's result is a part of what is painted.
    for (command, more) in [
        ("edit", &["--mask", "32,32,64,64"][..]),
        ("extend", &["--seconds", "0.5", "--backward"]),
    ] {
        let ask = |out| [&[command, "source.mp4", "-o", out][..], more, &LONG].concat();
        killed(&place, &ask("broken/"), "broken.latents.safetensors");
        assert!(!place.path("broken").exists());
        done(
            &place,
            &["decode", "broken.latents.safetensors", "-o", "broken/"],
        );
        done(&place, &ask("whole/"));
        let names: Vec<_> = fs::read_dir(place.path("whole")).unwrap().collect();
        assert!(names.len() > 40, "{command}");
        for name in names {
            let name = name.unwrap().file_name().into_string().unwrap();
            let [broken, whole] = ["broken", "whole"].map(|f| place.bytes(&format!("{f}/{name}")));
            assert!(broken == whole, "{command}: {name}");
        }
        for name in ["broken", "whole"] {
            fs::remove_dir_all(place.path(name)).unwrap();
        }
        fs::remove_file(place.path("broken.latents.safetensors")).unwrap();
    }
}

#[test]
fn kept_latents_of_the_built_in_family_are_decoded_too() {
    let place = Place::new();
    place.generate(&["-o", "clip.mp4", "--save-latents", "kept"]);
    assert!(place.path("kept").exists());
    done(&place, &["decode", "kept", "-o", "again.mp4"]);
    assert!(place.bytes("clip.mp4") == place.bytes("again.mp4"));
}

#[test]
fn what_is_no_painted_clip_is_refused() {
    let place = Place::new();
    place.generate(&["-o", "clip.mp4", "--save-latents", "kept"]);
    let noise = fixtures().join("tiny-noise.safetensors");
    fs::copy(noise, place.path("noise")).unwrap();
    let kept = place.bytes("kept");
    fs::write(place.path("cut"), &kept[..kept.len() / 2]).unwrap();
    // The header is as long as before, so that what it says is all that differs.
    let changed = |from: &str, to: &str| {
        // The cut comes before the recipe.
        let at = kept.windows(from.len()).rposition(|w| w == from.as_bytes());
        let mut bytes = kept.clone();
        bytes[at.unwrap()..][..to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    fs::write(
        place.path("tall"),
        changed("\\\"height\\\":32", "\\\"height\\\":64"),
    )
    .unwrap();
    fs::write(
        place.path("other"),
        changed("sha256\\\":\\\"", "sha256\\\":\\\"00000000"),
    )
    .unwrap();
    fs::write(
        place.path("late"),
        changed("\\\"start\\\":0", "\\\"start\\\":9"),
    )
    .unwrap();
    for (file, says) in [
        ("missing", "can't be read"),
        ("clip.mp4", "no usable latents"),
        ("cut", "no usable latents"),
        ("noise", "not painted yet"),
        ("tall", "of shape"),
        ("other", "other weights"),
        ("late", "cut is not inside"),
    ] {
        let ended = place.run(&["decode", file, "-o", "out.mp4"]);
        refused(&place, &ended, 2, says);
    }
}
