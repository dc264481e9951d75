//! `kinora models`: what can be used, and the card of each.

use anyhow::Result;
use clap::{Args, Subcommand};
use kinora_engine::{EngineError, ModelFiles};
use kinora_models::registry::BUILT_IN;
use serde_json::{Value, json};
use std::io::{self, Write};

/// List the models that can be used, or show one's card
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora models
  kinora models show kinora-1")]
pub struct ModelsArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a model's card: what it was trained on, what it can and can't do, figures, licence
    #[command(after_help = "Examples:
  kinora models show kinora-1
  kinora models show ./my-model")]
    Show {
        /// Name of a built-in model, or a model folder
        name: String,
    },
}

/// Runs the command.
pub fn models(args: &ModelsArgs) -> Result<()> {
    let mut out = io::stdout().lock();
    match &args.what {
        Some(What::Show { name }) => {
            let model = open(name)?;
            match args.json {
                true => writeln!(
                    out,
                    "{}",
                    serde_json::to_string_pretty(&describe(&model, None))?
                )?,
                false => writeln!(out, "{}", model.card().trim_end())?,
            }
        }
        None if args.json => {
            let list: Vec<Value> = BUILT_IN
                .iter()
                .map(|built_in| Ok(describe(&open(built_in.name)?, Some(built_in.summary))))
                .collect::<Result<_>>()?;
            writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        }
        None => {
            for built_in in BUILT_IN {
                let model = open(built_in.name)?;
                let (megabytes, licence) =
                    (model.weight_bytes() as f64 / 1e6, &model.about.licence);
                writeln!(
                    out,
                    "{:<12} built in, {megabytes:.0} MB, {licence}: {}",
                    built_in.name, built_in.summary
                )?;
            }
        }
    }
    Ok(())
}

fn open(name: &str) -> Result<ModelFiles, EngineError> {
    Ok(ModelFiles::open(name)?)
}

fn describe(model: &ModelFiles, summary: Option<&str>) -> Value {
    json!({
        "name": model.about.name,
        "summary": summary,
        "licence": model.about.licence,
        "weight_bytes": model.weight_bytes(),
        "sha256": model.sha256,
        "defaults": model.about.defaults,
        "card": model.card(),
    })
}
