//! `kinora generate`: a clip from a sentence.

use crate::failure::BadInput;
use crate::progress::Progress;
use crate::{args, interrupt, machine};
use anyhow::{Result, bail};
use clap::Args;
use kinora_engine::{
    Device, EngineError, Job, Latents, Length, ModelFiles, Plan, Recipe, Request, Sampler,
    generate as make, plan,
};
use kinora_media::{Fps, Output, Shape, check_writable_file, read_recipe, write};
use serde::Serialize;
use serde_json::json;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The model that is used when none is named.
const DEFAULT_MODEL: &str = "kinora-1";
/// Most clips of one command.
const MAX_COUNT: u64 = 10_000;
/// Longest name made from a prompt, in characters.
const MAX_NAME: usize = 48;

/// Make a clip from a sentence
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora generate \"A red fox runs through a snowy forest at dusk\" -o fox.mp4
  kinora generate \"a robot dances on a stage\" --size 128x192 --seconds 3 --seed 7 -o robot.gif
  kinora generate \"a burning candle in a dark room\" --frames 1 -o candle.png
  kinora generate \"a knight walks in the rain\" --count 4 -o knight.mp4    (knight-1.mp4 to knight-4.mp4)
  kinora generate --like fox.mp4 -o again.mp4    (the same bytes)
  kinora generate --like fox.mp4 --seed 8 -o other.mp4    (the same but for the seed)")]
pub struct GenerateArgs {
    /// What the clip shows
    #[arg(required_unless_present = "like")]
    prompt: Option<String>,
    /// Where to: a name ending in .mp4, .gif or .png, a folder name ending in / for PNG frames, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Repeat the clip in FILE; other flags change what they name
    #[arg(long, value_name = "FILE")]
    like: Option<PathBuf>,
    /// A built-in model's name (see `kinora models`) or a model folder
    #[arg(long, value_name = "NAME|DIR")]
    model: Option<String>,
    /// Width and height in pixels, multiples of 32
    #[arg(long, value_name = "WxH", value_parser = args::size, allow_hyphen_values = true)]
    size: Option<(i64, i64)>,
    /// How many frames
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "seconds",
        allow_hyphen_values = true
    )]
    frames: Option<i64>,
    /// How many seconds
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    seconds: Option<f64>,
    /// Frames a second, as 12 or 24000/1001
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    fps: Option<Fps>,
    /// Decides all that the prompt leaves open; random if not given
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<u64>,
    /// Sampler steps: more is slower and finer
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    steps: Option<i64>,
    /// How strongly to insist on the prompt; 1 is not at all, 3 to 8 is usual
    #[arg(long, value_name = "G", allow_hyphen_values = true)]
    guidance: Option<f64>,
    /// What to keep away from
    #[arg(long, value_name = "TEXT")]
    negative: Option<String>,
    #[arg(long, value_name = "NAME", help = format!("How the steps are taken: {}", Sampler::ALL.map(Sampler::name).join(", ")))]
    sampler: Option<String>,
    /// Begin from these latents instead of the seed's noise; finished ones are decoded at once
    #[arg(long, value_name = "FILE")]
    init_latents: Option<PathBuf>,
    /// Keep the finished latents in a safetensors file, before they are decoded
    #[arg(long, value_name = "FILE")]
    save_latents: Option<PathBuf>,
    /// How many clips; each takes the next seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MAX_COUNT))]
    count: u64,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// One clip of the command, ready to be made.
#[derive(Debug)]
struct Take {
    plan: Plan,
    output: Output,
    save_latents: Option<PathBuf>,
}

/// What was made, for `--json`.
#[derive(Debug, Serialize)]
struct Made {
    file: PathBuf,
    seconds: f64,
    recipe: Recipe,
}

