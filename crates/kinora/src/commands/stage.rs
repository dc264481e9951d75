//! `kinora stage`: the film stage by itself, without a model.

use crate::args;
use crate::failure::BadInput;
use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use kinora_media::{Clip, Fps, Output, SheetRow, contact_sheet, save_png, write};
use kinora_stage::{Facts, Format, Length, Render, Scene, Truth, caption, render_with_truth};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

/// Frames on a contact sheet.
const SHEET_FRAMES: usize = 8;
/// Largest scene file, in bytes.
const MAX_SCENE: u64 = 1 << 20;
/// Colours of the first to the fourth actor in a mask; the set is black.
const MASK: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]];

/// The film stage: procedural 3-D scenes with captions and ground truth
#[derive(Debug, Args)]
pub struct StageArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Render a scene; prints its caption and facts
    Render(RenderArgs),
}

/// A scene and what to make of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora stage render --seed 7 -o clip.mp4
  kinora stage render --seed 7 --sheet sheet.png --caption paragraph
  kinora stage render --seed 7 -o clip.mp4 --maps depth,mask    (clip.depth/ and clip.mask/ beside it)
  kinora stage render --seed 7 --json | jq .scene > scene.json; kinora stage render --scene scene.json -o clip.gif

Maps are folders of PNG frames. depth: grey, 255 * near / depth, black where there is nothing; near (metres) stands in
the folder's recipe.json. mask: black, and red, green, blue, yellow for the first to the fourth subject.")]
struct RenderArgs {
    /// Draw the scene from this seed
    #[arg(
        long,
        value_name = "N",
        required_unless_present = "scene",
        conflicts_with = "scene"
    )]
    seed: Option<u64>,
    /// Read the scene from a JSON file
    #[arg(long, value_name = "FILE")]
    scene: Option<PathBuf>,
    /// Where to: .mp4, .gif, .png, a folder name ending in /, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a contact sheet, a PNG
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Write these maps beside the output
    #[arg(long, value_name = "MAPS", value_delimiter = ',', requires = "output")]
    maps: Vec<Map>,
    /// Width and height in pixels
    #[arg(long, value_name = "WxH", default_value = "192x128", value_parser = args::size, allow_hyphen_values = true)]
    size: (i64, i64),
    /// How many frames
    #[arg(long, value_name = "N", default_value_t = 25)]
    frames: u32,
    /// Frames a second, as 12 or 24000/1001
    #[arg(
        long,
        value_name = "F",
        default_value = "12",
        allow_hyphen_values = true
    )]
    fps: Fps,
    /// How much the caption says
    #[arg(long, value_enum, default_value_t = CaptionLength::Sentence)]
    caption: CaptionLength,
    /// Print scene, captions, facts and the truth of each frame as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Map {
    Depth,
    Mask,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CaptionLength {
    Short,
    Sentence,
    Paragraph,
}

impl From<CaptionLength> for Length {
    fn from(length: CaptionLength) -> Self {
        match length {
            CaptionLength::Short => Length::Short,
            CaptionLength::Sentence => Length::Sentence,
            CaptionLength::Paragraph => Length::Paragraph,
        }
    }
}

/// Runs the command.
pub fn stage(args: &StageArgs) -> Result<()> {
    let What::Render(args) = &args.what;
    let scene = scene(args)?;
    let format = format(args)?;
    let output = args.output.as_deref().map(Output::parse).transpose()?;
    let maps = maps(args, output.as_ref())?;
    for place in output.iter().chain(maps.iter().map(|(_, place)| place)) {
        place.check_destination()?;
    }
    if output == Some(Output::Stdout) && args.json {
        bail!(BadInput(
            "standard output takes the clip or the JSON; name a file with -o".to_owned()
        ));
    }

    let (render, truth) = render_with_truth(&scene, format)?;
    let clip = clip(&render, args.fps)?;
    let caption = words(&scene, args.caption.into());
    if let Some(output) = &output {
        write(&clip, &recipe("clip", &scene, format), output)?;
    }
    for (map, place) in &maps {
        let (frames, recipe) = match map {
            Map::Depth => depth(&truth, recipe("depth", &scene, format)),
            Map::Mask => (mask(&truth), recipe("mask", &scene, format)),
        };
        write(
            &Clip::new(format.width, format.height, args.fps, frames)?,
            &recipe,
            place,
        )?;
    }
    if let Some(path) = &args.sheet {
        let row = SheetRow {
            label: caption.clone(),
            frames: clip.spread(SHEET_FRAMES),
        };
        save_png(&contact_sheet(&[row]), path)?;
    }
    match output {
        Some(Output::Stdout) => Ok(()),
        _ => report(args, &scene, &caption, &truth),
    }
}

