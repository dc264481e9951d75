//! What goes over the wire, byte for byte where it matters.

use super::{Home, form, stripe};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn content_is_served_whole_in_ranges_and_not_twice() {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let id = served.create(stripe());
    served.completed(&id);
    let whole = served.get(&format!("/v1/videos/{id}/content"));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    let url = format!("{}/v1/videos/{id}/content", served.url);
    let ask = |name: &str, value: &str| {
        let answer = served.agent.get(&url).header(name, value).call();
        super::read(answer.expect("an answer"))
    };
    let part = ask("range", "bytes=4-7");
    assert_eq!((part.status, &part.body[..]), (206, &b"ftyp"[..]));
    let of = format!("bytes 4-7/{}", whole.body.len());
    assert_eq!(part.header("content-range"), of);
    assert_eq!(ask("range", "bytes=99999999-").status, 416);
    let same = ask("if-none-match", whole.header("etag"));
    assert_eq!((same.status, same.body.len()), (304, 0));
    let head = served.agent.head(&url).call().expect("an answer");
    assert_eq!(head.status(), 200);
}

#[test]
fn errors_have_four_keys_whatever_is_asked() {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let answers = [
        served.get("/v1/videos/none"),
        served.get("/nothing"),
        served.delete("/v1/videos"),
        served.post("/v1/videos", &json!([])),
        served.post("/v1/videos", &json!({})),
        served.post(
            "/v1/videos",
            &json!({ "prompt": "a", "input_reference": { "image_url": "http://127.0.0.1/" } }),
        ),
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [404, 404, 405, 400, 400, 400]);
    for answer in &answers {
        let error = &answer.json()["error"];
        let keys: Vec<&String> = error.as_object().expect("an object").keys().collect();
        assert_eq!(keys.len(), 4, "{error}");
        assert!(
            error["message"].is_string() && error["type"].is_string(),
            "{error}"
        );
    }
}

#[test]
fn a_page_of_another_site_in_a_browser_here_may_not_ask() {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let address = served.url.strip_prefix("http://").expect("an address");
    let ask = |headers: &str| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        write!(
            stream,
            "GET /v1/videos HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    assert_eq!(ask("Host: localhost\r\n"), "200");
    assert_eq!(
        ask("Host: 127.0.0.1:1\r\nOrigin: http://localhost:3000\r\n"),
        "200"
    );
    assert_eq!(
        ask("Host: evil.example\r\n"),
        "403",
        "a name that was bound to this machine"
    );
    assert_eq!(
        ask("Host: localhost\r\nOrigin: https://evil.example\r\n"),
        "403"
    );
}

#[test]
fn beyond_loopback_it_needs_a_key() {
    let home = Home::new();
    let run = || {
        let flags = ["serve", "--listen", "0.0.0.0:0", "--stand-in", "0"];
        home.command(&flags).output().expect("the program starts")
    };
    let refused = run();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("kinora keys add"));
    let key = home
        .command(&["keys", "add", "one"])
        .output()
        .expect("the program starts");
    assert!(String::from_utf8_lossy(&key.stdout).starts_with("kn-"));
    let served = home.start(&["serve", "--listen", "0.0.0.0:0", "--stand-in", "0"]);
    let port = served.url.rsplit(':').next().expect("a port");
    let answer = ureq::get(format!("http://127.0.0.1:{port}/v1/videos")).call();
    assert!(
        matches!(answer, Err(ureq::Error::StatusCode(401))),
        "{answer:?}"
    );
    let record = std::fs::read(home.path().join("kinora.db")).expect("the record");
    let secret = String::from_utf8_lossy(&key.stdout).trim().to_owned();
    let kept = record
        .windows(secret.len())
        .any(|part| part == secret.as_bytes());
    assert!(!kept, "the key itself is not in the record");
}

