//! A bucket for tests: as much of S3's protocol as is asked of it, and a place to stop at.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// When every file in it was written, by what it says: long ago.
const WRITTEN: [&str; 2] = ["2026-01-01T00:00:00.000Z", "Thu, 01 Jan 2026 00:00:00 GMT"];

/// The bucket `films` of a store that runs as long as the test.
pub struct Bucket {
    url: String,
    store: Arc<Store>,
}

/// Where the store stops and waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// When a file arrives, of which nothing is kept.
    Arriving,
    /// When it has so many files, and owes the answer to the last.
    Kept(usize),
}

#[derive(Default)]
struct Store {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    hold: Mutex<Option<Hold>>,
    /// Whether it waits.
    held: Mutex<bool>,
    changed: Condvar,
}

struct Request {
    method: String,
    /// Below the bucket.
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Bucket {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let store = Arc::new(Store::default());
        let own = Arc::clone(&store);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let store = Arc::clone(&own);
                // A connection ends when the program is killed; that is no fault of the store's.
                thread::spawn(move || while store.answer(&connection).is_some() {});
            }
        });
        Self { url, store }
    }

    /// What a program is told of it.
    pub fn flags(&self) -> [&str; 8] {
        [
            "--assets",
            "s3://films/of/kinora",
            "--s3-endpoint",
            &self.url,
            "--s3-access-key",
            "id",
            "--s3-secret-key",
            "hush",
        ]
    }

    /// The names of all files.
    pub fn files(&self) -> Vec<String> {
        self.store.files().keys().cloned().collect()
    }

    pub fn hold(&self, at: Hold) {
        *self.store.hold.lock().expect("no panic") = Some(at);
    }

    /// Waits until it is where it was to stop; what comes then is answered at once.
    pub fn held(&self) {
        let held = self.store.held.lock().expect("no panic");
        let waited = self
            .store
            .changed
            .wait_timeout_while(held, super::PATIENCE, |held| !*held);
        let (mut held, timeout) = waited.expect("no panic");
        assert!(!timeout.timed_out(), "nothing was sent");
        *self.store.hold.lock().expect("no panic") = None;
        *held = false;
    }
}

impl Store {
    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.files.lock().expect("no panic")
    }

    /// Says that it is where it was to stop, and waits there until the program is killed.
    fn wait(&self, connection: &TcpStream) {
        *self.held.lock().expect("no panic") = true;
        self.changed.notify_all();
        let mut connection = connection;
        let _ = connection.read(&mut [0]);
    }

    fn answer(&self, connection: &TcpStream) -> Option<()> {
        let request = self.read(connection)?;
        let signed = request.headers.get("authorization");
        let signed = signed.is_some_and(|by| by.starts_with("AWS4-HMAC-SHA256 Credential=id/"));
        let told = request.headers.values().any(|value| value.contains("hush"));
        let (status, headers, body) = if signed && !told {
            self.carry_out(&request, connection)
        } else {
            (403, String::new(), Vec::new())
        };
        let length = match headers.contains("content-length") {
            true => String::new(),
            false => format!("content-length: {}\r\n", body.len()),
        };
        let mut connection = connection;
        let head = format!("HTTP/1.1 {status} so\r\n{length}{headers}\r\n");
        connection.write_all(head.as_bytes()).ok()?;
        connection.write_all(&body).ok()
    }

    fn read(&self, connection: &TcpStream) -> Option<Request> {
        let mut reader = BufReader::new(connection);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length");
        let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let path = path.strip_prefix("/films")?.trim_start_matches('/');
        Some(Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
        })
    }

    /// Status, headers and body of the answer.
    fn carry_out(&self, request: &Request, connection: &TcpStream) -> (u16, String, Vec<u8>) {
        let none = (404, String::new(), Vec::new());
        let path = request.path.as_str();
        match request.method.as_str() {
            "GET" if path.is_empty() => (200, String::new(), self.list(&request.query)),
            "GET" | "HEAD" => match self.files().get(path) {
                Some(file) => sent(request, file),
                None => none,
            },
            "PUT" => {
                let hold = *self.hold.lock().expect("no panic");
                if hold == Some(Hold::Arriving) {
                    self.wait(connection);
                    return none;
                }
                self.files().insert(path.to_owned(), request.body.clone());
                let count = self.files().len();
                if hold == Some(Hold::Kept(count)) {
                    self.wait(connection);
                }
                (200, "etag: \"kept\"\r\n".to_owned(), Vec::new())
            }
            "POST" if request.query == "delete" => {
                let text = String::from_utf8_lossy(&request.body).into_owned();
                let keys = text.split("<Key>").skip(1);
                let keys = keys.filter_map(|rest| rest.split("</Key>").next());
                let deleted: String = keys
                    .inspect(|key| drop(self.files().remove(*key)))
                    .map(|key| format!("<Deleted><Key>{key}</Key></Deleted>"))
                    .collect();
                let told = format!("<DeleteResult>{deleted}</DeleteResult>");
                (200, String::new(), told.into())
            }
            _ => none,
        }
    }

    fn list(&self, query: &str) -> Vec<u8> {
        let prefix = query
            .split('&')
            .find_map(|part| part.strip_prefix("prefix="));
        let prefix = prefix.unwrap_or_default().replace("%2F", "/");
        let files = self.files();
        let found = files.iter().filter(|(name, _)| name.starts_with(&prefix));
        let entries: String = found
            .map(|(name, file)| {
                let (size, written) = (file.len(), WRITTEN[0]);
                format!(
                    "<Contents><Key>{name}</Key><LastModified>{written}</LastModified>\
                     <ETag>kept</ETag><Size>{size}</Size></Contents>"
                )
            })
            .collect();
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>")
            .into()
    }
}

/// The answer with a file or a range of it.
fn sent(request: &Request, file: &[u8]) -> (u16, String, Vec<u8>) {
    let range = request.headers.get("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some(from.parse::<usize>().ok()?..to.parse::<usize>().ok()? + 1)
    });
    let total = file.len();
    let (status, part, range) = match range {
        Some(range) => {
            let (from, last) = (range.start, range.end - 1);
            let told = format!("content-range: bytes {from}-{last}/{total}\r\n");
            (206, &file[range], told)
        }
        None => (200, file, String::new()),
    };
    let headers = format!(
        "{range}content-length: {}\r\netag: \"kept\"\r\nlast-modified: {}\r\n",
        part.len(),
        WRITTEN[1]
    );
    let body = match request.method.as_str() {
        "HEAD" => Vec::new(),
        _ => part.to_vec(),
    };
    (status, headers, body)
}
