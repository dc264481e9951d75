//! What a key may ask for, and what a file that was sent may take.

use super::{Answer, Home, Served, form, is_over, stripe};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A key of these limits, and a client that sends it.
struct Client<'a> {
    served: &'a Served,
    key: String,
}

impl Home {
    fn key(&self, name: &str, limits: &[&str]) -> String {
        let mut command = self.command(&[&["keys", "add", name], limits].concat());
        let made = command.output().expect("the program starts");
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout)
            .expect("UTF-8")
            .trim()
            .to_owned()
    }
}

impl Client<'_> {
    fn post(&self, fields: &Value) -> Answer {
        let request = self
            .served
            .agent
            .post(format!("{}/v1/videos", self.served.url));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        super::read(request.send_json(fields).expect("an answer"))
    }

    fn list(&self) -> Vec<Value> {
        let request = self
            .served
            .agent
            .get(format!("{}/v1/videos", self.served.url));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let answer = super::read(request.call().expect("an answer"));
        let list = answer.json();
        list["data"].as_array().expect("a list").clone()
    }

    fn refused(&self, fields: &Value) {
        let answer = self.post(fields);
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert!(!answer.header("retry-after").is_empty());
        assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    }
}

#[test]
fn a_key_has_no_more_jobs_at_work_than_its_limit() {
    let home = Home::new();
    let (one, two) = (
        home.key("one", &["--max-running", "1"]),
        home.key("two", &[]),
    );
    let (first, _second) = (home.serve(20, &[]), home.serve(20, &[]));
    let [one, two] = [one, two].map(|key| Client {
        served: &first,
        key,
    });
    for _ in 0..3 {
        assert_eq!(one.post(&stripe()).status, 200);
    }
    let running = |client: &Client<'_>| {
        let videos = client.list();
        let running = videos
            .iter()
            .filter(|video| video["status"] == "in_progress");
        (running.count(), videos.iter().all(is_over))
    };
    let began = Instant::now();
    loop {
        let (at_work, over) = running(&one);
        assert!(
            at_work <= 1,
            "two workers are there, and one may work for it"
        );
        if over {
            break;
        }
        assert!(began.elapsed() < super::PATIENCE);
        sleep(Duration::from_millis(10));
    }
    for _ in 0..2 {
        assert_eq!(
            two.post(&json!({ "prompt": "a [slow] stripe" })).status,
            200
        );
    }
    let began = Instant::now();
    while running(&two).0 < 2 {
        assert!(
            began.elapsed() < super::PATIENCE,
            "a key without the limit has both"
        );
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_key_asks_for_no_more_seconds_and_pixels_a_day_than_its_limits() {
    let home = Home::new();
    let seconds = home.key("seconds", &["--seconds-a-day", "5"]);
    let pixels = home.key("pixels", &["--megapixels-a-day", "1"]);
    let served = home.serve(0, &["--no-worker"]);
    let [seconds, pixels] = [seconds, pixels].map(|key| Client {
        served: &served,
        key,
    });
    let long = |seconds: u32| json!({ "prompt": "a stripe", "seconds": seconds });
    assert_eq!(seconds.post(&long(3)).status, 200);
    seconds.refused(&long(3));
    assert_eq!(seconds.post(&long(2)).status, 200);
    seconds.refused(&json!({ "prompt": "a stripe", "seconds": "0.1" }));
    // 256x256 pixels in 12 frames are 0.79 million; twice the rate is twice as many.
    let large = |fps: u32| json!({ "prompt": "a", "size": "256x256", "seconds": 1, "fps": fps });
    pixels.refused(&large(24));
    assert_eq!(pixels.post(&large(12)).status, 200);
    pixels.refused(&large(12));
    assert_eq!(pixels.post(&stripe()).status, 200, "a small one still fits");
}

/// Most bytes of memory that the server has ever had.
#[cfg(target_os = "linux")]
fn peak(served: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.process.id()));
    let status = status.expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .expect("a number")
        .trim()
        .parse::<u64>()
        .expect("a number")
        << 10
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_claim_to_be_huge_take_no_memory() {
    let (home, place) = (Home::new(), crate::support::Place::new());
    let model = place.path("tiny");
    let model = model.to_str().expect("UTF-8");
    let served = home.start(&["serve", "--listen", "127.0.0.1:0", "--model", model]);
    let before = peak(&served);
    // A GIF of 65,535x65,535 pixels with a picture of one; a PNG of as many as a number holds; the head of an MP4 with an
    // index of 2 GB; kinds that only other programs read.
    let gif =
        b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0\0\0\0\0\0\0\0\0IEND\xaeB`\x82";
    let mp4 = b"\0\0\0\x10ftypisom\0\0\0\0\x7f\xff\xff\xffmoov";
    let files: [&[u8]; 6] = [gif, png, mp4, b"\x1a\x45\xdf\xa3webm", b"FLV\x01", b""];
    for file in files {
        let body = form(&[("prompt", "a")], &[("video", "v.mp4", file)]);
        let answer = served.send("/v1/videos/edits", &body);
        assert_eq!(answer.status, 400, "{file:?}: {}", answer.text());
    }
    let more = peak(&served) - before;
    assert!(more < 64 << 20, "{} MB for small files", more >> 20);
}

/// How far each thread of the server steps back for others, by the thread's name.
#[cfg(target_os = "linux")]
fn niceness(served: &Served) -> Vec<(String, i32)> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", served.process.id()));
    let tasks = tasks.expect("it runs").flatten();
    // A thread may end while it is looked at.
    let read =
        |name| move |task: &std::fs::DirEntry| std::fs::read_to_string(task.path().join(name)).ok();
    let (comm, stat) = (read("comm"), read("stat"));
    let seen = tasks.filter_map(|task| {
        let (name, stat) = (comm(&task)?, stat(&task)?);
        let (_, fields) = stat.rsplit_once(") ")?;
        let nice = fields.split(' ').nth(16)?.parse().ok()?;
        Some((name.trim().to_owned(), nice))
    });
    seen.collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_work_steps_back_behind_the_answers() {
    let home = Home::new();
    let served = home.serve(10, &[]);
    let id = served.create(json!({ "prompt": "a [slow] stripe" }));
    served.wait(&id, super::is_running);
    let threads = niceness(&served);
    let of = |part: &str| {
        let found = threads.iter().find(|(name, _)| name.contains(part));
        found
            .unwrap_or_else(|| panic!("no {part} in {threads:?}"))
            .1
    };
    assert_eq!(of("render"), of("tokio") + 10, "{threads:?}");
}
