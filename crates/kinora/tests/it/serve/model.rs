//! The server with a model of random weights: every task that the engine knows.

use super::{Home, Served, form, is_over};
use crate::support::Place;
use kinora_media::{Clip, Fps, Output, Reader, read_clip, write};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_model_makes_remixes_edits_and_extends() {
    let (home, place) = (Home::new(), Place::new());
    let model = place.path("tiny");
    let model = model.to_str().expect("UTF-8");
    let served = home.start(&["serve", "--listen", "127.0.0.1:0", "--model", model]);
    let fields = |more: Value| {
        let mut fields = json!({ "prompt": "a red fox runs", "seed": 7, "steps": 2 });
        for (name, value) in more.as_object().expect("an object") {
            fields[name] = value.clone();
        }
        fields
    };
    let id = served.create(fields(
        json!({ "size": "64x32", "seconds": "0.5", "light": "golden hour" }),
    ));
    let video = served.completed(&id);
    assert_eq!(
        (video["size"].as_str(), video["seconds"].as_str()),
        (Some("64x32"), Some("0.5"))
    );
    let post = |path: &str, more: Value| {
        let answer = served.post(path, &fields(more));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let video = served.wait(&id, is_over);
        assert_eq!(video["status"], "completed", "{path}: {video}");
        video
    };
    post(
        &format!("/v1/videos/{id}/remix"),
        json!({ "strength": 0.5 }),
    );
    post("/v1/videos/edits", json!({ "video": { "id": id } }));
    let longer = post(
        "/v1/videos/extensions",
        json!({ "video": { "id": id }, "seconds": 1 }),
    );
    assert_eq!(longer["seconds"], "1.5");

    let same = served.create(fields(
        json!({ "size": "64x32", "seconds": "0.5", "light": "golden hour" }),
    ));
    served.completed(&same);
    assert_eq!(
        served.content(&same),
        served.content(&id),
        "the same seed, the same bytes"
    );

    for (more, param) in [
        (json!({ "size": "65x32" }), "size"),
        (json!({ "steps": 0 }), "steps"),
        (json!({ "guidance": 1000 }), "guidance"),
        (json!({ "seconds": 0 }), "seconds"),
    ] {
        let refused = served.post("/v1/videos", &fields(more));
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert_eq!(
            refused.json()["error"]["param"],
            param,
            "{}",
            refused.text()
        );
    }
    let refused = served.post("/v1/videos", &fields(json!({ "light": "moonbeam" })));
    assert_eq!(refused.status, 400, "{}", refused.text());
}

/// How much the left and the right half of a video differ from another's, in the mean of values of 255.
fn differences(place: &Place, [one, other]: [Vec<u8>; 2]) -> [f64; 2] {
    let reader = Reader {
        fps: Fps::new(12, 1).unwrap(),
        max_frames: 1000,
        ffmpeg: None,
    };
    let frames = |bytes: &[u8]| {
        fs::write(place.path("v.mp4"), bytes).unwrap();
        let clip = read_clip(&place.path("v.mp4"), &reader).unwrap();
        clip.into_frames().concat()
    };
    let (one, other) = (frames(&one), frames(&other));
    assert_eq!(one.len(), other.len());
    let mut sums = [0.0; 2];
    for (i, (a, b)) in one.iter().zip(&other).enumerate() {
        sums[i / 3 % WIDTH / (WIDTH / 2)] += f64::from(a.abs_diff(*b));
    }
    sums.map(|sum| 2.0 * sum / one.len() as f64)
}

const WIDTH: usize = 64;

fn made(served: &Served, answer: &super::Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    served.completed(&id);
    id
}

#[test]
fn an_edit_with_a_mask_leaves_what_is_black_in_it() {
    let (home, place) = (Home::new(), Place::new());
    let model = place.path("tiny");
    let model = model.to_str().expect("UTF-8");
    let served = home.start(&["serve", "--listen", "127.0.0.1:0", "--model", model]);
    let first = json!({ "prompt": "a", "seed": 7, "steps": 2, "size": "64x32", "seconds": "0.5" });
    let first = served.create(first);
    served.completed(&first);
    let mask = |width: usize| {
        let pixel = |i: usize| if i / 3 % width < width / 2 { 255 } else { 0 };
        let pixels = (0..width * 32 * 3).map(pixel).collect();
        let clip = Clip::new(width as u32, 32, Fps::new(12, 1).unwrap(), vec![pixels]).unwrap();
        let path = place.path("mask.png");
        write(&clip, &json!({}), &Output::parse(path.clone()).unwrap()).unwrap();
        fs::read(path).unwrap()
    };
    let edit = |mask: &[u8]| {
        let fields = [
            ("prompt", "b"),
            ("seed", "8"),
            ("steps", "2"),
            ("video[id]", &first),
        ];
        served.send(
            "/v1/videos/edits",
            &form(&fields, &[("mask", "mask.png", mask)]),
        )
    };
    let edited = made(&served, &edit(&mask(WIDTH)));
    let both = [served.content(&first), served.content(&edited)];
    let [left, right] = differences(&place, both);
    // What stays is encoded a second time.
    assert!(left > 10.0 && right < left / 4.0, "{left} and {right}");
    let other = edit(&mask(WIDTH / 2));
    assert_eq!(other.status, 400, "{}", other.text());
    assert!(other.text().contains("mask"), "{}", other.text());
}
