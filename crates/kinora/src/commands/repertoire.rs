//! `kinora extend`, `loop`, `connect`, `remix`, `edit` and `variations`: clips from clips.

use crate::args;
use crate::failure::BadInput;
use crate::foresight::foretell;
use crate::input::{Given, reader};
use crate::kept::{Kept, keeping};
use crate::prompting::{ShotArgs, show};
use crate::sampling::{
    Canvas, EaseArgs, Made, Painter, SamplingArgs, deliver, destination, numbered, planned, tell,
};
use anyhow::{Result, bail};
use clap::Args;
use kinora_engine::{Cut, Direction, EngineError, Input, Length, Plan, Recipe, Source, Task};
use kinora_media::{Clip, Fit, Fps, Shape, check_writable_file, read_recipe};
use kinora_train::Profile;
use kinora_train::recognition::Judge;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Sizes that a model paints are multiples of this.
pub const MULTIPLE: u32 = 32;

/// What is painted, and where it goes
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// What the clip shows; without it, what its own recipe says
    #[arg(short, long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Where to: a name ending in .mp4 or .gif, a folder name ending in / for PNG frames (which keep every given pixel), or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Work at this size, multiples of 32; without it, at the clip's own
    #[arg(long, value_name = "WxH", value_parser = args::size, allow_hyphen_values = true)]
    size: Option<(i64, i64)>,
    /// What gives way when something has another shape: crop cuts off its sides, pad adds black ones
    #[arg(long, value_name = "crop|pad", default_value_t)]
    fit: Fit,
    /// Frames a second of pictures and folders, which have no rate
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    fps: Option<Fps>,
    #[command(flatten)]
    shot: ShotArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Also draw a contact sheet of the clip
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// Paint what comes after a clip, or before it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora extend fox.mp4 --seconds 2 -o longer.mp4
  kinora extend fox.mp4 --seconds 1 --backward --prompt \"the fox leaves its den\" -o whole/
  kinora extend longer.mp4 --seconds 2 -o longest.mp4    (as often as you like)")]
pub struct ExtendArgs {
    /// The clip: MP4, GIF, picture or folder of PNG frames
    clip: PathBuf,
    /// How many seconds are added
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    seconds: f64,
    /// Add them before the clip
    #[arg(long)]
    backward: bool,
    #[command(flatten)]
    ease: EaseArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Let a clip's end lead into its start
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora loop fox.mp4 -o endless.gif
  kinora loop waves.mp4 --seconds 2 --prompt \"waves on the beach\" -o endless.mp4")]
pub struct LoopArgs {
    /// The clip: MP4, GIF, picture or folder of PNG frames
    clip: PathBuf,
    /// How many seconds the way back takes
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1.0,
        allow_hyphen_values = true
    )]
    seconds: f64,
    #[command(flatten)]
    ease: EaseArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Let one clip become another
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora connect day.mp4 night.mp4 --seconds 2 --prompt \"the sun sets over the city\" -o dusk.mp4
  kinora connect start.png end.png --seconds 2 --prompt \"a flower opens\" -o flower.mp4")]
pub struct ConnectArgs {
    /// The clip it starts as
    from: PathBuf,
    /// The clip it ends as
    to: PathBuf,
    /// How many seconds lie between them
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1.0,
        allow_hyphen_values = true
    )]
    seconds: f64,
    #[command(flatten)]
    ease: EaseArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Paint a clip again after another prompt, and keep its structure
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora remix fox.mp4 --prompt \"a wolf runs through a snowy forest\" --strength 0.6 -o wolf.mp4
  kinora remix fox.mp4 --strength 0.3 -o nearly.mp4    (a little different)")]
pub struct RemixArgs {
    /// The clip: MP4, GIF, picture or folder of PNG frames
    clip: PathBuf,
    /// 0 leaves the clip as it is, 1 keeps nothing of it
    #[arg(
        long,
        value_name = "0..1",
        default_value_t = 0.7,
        allow_hyphen_values = true
    )]
    strength: f64,
    #[command(flatten)]
    common: CommonArgs,
}

/// Paint part of a clip again, and leave the rest untouched
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora edit street.mp4 --mask 96,0,96,128 --prompt \"a red car drives down a street\" -o car.mp4
  kinora edit street.mp4 --mask sky.png --prompt \"a street under a night sky\" -o night/")]
