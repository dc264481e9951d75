//! `kinora models`: what can be used, and the card of each.

use crate::failure::sentence;
use crate::library::{installed, open};
use crate::sampling::tell;
use anyhow::Result;
use clap::{Args, Subcommand};
use kinora_engine::ModelFiles;
use kinora_models::registry::BUILT_IN;
use serde_json::{Value, json};
use std::io::{self, Write};

/// List the models that can be used, or show one's card
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora models
  kinora models show kinora-1
  kinora models show wan2.1-t2v-1.3b    (once it is pulled)")]
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
        /// Name of a model that is built in or pulled, or a model folder
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
            let mut list = Vec::new();
            for built_in in BUILT_IN {
                list.push(describe(&open(built_in.name)?, Some(built_in.summary)));
            }
            list.extend(pulled().iter().map(|model| describe(model, None)));
            writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        }
        None => {
            for built_in in BUILT_IN {
                let model = open(built_in.name)?;
                let line = line(&model, "built in");
                writeln!(out, "{line}: {}", built_in.summary)?;
            }
            for model in pulled() {
                writeln!(out, "{}", line(&model, "pulled"))?;
            }
        }
    }
    Ok(())
}

/// All pulled models that can be used; what stands against another is said.
fn pulled() -> Vec<ModelFiles> {
    let opened = |name: String| match open(&name) {
        Ok(model) => Some(model),
        Err(error) => {
            tell(&format!("{name} can't be used: {}", sentence(&error)));
            None
        }
    };
    installed().into_iter().filter_map(opened).collect()
}

fn line(model: &ModelFiles, how: &str) -> String {
    let megabytes = model.weight_bytes() as f64 / 1e6;
    let about = &model.about;
    format!(
        "{:<12} {how}, {megabytes:.0} MB, {}",
        about.name, about.licence
    )
}

fn describe(model: &ModelFiles, summary: Option<&str>) -> Value {
    json!({
        "name": model.about.name,
        "summary": summary,
        "licence": model.about.licence,
        "weight_bytes": model.weight_bytes(),
        "sha256": model.sha256(),
        "defaults": model.about.defaults,
        "card": model.card(),
    })
}
