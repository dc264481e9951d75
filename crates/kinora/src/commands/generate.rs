//! `kinora generate`: a clip from a sentence, and from pictures and clips at times of it.

use crate::args;
use crate::cards::{Card, Cards};
use crate::characters::Character;
use crate::failure::BadInput;
use crate::foresight::{foretell, show_need};
use crate::input::{Given, reader};
use crate::kept::{Kept, keeping};
use crate::prompting::{ShotArgs, show};
use crate::sampling::{
    Canvas, EaseArgs, Painter, SamplingArgs, deliver, destination, name_for, numbered, planned,
    tell,
};
use anyhow::{Result, bail};
use clap::Args;
use kinora_engine::{
    Conditioning, Cut, Device, EngineError, Latents, Length, ModelFiles, Plan, Recipe, Request,
    Source,
};
use kinora_media::{Clip, Fit, Fps, Output, Shape, check_writable_file, read_recipe};
use kinora_train::recognition::Judge;
use kinora_train::{IDENTITY, Profile};
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Most clips of one command.
const MAX_COUNT: u64 = 10_000;
/// Most takes of a clip.
const MAX_TRIES: u64 = 100;

/// Make a clip from a sentence
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora generate \"A red fox runs through a snowy forest at dusk\" -o fox.mp4
  kinora generate \"a robot dances on a stage\" --size 128x192 --seconds 3 --seed 7 -o robot.gif
  kinora generate \"a burning candle in a dark room\" --frames 1 -o candle.png
  kinora generate \"a knight walks in the rain\" --count 4 -o knight.mp4    (knight-1.mp4 to knight-4.mp4)
  kinora generate \"the fox runs away\" --image fox.png -o run.mp4    (begins with the picture)
  kinora generate --card 0s:\"a fox sleeps\" --card 2s:leap.png --card 3s:\"a fox runs\" --seconds 5 -o story.mp4
  kinora generate \"a fox in the woods\" --shot MCU --move push-in --light \"golden hour\" --look 35mm -o fox.mp4
  kinora generate \"a knight walks\" --style noir --show-prompt    (what the model is told)
  kinora generate \"a train drives through a desert\" --seconds 60 -o journey.mp4
  kinora generate \"a red fox\" --model wan/ --lora wan2.1_lightx2v_4steps.safetensors --lora film.safetensors:0.7 -o fox.mp4
  kinora generate \"a red fox\" --model wan2.1-t2v-1.3b --max-memory 6GB --plan    (memory and time, nothing painted)
  kinora generate --like fox.mp4 -o again.mp4    (the same bytes)
  kinora generate --like fox.mp4 --seed 8 -o other.mp4    (the same but for the seed)")]
