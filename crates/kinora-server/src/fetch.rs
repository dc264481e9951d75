//! Addresses that clients and operators name, reached without being led into the server's own network.

use crate::app::App;
use crate::wire::{ApiError, Upload};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::header::LOCATION;
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::lookup_host;

/// Longest URL of a picture, in characters; a `data:` URL holds the picture.
const MAX_URL: usize = 20_971_520;
/// Longest picture, in bytes.
const MAX_PICTURE: u64 = 20 << 20;
/// How long the whole of a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 3;

/// Networks that are not the public internet (IANA's special-purpose registries).
const V4: [&str; 14] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];
/// The same within the public `2000::/3`, with those that carry an IPv4 address.
const V6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/// How far out the server may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses alone.
    Public,
    /// Also those of the server's own network, if the operator says so.
    Anywhere,
    /// Public addresses, and one of this machine that stands for them.
    #[cfg(test)]
    PublicAnd(SocketAddr),
}

/// Why an address is not reached.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is no address that is reached from here.
    #[error("{0}")]
    Refused(String),
    /// It does not answer as it should.
    #[error("{host} does not answer: {reason}")]
    Unanswered {
        /// Its host.
        host: String,
        /// Why.
        reason: String,
    },
}

/// The picture at an `https:`, `http:` or `data:` URL.
pub(crate) async fn picture(app: &App, param: &'static str, url: &str) -> Result<Upload, ApiError> {
    let wrong = |message: String| ApiError::invalid(Some(param), message);
    if url.len() > MAX_URL {
        return Err(wrong(format!(
            "image_url has {} characters; {MAX_URL} are the most",
            url.len()
        )));
    }
    let mut upload = Upload::new(None)?;
    if let Some(data) = url.strip_prefix("data:") {
        let coded = data
            .split_once(',')
            .filter(|(kind, _)| kind.ends_with(";base64"));
        let bytes = coded.and_then(|(_, text)| STANDARD.decode(text.trim()).ok());
        let bytes = bytes.ok_or_else(|| {
            wrong("the data: URL is not of the form data:image/png;base64,...".into())
        })?;
        upload.write(&bytes, MAX_PICTURE, param)?;
        return Ok(upload);
    }
    let reach = app.settings.reach;
    let fetched = get(reach, url).await;
    let mut answer = fetched.map_err(|error| wrong(error.to_string()))?;
    while let Some(bytes) = answer
        .chunk()
        .await
        .map_err(|error| wrong(format!("the picture can't be fetched: {error}")))?
    {
        upload.write(&bytes, MAX_PICTURE, param)?;
    }
    Ok(upload)
}

/// Gets what is at a URL, and follows it to where it leads, each address checked anew.
async fn get(reach: Reach, url: &str) -> Result<Response, FetchError> {
    let mut url = parse(url)?;
    for _ in 0..=MAX_REDIRECTS {
        let answer = send(reach, &url, |client| client.get(url.clone())).await?;
        if !answer.status().is_redirection() {
            let host = url.host_str().unwrap_or_default().to_owned();
            let reason = answer.status().to_string();
            return match answer.status().is_success() {
                true => Ok(answer),
                false => Err(FetchError::Unanswered { host, reason }),
            };
        }
        let next = answer.headers().get(LOCATION);
        let next = next.and_then(|next| url.join(next.to_str().ok()?).ok());
        url = next.ok_or_else(|| FetchError::Refused("the URL leads nowhere".into()))?;
    }
    Err(FetchError::Refused(format!(
        "the URL leads on more than {MAX_REDIRECTS} times"
    )))
}

/// Reads a URL.
pub(crate) fn parse(url: &str) -> Result<Url, FetchError> {
    let read = url.parse::<Url>();
    read.map_err(|error| FetchError::Refused(format!("the URL can't be read: {error}")))
}

