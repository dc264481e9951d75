//! Tells webhooks of the end of videos: signed, and again and again until they have heard it.

use crate::app::new_id;
use crate::fetch::{self, FetchError, Reach};
use crate::store::{Delivery, Store, StoreError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use std::io;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// How long one attempt may take; after that another may be begun.
const LEASE: Duration = Duration::from_secs(60);
/// How often ends are looked for that another process recorded.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait after each attempt that failed: about three days in all.
const AGAIN: [u64; 9] = [5, 30, 120, 600, 3_600, 14_400, 43_200, 86_400, 86_400];

/// What tells webhooks.
pub(crate) struct Teller {
    pub store: Store,
    pub reach: Reach,
    /// Told when a job of this process ends.
    pub wake: Arc<Notify>,
}

impl Teller {
    /// Works until `stop` is true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.step().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "webhooks wait"),
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep(LOOK) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Sends the next thing, if there is one.
    async fn step(&self) -> Result<bool, StoreError> {
        let id = || new_id("evt").map_err(|error| StoreError::Id(error.message().to_owned()));
        self.store.note_ends(id).await?;
        let Some(delivery) = self.store.due(LEASE).await? else {
            return Ok(false);
        };
        let answer = self.send(&delivery).await;
        let id = &delivery.id;
        match answer {
            Ok(status) if (200..300).contains(&status) => {
                self.store.delivered(id, &status.to_string()).await?;
            }
            other => {
                let reason = match other {
                    Ok(status) => format!("it answered {status}"),
                    Err(error) => error.to_string(),
                };
                let failed = usize::try_from(delivery.attempt - 1).unwrap_or(usize::MAX);
                let again = AGAIN.get(failed).copied().map(Duration::from_secs);
                tracing::warn!(
                    url = delivery.url,
                    video = delivery.video,
                    reason,
                    "a webhook did not hear"
                );
                self.store.settle(id, again, &reason).await?;
            }
        }
        Ok(true)
    }

    async fn send(&self, delivery: &Delivery) -> Result<u16, FetchError> {
        let body = json!({
            "id": delivery.id,
            "object": "event",
            "created_at": delivery.created_at / 1000,
            "type": delivery.kind,
            "data": { "id": delivery.video },
        })
        .to_string();
        let time = UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_secs()
            .to_string();
        let signature = signature(&delivery.secret, &delivery.id, &time, &body)?;
        let url = fetch::parse(&delivery.url)?;
        let answer = fetch::send(self.reach, &url, |client| {
            client
                .post(url.clone())
                .header("content-type", "application/json")
                .header("webhook-id", &delivery.id)
                .header("webhook-timestamp", &time)
                .header("webhook-signature", format!("v1,{signature}"))
                .body(body.clone())
        });
        Ok(answer.await?.status().as_u16())
    }
}

/// A new secret for a webhook: `whsec_` and base64.
///
/// # Errors
/// When the system gives no random numbers.
pub fn webhook_secret() -> io::Result<String> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("whsec_{}", STANDARD.encode(key)))
}

/// The signature of a body, as the clients' `webhooks.unwrap` checks it (Standard Webhooks 1.0).
fn signature(secret: &str, id: &str, time: &str, body: &str) -> Result<String, FetchError> {
    let wrong = |_| FetchError::Refused("the webhook's secret is not whsec_ and base64".into());
    let coded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = STANDARD.decode(coded).map_err(wrong)?;
    let mac = Hmac::<Sha256>::new_from_slice(&key);
    let mut mac = mac.map_err(|_| FetchError::Refused("the webhook's secret is empty".into()))?;
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of https://www.standardwebhooks.com.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(
            signed.unwrap(),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
