//! A hub on this machine: it speaks the protocol of huggingface.co as far as a pull needs it, and fails as it is told.

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Entries on one page of a list of files.
const PAGE: usize = 5;

/// The commit of every repository.
pub const COMMIT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// What goes wrong; a path is one's end.
#[derive(Default)]
pub struct Faults {
    /// The connection ends before this byte of the file.
    pub cut: Option<(&'static str, usize)>,
    /// How many connections are cut before all goes well.
    pub cuts: usize,
    /// A byte of the file is another.
    pub spoiled: Option<&'static str>,
    /// Another length is listed.
    pub longer: Option<&'static str>,
    /// Who may ask.
    pub token: Option<&'static str>,
    /// How others are refused.
    pub refusal: u16,
    /// Ranges are not known: the whole file comes.
    pub no_ranges: bool,
    /// Half of this file comes, then the file `reached` is made, and the rest waits for the file `go`.
    pub gate: Option<(&'static str, PathBuf)>,
    /// Further entries of each list.
    pub entries: Vec<Value>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub to_hub: bool,
    pub path: String,
    pub range: Option<String>,
    pub token: Option<String>,
}

type Files = BTreeMap<String, Vec<u8>>;

struct State {
    repos: Mutex<BTreeMap<String, Files>>,
    faults: Mutex<Faults>,
    seen: Mutex<Vec<Seen>>,
    hub: String,
    /// Where large files are.
    store: String,
}

/// The hub, and beside it the store that it sends for large files.
pub struct Hub {
    state: Arc<State>,
}

impl Hub {
    pub fn new() -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |of: &TcpListener| format!("http://{}", of.local_addr().unwrap());
        let (hub, store) = (listen(), listen());
        let state = Arc::new(State {
            repos: Mutex::default(),
            faults: Mutex::default(),
            seen: Mutex::default(),
            hub: address(&hub),
            store: address(&store),
        });
        for (listener, is_hub) in [(hub, true), (store, false)] {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let (state, stream) = (Arc::clone(&state), stream.unwrap());
                    // The other side may end a connection whenever it likes.
                    thread::spawn(move || drop(state.serve(stream, is_hub)));
                }
            });
        }
        Self { state }
    }

    pub fn address(&self) -> &str {
        &self.state.hub
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.state.faults.lock().unwrap()
    }

    pub fn add(&self, repo: &str, path: &str, bytes: impl Into<Vec<u8>>) {
        let mut repos = self.state.repos.lock().unwrap();
        let files = repos.entry(repo.to_owned()).or_default();
        files.insert(path.to_owned(), bytes.into());
    }

    /// Adds all files of a folder.
    pub fn add_folder(&self, repo: &str, folder: &Path) {
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                    self.add(repo, name, fs::read(&path).unwrap());
                }
            }
        }
    }

    /// Requests since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }
}