/// Sends one request, to addresses that were checked and to no others, whatever the name resolves to a moment later.
pub(crate) async fn send(
    reach: Reach,
    url: &Url,
    request: impl FnOnce(&Client) -> RequestBuilder,
) -> Result<Response, FetchError> {
    let (host, addresses) = resolve(reach, url).await?;
    let unanswered = |error: reqwest::Error| FetchError::Unanswered {
        host: host.clone(),
        reason: error.without_url().to_string(),
    };
    let client = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .resolve_to_addrs(&host, &addresses)
        .user_agent(concat!("kinora/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unanswered)?;
    request(&client).send().await.map_err(unanswered)
}

/// The addresses of a URL's host, all of them allowed.
pub(crate) async fn resolve(
    reach: Reach,
    url: &Url,
) -> Result<(String, Vec<SocketAddr>), FetchError> {
    let refused = |reason: &str| FetchError::Refused(reason.into());
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("a URL begins with https: or http:"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(
            "a URL with a name or password in it is not fetched",
        ));
    }
    let host = url
        .host_str()
        .ok_or_else(|| refused("the URL has no host"))?;
    let port = url.port_or_known_default().unwrap_or(443);
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup_host((name, port)).await;
    let found = found.map_err(|error| FetchError::Unanswered {
        host: host.to_owned(),
        reason: error.to_string(),
    })?;
    let addresses: Vec<SocketAddr> = found.collect();
    let allowed = |address: &SocketAddr| match reach {
        Reach::Public => is_public(address.ip()),
        Reach::Anywhere => true,
        #[cfg(test)]
        Reach::PublicAnd(own) => is_public(address.ip()) || *address == own,
    };
    if addresses.is_empty() || !addresses.iter().all(allowed) {
        return Err(FetchError::Refused(format!(
            "{host} is not an address of the public internet"
        )));
    }
    Ok((host.to_owned(), addresses))
}

/// Whether an address belongs to the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !within_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inner) => !within_v4(inner),
            None => address.segments()[0] & 0xe000 == 0x2000 && !within_v6(address),
        },
    }
}

fn within_v4(address: Ipv4Addr) -> bool {
    let holds = |net: &str| net.parse().is_ok_and(|net: Ipv4Net| net.contains(&address));
    V4.iter().any(|net| holds(net))
}

fn within_v6(address: Ipv6Addr) -> bool {
    let holds = |net: &str| net.parse().is_ok_and(|net: Ipv6Net| net.contains(&address));
    V6.iter().any(|net| holds(net))
}

/// TLS with the certificates of Mozilla's list.
fn tls() -> Result<ClientConfig, FetchError> {
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| FetchError::Refused(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn only_the_public_internet_is_public() {
        for public in [
            "1.1.1.1",
            "93.184.215.14",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[tokio::test]
    async fn urls_that_lead_inside_are_refused_before_anything_is_sent() {
        for url in [
            "http://127.0.0.1/",
            "http://localhost:1/",
            "http://[::1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "file:///etc/passwd",
            "ftp://example.com/",
            "https://user:word@example.com/",
            "gopher://127.0.0.1/",
        ] {
            let refused = get(Reach::Public, url).await;
            assert!(
                matches!(refused, Err(FetchError::Refused(_))),
                "{url}: {refused:?}"
            );
        }
    }

    /// Answers all requests with a way to elsewhere, and says how many it had.
    async fn leading_to(url: &str) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (
            listener.local_addr().unwrap(),
            Arc::new(AtomicUsize::new(0)),
        );
        let url = url.replace("{self}", &address.to_string());
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (address, asked)
    }

    #[tokio::test]
    async fn redirects_are_checked_anew_and_counted() {
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = format!("http://{}/", inside.local_addr().unwrap());
        for url in [
            &inner,
            "file:///etc/passwd",
            "http://169.254.169.254/",
            "//localhost:1/",
        ] {
            let (address, asked) = leading_to(url).await;
            let refused = get(Reach::PublicAnd(address), &format!("http://{address}/")).await;
            assert!(
                matches!(refused, Err(FetchError::Refused(_))),
                "{url}: {refused:?}"
            );
            assert_eq!(asked.load(Ordering::Relaxed), 1);
        }
        let nobody = tokio::time::timeout(Duration::from_millis(100), inside.accept()).await;
        assert!(nobody.is_err(), "the inner server was reached");
        let (address, asked) = leading_to("http://{self}/again").await;
        let refused = get(Reach::PublicAnd(address), &format!("http://{address}/")).await;
        assert!(
            matches!(refused, Err(FetchError::Refused(_))),
            "{refused:?}"
        );
        assert_eq!(asked.load(Ordering::Relaxed), 1 + MAX_REDIRECTS);
    }
}
