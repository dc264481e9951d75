//! `kinora styles`: what can be asked for with `--style`, with a picture of each.

use crate::prompting::Compiler;
use crate::sampling::{Canvas, Painter, SamplingArgs, planned, tell};
use crate::styles;
use anyhow::Result;
use clap::Args;
use kinora_engine::{Conditioning, Cut, Length, Recipe};
use kinora_media::{SheetRow, check_writable_file, contact_sheet, save_png};
use kinora_prompt::{Style, Term};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;

/// What the sheet's pictures show, if nothing else is asked for.
const SUBJECTS: [&str; 3] = [
    "a woman in a red dress walks on a beach",
    "a knight stands in a forest",
    "a blue car drives down a city street",
];

/// List the styles, those that come with Kinora and your own
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora styles
  kinora styles --sheet styles.png    (a picture of each)
  kinora styles --sheet foxes.png --prompt \"a fox in a forest\"

Your own are TOML files in kinora/styles of your settings folder (~/.config, or XDG_CONFIG_HOME):
  about = \"35 mm film in neon light\"
  look = \"35mm film\"
  light = \"neon\"
  words = \"wet reflections\"      # for models that read any words
  negative = \"daylight\"
Keys are about, size, framing, angle, move, lens, light, look, emotion, words and negative.")]
pub struct StylesArgs {
    /// Draw a picture of each style into PNG
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// What the pictures show; give it several times for several
    #[arg(long, value_name = "TEXT", requires = "sheet")]
    prompt: Vec<String>,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn styles(args: &StylesArgs) -> Result<()> {
    let styles = styles::all()?;
    if let Some(path) = &args.sheet {
        check_writable_file(path)?;
        let rows = pictures(args, &styles)?;
        save_png(&contact_sheet(&rows), path)?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        let list: Vec<_> = styles
            .iter()
            .map(|style| {
                json!({
                    "name": style.name,
                    "about": style.about,
                    "sets": style.controls.terms().iter().map(Term::to_string).collect::<Vec<_>>(),
                    "words": style.words,
                    "negative": style.negative,
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(());
    }
    for style in &styles {
        writeln!(out, "{:<14} {} ({})", style.name, style.about, sets(style))?;
    }
    Ok(())
}

fn sets(style: &Style) -> String {
    let terms = style.controls.terms();
    terms
        .iter()
        .map(Term::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A row of pictures for each style.
fn pictures(args: &StylesArgs, styles: &[Style]) -> Result<Vec<SheetRow>> {
    let files = args.sampling.files(None)?;
    let prompts = match args.prompt.as_slice() {
        [] => SUBJECTS.map(str::to_owned).to_vec(),
        own => own.to_vec(),
    };
    let mut request = args.sampling.request(None)?;
    if args.sampling.seed.is_none() {
        tell(&format!("seed {}", request.seed));
    }
    request.length = Some(Length::Frames(1));
    let memory = args.sampling.memory();
    let mut plans = Vec::new();
    for style in styles {
        for prompt in &prompts {
            let compiler = Compiler::new(Some(style.clone()), &files);
            let told = compiler.tell(prompt)?;
            request.prompt = told.prompt;
            request.negative = told.negative.unwrap_or_default();
            plans.push(planned(&request, &files, memory)?);
        }
    }
    let painter = Painter::new(files, plans[0].precision, memory)?;
    let mut rows = Vec::new();
    for (row, plans) in plans.chunks(prompts.len()).enumerate() {
        let style = &styles[row];
        let mut frames = Vec::new();
        for plan in plans {
            let title = Some(format!("{}/{} {} ", row + 1, styles.len(), style.name));
            let canvas = Canvas {
                conditioning: &Conditioning::default(),
                start: None,
                cut: Cut::whole(plan),
            };
            let recipe = Recipe::new(plan, &request.shortcuts, painter.files(), None, None);
            let clip = painter.paint(&recipe, &canvas, None, title)?;
            frames.extend(clip.spread(1));
        }
        let label = format!("{}: {}", style.name, style.about);
        rows.push(SheetRow { label, frames });
    }
    Ok(rows)
}
