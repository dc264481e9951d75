//! `kinora stage render` and what it refuses.

use crate::support::Place;
use std::fs;

const SMALL: [&str; 6] = ["--size", "48x32", "--frames", "3", "--seed", "7"];

#[test]
fn a_seed_becomes_a_clip_with_maps_and_a_sheet() {
    let place = Place::new();
    let line = [
        "stage",
        "render",
        "-o",
        "clip.mp4",
        "--maps",
        "depth,mask",
        "--sheet",
        "sheet.png",
    ];
    let ended = place.run(&[&line[..], &SMALL].concat());
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(
        place.names(),
        ["clip.depth", "clip.mask", "clip.mp4", "sheet.png"]
    );
    let depth = place.run(&["inspect", "clip.depth", "--json"]).json();
    assert_eq!(depth["frames"], 3);
    assert!(depth["recipe"]["near"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_scene_file_renders_as_its_seed_does() {
    let place = Place::new();
    let report = place
        .run(&[&["stage", "render", "-o", "seed.gif", "--json"], &SMALL[..]].concat())
        .json();
    assert_eq!(report["frames"].as_array().unwrap().len(), 3);
    assert!(!report["caption"].as_str().unwrap().is_empty());
    fs::write(place.path("scene.json"), report["scene"].to_string()).unwrap();
    let line = [
        "stage",
        "render",
        "--scene",
        "scene.json",
        "-o",
        "scene.gif",
    ];
    assert_eq!(
        place.run(&[&line[..], &SMALL[..4]].concat()).status,
        Some(0)
    );
    assert_eq!(place.bytes("scene.gif"), place.bytes("seed.gif"));
}

#[test]
fn bad_requests_are_refused() {
    let place = Place::new();
    fs::write(place.path("scene.json"), r#"{"seed": 1}"#).unwrap();
    let table: &[(&[&str], &str)] = &[
        (&["--seed", "1", "--size", "0x32"], "each side must be"),
        (&["--seed", "1", "--size", "-1x32"], "can't be rendered"),
        (&["--seed", "1", "--frames", "0"], "1 frame or more"),
        (&["--seed", "1", "--frames", "4000000000"], "at most"),
        (&["--scene", "missing.json"], "can't be read"),
        (&["--scene", "scene.json"], "holds no scene"),
        (&["--seed", "1", "-o", "missing/clip.mp4"], "does not exist"),
        (&["--seed", "1", "--maps", "depth"], "--output"),
        (&[], "--seed"),
    ];
    for (args, says) in table {
        let ended = place.run(&[&["stage", "render"], *args].concat());
        assert_eq!(ended.status, Some(2), "{args:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(says) && ended.stderr.lines().count() == 1,
            "{args:?}: {}",
            ended.stderr
        );
    }
    assert_eq!(place.names(), ["scene.json"]);
}