pub struct EditArgs {
    /// The clip: MP4, GIF, picture or folder of PNG frames
    clip: PathBuf,
    /// Where to paint: the white of a picture or clip of the same size, or a box of pixels as LEFT,TOP,WIDTH,HEIGHT
    #[arg(long, value_name = "FILE|BOX")]
    mask: PathBuf,
    /// 1 keeps nothing of what was there, less keeps its structure
    #[arg(
        long,
        value_name = "0..1",
        default_value_t = 1.0,
        allow_hyphen_values = true
    )]
    strength: f64,
    #[command(flatten)]
    common: CommonArgs,
}

/// Paint a clip's scene anew several times
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora variations fox.mp4 --count 4 -o other.mp4    (other-1.mp4 to other-4.mp4)
  kinora variations fox.mp4 --count 8 --strength 0.7 -o near.mp4    (closer to the clip)")]
pub struct VariationsArgs {
    /// The clip: MP4, GIF, picture or folder of PNG frames
    clip: PathBuf,
    /// How many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    count: u64,
    /// 0 leaves the clip as it is, 1 keeps nothing but its prompt
    #[arg(
        long,
        value_name = "0..1",
        default_value_t = 0.9,
        allow_hyphen_values = true
    )]
    strength: f64,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs `kinora extend`.
pub fn extend(args: &ExtendArgs) -> Result<()> {
    let work = Work::open(&args.common, &[(&args.clip, "clip")])?;
    let clip = work.clip();
    let direction = match args.backward {
        true => Direction::Backward,
        false => Direction::Forward,
    };
    let strength = args.ease.strength;
    let task = Task::extend(clip, frames(args.seconds, clip)?, direction).from_strength(strength);
    let options = [
        ("strength", json!(strength)),
        ("seconds", json!(args.seconds)),
        ("backward", json!(args.backward)),
    ];
    work.finish("extend", task, &options, 1)
}

/// Runs `kinora loop`.
pub fn looped(args: &LoopArgs) -> Result<()> {
    let work = Work::open(&args.common, &[(&args.clip, "clip")])?;
    let clip = work.clip();
    let strength = args.ease.strength;
    let task = Task::looped(clip, frames(args.seconds, clip)?).from_strength(strength);
    let options = [
        ("strength", json!(strength)),
        ("seconds", json!(args.seconds)),
    ];
    work.finish("loop", task, &options, 1)
}

/// Runs `kinora connect`.
pub fn connect(args: &ConnectArgs) -> Result<()> {
    let ends = [(args.from.as_path(), "start"), (args.to.as_path(), "end")];
    let work = Work::open(&args.common, &ends)?;
    let clip = work.clip();
    let strength = args.ease.strength;
    let task = Task::connect(clip, &work.clips[1].clip, frames(args.seconds, clip)?);
    let options = [
        ("strength", json!(strength)),
        ("seconds", json!(args.seconds)),
    ];
    work.finish("connect", task.from_strength(strength), &options, 1)
}

/// Runs `kinora remix`.
pub fn remix(args: &RemixArgs) -> Result<()> {
    let work = Work::open(&args.common, &[(&args.clip, "clip")])?;
    let task = Task::remix(work.clip(), args.strength);
    work.finish("remix", task, &[("strength", json!(args.strength))], 1)
}

/// Runs `kinora edit`.
pub fn edit(args: &EditArgs) -> Result<()> {
    let mut work = Work::open(&args.common, &[(&args.clip, "clip")])?;
    let (masks, mask) = work.masks(&args.mask)?;
    let task = Task::edit(work.clip(), &masks, args.strength);
    let options = [("strength", json!(args.strength)), ("mask", mask)];
    work.finish("edit", task, &options, 1)
}

/// Runs `kinora variations`.
pub fn variations(args: &VariationsArgs) -> Result<()> {
    let work = Work::open(&args.common, &[(&args.clip, "clip")])?;
    let task = Task::remix(work.clip(), args.strength);
    let options = [("strength", json!(args.strength))];
    work.finish("variations", task, &options, args.count)
}

/// Frames in `seconds` of `clip`'s time, at least one.
fn frames(seconds: f64, clip: &Clip) -> Result<usize> {
    let most = clip.fps().seconds(kinora_engine::MAX_FRAMES as usize);
    if !(seconds > 0.0 && seconds <= most) {
        bail!(BadInput(format!(
            "the length is {seconds} s; it can be more than 0 and at most {most:.0}"
        )));
    }
    Ok(((seconds * clip.fps().as_f64()).round() as usize).max(1))
}

/// The clips of a command at the size that is worked at.
struct Work<'a> {
    common: &'a CommonArgs,
    clips: Vec<Given>,
    /// Size of the result.
    size: (u32, u32),
    /// What the first clip's own recipe says, if it has one.
    recipe: Option<Recipe>,
    path: &'a Path,
}

