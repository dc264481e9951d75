//! `kinora inspect`: what a file is, and the recipe that made it.

use anyhow::Result;
use clap::Args;
use kinora_engine::EngineError;
use kinora_engine::checkpoint::{is_checkpoint, networks};
use kinora_media::{Probe, probe};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;

/// Say what a file is: the recipe of a clip, or the networks in a file or folder of weights
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora inspect fox.mp4
  kinora inspect fox.mp4 --json | jq -r .recipe.prompt
  kinora generate --like fox.mp4 -o again.mp4    (the same bytes)
  kinora inspect wan2.1_t2v_1.3B_bf16.safetensors
  kinora inspect Wan2.1-T2V-1.3B-Diffusers/")]
pub struct InspectArgs {
    /// MP4, GIF, PNG, or folder of PNG frames; safetensors, GGUF, or a checkpoint's folder
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn inspect(args: &InspectArgs) -> Result<()> {
    if is_checkpoint(&args.file) {
        return weights(args);
    }
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

/// Says which networks are in a file or folder, from headers alone.
fn weights(args: &InspectArgs) -> Result<()> {
    let (found, missing) = networks(&args.file).map_err(EngineError::from)?;
    let memory: u64 = found.iter().map(|network| network.memory).sum();
    let mut out = io::stdout().lock();
    if args.json {
        let shown = json!({ "networks": found, "missing": missing, "memory": memory });
        writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
        return Ok(());
    }
    for network in &found {
        let numbers =
            |(name, count): (&&str, &u64)| format!("{:.1} M in {name}", *count as f64 / 1e6);
        let precision: Vec<String> = network.precision.iter().map(numbers).collect();
        writeln!(out, "{}: {}", network.place, network.is)?;
        writeln!(
            out,
            "  {}, {:.1} MB, names of {}",
            precision.join(", "),
            network.bytes as f64 / 1e6,
            network.layout
        )?;
        for name in &network.missing {
            writeln!(out, "  missing: {name}")?;
        }
    }
    for name in &missing {
        writeln!(out, "missing: {name}")?;
    }
    writeln!(
        out,
        "loaded, the weights take {:.1} MB",
        memory as f64 / 1e6
    )?;
    Ok(())
}
