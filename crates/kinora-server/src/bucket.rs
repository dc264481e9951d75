//! A bucket of an S3-compatible store, as the store of files.

use crate::assets::AssetError;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Place;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
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
    pub(crate) fn open(&self) -> Result<Arc<dyn ObjectStore>, AssetError> {
        self.check().map_err(AssetError::Settings)?;
        // All TLS here is ring's. Whoever installs it first does it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = self.endpoint.as_deref().is_some_and(is_http);
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_timeout_disabled()
            .with_read_timeout(SILENCE)
            .with_allow_http(http)
            // A machine without any must reach its own store.
            .with_no_system_certificates(http);
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

    /// Whether addresses and headers can be made of this; object_store panics where they can't.
    fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(format!("{:?} is no name of a bucket", self.name));
        }
        let region = self.region.as_deref().unwrap_or("us-east-1");
        if region.is_empty() || !region.chars().all(plain) {
            return Err(format!("{region:?} is no region of a store"));
        }
        if let Some(endpoint) = &self.endpoint {
            let url = Url::parse(endpoint).ok();
            let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
            if url.is_none_or(|url| !url.has_host() || url.query().is_some()) {
                return Err(format!(
                    "{endpoint:?} is no address of a store; write it as https://host:port"
                ));
            }
        }
        let sent = self
            .keys
            .iter()
            .flat_map(|keys| [Some(&keys.id), keys.token.as_ref()]);
        let visible = |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic());
        match sent.flatten().all(visible) {
            true => Ok(()),
            false => Err("the store's access key or token has spaces or line ends in it".into()),
        }
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

    #[test]
    fn what_no_address_can_be_made_of_is_refused() {
        let bucket = |name: &str, endpoint: Option<&str>, region: Option<&str>, id: &str| Bucket {
            name: name.into(),
            endpoint: endpoint.map(str::to_owned),
            region: region.map(str::to_owned),
            keys: Some(BucketKeys {
                id: id.into(),
                secret: "any thing".into(),
                token: None,
            }),
            ..Bucket::default()
        };
        let taken = bucket("films.1", Some("http://store:9000"), Some("eu-1"), "id");
        assert_eq!(taken.check(), Ok(()));
        for wrong in [
            bucket("", None, None, "id"),
            bucket("my films", None, None, "id"),
            bucket("films", Some("nonsense"), None, "id"),
            bucket("films", Some("ftp://store"), None, "id"),
            bucket("films", Some("http://st ore"), None, "id"),
            bucket("films", None, Some("here/there"), "id"),
            bucket("films", None, None, "id\n"),
        ] {
            let refused = wrong.open().expect_err("it is wrong");
            assert!(matches!(refused, AssetError::Settings(_)), "{refused}");
        }
    }
}