impl<'a> Work<'a> {
    /// Reads the clips and brings them to one size: the asked one, or the first clip's, whose edges are drawn on to the
    /// next size that a model can paint.
    fn open(common: &'a CommonArgs, files: &[(&'a Path, &str)]) -> Result<Self> {
        let reader = reader(common.fps)?;
        let mut clips = Vec::new();
        let mut size = None;
        for (path, role) in files {
            let given = Given::open(path, role, &reader)?;
            let (width, height) = match (size, common.size) {
                (Some(size), _) => size,
                (None, Some(asked)) => asked_size(asked)?,
                (None, None) => (given.clip.width(), given.clip.height()),
            };
            size = Some((width, height));
            let mut given = given.fitted(width, height, common.fit)?;
            given.clip = drawn_on(&given.clip)?;
            let first = clips.first().map_or(&given, |first| first);
            let (rate, fps) = (first.clip.fps(), given.clip.fps());
            let pictures = given.clip.frames().len() == 1 || first.clip.frames().len() == 1;
            if rate != fps && !pictures {
                bail!(BadInput(format!(
                    "{} plays at {rate} frames a second and {} at {fps}; bring them to one rate first",
                    first.input.file, given.input.file
                )));
            }
            clips.push(given);
        }
        let path = files[0].0;
        // A clip of another program has no recipe, and needs none if there is a prompt.
        let recipe = read_recipe(path).ok();
        let recipe = recipe.and_then(|json| Recipe::from_json(json).ok());
        Ok(Self {
            common,
            clips,
            size: size.unwrap_or_default(),
            recipe,
            path,
        })
    }

    fn clip(&self) -> &Clip {
        &self.clips[0].clip
    }

    /// A mask for each frame, above 127 where to paint, and what the recipe says of it. A file becomes an input.
    fn masks(&mut self, mask: &Path) -> Result<(Vec<Vec<u8>>, Value)> {
        let (width, height) = self.size;
        let wide = self.clip().width();
        if let Some([left, top, w, h]) = mask.to_str().and_then(corners) {
            if w == 0 || h == 0 || left + w > width.into() || top + h > height.into() {
                bail!(BadInput(format!(
                    "the box {} is not inside the clip's {width}x{height} pixels",
                    mask.display()
                )));
            }
            let pixels = u64::from(wide) * u64::from(self.clip().height());
            let inside = |i: u64| {
                let (x, y) = (i % u64::from(wide), i / u64::from(wide));
                (left..left + w).contains(&x) && (top..top + h).contains(&y)
            };
            let values = (0..pixels).map(|i| if inside(i) { u8::MAX } else { 0 });
            return Ok((vec![values.collect()], json!([left, top, w, h])));
        }
        let reader = reader(Some(self.clip().fps()))?;
        let given = Given::open(mask, "mask", &reader)?;
        let (w, h) = (given.clip.width(), given.clip.height());
        if (w, h) != (width, height) {
            bail!(BadInput(format!(
                "the mask {} has {w}x{h} pixels, and the clip {width}x{height}; they must be the same",
                mask.display()
            )));
        }
        let grey = |frame: &Vec<u8>| {
            let (pixels, _) = frame.as_chunks::<3>();
            let sum = |p: &[u8; 3]| p.iter().map(|&c| u16::from(c)).sum::<u16>();
            pixels.iter().map(|p| (sum(p) / 3) as u8).collect()
        };
        let masks = drawn_on(&given.clip)?.frames().iter().map(grey).collect();
        let name = json!(given.input.file);
        self.clips.push(given);
        Ok((masks, name))
    }

    /// Paints the task `count` times, each with the next seed, and writes the results.
    fn finish(
        self,
        command: &str,
        mut task: Task,
        options: &[(&str, Value)],
        count: u64,
    ) -> Result<()> {
        let CommonArgs {
            prompt,
            output,
            shot,
            sampling,
            sheet,
            json,
            ..
        } = self.common;
        let told = self.recipe.as_ref();
        let files = sampling.files(None)?;
        let mut request = sampling.request(None)?;
        let Some(prompt) = prompt.clone().or(told.map(|r| r.plan.prompt.clone())) else {
            bail!(BadInput(format!(
                "{} does not say what it shows; say it with --prompt",
                self.path.display()
            )));
        };
        request.prompt = prompt;
        request.size = Some((self.clip().width().into(), self.clip().height().into()));
        request.fps = Some(self.clip().fps());
        request.length = Some(Length::Frames(task.frames as i64));
        shot.apply(&mut request, &mut task.conditioning, &files)?;
        if shot.show_prompt {
            return show(&request, &task.conditioning, *json);
        }
        let memory = sampling.memory();
        let plan = planned(&request, &files, memory)?;
        task.conditioning.check(&plan).map_err(EngineError::from)?;
        let shape = Shape {
            width: self.size.0,
            height: self.size.1,
            frames: task.keep.len(),
            fps: Some(plan.fps),
        };
        let mut outputs = Vec::new();
        for index in 0..count {
            let number = (count > 1).then_some(index + 1);
            let asked = output.as_deref().map(|path| numbered(path, number));
            let otherwise = || numbered(&self.name(command, &task), number);
            let output = destination(asked.as_deref(), otherwise, shape, *json)?;
            let sheet = sheet.as_deref().map(|path| numbered(path, number));
            sheet.as_deref().map(check_writable_file).transpose()?;
            let (given, frames) = (&task.conditioning, task.frames);
            let kept = Kept::beside(&output, &files, given, frames);
            outputs.push((output, sheet, kept));
        }
        if count > 1 && outputs.iter().any(|(output, ..)| output.path().is_none()) {
            bail!(BadInput(
                "standard output takes one clip; name a file with -o".to_owned()
            ));
        }

        let painter = Painter::new(files, plan.precision, memory)?;
        let unknown = painter.read(&plan.prompt);
        if sampling.seed.is_none() {
            tell(&format!("seed {}", plan.seed));
        }
        let inputs: Vec<Input> = self.clips.iter().map(|given| given.input.clone()).collect();
        let options: Map<String, Value> = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let judge = (command == "variations" && count > 1).then(Judge::built_in);
        let judge = judge.transpose()?;
        let shortcuts = &request.shortcuts;
        foretell(&plan, shortcuts, painter.files(), true, memory);
        let canvas = Canvas {
            conditioning: &task.conditioning,
            start: None,
            cut: Cut {
                frames: task.keep.clone(),
                width: self.size.0,
                height: self.size.1,
            },
        };
        let mut looks = Vec::new();
        let mut made: Vec<Made> = Vec::new();
        for (index, (output, sheet, kept)) in outputs.iter().enumerate() {
            let began = Instant::now();
            let plan = Plan {
                seed: plan.seed.wrapping_add(index as u64),
                ..plan.clone()
            };
            let title = (count > 1).then(|| format!("{}/{count} ", index + 1));
            let source = Source {
                command: command.to_owned(),
                inputs: inputs.clone(),
                options: options.clone(),
            };
            let recipe = Recipe::new(&plan, shortcuts, painter.files(), None, Some(source));
            let kept = kept.as_ref();
            let (clip, done) = keeping(kept, || {
                let clip = painter.paint(&recipe, &canvas, kept, title)?;
                let output = (output, sheet.as_deref());
                let done = deliver(&clip, recipe, output, began, *json)?;
                Ok((clip, done))
            })?;
            made.extend(done);
            if let Some(judge) = &judge {
                let [width, height] = [clip.width(), clip.height()].map(|side| side as usize);
                looks.push(judge.profile(&clip.frames().concat(), width, height));
            }
        }
        let diversity = judge.map(|_| Profile::diversity(&looks));
        if *json {
            let report = json!({ "clips": made, "unknown_words": unknown, "diversity": diversity });
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
        } else if let Some(diversity) = diversity {
            tell(&format!(
                "diversity {diversity:.2}: mean distance of what the recogniser sees in two of them, 0 to 1"
            ));
        }
        Ok(())
    }

    /// `fox.mp4` as `fox-extend.mp4`.
    fn name(&self, command: &str, task: &Task) -> PathBuf {
        let stem = self.path.file_stem().unwrap_or(self.path.as_os_str());
        let extension = if task.keep.len() == 1 { "png" } else { "mp4" };
        format!("{}-{command}.{extension}", stem.to_string_lossy()).into()
    }
}

fn asked_size((width, height): (i64, i64)) -> Result<(u32, u32)> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(width @ 1..), Ok(height @ 1..)) => Ok((width, height)),
        _ => bail!(BadInput(format!("the size {width}x{height} can't be made"))),
    }
}

/// The clip with its right and lower edges drawn on to multiples of [`MULTIPLE`].
pub fn drawn_on(clip: &Clip) -> Result<Clip> {
    let [width, height] = [clip.width(), clip.height()].map(|s| s.next_multiple_of(MULTIPLE));
    Ok(clip.edges_drawn_on(width, height)?)
}

/// Reads `LEFT,TOP,WIDTH,HEIGHT`.
fn corners(text: &str) -> Option<[u64; 4]> {
    let numbers: Option<Vec<u64>> = text
        .split(',')
        .map(|n| n.trim().parse::<u32>().ok().map(u64::from))
        .collect();
    numbers?.try_into().ok()
}
