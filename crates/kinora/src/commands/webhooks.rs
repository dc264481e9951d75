//! `kinora webhooks`: who is told when a video of the server is done.

use crate::failure::BadInput;
use crate::place::PlaceArgs;
use crate::service::{self, random, runtime};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use kinora_server::store::Webhook;
use serde_json::{Value, json};

/// Tell addresses when videos of a server are completed or fail
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora webhooks add https://example.com/videos
  kinora webhooks add https://example.com/studio --key studio
  kinora webhooks list
  kinora webhooks remove https://example.com/videos")]
pub struct WebhooksArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell an address from now on; prints the secret that signs what it is told
    #[command(after_help = "Examples:
  kinora webhooks add https://example.com/videos")]
    Add {
        /// The address
        url: String,
        /// Of the videos of this key alone, by its name or id
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// List the addresses
    #[command(after_help = "Examples:
  kinora webhooks list --json")]
    List,
    /// Tell an address no more, by its id or the address itself
    #[command(after_help = "Examples:
  kinora webhooks remove https://example.com/videos")]
    Remove {
        /// Its id or address
        webhook: String,
    },
}

/// Runs the command.
pub fn webhooks(args: WebhooksArgs) -> Result<()> {
    runtime()?.block_on(async {
        let store = args.place.record().await?;
        match args.what {
            What::Add { url, key } => {
                if !url.starts_with("https://") && !url.starts_with("http://") {
                    bail!(BadInput(format!(
                        "{url} is no address; it begins with https://"
                    )));
                }
                let owner = match key {
                    None => String::new(),
                    Some(name) => {
                        let keys = store.keys().await?;
                        let key = keys
                            .into_iter()
                            .find(|key| key.id == name || key.name == name);
                        let Some(key) = key else {
                            bail!(BadInput(format!(
                                "there is no key {name:?}; see `kinora keys list`"
                            )));
                        };
                        key.id
                    }
                };
                let webhook = Webhook {
                    id: format!("wh_{}", random(16)?),
                    owner,
                    url,
                    secret: kinora_server::webhook_secret()?,
                };
                store.add_webhook(&webhook).await?;
                let shown = (described(&webhook), "secret");
                let what = "the secret for the client's webhooks.unwrap";
                service::secret(shown, &webhook.secret, args.json, what)?;
            }
            What::List => {
                let nothing = "nobody is told; add an address with `kinora webhooks add URL`";
                let webhooks = store.webhooks().await?;
                service::list(&webhooks, args.json, (described, line), nothing)?;
            }
            What::Remove { webhook } => {
                if store.remove_webhook(&webhook).await? == 0 {
                    bail!(BadInput(format!(
                        "there is no webhook {webhook:?}; see `kinora webhooks list`"
                    )));
                }
            }
        }
        Ok(())
    })
}

fn line(webhook: &Webhook) -> String {
    let of = match webhook.owner.as_str() {
        "" => "all videos",
        owner => owner,
    };
    format!("{}  {}  {of}", webhook.id, webhook.url)
}

fn described(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "url": webhook.url,
        "key": Some(&webhook.owner).filter(|owner| !owner.is_empty()),
    })
}