fn scene(args: &RenderArgs) -> Result<Scene> {
    let Some(path) = &args.scene else {
        return Ok(Scene::sample(args.seed.unwrap_or_default()));
    };
    let bad = |what: String| BadInput(format!("the scene file {} {what}", path.display()));
    let size = fs::metadata(path)
        .map_err(|e| bad(format!("can't be read: {e}")))?
        .len();
    if size > MAX_SCENE {
        bail!(bad(format!(
            "has {size} bytes; at most {MAX_SCENE} are allowed"
        )));
    }
    let text = fs::read_to_string(path).map_err(|e| bad(format!("can't be read: {e}")))?;
    let scene: Scene =
        serde_json::from_str(&text).map_err(|e| bad(format!("holds no scene: {e}")))?;
    Ok(scene)
}

fn format(args: &RenderArgs) -> Result<Format> {
    let side = |pixels: i64| u32::try_from(pixels);
    let (width, height) = (side(args.size.0), side(args.size.1));
    let (Ok(width), Ok(height)) = (width, height) else {
        bail!(BadInput(format!(
            "a picture of {}x{} can't be rendered; each side must be 1 pixel or more",
            args.size.0, args.size.1
        )));
    };
    Ok(Format {
        width,
        height,
        frames: args.frames,
        fps: args.fps.as_f64() as f32,
    })
}

/// Where each map goes: `clip.mp4` has `clip.depth/` beside it.
fn maps(args: &RenderArgs, output: Option<&Output>) -> Result<Vec<(Map, Output)>> {
    let mut places = Vec::new();
    for &map in &args.maps {
        let Some(path) = output.and_then(Output::path) else {
            bail!(BadInput(
                "maps are written beside the clip; name its file with -o".to_owned()
            ));
        };
        let kind = map.to_possible_value().expect("no map is hidden");
        places.push((map, Output::Frames(path.with_extension(kind.get_name()))));
    }
    Ok(places)
}

fn clip(render: &Render, fps: Fps) -> Result<Clip> {
    let Format { width, height, .. } = render.format;
    let frames = render
        .frames
        .chunks_exact(width as usize * height as usize * 3)
        .map(<[u8]>::to_vec)
        .collect();
    Ok(Clip::new(width, height, fps, frames)?)
}

/// Nearness in grey, 255 at the clip's nearest point; the recipe tells how near that is.
fn depth(truth: &Truth, mut recipe: Value) -> (Vec<Vec<u8>>, Value) {
    let near = truth
        .frames
        .iter()
        .flat_map(|frame| &frame.depth)
        .copied()
        .fold(f32::INFINITY, f32::min);
    recipe["near"] = json!(near);
    let grey = |depth: &f32| [(255.0 * near / depth).round() as u8; 3]; // what is infinitely far is 0
    (
        truth
            .frames
            .iter()
            .map(|frame| frame.depth.iter().flat_map(grey).collect())
            .collect(),
        recipe,
    )
}

fn mask(truth: &Truth) -> Vec<Vec<u8>> {
    let colour = |owner: &u8| {
        usize::from(*owner)
            .checked_sub(1)
            .and_then(|k| MASK.get(k).copied())
            .unwrap_or_default()
    };
    truth
        .frames
        .iter()
        .map(|frame| frame.owners.iter().flat_map(colour).collect())
        .collect()
}

fn recipe(what: &str, scene: &Scene, format: Format) -> Value {
    let program = concat!("kinora ", env!("CARGO_PKG_VERSION"));
    json!({ "program": program, "stage": what, "scene": scene, "format": format })
}

/// The caption of a scene: the same words each time.
fn words(scene: &Scene, length: Length) -> String {
    caption(scene, length, &mut ChaCha8Rng::seed_from_u64(scene.seed))
}

fn report(args: &RenderArgs, scene: &Scene, caption: &str, truth: &Truth) -> Result<()> {
    let mut out = io::stdout().lock();
    let facts = serde_json::to_value(Facts::from(scene))?;
    if args.json {
        let frames: Vec<Value> = truth
            .frames
            .iter()
            .map(|frame| json!({ "camera": frame.camera, "actors": frame.actors }))
            .collect();
        let report =
            json!({ "caption": caption, "scene": scene, "facts": facts, "frames": frames });
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "{caption}")?;
    for (key, value) in facts.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => writeln!(out, "{key:<12} {text}")?,
            other => writeln!(out, "{key:<12} {other}")?,
        }
    }
    Ok(())
}
