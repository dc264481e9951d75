//! `kinora decode`: the clip of latents that were kept.

use crate::library;
use crate::sampling::{Painter, bytes, deliver, destination, memory, name_for};
use anyhow::Result;
use clap::Args;
use kinora_engine::{Device, EngineError, Painted, plan_painted};
use kinora_media::{Shape, check_writable_file};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

/// Finish a clip that is painted: decode its latents
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora decode fox.latents.safetensors -o fox.mp4    (what a run has left that broke before its clip was written)
  kinora generate \"a red fox\" --save-latents fox.safetensors -o fox.mp4; kinora decode fox.safetensors -o fox/

The clip and its recipe are those of the unbroken run, byte for byte.")]
pub struct DecodeArgs {
    /// The latents: beside the output of a run that broke, or what --save-latents wrote
    latents: PathBuf,
    /// Where to: a name ending in .mp4, .gif or .png, a folder name ending in / for PNG frames, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the model is, if not where it was or under its name
    #[arg(long, value_name = "NAME|DIR")]
    model: Option<String>,
    /// Memory to stay below
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_memory: Option<u64>,
    /// Also draw a contact sheet of the clip
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn decode(args: &DecodeArgs) -> Result<()> {
    let began = Instant::now();
    let painted = Painted::load(&args.latents, &Device::flex()).map_err(EngineError::from)?;
    let recipe = &painted.recipe;
    let files = match &args.model {
        Some(name) => library::open(name)?,
        None => library::open_again(&recipe.model)?,
    };
    recipe.check_model(&files).map_err(EngineError::from)?;
    let memory = memory(args.max_memory);
    let plan = plan_painted(&recipe.request(), &files, memory).map_err(EngineError::from)?;
    let cut = &painted.cut;
    let shape = Shape {
        width: cut.width,
        height: cut.height,
        frames: cut.frames.len(),
        fps: Some(plan.fps),
    };
    let output = destination(args.output.as_deref(), || name_for(&plan), shape, args.json)?;
    args.sheet.as_deref().map(check_writable_file).transpose()?;
    let painter = Painter::new(files, plan.precision, memory)?;
    let clip = painter.decode(&plan, &painted)?;
    let output = (&output, args.sheet.as_deref());
    let made = deliver(&clip, recipe.clone(), output, began, args.json)?;
    if args.json {
        let report = json!({ "clips": made.as_slice() });
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}