/// Runs the command.
pub fn generate(args: &GenerateArgs) -> Result<()> {
    let stop = interrupt::listen()?;
    let told = args.like.as_deref().map(recipe_of).transpose()?;
    let name = args
        .model
        .as_deref()
        .or(told.as_ref().map(|recipe| recipe.model.name.as_str()));
    let files = ModelFiles::open(name.unwrap_or(DEFAULT_MODEL)).map_err(EngineError::from)?;
    if let (Some(recipe), None) = (&told, &args.model) {
        recipe.check_model(&files).map_err(EngineError::from)?;
    }
    let plan = plan(
        &request(args, told.as_ref())?,
        &files,
        machine::free_memory(),
    )
    .map_err(EngineError::from)?;
    let takes = takes(args, plan)?;

    let device = Device::flex();
    let start = match &args.init_latents {
        None => None,
        Some(path) => {
            let channels = files.config.vae.latent_channels;
            Some(
                Latents::load(path, &takes[0].plan, channels, &device)
                    .map_err(EngineError::from)?,
            )
        }
    };
    let hash = start.as_ref().map(|(_, hash)| hash.clone());
    if let Some(recipe) = &told {
        recipe
            .check_latents(hash.as_deref())
            .map_err(EngineError::from)?;
    }

    let model = files.load(&device).map_err(EngineError::from)?;
    let unknown = model.tokenizer.encode(&takes[0].plan.prompt).unknown;
    if !unknown.is_empty() {
        tell(&format!(
            "{} does not know these words and leaves them out: {}",
            files.config.name,
            unknown.join(", ")
        ));
    }
    let known = model.tokenizer.encode(&takes[0].plan.prompt).ids.len();
    if known > files.config.text.max_tokens {
        tell(&format!(
            "{} reads the first {} words and marks of a prompt; the last {} are left out",
            files.config.name,
            files.config.text.max_tokens,
            known - files.config.text.max_tokens
        ));
    }
    if args.seed.is_none() && told.is_none() {
        tell(&format!("seed {}", takes[0].plan.seed));
    }

    let mut made = Vec::with_capacity(takes.len());
    let of = takes.len();
    for (
        index,
        Take {
            plan,
            output,
            save_latents,
        },
    ) in takes.iter().enumerate()
    {
        let began = Instant::now();
        let progress = Progress::new((of > 1).then(|| format!("{}/{of} ", index + 1)));
        let job = Job {
            plan,
            model: &model,
            device: &device,
            start: start.as_ref().map(|(latents, _)| latents.clone()),
            save_latents: save_latents.as_deref(),
            cancel: &stop,
        };
        let clip = make(&job, |event| progress.show(event))?;
        progress.finish();
        let recipe = Recipe::new(plan, &files, hash.clone());
        write(&clip, &recipe.to_json(), output)?;
        let seconds = began.elapsed().as_secs_f64();
        let Some(path) = output.path() else { continue };
        if !args.json {
            writeln!(io::stdout(), "{}", path.display())?;
            let Plan {
                width,
                height,
                frames,
                fps,
                seed,
                ..
            } = plan;
            let s = if *frames == 1 { "" } else { "s" };
            tell(&format!(
                "{width}x{height}, {frames} frame{s} at {fps} a second, seed {seed}, made in {seconds:.1} s"
            ));
        }
        made.push(Made {
            file: path.to_owned(),
            seconds,
            recipe,
        });
    }
    if args.json {
        let report = json!({ "clips": made, "unknown_words": unknown });
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn recipe_of(path: &Path) -> Result<Recipe> {
    Ok(Recipe::from_json(read_recipe(path)?).map_err(EngineError::from)?)
}

/// The request that the flags make, on top of the recipe they repeat.
fn request(args: &GenerateArgs, told: Option<&Recipe>) -> Result<Request> {
    let mut request = match told {
        Some(recipe) => recipe.request(),
        None => Request::new("", random_seed()?),
    };
    if let Some(prompt) = &args.prompt {
        request.prompt.clone_from(prompt);
    }
    if let Some(negative) = &args.negative {
        request.negative.clone_from(negative);
    }
    request.seed = args.seed.unwrap_or(request.seed);
    request.size = args.size.or(request.size);
    request.length = args
        .frames
        .map(Length::Frames)
        .or(args.seconds.map(Length::Seconds))
        .or(request.length);
    request.fps = args.fps.or(request.fps);
    request.steps = args.steps.or(request.steps);
    request.guidance = args.guidance.or(request.guidance);
    request.sampler = args.sampler.clone().or(request.sampler);
    Ok(request)
}

/// 32 bits: short to type, and exact in any JSON reader.
fn random_seed() -> Result<u64> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("the system gives no random numbers: {e}"))?;
    Ok(u32::from_le_bytes(bytes).into())
}

/// The clips of the command: their seeds and where they go, all checked before the first is begun.
fn takes(args: &GenerateArgs, plan: Plan) -> Result<Vec<Take>> {
    let output = match &args.output {
        Some(path) => path.clone(),
        None => PathBuf::from(name_for(&plan)),
    };
    if output.as_os_str() == "-" {
        if args.json || args.count > 1 {
            bail!(BadInput(
                "standard output takes one clip and no JSON; name a file with -o".to_owned()
            ));
        }
        if io::stdout().is_terminal() {
            bail!(BadInput(
                "a terminal can't show an MP4; send the output to a file or a player".to_owned()
            ));
        }
    }
    let mut takes = Vec::new();
    for index in 0..args.count {
        let number = (args.count > 1).then_some(index + 1);
        let mut path = numbered(&output, number);
        if args.output.is_none() {
            path = free_name(path);
        }
        let output = Output::parse(path)?;
        let shape = Shape {
            width: plan.width,
            height: plan.height,
            frames: plan.frames as usize,
            fps: Some(plan.fps),
        };
        output.check_shape(shape)?;
        output.check_destination()?;
        let save_latents = args
            .save_latents
            .as_deref()
            .map(|path| numbered(path, number));
        save_latents
            .as_deref()
            .map(check_writable_file)
            .transpose()?;
        let plan = Plan {
            seed: plan.seed.wrapping_add(index),
            ..plan.clone()
        };
        takes.push(Take {
            plan,
            output,
            save_latents,
        });
    }
    Ok(takes)
}

/// A file name from the prompt and the seed: `a-red-fox-runs-7.mp4`.
fn name_for(plan: &Plan) -> String {
    let plain: String = plan
        .prompt
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut name = String::new();
    for word in plain.split_whitespace() {
        if name.chars().count() + word.chars().count() > MAX_NAME {
            break;
        }
        name.push_str(word);
        name.push('-');
    }
    if name.is_empty() {
        name.push_str("clip-");
    }
    let extension = if plan.frames == 1 { "png" } else { "mp4" };
    format!("{name}{}.{extension}", plan.seed)
}

/// `fox.mp4` as `fox-2.mp4`, `frames/` as `frames-2/`.
fn numbered(path: &Path, number: Option<u64>) -> PathBuf {
    let Some(number) = number else {
        return path.to_owned();
    };
    let Some(stem) = path.file_stem() else {
        return path.to_owned();
    };
    let mut name = OsString::from(stem);
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        name.push("/");
    }
    path.with_file_name(name)
}

/// `path`, or with the first number behind it that no file has.
fn free_name(path: PathBuf) -> PathBuf {
    if !path.exists() {
        return path;
    }
    (2..)
        .map(|number| numbered(&path, Some(number)))
        .find(|path| !path.exists())
        .expect("some number is free")
}

/// A line for people. Nobody may be listening, and that is no reason to fail.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