/// Whether git keeps it aside.
fn is_large(path: &str) -> bool {
    path.ends_with(".safetensors") || path.ends_with(".gguf")
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The name that git gives to a file's bytes.
pub fn git_sha1(bytes: &[u8]) -> String {
    let mut hash = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    format!("{:x}", hash.finalize())
}

pub fn etag(path: &str, bytes: &[u8]) -> String {
    match is_large(path) {
        true => sha256(bytes),
        false => git_sha1(bytes),
    }
}

impl State {
    fn serve(&self, stream: TcpStream, is_hub: bool) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut seen = Seen {
            to_hub: is_hub,
            path: path.clone(),
            range: None,
            token: None,
        };
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            let value = Some(value.trim().to_owned());
            match name.to_lowercase().as_str() {
                "range" => seen.range = value,
                "authorization" => seen.token = value,
                _ => {}
            }
        }
        self.seen.lock().unwrap().push(seen.clone());
        let mut stream = stream;
        if is_hub && let Some(status) = self.refused(&seen) {
            return answer(&mut stream, status, "", b"{}");
        }
        let parts: Vec<&str> = path.trim_start_matches('/').splitn(3, '/').collect();
        match parts[..] {
            ["api", "models", rest] => self.list(&mut stream, rest),
            [owner, name, rest] => {
                let file = rest.strip_prefix(&format!("resolve/{COMMIT}/"));
                let file = file.and_then(|f| Some((f, self.file(&format!("{owner}/{name}"), f)?)));
                match file {
                    None => answer(&mut stream, 404, "x-error-code: EntryNotFound\r\n", b""),
                    Some((file, bytes)) if is_hub && is_large(file) => {
                        let tag = etag(file, &bytes);
                        let store = &self.store;
                        let headers = format!(
                            "location: {store}{path}\r\nx-linked-etag: \"{tag}\"\r\nx-linked-size: {}\r\nx-repo-commit: {COMMIT}\r\n",
                            bytes.len()
                        );
                        answer(&mut stream, 302, &headers, b"")
                    }
                    Some((file, bytes)) => self.send(&mut stream, file, bytes, &seen),
                }
            }
            _ => answer(&mut stream, 404, "", b""),
        }
    }

    fn refused(&self, seen: &Seen) -> Option<u16> {
        let faults = self.faults.lock().unwrap();
        let token = format!("Bearer {}", faults.token?);
        (seen.token != Some(token)).then_some(faults.refusal)
    }

    fn file(&self, repo: &str, path: &str) -> Option<Vec<u8>> {
        self.repos.lock().unwrap().get(repo)?.get(path).cloned()
    }

    /// What is known of a repository, and its files page by page.
    fn list(&self, stream: &mut TcpStream, rest: &str) -> std::io::Result<()> {
        let parts: Vec<&str> = rest.splitn(4, ['/', '?']).collect();
        let repo = parts[..2].join("/");
        let Some(files) = self.repos.lock().unwrap().get(&repo).cloned() else {
            return answer(stream, 404, "x-error-code: RepoNotFound\r\n", b"{}");
        };
        let (kind, rest) = (parts[2], parts[3]);
        if kind == "revision" && rest != "main" && rest != COMMIT && rest != "refs%2Fpr%2F1" {
            return answer(stream, 404, "x-error-code: RevisionNotFound\r\n", b"{}");
        }
        if kind == "revision" {
            let tags = ["diffusers", "license:apache-2.0"];
            let card = json!({ "license": "apache-2.0" });
            let info = json!({ "id": repo, "sha": COMMIT, "tags": tags, "cardData": card });
            return answer(stream, 200, "", info.to_string().as_bytes());
        }
        let from = rest
            .split_once("cursor=")
            .map_or(0, |(_, n)| n.parse().unwrap());
        let faults = self.faults.lock().unwrap();
        let mut entries =
            vec![json!({ "type": "directory", "path": "vae", "oid": "0", "size": 0 })];
        entries.extend(faults.entries.iter().cloned());
        for (path, bytes) in &files {
            let size = bytes.len() + usize::from(faults.longer.is_some_and(|f| path.ends_with(f)));
            entries.push(match is_large(path) {
                false => {
                    json!({ "type": "file", "path": path, "oid": git_sha1(bytes), "size": size })
                }
                true => json!({
                    "type": "file", "path": path, "oid": git_sha1(b"pointer"), "size": size,
                    "lfs": { "oid": sha256(bytes), "size": size, "pointerSize": 134 },
                }),
            });
        }
        let page: Vec<&Value> = entries.iter().skip(from).take(PAGE).collect();
        let next = match from + PAGE < entries.len() {
            false => String::new(),
            true => format!(
                "link: <{}/api/models/{repo}/tree/{COMMIT}?recursive=1&cursor={}>; rel=\"next\"\r\n",
                self.hub,
                from + PAGE
            ),
        };
        answer(stream, 200, &next, json!(page).to_string().as_bytes())
    }

    fn send(
        &self,
        stream: &mut TcpStream,
        path: &str,
        mut bytes: Vec<u8>,
        seen: &Seen,
    ) -> std::io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        let whole = bytes.len();
        if faults.spoiled.is_some_and(|end| path.ends_with(end)) {
            bytes[whole / 2] ^= 1;
        }
        let from = seen
            .range
            .as_ref()
            .filter(|_| !faults.no_ranges)
            .map_or(0, |range| {
                range["bytes=".len()..]
                    .trim_end_matches('-')
                    .parse()
                    .unwrap()
            });
        let tag = etag(path, &bytes);
        let length = whole - from;
        let head = match from {
            0 => format!("HTTP/1.1 200 OK\r\netag: \"{tag}\"\r\n"),
            _ => format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{}/{whole}\r\n",
                whole - 1
            ),
        };
        write!(
            stream,
            "{head}content-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        let mut end = whole;
        if let Some((of, at)) = faults.cut
            && path.ends_with(of)
            && faults.cuts > 0
        {
            faults.cuts -= 1;
            end = at.max(from);
        }
        let gate = faults.gate.clone();
        let gate = gate.filter(|(of, at)| path.ends_with(of) && !at.join("go").exists());
        drop(faults);
        if let Some((_, folder)) = gate {
            stream.write_all(&bytes[from..whole / 2])?;
            fs::write(folder.join("reached"), "")?;
            let began = Instant::now();
            while !folder.join("go").exists() && began.elapsed() < Duration::from_secs(20) {
                thread::sleep(Duration::from_millis(20));
            }
            return stream.write_all(&bytes[whole / 2..]);
        }
        stream.write_all(&bytes[from..end])
    }
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}
