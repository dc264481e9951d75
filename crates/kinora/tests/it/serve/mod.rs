//! `kinora serve` as a program among others: what it answers, and what it keeps when it is killed.

mod bucket;
mod faults;
mod faults_results;
mod faults_workers;
mod limits;
mod model;
mod wire;

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use ureq::Agent;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Folders of a server, which live longer than it.
pub struct Home {
    folder: TempDir,
}

/// The bytes of a video that nothing disturbed.
pub fn undisturbed() -> Vec<u8> {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let id = served.create(stripe());
    served.completed(&id);
    served.content(&id)
}

/// A server that runs; it is killed when it is dropped.
pub struct Served {
    process: Child,
    pub url: String,
    agent: Agent,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub headers: ureq::http::HeaderMap,
}

impl Home {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinora"));
        command.args(args).arg("--data").arg(self.path());
        command.stdin(Stdio::null());
        for name in ["HF_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            command.env(name, self.path().join("home"));
        }
        command
    }

    /// A server that paints stripes, a step taking so many milliseconds.
    pub fn serve(&self, step: u32, more: &[&str]) -> Served {
        let step = step.to_string();
        let fixed = ["serve", "--listen", "127.0.0.1:0", "--lease", "2s"];
        self.start(&[&fixed, &["--stand-in", &step][..], more].concat())
    }

    pub fn start(&self, args: &[&str]) -> Served {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.path().join("log"))
            .expect("a log");
        let mut process = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        assert!(line.starts_with("http://"), "{line:?}: {}", self.log());
        Served {
            process,
            url: line.trim().to_owned(),
            agent,
        }
    }

    /// A worker by itself, told the same places, that answers to those who watch over it.
    pub fn worker(&self, step: u32, more: &[&str]) -> Served {
        let step = step.to_string();
        let fixed = ["worker", "--metrics", "127.0.0.1:0", "--lease", "2s"];
        self.start(&[&fixed, &["--stand-in", &step][..], more].concat())
    }

    /// The status of `kinora doctor`, and what it says.
    pub fn doctor(&self, more: &[&str]) -> (Option<i32>, String) {
        let ended = self.command(&[&["doctor"], more].concat()).output();
        let ended = ended.expect("the program starts");
        let told = String::from_utf8(ended.stdout).expect("UTF-8");
        (ended.status.code(), told)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Files that are kept, as `video_.../hash`.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in std::fs::read_dir(self.path().join("files")).expect("the folder is there") {
            let folder = folder.expect("an entry").path();
            for file in std::fs::read_dir(folder).expect("a folder of files") {
                files.push(file.expect("an entry").path());
            }
        }
        files.sort();
        files
    }
}

impl Served {
    pub fn get(&self, path: &str) -> Answer {
        let answer = self.agent.get(format!("{}{path}", self.url)).call();
        read(answer.expect("an answer"))
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.url));
        read(request.send_json(body).expect("an answer"))
    }

    /// Posts a body that [`form`] made.
    pub fn send(&self, path: &str, body: &[u8]) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.url));
        let answer = request.header("content-type", FORM).send(body);
        read(answer.expect("an answer, also to a body that is refused before its end"))
    }

    pub fn delete(&self, path: &str) -> Answer {
        let answer = self.agent.delete(format!("{}{path}", self.url)).call();
        read(answer.expect("an answer"))
    }

    /// Asks for a video, which must be accepted, and gives its id.
    pub fn create(&self, fields: Value) -> String {
        let answer = self.post("/v1/videos", &fields);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub fn video(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/videos/{id}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Waits until the video is as `wanted`.
    pub fn wait(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let video = self.video(id);
            if wanted(&video) {
                return video;
            }
            assert!(began.elapsed() < PATIENCE, "still {video}");
            sleep(Duration::from_millis(20));
        }
    }

    pub fn completed(&self, id: &str) -> Value {
        let video = self.wait(id, is_over);
        assert_eq!(video["status"], "completed", "{video}");
        video
    }

    pub fn content(&self, id: &str) -> Vec<u8> {
        let answer = self.get(&format!("/v1/videos/{id}/content"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// `kill -TERM`; gives the exit status.
    #[cfg(unix)]
    pub fn terminate(mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("kill is there").success());
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The kind of a body that [`form`] makes.
pub const FORM: &str = "multipart/form-data; boundary=b";

/// A multipart body of text fields and of files with names.
pub fn form(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |head: &str, content: &[u8]| {
        body.extend(format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
        body.extend(content);
        body.extend(b"\r\n");
    };
    for (name, text) in fields {
        part(&format!("name=\"{name}\""), text.as_bytes());
    }
    for (name, called, content) in files {
        part(&format!("name=\"{name}\"; filename=\"{called}\""), content);
    }
    body.extend(b"--b--\r\n");
    body
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

fn read(answer: ureq::http::Response<ureq::Body>) -> Answer {
    let (head, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    let mut reader = body.as_reader();
    reader.read_to_end(&mut bytes).expect("the whole answer");
    Answer {
        status: head.status.as_u16(),
        body: bytes,
        headers: head.headers,
    }
}

pub fn is_over(video: &Value) -> bool {
    ["completed", "failed"].contains(&video["status"].as_str().unwrap_or_default())
}

pub fn is_running(video: &Value) -> bool {
    video["status"] == "in_progress" && video["progress"].as_i64() > Some(0)
}

pub fn stripe() -> Value {
    json!({ "prompt": "a stripe", "seconds": 1, "seed": 7 })
}

/// Waits until something is so.
pub fn until(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "never {what}");
        sleep(Duration::from_millis(5));
    }
}