#[test]
fn settings_may_stand_in_a_file() {
    let home = Home::new();
    let file = home.path().join("kinora.toml");
    std::fs::write(&file, "map-sizes = true\nlog-format = \"json\"\n").expect("a file");
    let file = file.to_str().expect("UTF-8");
    let served = home.serve(0, &["--config", file]);
    let id = served.create(json!({ "prompt": "a", "size": "1280x720" }));
    let video = served.completed(&id);
    assert_eq!(video["mapped"]["size"], "1280x720", "{video}");
    for line in home.log().lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON");
    }
    std::fs::write(file, "map-size = true\n").expect("a file");
    let ended = home
        .command(&["serve", "--config", file])
        .output()
        .expect("it starts");
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("map-size"));
}

#[test]
fn bodies_are_bounded() {
    let home = Home::new();
    let served = home.serve(0, &["--max-file", "1MB"]);
    let zeros = vec![0; 20_000_000];
    let large = form(&[("prompt", "a")], &[("input_reference", "a.png", &zeros)]);
    let large = served.send("/v1/videos", &large);
    assert_eq!(large.status, 413, "{}", large.text());
    let long = served.post("/v1/videos", &json!({ "prompt": "x".repeat(40 << 20) }));
    assert_eq!(long.status, 413, "{}", long.text());
    let unwanted = served.send("/v1/nothing", &zeros);
    assert_eq!(unwanted.status, 404, "{}", unwanted.text());
    let names: Vec<String> = (0..300).map(|n| format!("p{n}")).collect();
    let parts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let many = served.send("/v1/videos", &form(&parts, &[]));
    assert_eq!(many.status, 400, "{}", many.text());
    let cut = served.send("/v1/videos", b"--b\r\nContent-Disposition: form-da");
    assert_eq!(cut.status, 400, "{}", cut.text());
    assert_eq!(served.get("/v1/videos").json()["data"], json!([]));
}

#[test]
fn names_from_outside_touch_no_path() {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let picture = {
        let id = served.create(stripe());
        served.completed(&id);
        served
            .get(&format!("/v1/videos/{id}/content?variant=thumbnail"))
            .body
    };
    let before = home.files().len();
    for name in [
        "../../../evil.png",
        "/etc/passwd",
        "a'; DROP TABLE videos; --",
    ] {
        let prompt = format!("{name} $1 ? ' \"");
        let body = form(
            &[("prompt", &prompt)],
            &[("input_reference", name, &picture)],
        );
        let answer = served.send("/v1/videos", &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let video = served.completed(answer.json()["id"].as_str().expect("an id"));
        assert_eq!(video["prompt"], prompt);
    }
    assert_eq!(
        home.files().len(),
        before + 3 * 4,
        "the picture and the results, by their hashes"
    );
    let hex = |name: &str| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    for file in home.files() {
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(hex(&name), "{name}");
    }
    for path in [
        "/v1/videos/..%2f..%2fkinora.db/content",
        "/v1/videos/%00",
        "/v1/videos/'%20OR%201=1",
    ] {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
}

#[test]
fn the_document_says_what_requests_may_say() {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let document = served.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let content = &document["paths"]["/v1/videos"]["post"]["requestBody"]["content"];
    let schema = |kind: &str| {
        let name = content[kind]["schema"]["$ref"].as_str().expect("a name");
        let name = name.rsplit('/').next().expect("a name");
        document["components"]["schemas"][name].clone()
    };
    let (text, form) = (schema("application/json"), schema("multipart/form-data"));
    for name in [
        "prompt",
        "seed",
        "negative_prompt",
        "steps",
        "guidance",
        "fps",
        "last_frame",
        "style",
        "shot",
        "framing",
        "angle",
        "move",
        "lens",
        "light",
        "look",
        "emotion",
    ] {
        for schema in [&text, &form] {
            let property = &schema["properties"][name];
            let described = property.to_string().contains("\"description\"");
            assert!(described, "{name}: {schema}");
        }
    }
    assert_eq!(text["additionalProperties"], false);
    let file = |schema: &serde_json::Value, name: &str| {
        schema["properties"][name]
            .to_string()
            .contains("\"binary\"")
    };
    assert!(file(&form, "input_reference") && file(&form, "last_frame"));
    assert!(!file(&text, "input_reference"));
}
