//! The server with a model of random weights: every task that the engine knows.

use super::{Home, is_over};
use crate::support::Place;
use serde_json::{Value, json};

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
