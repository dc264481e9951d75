//! `kinora trim` and `kinora concat`: cuts and joins, frame by frame, without painting anything.

use crate::failure::BadInput;
use crate::input::{reader, sha256};
use crate::sampling::{SHEET_FRAMES, tell};
use anyhow::{Result, bail};
use clap::Args;
use kinora_media::{
    Copied, Fps, Output, Reader, SheetRow, check_writable_file, contact_sheet, probe, read_clip,
    save_png,
};
use serde_json::json;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Cut a part out of a clip
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora trim fox.mp4 --from 0.5 --to 1.5 -o part.mp4
  kinora trim fox.mp4 --frames 6..18 -o part.mp4    (frames 6 to 17, counted from 0)

Frames of an MP4 are copied as they are wherever it can be cut without encoding again.")]
pub struct TrimArgs {
    /// The clip: MP4, GIF or folder of PNG frames
    clip: PathBuf,
    /// Where the part begins, in seconds
    #[arg(
        long,
        value_name = "S",
        conflicts_with = "frames",
        allow_hyphen_values = true
    )]
    from: Option<f64>,
    /// Where it ends, in seconds
    #[arg(
        long,
        value_name = "S",
        conflicts_with = "frames",
        allow_hyphen_values = true
    )]
    to: Option<f64>,
    /// Its frames, counted from 0; the last is left out
    #[arg(long, value_name = "FIRST..LAST", value_parser = range)]
    frames: Option<Range<usize>>,
    /// Where to: a name ending in .mp4 or .gif, or a folder name ending in / for PNG frames
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Frames a second of folders, which have no rate
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    fps: Option<Fps>,
    /// Also draw a contact sheet of the result
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// Join clips
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora concat shot-1.mp4 shot-2.mp4 shot-3.mp4 -o scene.mp4

Frames of MP4s are copied as they are; clips must have one size and rate.")]
pub struct ConcatArgs {
    /// The clips, in order
    #[arg(required = true)]
    clips: Vec<PathBuf>,
    /// Where to: a name ending in .mp4 or .gif, or a folder name ending in / for PNG frames
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Frames a second of pictures and folders, which have no rate
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    fps: Option<Fps>,
    /// Also draw a contact sheet of the result
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `kinora trim`.
pub fn trim(args: &TrimArgs) -> Result<()> {
    let reader = reader(args.fps)?;
    let range = match &args.frames {
        Some(range) => range.clone(),
        None => {
            let found = probe(&args.clip)?;
            let fps = found.fps.unwrap_or(reader.fps).as_f64();
            let end = found.frames;
            at(args.from, fps, 0)?..at(args.to, fps, end)?
        }
    };
    let recipe = recipe("trim", &[&args.clip], json!([range.start, range.end]))?;
    let output = Output::parse(&args.output)?;
    args.sheet.as_deref().map(check_writable_file).transpose()?;
    let copied = kinora_media::trim(&args.clip, range, &recipe, &output, &reader)?;
    draw("trim", &args.output, args.sheet.as_deref(), &reader)?;
    report(&args.output, copied, args.json)
}

/// Runs `kinora concat`.
pub fn concat(args: &ConcatArgs) -> Result<()> {
    let reader = reader(args.fps)?;
    let clips: Vec<&Path> = args.clips.iter().map(PathBuf::as_path).collect();
    let recipe = recipe("concat", &clips, json!(null))?;
    let output = Output::parse(&args.output)?;
    args.sheet.as_deref().map(check_writable_file).transpose()?;
    let copied = kinora_media::concat(&args.clips, &recipe, &output, &reader)?;
    draw("concat", &args.output, args.sheet.as_deref(), &reader)?;
    report(&args.output, copied, args.json)
}

/// The frame at `seconds`.
fn at(seconds: Option<f64>, fps: f64, otherwise: usize) -> Result<usize> {
    match seconds {
        None => Ok(otherwise),
        Some(seconds) if (0.0..1e9).contains(&seconds) => Ok((seconds * fps).round() as usize),
        Some(seconds) => bail!(BadInput(format!("{seconds} s is no time of a clip"))),
    }
}

fn range(text: &str) -> Result<Range<usize>, String> {
    let wrong = || "write the first frame and the one after the last, as 6..18".to_owned();
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    Ok(from.trim().parse().map_err(|_| wrong())?..to.trim().parse().map_err(|_| wrong())?)
}

fn recipe(command: &str, clips: &[&Path], frames: serde_json::Value) -> Result<serde_json::Value> {
    let mut inputs = Vec::new();
    for clip in clips {
        let name = clip.file_name().unwrap_or(clip.as_os_str());
        inputs.push(json!({ "file": name.to_string_lossy(), "sha256": sha256_of(clip)? }));
    }
    Ok(json!({
        "program": concat!("kinora ", env!("CARGO_PKG_VERSION")),
        "source": { "command": command, "inputs": inputs, "frames": frames },
    }))
}

/// The hash of an input that is there; the reader says it better than the system if it is not.
fn sha256_of(clip: &Path) -> Result<Option<String>> {
    clip.exists().then(|| sha256(clip)).transpose()
}

/// A contact sheet of a written clip.
fn draw(command: &str, clip: &Path, sheet: Option<&Path>, reader: &Reader) -> Result<()> {
    let Some(path) = sheet else {
        return Ok(());
    };
    let row = SheetRow {
        label: command.to_owned(),
        frames: read_clip(clip, reader)?.spread(SHEET_FRAMES),
    };
    Ok(save_png(&contact_sheet(&[row]), path)?)
}

fn report(file: &Path, Copied { copied, encoded }: Copied, json: bool) -> Result<()> {
    let mut out = io::stdout();
    if json {
        let report = json!({ "file": file, "copied": copied, "encoded": encoded });
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "{}", file.display())?;
    tell(&format!("{copied} frames copied, {encoded} encoded again"));
    Ok(())
}
