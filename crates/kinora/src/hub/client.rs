//! The requests: what a repository holds, and a file from some byte on.

use super::repo::{Entry, Info, Listing, Repo, check_revision};
use crate::failure::BadInput;
use anyhow::{Context, Error, Result, anyhow};
use serde::de::DeserializeOwned;
use std::io::Read;
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// How long a connection, an answer, and each part of a body may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most redirections in a row.
const MOST_HOPS: usize = 8;
/// Longest answer that is not a file, in bytes.
const MAX_ANSWER: u64 = 16 << 20;
/// Most pages of a list of files.
const MOST_PAGES: usize = 100;

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection or the server failed: another try may go well.
    Passing(Error),
    /// Another try would fail alike.
    Final(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Passing(error) | Failure::Final(error) => error,
        }
    }
}

/// Whoever asks the hub.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// A file's bytes on their way.
pub(super) struct Incoming {
    /// Where in the file they begin.
    pub from: u64,
    /// How long the server says that the whole file is.
    pub whole: Option<u64>,
    /// The bytes.
    pub reader: Box<dyn Read>,
}

impl Client {
    /// Asks at `endpoint`, in the name of `token`.
    pub fn new(endpoint: &str, token: Option<&str>) -> Self {
        // Redirections are followed here, for the token is the hub's alone and the range is for whoever holds the file.
        let agent = Agent::config_builder()
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("kinora/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self {
            agent,
            endpoint: endpoint.to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// The page of a repository, for people.
    pub fn page(&self, repo: &Repo) -> String {
        format!("{}/{}", self.endpoint, repo.name())
    }

    /// What `repo` holds at `revision`.
    ///
    /// # Errors
    /// When the hub can't be reached or refuses, there is no such repository or revision, or a file's path leads out.
    pub fn listing(&self, repo: &Repo, revision: &str) -> Result<Listing> {
        check_revision(revision)?;
        let api = format!("{}/api/models/{}", self.endpoint, repo.name());
        let what = format!("revision {revision:?} of {}", repo.name());
        let (info, _): (Info, _) = self.json(
            &format!("{api}/revision/{}", escaped(revision, "")),
            repo,
            &what,
        )?;
        let commit = info.commit()?.to_owned();
        let mut files = Vec::new();
        let mut next = Some(format!("{api}/tree/{commit}?recursive=1"));
        for _ in 0..MOST_PAGES {
            let Some(address) = next.take() else { break };
            let (entries, link): (Vec<Entry>, _) = self.json(&address, repo, &what)?;
            for entry in entries {
                files.extend(entry.file(repo)?);
            }
            next = link;
        }
        Ok(Listing {
            repo: repo.clone(),
            licence: info.licence(),
            commit,
            files,
        })
    }

    /// An answer in JSON, and the address of its next page.
    fn json<T: DeserializeOwned>(
        &self,
        address: &str,
        repo: &Repo,
        what: &str,
    ) -> Result<(T, Option<String>)> {
        let mut response = self.get(address, 0)?;
        self.check(&response, repo, what)?;
        let link = response.headers().get(header::LINK);
        let next = link.and_then(|link| next_page(link.to_str().ok()?));
        let config = response.body_mut().with_config().limit(MAX_ANSWER);
        let text = config
            .read_to_string()
            .with_context(|| format!("the answer of {address} broke off"))?;
        let answer = serde_json::from_str(&text)
            .with_context(|| format!("{address} answered with something else than the hub does"))?;
        Ok((answer, next))
    }

    /// The bytes of a file of `repo` at `commit`, from byte `from` on if the server can do that.
    pub(super) fn file(
        &self,
        repo: &Repo,
        commit: &str,
        path: &str,
        from: u64,
    ) -> Result<Incoming, Failure> {
        let file = escaped(path, "/");
        let address = format!("{}/{}/resolve/{commit}/{file}", self.endpoint, repo.name());
        let mut response = self.get(&address, from)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            response = self.get(&address, 0)?;
        }
        self.check(
            &response,
            repo,
            &format!("file {path:?} in {}", repo.name()),
        )?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        let (begins, whole) = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                // bytes 100-199/200
                let range = header(header::CONTENT_RANGE).and_then(|r| r.strip_prefix("bytes "));
                let (part, whole) = range.and_then(|r| r.split_once('/')).unwrap_or_default();
                let begins = part.split_once('-').and_then(|(begins, _)| number(begins));
                (begins, number(whole))
            }
            _ => (Some(0), header(header::CONTENT_LENGTH).and_then(number)),
        };
        match begins {
            Some(begins) if begins == 0 || begins == from => Ok(Incoming {
                from: begins,
                whole,
                reader: Box::new(response.into_body().into_reader()),
            }),
            _ => Err(Failure::Final(anyhow!(
                "{address} answered with another part of the file than was asked for"
            ))),
        }
    }

    /// The answer at the end of all redirections. The token goes to the hub's own address and nowhere else.
    fn get(&self, address: &str, from: u64) -> Result<Response<Body>, Failure> {
        let mut address = address.to_owned();
        for _ in 0..MOST_HOPS {
            let mut request = self.agent.get(&address);
            request = request.header(header::ACCEPT_ENCODING, "identity");
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if let Some(token) = &self.token
                && origin(&address) == origin(&self.endpoint)
            {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| {
                let reason = Error::new(error);
                Failure::Passing(reason.context(format!("{} can't be reached", origin(&address))))
            })?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let to = response.headers().get(header::LOCATION);
            let to = to.and_then(|to| to.to_str().ok());
            address = to.and_then(|to| target(&address, to)).ok_or_else(|| {
                Failure::Final(anyhow!(
                    "{address} redirects to no address that is followed"
                ))
            })?;
        }
        Err(Failure::Final(anyhow!("{address} redirects in circles")))
    }

    /// An answer that is no success, in words.
    fn check(&self, response: &Response<Body>, repo: &Repo, what: &str) -> Result<(), Failure> {
        let (name, page) = (repo.name(), self.page(repo));
        let asked = |words: String| Err(Failure::Final(BadInput(words).into()));
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED if self.token.is_none() => asked(format!(
                "{name} is private, needs its licence accepted, or does not exist: set HF_TOKEN to a token of yours \
                 ({}/settings/tokens), and see {page}",
                self.endpoint
            )),
            StatusCode::UNAUTHORIZED => asked(format!(
                "the hub does not take the token for {name}: set HF_TOKEN to a valid one ({}/settings/tokens), and see \
                 whether {page} exists",
                self.endpoint
            )),
            StatusCode::FORBIDDEN => asked(format!(
                "{name} is not open to this token: accept its licence at {page}, or set HF_TOKEN to one that may read it"
            )),
            StatusCode::NOT_FOUND => asked(format!("the hub has no {what}; see {page}")),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                let words = anyhow!("the hub answered {status} when asked for {what}");
                Err(Failure::Passing(words))
            }
            status => Err(Failure::Final(anyhow!(
                "the hub answered {status} when asked for {what}"
            ))),
        }
    }
}

/// Scheme, host and port of an address.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..].find(['/', '?', '#']);
    &address[..end.map_or(address.len(), |end| host + end)]
}

/// Where `to` leads from `address`; `None` if that is no address, or would leave encryption.
fn target(address: &str, to: &str) -> Option<String> {
    if to.starts_with('/') && !to.starts_with("//") {
        return Some(format!("{}{to}", origin(address)));
    }
    let plain = to.starts_with("http://") && !address.starts_with("https://");
    (plain || to.starts_with("https://")).then(|| to.to_owned())
}

/// The address in `<address>; rel="next"`.
fn next_page(link: &str) -> Option<String> {
    let of_next = |part: &&str| part.contains("rel=\"next\"");
    let part = link.split(',').find(of_next)?;
    let address = part.split_once('<')?.1.split_once('>')?.0;
    Some(address.to_owned())
}

/// `text` as a part of an address; characters of `kept` stay besides the harmless ones.
fn escaped(text: &str, kept: &str) -> String {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let mut out = String::new();
    for byte in text.bytes() {
        match harmless(byte) || kept.as_bytes().contains(&byte) {
            true => out.push(byte.into()),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
