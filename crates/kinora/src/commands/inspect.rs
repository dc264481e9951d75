//! `kinora inspect`: what a file is, and the recipe that made it.

use anyhow::Result;
use clap::Args;
use kinora_media::{Probe, probe};
use serde_json::Value;
use std::io::{self, Write};
use std::path::PathBuf;

/// Say what a file is, and print the recipe it carries
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora inspect fox.mp4
  kinora inspect fox.mp4 --json | jq -r .recipe.prompt
  kinora generate --like fox.mp4 -o again.mp4    (the same bytes)")]
pub struct InspectArgs {
    /// MP4, GIF, PNG, or folder of PNG frames
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn inspect(args: &InspectArgs) -> Result<()> {
    let found = probe(&args.file)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(());
    }
    let Probe {
        kind,
        width,
        height,
        frames,
        fps,
        recipe,
    } = found;
    let kind = serde_json::to_value(kind)?;
    let s = if frames == 1 { "" } else { "s" };
    let rate = fps.map_or_else(String::new, |fps| format!(" at {fps} a second"));
    writeln!(
        out,
        "{}, {width}x{height}, {frames} frame{s}{rate}",
        kind.as_str().unwrap_or_default()
    )?;
    match recipe {
        None => writeln!(
            out,
            "no recipe: made by another program, or its metadata was stripped"
        )?,
        Some(recipe) => {
            for (key, value) in recipe.as_object().into_iter().flatten() {
                match value {
                    Value::String(text) => writeln!(out, "{key:<10} {text}")?,
                    other => writeln!(out, "{key:<10} {other}")?,
                }
            }
        }
    }
    Ok(())
}
