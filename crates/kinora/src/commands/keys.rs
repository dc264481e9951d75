//! `kinora keys`: who may ask a server for videos, and for how many.

use crate::failure::BadInput;
use crate::place::PlaceArgs;
use crate::service::{self, random, runtime};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use kinora_server::store::{Key, KeyLimits, NewKey, Scope};
use serde_json::{Value, json};

/// Make, list and revoke the API keys of a server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora keys add studio
  kinora keys add intern --scope read --scope write --max-queued 5 --max-running 1 --seconds-a-day 600
  kinora keys add prometheus --scope metrics
  kinora keys list
  kinora keys revoke intern")]
pub struct KeysArgs {
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
    /// Make a key and print it; it can't be shown again
    #[command(after_help = "Examples:
  kinora keys add studio --max-queued 100")]
    Add {
        /// What people call it
        name: String,
        /// What it may do: read, write, metrics; read and write if not given. Give it several times
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<Scope>,
        /// Jobs that may wait
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        max_queued: Option<i64>,
        /// Jobs that may be worked at at once
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        max_running: Option<i64>,
        /// Seconds of video that it may ask for in 24 hours
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        seconds_a_day: Option<i64>,
        /// Pixels that it may ask for in 24 hours, of all frames together, in millions
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        megapixels_a_day: Option<i64>,
        /// Its jobs come before those of keys with a lower number
        #[arg(
            long,
            value_name = "N",
            default_value_t = 0,
            allow_hyphen_values = true
        )]
        priority: i64,
    },
    /// List the keys
    #[command(after_help = "Examples:
  kinora keys list --json")]
    List,
    /// Revoke a key, by its name or id; its videos stay
    #[command(after_help = "Examples:
  kinora keys revoke studio")]
    Revoke {
        /// Its name or id
        key: String,
    },
}

/// Runs the command.
pub fn keys(args: KeysArgs) -> Result<()> {
    runtime()?.block_on(async {
        let store = args.place.record().await?;
        match args.what {
            What::Add {
                name,
                scope,
                max_queued,
                max_running,
                seconds_a_day,
                megapixels_a_day,
                priority,
            } => {
                let scopes = match scope.is_empty() {
                    true => vec![Scope::Read, Scope::Write],
                    false => scope,
                };
                let new = NewKey {
                    name: name.clone(),
                    scopes,
                    limits: KeyLimits {
                        priority,
                        max_queued,
                        max_running,
                        seconds_a_day,
                        megapixels_a_day,
                    },
                };
                let (id, secret) = (
                    format!("key_{}", random(16)?),
                    format!("kn-{}", random(32)?),
                );
                let key = store.add_key(&id, &secret, &new).await?;
                let what = format!("the key of {name}; keep it, it can't be shown again");
                service::secret((described(&key), "key"), &secret, args.json, &what)?;
            }
            What::List => {
                let nothing = "there is no key yet; make one with `kinora keys add NAME`";
                let keys = store.keys().await?;
                service::list(&keys, args.json, (described, line), nothing)?;
            }
            What::Revoke { key } => {
                if store.revoke(&key).await? == 0 {
                    bail!(BadInput(format!(
                        "there is no key {key:?} that could be revoked; see `kinora keys list`"
                    )));
                }
            }
        }
        Ok(())
    })
}

fn line(key: &Key) -> String {
    let revoked = key.revoked_at.map_or("", |_| "revoked");
    let (name, id, scopes) = (&key.name, &key.id, scopes(key).join(" "));
    format!("{name:<20} {id:<37} {scopes:<20} {revoked}")
}

fn scopes(key: &Key) -> Vec<String> {
    key.scopes.iter().map(Scope::to_string).collect()
}

fn described(key: &Key) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": scopes(key),
        "max_queued": key.limits.max_queued,
        "max_running": key.limits.max_running,
        "seconds_a_day": key.limits.seconds_a_day,
        "megapixels_a_day": key.limits.megapixels_a_day,
        "priority": key.limits.priority,
        "created_at": key.created_at / 1000,
        "revoked_at": key.revoked_at.map(|time| time / 1000),
    })
}
