//! Cinematic controls, styles and expansion: what the model is told, and what is said of it.

use crate::bad_input::refused;
use crate::support::{Ended, Place};
use kinora_media::{Fps, Reader, read_clip};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

/// What the built-in model is told of `args`.
fn told(place: &Place, args: &[&str]) -> (String, String) {
    let ended = place.run(&[&["generate", "--show-prompt"], args].concat());
    assert_eq!(ended.status, Some(0), "{args:?}: {}", ended.stderr);
    let stdout = String::from_utf8(ended.stdout).unwrap();
    (stdout.trim_end().to_owned(), ended.stderr)
}

#[test]
fn a_prompt_reaches_the_model_as_it_was_typed() {
    let place = Place::new();
    let typed = "A fox,  in the WOODS .";
    assert_eq!(told(&place, &[typed]).0, typed);
    assert!(place.names().is_empty(), "nothing is painted");
}

#[test]
fn controls_are_told_in_the_models_words_and_what_it_lacks_is_said() {
    let place = Place::new();
    let args = [
        "a fox in the woods",
        "--shot",
        "MCU",
        "--move",
        "push-in",
        "--light",
        "golden hour",
    ];
    let (prompt, said) = told(
        &place,
        &[&args[..], &["--look", "35mm", "--lens", "fisheye"]].concat(),
    );
    assert_eq!(
        prompt,
        "a fox in the woods, at golden hour, close-up, push-in, 35mm film"
    );
    assert!(
        said.contains("medium close-up") && said.contains("nearest"),
        "{said}"
    );
    assert!(
        said.contains("fisheye lens") && said.contains("left out"),
        "{said}"
    );
}

#[test]
fn the_clip_carries_what_the_model_was_told_and_like_repeats_it() {
    let place = Place::new();
    place.generate(&["--light", "night", "--style", "noir", "-o", "one.gif"]);
    let inspected = place.run(&["inspect", "one.gif", "--json"]).json();
    let recipe = &inspected["recipe"];
    let told = "a red fox runs, at night, Dutch angle, black and white";
    assert_eq!(
        (&recipe["prompt"], &recipe["negative"]),
        (&told.into(), &"colour".into())
    );
    let args = [
        "generate", "--like", "one.gif", "--model", "tiny", "-o", "two.gif",
    ];
    let again = place.run(&args);
    assert_eq!(again.status, Some(0), "{}", again.stderr);
    assert_eq!(place.bytes("one.gif"), place.bytes("two.gif"));
}

#[test]
fn later_cards_keep_their_own_hour() {
    let place = Place::new();
    let cards = [
        "--card",
        "0s:a fox",
        "--card",
        "1s:a fox at night",
        "--seconds",
        "3",
    ];
    let ended = place.run(
        &[
            &["generate", "--show-prompt", "--json", "--light", "day"],
            &cards[..],
        ]
        .concat(),
    );
    let shown = ended.json();
    assert_eq!(shown["prompt"], "a fox, in daylight");
    assert_eq!(shown["later"]["12"], "a fox at night");
}

#[test]
fn own_styles_are_read_and_take_the_place_of_others() {
    let place = Place::new();
    let folder = place.path("settings/kinora/styles");
    fs::create_dir_all(&folder).unwrap();
    let run = |args: &[&str]| {
        let mut command = place.command(args);
        let output = command
            .env("XDG_CONFIG_HOME", place.path("settings"))
            .output()
            .unwrap();
        Ended {
            status: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    fs::write(
        folder.join("mine.toml"),
        "about = \"My own\"\nlight = \"neon\"\n",
    )
    .unwrap();
    fs::write(
        folder.join("noir.toml"),
        "about = \"Mine\"\nlook = \"clay\"\n",
    )
    .unwrap();
    let list = run(&["styles", "--json"]).json();
    let list = list.as_array().unwrap();
    assert!(list.len() >= 13);
    let about = |name: &str| {
        let style = list.iter().find(|style| style["name"] == name);
        style.map(|style| style["about"].clone())
    };
    assert_eq!(
        (about("mine"), about("noir")),
        (Some("My own".into()), Some("Mine".into()))
    );
    let told = run(&["generate", "a fox", "--style", "mine", "--show-prompt"]);
    assert_eq!(told.stdout, b"a fox, under neon lights\n");
    fs::write(
        folder.join("broken.toml"),
        "about = \"x\"\nlook = \"oil\"\n",
    )
    .unwrap();
    let broken = run(&["styles"]);
    assert_eq!(broken.status, Some(2), "{}", broken.stderr);
    assert!(broken.stderr.contains("broken.toml") && broken.stderr.contains("oil"));
}

#[test]
fn a_sheet_shows_each_style() {
    let place = Place::new();
    let args = [
        "styles",
        "--sheet",
        "sheet.png",
        "--model",
        "tiny",
        "--seed",
        "1",
        "--prompt",
        "a fox",
    ];
    let ended = place.run(&args);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let reader = Reader {
        fps: Fps::new(12, 1).unwrap(),
        max_frames: 1,
        ffmpeg: None,
    };
    let sheet = read_clip(&place.path("sheet.png"), &reader).unwrap();
    assert!(
        sheet.height() > 16 * 32,
        "a picture of 32 rows for each of 16 styles"
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    let place = Place::new();
    for (prompt, flags, says) in [
        ("a close-up of a fox", ["--shot", "wide"], "\"close up\""),
        ("a fox", ["--move", "sideways"], "truck left"),
        ("a fox", ["--style", "rococo"], "known are anime"),
        (
            "a fox",
            ["--expand=nowhere", "--json"],
            "begins with http://",
        ),
    ] {
        let ended = place.run(&[&["generate", prompt], &flags[..]].concat());
        refused(&place, &ended, 2, says);
    }
}

/// A chat service that answers one request with `status` and `body`, and returns the request.
fn service(status: &str, body: Value) -> (String, JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let (status, body) = (status.to_owned(), body.to_string());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut sent = vec![0; length];
        reader.read_exact(&mut sent).unwrap();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        serde_json::from_slice(&sent).unwrap()
    });
    (address, served)
}

#[test]
fn a_chat_service_writes_a_prompt_out_and_its_failure_is_told() {
    let place = Place::new();
    let answer = json!({ "choices": [{ "message": { "content": " A red fox runs at dusk.\n" } }] });
    let (address, served) = service("200 OK", answer);
    let expand = format!("--expand={address}");
    let (prompt, said) = told(&place, &["a fox", &expand, "--expand-model", "writer"]);
    assert_eq!(prompt, "A red fox runs at dusk.");
    assert!(
        said.contains("A red fox runs at dusk."),
        "it is shown before use: {said}"
    );
    let sent = served.join().unwrap();
    assert_eq!(sent["model"], "writer");
    assert_eq!(sent["messages"][1]["content"], "a fox");

    for (status, body, part) in [
        ("401 Unauthorized", json!({ "error": "no key" }), "no key"),
        ("200 OK", json!({ "choices": [] }), "empty"),
        ("200 OK", json!("hello"), "something else"),
    ] {
        let (address, served) = service(status, body);
        let expand = format!("--expand={address}");
        let ended = place.run(&["generate", "a fox", &expand, "--show-prompt"]);
        served.join().unwrap();
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(part) && ended.stderr.contains(&address),
            "{}",
            ended.stderr
        );
    }
}