pub struct GenerateArgs {
    /// What the clip shows
    #[arg(required_unless_present_any = ["like", "card"])]
    prompt: Option<String>,
    /// Where to: a name ending in .mp4, .gif or .png, a folder name ending in / for PNG frames, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Repeat the clip in FILE; other flags change what they name
    #[arg(long, value_name = "FILE")]
    like: Option<PathBuf>,
    /// The picture that it begins with
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// The picture that it ends with
    #[arg(long, value_name = "FILE")]
    last_image: Option<PathBuf>,
    /// What holds from a time on, as 2s:TEXT (a shot of its own, if kinora-1 can stage it), 2s:PICTURE or 2s:CLIP (a frame's number is 24f); give it
    /// several times
    #[arg(long, value_name = "TIME:CARD")]
    card: Vec<Card>,
    /// What gives way when a picture has another shape: crop cuts off its sides, pad adds black ones
    #[arg(long, value_name = "crop|pad", default_value_t)]
    fit: Fit,
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
    /// A character that the prompt names; see `kinora character`. Give it several times for several
    #[arg(long, value_name = "NAME")]
    character: Vec<String>,
    /// Paint N takes and keep the one that shows the (first) character best
    #[arg(long, value_name = "N", default_value_t = 1, requires = "character", value_parser = clap::value_parser!(u64).range(1..=MAX_TRIES))]
    tries: u64,
    #[command(flatten)]
    shot: ShotArgs,
    #[command(flatten)]
    ease: EaseArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Begin from these latents instead of the seed's noise; finished ones are decoded at once
    #[arg(long, value_name = "FILE")]
    init_latents: Option<PathBuf>,
    /// Keep the painted latents in a safetensors file, for kinora decode; of Wan checkpoints they are kept beside the output until the clip is written
    #[arg(long, value_name = "FILE")]
    save_latents: Option<PathBuf>,
    /// Also draw a contact sheet of the clip
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// How many clips; each takes the next seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MAX_COUNT))]
    count: u64,
    /// Say what memory and time a clip will take, and paint none
    #[arg(long)]
    plan: bool,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// One clip of the command, ready to be made.
#[derive(Debug)]
struct Take {
    plan: Plan,
    output: Output,
    kept: Option<Kept>,
    sheet: Option<PathBuf>,
}

/// Runs the command.
pub fn generate(args: &GenerateArgs) -> Result<()> {
    let told = args.like.as_deref().map(recipe_of).transpose()?;
    let files = args.sampling.files(told.as_ref())?;
    if let (Some(recipe), None) = (&told, &args.sampling.model) {
        recipe.check_model(&files).map_err(EngineError::from)?;
    }
    let mut request = request(args, told.as_ref())?;
    let memory = args.sampling.memory();
    let (mut conditioning, source) = given(args, &planned(&request, &files, memory)?)?;
    let characters = args.character.iter().map(|name| Character::named(name));
    let characters = characters.collect::<Result<Vec<_>>>()?;
    for character in &characters {
        let later = conditioning.prompts.values_mut();
        character.tell_in(std::iter::once(&mut request.prompt).chain(later))?;
    }
    args.shot.apply(&mut request, &mut conditioning, &files)?;
    if args.shot.show_prompt {
        return show(&request, &conditioning, args.json);
    }
    let plan = planned(&request, &files, memory)?;
    if let Some(recipe) = &told {
        let inputs = source.as_ref().map_or(&[][..], |source| &source.inputs);
        recipe
            .check_source("generate", inputs)
            .map_err(EngineError::from)?;
    }
    let takes = takes(args, plan, &files, &conditioning)?;

    if args.plan {
        return show_need(
            &takes[0].plan,
            &request.shortcuts,
            &files,
            !conditioning.is_empty(),
            memory,
            args.json,
        );
    }
    let (start, hash) = start(args, &takes[0].plan, &files)?.unzip();
    if let Some(recipe) = &told {
        recipe
            .check_latents(hash.as_deref())
            .map_err(EngineError::from)?;
    }

    let painter = Painter::new(files, takes[0].plan.precision, memory)?;
    let mut unknown = painter.read(&takes[0].plan.prompt);
    for prompt in conditioning.prompts.values() {
        unknown.extend(painter.read(prompt));
    }
    if args.sampling.seed.is_none() && told.is_none() {
        tell(&format!("seed {}", takes[0].plan.seed));
    }

    let likeness = match characters.first() {
        Some(character) if args.tries > 1 => Some(Likeness::new(character)?),
        _ => None,
    };
    let pictures = !conditioning.is_empty();
    foretell(
        &takes[0].plan,
        &request.shortcuts,
        painter.files(),
        pictures,
        memory,
    );
    let canvas = Canvas {
        conditioning: &conditioning,
        start,
        cut: Cut::whole(&takes[0].plan),
    };
    let mut made = Vec::with_capacity(takes.len());
    let of = takes.len();
    for (index, take) in takes.iter().enumerate() {
        let began = Instant::now();
        let title = (of > 1).then(|| format!("{}/{of} ", index + 1));
        let kept = take.kept.as_ref();
        let recipe = |plan: &Plan| {
            Recipe::new(
                plan,
                &request.shortcuts,
                painter.files(),
                hash.clone(),
                source.clone(),
            )
        };
        let paint = |plan: &Plan| painter.paint(&recipe(plan), &canvas, kept, title.clone());
        made.extend(keeping(kept, || {
            let (plan, clip) = match &likeness {
                None => (take.plan.clone(), paint(&take.plan)?),
                Some(likeness) => likeness.nearest(args.tries, args.count, &take.plan, paint)?,
            };
            let output = (&take.output, take.sheet.as_deref());
            deliver(&clip, recipe(&plan), output, began, args.json)
        })?);
    }
    if args.json {
        let report = json!({ "clips": made, "unknown_words": unknown });
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

/// What a character looks like to the recogniser.
struct Likeness {
    judge: Judge,
    profile: Profile,
}

impl Likeness {
    fn new(character: &Character) -> Result<Self> {
        let judge = Judge::built_in()?;
        let profile = character.profile(&judge);
        Ok(Self { judge, profile })
    }

    /// The nearest of `tries` takes, with its plan; each takes a seed that no other clip of the command has.
    fn nearest(
        &self,
        tries: u64,
        clips: u64,
        plan: &Plan,
        paint: impl Fn(&Plan) -> Result<Clip>,
    ) -> Result<(Plan, Clip)> {
        let mut best: Option<(f64, Plan, Clip)> = None;
        for attempt in 0..tries {
            let plan = Plan {
                seed: plan.seed.wrapping_add(attempt * clips),
                ..plan.clone()
            };
            let clip = paint(&plan)?;
            let (width, height) = (clip.width() as usize, clip.height() as usize);
            let seen = self.judge.profile(&clip.frames().concat(), width, height);
            let distance = seen.distance(&self.profile, &IDENTITY);
            if best.as_ref().is_none_or(|(least, ..)| distance < *least) {
                best = Some((distance, plan, clip));
            }
        }
        let (distance, plan, clip) = best.expect("there is a first take");
        tell(&format!(
            "kept seed {} of {tries} takes, identity distance {distance:.2}",
            plan.seed
        ));
        Ok((plan, clip))
    }
}

fn recipe_of(path: &Path) -> Result<Recipe> {
    Ok(Recipe::from_json(read_recipe(path)?).map_err(EngineError::from)?)
}

/// The request that the flags make, on top of the recipe they repeat.
fn request(args: &GenerateArgs, told: Option<&Recipe>) -> Result<Request> {
    let mut request = args.sampling.request(told)?;
    let card = args.card.first().and_then(Card::opening_text);
    if let Some(prompt) = args.prompt.as_deref().or(card) {
        request.prompt = prompt.to_owned();
    } else if told.is_none() {
        bail!(BadInput(
            "nothing says what the clip begins with: give a prompt, or a card of text at 0s"
                .to_owned()
        ));
    }
    request.size = args.size.or(request.size);
    request.length = args
        .frames
        .map(Length::Frames)
        .or(args.seconds.map(Length::Seconds))
        .or(request.length);
    request.fps = args.fps.or(request.fps);
    Ok(request)
}

/// What the flags give of the clip besides its prompt, and what the recipe says of that.
fn given(args: &GenerateArgs, plan: &Plan) -> Result<(Conditioning, Option<Source>)> {
    let reader = reader(Some(plan.fps))?;
    let mut cards = Cards::new(plan, args.fit);
    if let Some(path) = &args.image {
        cards.place(0, Given::open_picture(path, "first picture", &reader)?)?;
    }
    for card in &args.card {
        cards.lay(card, &reader)?;
    }
    if let Some(path) = &args.last_image {
        let last = plan.frames as usize - 1;
        cards.place(last, Given::open_picture(path, "last picture", &reader)?)?;
    }
    Ok(cards.finish(&args.ease))
}

/// The latents to begin from, and their hash.
fn start(
    args: &GenerateArgs,
    plan: &Plan,
    files: &ModelFiles,
) -> Result<Option<(Latents, String)>> {
    let Some(path) = &args.init_latents else {
        return Ok(None);
    };
    let loaded = Latents::load(path, plan, files.about.geometry, &Device::flex());
    Ok(Some(loaded.map_err(EngineError::from)?))
}

/// The clips of the command: their seeds and where they go, all checked before the first is begun.
fn takes(
    args: &GenerateArgs,
    plan: Plan,
    files: &ModelFiles,
    conditioning: &Conditioning,
) -> Result<Vec<Take>> {
    let asked = args.output.as_deref();
    if args.count > 1 && asked.is_some_and(|path| path.as_os_str() == "-") {
        bail!(BadInput(
            "standard output takes one clip and no JSON; name a file with -o".to_owned()
        ));
    }
    let shape = Shape {
        width: plan.width,
        height: plan.height,
        frames: plan.frames as usize,
        fps: Some(plan.fps),
    };
    let mut takes = Vec::new();
    for index in 0..args.count {
        let number = (args.count > 1).then_some(index + 1);
        let asked = asked.map(|path| numbered(path, number));
        let otherwise = || numbered(&name_for(&plan), number);
        let output = destination(asked.as_deref(), otherwise, shape, args.json)?;
        let kept = match &args.save_latents {
            Some(path) => Some(Kept::asked(numbered(path, number))?),
            None => Kept::beside(&output, files, conditioning, plan.frames as usize),
        };
        let sheet = args.sheet.as_deref();
        let sheet = sheet.map(|path| numbered(path, number));
        sheet.as_deref().map(check_writable_file).transpose()?;
        takes.push(Take {
            plan: Plan {
                seed: plan.seed.wrapping_add(index),
                ..plan.clone()
            },
            output,
            kept,
            sheet,
        });
    }
    Ok(takes)
}
