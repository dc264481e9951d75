//! A bucket of an S3-compatible store, as the store of files.

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Place;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, RetryConfig};
use reqwest::Url;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection to the store may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the store may be silent. A transfer as a whole may take any time: its other end may be a slow client.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a request that fails is tried again; a client waits for its answer meanwhile.
const RETRIES: Duration = Duration::from_secs(10);

/// Where a bucket is, and how it is opened.
#[derive(Clone, Default)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What the names of all files in it begin with; may be empty.
    pub prefix: String,
    /// The store's address; `None` is Amazon's.
    pub endpoint: Option<String>,
    /// The store's region, `us-east-1` if there is none.
    pub region: Option<String>,
    /// Without keys, those that Amazon gives a machine of its own.
    pub keys: Option<BucketKeys>,
    /// Whether the bucket's name is a part of the host's instead of the path.
    pub virtual_hosts: bool,
}

/// What opens a bucket.
#[derive(Clone)]
pub struct BucketKeys {
    /// The access key.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The token of a session, if the keys are those of one.
    pub token: Option<String>,
}

impl Bucket {
    pub(crate) fn open(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        // All TLS here is ring's. Whoever installs it first does it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = self.endpoint.as_deref().is_some_and(is_http);
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_timeout_disabled()
            .with_read_timeout(SILENCE)
            .with_allow_http(http);
        let retries = RetryConfig {
            backoff: BackoffConfig {
                max_backoff: Duration::from_secs(2),
                ..BackoffConfig::default()
            },
            retry_timeout: RETRIES,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_virtual_hosted_style_request(self.virtual_hosts)
            .with_client_options(client)
            .with_retry(retries);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(self.host(endpoint));
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(keys) = &self.keys {
            builder = builder
                .with_access_key_id(&keys.id)
                .with_secret_access_key(&keys.secret);
            if let Some(token) = &keys.token {
                builder = builder.with_token(token);
            }
        }
        let store: AmazonS3 = builder.build()?;
        Ok(match Place::from(self.prefix.as_str()) {
            whole if whole.as_ref().is_empty() => Arc::new(store),
            prefix => Arc::new(PrefixStore::new(store, prefix)),
        })
    }

    /// The store's address, with the bucket's name in its host where it belongs there.
    fn host(&self, endpoint: &str) -> String {
        let with_name = |mut url: Url| {
            let host = format!("{}.{}", self.name, url.host_str()?);
            url.set_host(Some(&host)).ok()?;
            Some(url.as_str().trim_end_matches('/').to_owned())
        };
        let named = match self.virtual_hosts {
            true => Url::parse(endpoint).ok().and_then(with_name),
            false => None,
        };
        named.unwrap_or_else(|| endpoint.to_owned())
    }
}

fn is_http(endpoint: &str) -> bool {
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_in_the_path_or_in_the_host() {
        let bucket = |virtual_hosts| Bucket {
            name: "films".into(),
            virtual_hosts,
            ..Bucket::default()
        };
        let host = |virtual_hosts, endpoint: &str| bucket(virtual_hosts).host(endpoint);
        assert_eq!(host(false, "http://store:9000"), "http://store:9000");
        assert_eq!(host(true, "http://store:9000"), "http://films.store:9000");
        assert_eq!(
            host(true, "https://s3.example/"),
            "https://films.s3.example"
        );
        assert!(is_http("HTTP://store") && !is_http("https://store"));
    }
}
