//! From flags to a finished clip: what every command that paints has in common.

use crate::failure::BadInput;
use crate::kept::Kept;
use crate::loras::parse_lora;
use crate::progress::Progress;
use crate::{interrupt, library, machine};
use anyhow::{Result, anyhow, bail};
use clap::Args;
use kinora_engine::{
    Conditioning, Cut, Device, EngineError, Job, Keep, Latents, LoraRequest, Model, ModelFiles,
    Painted, Plan, Precision, Reading, Recipe, Request, Sampler, Shortcuts, estimate, finish,
    generate, plan,
};
use kinora_media::{Clip, Output, Shape, SheetRow, contact_sheet, save_png, write};
use kinora_models::kinora1::Defaults;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The model that is used when none is named.
pub const DEFAULT_MODEL: &str = "kinora-1";
/// Longest name made from a prompt, in characters.
const MAX_NAME: usize = 48;
/// Frames on a contact sheet.
pub const SHEET_FRAMES: usize = 8;

/// How to paint
#[derive(Debug, Args)]
pub struct SamplingArgs {
    /// Name of a model that is built in or pulled (see `kinora models`), a model folder, or the transformer's file in one
    #[arg(long, value_name = "NAME|DIR|FILE")]
    pub model: Option<String>,
    /// Decides all that the prompt leaves open; random if not given
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<u64>,
    /// Sampler steps: more is slower and finer
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub steps: Option<i64>,
    /// How strongly to insist on the prompt; 1 is not at all, 3 to 8 is usual (kinora-1 does where nothing is there to go on from)
    #[arg(long, value_name = "G", allow_hyphen_values = true)]
    pub guidance: Option<f64>,
    /// The same for the second transformer of a model with two
    #[arg(long, value_name = "G", allow_hyphen_values = true)]
    pub guidance_2: Option<f64>,
    /// Guide in a part of the steps alone, in shares of them: outside, a step takes half of the time
    #[arg(long, value_name = "FROM..TO", value_parser = span)]
    pub guidance_span: Option<Range<f64>>,
    /// Reuse what a transformer's blocks added at an earlier step while its first block changes by less than this share; 0.05 to 0.2 is usual (First-Block cache)
    #[arg(long, value_name = "CHANGE", allow_hyphen_values = true)]
    pub step_cache: Option<f64>,
    /// What to keep away from
    #[arg(long, value_name = "TEXT")]
    pub negative: Option<String>,
    /// How much noise fine detail begins from, 0 to 1: less is smoother, more has texture and grain
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub temperature: Option<f64>,
    /// Begin so many pictures or clips and go on with the one that shows most plainly what it should (kinora-1)
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub candidates: Option<i64>,
    /// Precision of the transformer's products; that of the weights' files if not given
    #[arg(long, value_name = "NAME", value_parser = precision)]
    pub precision: Option<Precision>,
    /// Memory to stay below: weights that then have no room are read again at each use, to the same result
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub max_memory: Option<u64>,
    #[arg(long, value_name = "NAME", help = format!("How the steps are taken: {}", Sampler::ALL.map(Sampler::name).join(", ")))]
    pub sampler: Option<String>,
    /// Shift of the noise levels: more stays longer at the large forms
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    pub shift: Option<f64>,
    /// A LoRA for a Wan checkpoint, with how much of it, 1 if not given, and for which of two transformers; give it several times
    #[arg(long, value_name = "FILE[:WEIGHT][@high|@low]", value_parser = parse_lora)]
    pub lora: Vec<LoraRequest>,
}

/// How freely what is painted leaves what is given
#[derive(Debug, Args)]
pub struct EaseArgs {
    /// How much noise painted frames begin from: 1 is noise alone, less keeps them nearer to the given ones beside them
    /// [default: 0.15 with kinora-1 and 0.65 with others; 0.8 where the text of a card that it can't stage tells what comes]
    #[arg(long, value_name = "0..1", allow_hyphen_values = true)]
    pub strength: Option<f64>,
}

impl SamplingArgs {
    /// The request of `recipe`, or a new one of a random seed, with the flags that are given in it.
    pub fn request(&self, recipe: Option<&Recipe>) -> Result<Request> {
        let mut request = match recipe {
            Some(recipe) => recipe.request(),
            None => Request::new("", random_seed()?),
        };
        if let Some(negative) = &self.negative {
            request.negative.clone_from(negative);
        }
        request.seed = self.seed.unwrap_or(request.seed);
        request.steps = self.steps.or(request.steps);
        request.guidance = self.guidance.or(request.guidance);
        request.guidance_2 = self.guidance_2.or(request.guidance_2);
        let shortcuts = &mut request.shortcuts;
        shortcuts.guidance_span = self
            .guidance_span
            .clone()
            .or(shortcuts.guidance_span.take());
        shortcuts.step_cache = self.step_cache.or(shortcuts.step_cache);
        request.temperature = self.temperature.or(request.temperature);
        request.candidates = self.candidates.or(request.candidates);
        request.precision = self.precision.or(request.precision);
        request.sampler = self.sampler.clone().or(request.sampler);
        request.shift = self.shift.or(request.shift);
        Ok(request)
    }

    /// Bytes that may be taken, as far as that is known.
    pub fn memory(&self) -> Option<u64> {
        memory(self.max_memory)
    }

    /// The model that the flag names, or else `recipe`, or else the default one, with the LoRAs of the flags or the recipe.
    pub fn files(&self, recipe: Option<&Recipe>) -> Result<ModelFiles> {
        let files = match (&self.model, recipe) {
            (Some(name), _) => library::open(name)?,
            (None, Some(recipe)) => library::open_again(&recipe.model)?,
            (None, None) => library::open(DEFAULT_MODEL)?,
        };
        let loras = match recipe {
            Some(recipe) if self.lora.is_empty() => {
                let here = [Some(Path::new(".")), files.folder()];
                let folders: Vec<&Path> = here.into_iter().flatten().collect();
                recipe.loras(&folders).map_err(EngineError::from)?
            }
            _ => self.lora.clone(),
        };
        let (files, few_steps) = files.with_loras(loras).map_err(EngineError::from)?;
        if let (Some(name), None) = (few_steps, recipe) {
            let Defaults {
                steps,
                guidance,
                shift,
                sampler,
                ..
            } = &files.about.defaults;
            tell(&format!(
                "{name} paints in few steps: --steps {steps} --guidance {guidance} --shift {shift} --sampler {sampler}, as far as flags do not say otherwise"
            ));
        }
        Ok(files)
    }
}

/// Bytes that may be taken, as far as that is known: what is free, or less if it is asked for.
pub fn memory(most: Option<u64>) -> Option<u64> {
    machine::free_memory().into_iter().chain(most).min()
}

/// Checks `request` against the model and the memory that may be taken.
pub fn planned(request: &Request, files: &ModelFiles, memory: Option<u64>) -> Result<Plan> {
    Ok(plan(request, files, memory).map_err(EngineError::from)?)
}

/// A precision by its name.
fn precision(name: &str) -> Result<Precision, String> {
    let found = Precision::ALL.into_iter().find(|p| p.name() == name);
    found.ok_or_else(|| {
        let names = Precision::ALL.map(Precision::name);
        format!("it can be {}", names.join(" or "))
    })
}

/// A part of a whole: `0.2..0.8`.
fn span(text: &str) -> Result<Range<f64>, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    text.split_once("..")
        .and_then(|(from, to)| Some(number(from)?..number(to)?))
        .ok_or_else(|| "say it like 0.2..0.8".to_owned())
}

/// Bytes: `6GB`, `500 MB`, `2GiB`, or a number of them.
pub fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 7] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("", 1.0),
    ];
    let unit = |(unit, size): &(&str, f64)| {
        let end = text.len().checked_sub(unit.len())?;
        let matches = text.is_char_boundary(end) && text[end..].eq_ignore_ascii_case(unit);
        matches.then_some((&text[..end], *size))
    };
    UNITS
        .iter()
        .find_map(unit)
        .and_then(|(number, size)| Some((number.trim().parse::<f64>().ok()?, size)))
        .filter(|(number, _)| number.is_finite() && *number > 0.0)
        .map(|(number, size)| (number * size) as u64)
        .ok_or_else(|| "say it like 6GB or 500MB".to_owned())
}

/// 32 bits: short to type, and exact in any JSON reader.
fn random_seed() -> Result<u64> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("the system gives no random numbers: {e}"))?;
    Ok(u32::from_le_bytes(bytes).into())
}

/// A model at work.
#[derive(Debug)]
pub struct Painter {
    files: ModelFiles,
    model: Model,
    device: Device,
    memory: Option<u64>,
    stop: Arc<AtomicBool>,
}

/// What a clip is painted from besides its recipe, and which part of it is the result.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// What is known of it.
    pub conditioning: &'a Conditioning,
    /// Where to begin; `None` is the seed's noise.
    pub start: Option<Latents>,
    /// The part.
    pub cut: Cut,
}

/// What was made, for `--json`.
#[derive(Debug, Serialize)]
pub struct Made {
    /// Where it is.
    pub file: PathBuf,
    /// How long it took.
    pub seconds: f64,
    /// How to make it again.
    pub recipe: Recipe,
}

impl Painter {
    /// Loads the model, to multiply in this precision and to take so many bytes of memory, as far as that is known. From here on
    /// Ctrl-C stops the work instead of the program.
    pub fn new(files: ModelFiles, precision: Precision, memory: Option<u64>) -> Result<Self> {
        let stop = interrupt::listen()?;
        let device = Device::flex();
        let model = files.load(precision, &device).map_err(EngineError::from)?;
        Ok(Self {
            files,
            model,
            device,
            memory,
            stop,
        })
    }

    /// The model's files.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// Paints the clip of `recipe` and cuts the result out; `title` is shown before the bar.
    pub fn paint(
        &self,
        recipe: &Recipe,
        canvas: &Canvas<'_>,
        kept: Option<&Kept>,
        title: Option<String>,
    ) -> Result<Clip> {
        let progress = Progress::new(title);
        let save_latents = kept.map(|kept| Keep {
            path: kept.path(),
            recipe,
            cut: &canvas.cut,
        });
        let job = Job {
            start: canvas.start.clone(),
            save_latents,
            ..self.job(&recipe.plan, &recipe.shortcuts, canvas.conditioning)
        };
        let clip = generate(&job, |event| progress.show(event))?;
        progress.finish();
        cut(&clip, &canvas.cut)
    }

    /// Finishes a clip that is painted.
    pub fn decode(&self, plan: &Plan, painted: &Painted) -> Result<Clip> {
        let progress = Progress::new(None);
        let job = self.job(plan, &painted.recipe.shortcuts, &painted.conditioning);
        let clip = finish(&job, painted, |event| progress.show(event))?;
        progress.finish();
        cut(&clip, &painted.cut)
    }

    fn job<'a>(
        &'a self,
        plan: &'a Plan,
        shortcuts: &'a Shortcuts,
        conditioning: &'a Conditioning,
    ) -> Job<'a> {
        let pictures = !conditioning.is_empty();
        let need = estimate(plan, shortcuts, &self.files, pictures, self.memory);
        Job {
            plan,
            model: &self.model,
            device: &self.device,
            conditioning,
            start: None,
            save_latents: None,
            shortcuts,
            room: need.room(self.memory),
            previews: false,
            cancel: &self.stop,
        }
    }

    /// Says which words of `prompt` the model does not read, and returns those that it does not know.
    pub fn read(&self, prompt: &str) -> Vec<String> {
        let name = &self.files.about.name;
        let Reading {
            tokens,
            most,
            unknown,
        } = self.model.reading(prompt);
        if !unknown.is_empty() {
            tell(&format!(
                "{name} does not know these words and leaves them out: {}",
                unknown.join(", ")
            ));
        }
        if tokens > most {
            tell(&format!(
                "{name} reads the first {most} words and marks of a prompt; the last {} are left out",
                tokens - most
            ));
        }
        unknown
    }
}

/// The part of a painted clip that is the result.
fn cut(clip: &Clip, cut: &Cut) -> Result<Clip> {
    let part = clip.part(cut.frames.clone())?;
    Ok(part.corner(cut.width, cut.height)?)
}

/// Writes a finished clip and its contact sheet, and says so: its name on standard output (unless `json`), the rest on stderr.
pub fn deliver(
    clip: &Clip,
    recipe: Recipe,
    (output, sheet): (&Output, Option<&Path>),
    began: Instant,
    json: bool,
) -> Result<Option<Made>> {
    write(clip, &recipe.to_json(), output)?;
    if let Some(path) = sheet {
        let row = SheetRow {
            label: recipe.plan.prompt.clone(),
            frames: clip.spread(SHEET_FRAMES),
        };
        save_png(&contact_sheet(&[row]), path)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let Some(path) = output.path() else {
        return Ok(None);
    };
    if !json {
        writeln!(io::stdout(), "{}", path.display())?;
        let frames = clip.frames().len();
        let s = if frames == 1 { "" } else { "s" };
        tell(&format!(
            "{}x{}, {frames} frame{s} at {} a second, seed {}, made in {seconds:.1} s",
            clip.width(),
            clip.height(),
            clip.fps(),
            recipe.plan.seed
        ));
    }
    Ok(Some(Made {
        file: path.to_owned(),
        seconds,
        recipe,
    }))
}

/// Where a clip of `shape` goes, checked before anything is painted. Without a name, `otherwise` is one, with a number
/// behind it if it is taken.
pub fn destination(
    asked: Option<&Path>,
    otherwise: impl FnOnce() -> PathBuf,
    shape: Shape,
    json: bool,
) -> Result<Output> {
    let path = match asked {
        Some(path) => path.to_owned(),
        None => free_name(otherwise()),
    };
    if path.as_os_str() == "-" {
        if json {
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
    let output = Output::parse(path)?;
    output.check_shape(shape)?;
    output.check_destination()?;
    Ok(output)
}

/// A file name from the prompt and the seed: `a-red-fox-runs-7.mp4`.
pub fn name_for(plan: &Plan) -> PathBuf {
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
    format!("{name}{}.{extension}", plan.seed).into()
}

/// `fox.mp4` as `fox-2.mp4`, `frames/` as `frames-2/`.
pub fn numbered(path: &Path, number: Option<u64>) -> PathBuf {
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
pub fn free_name(path: PathBuf) -> PathBuf {
    if !path.exists() {
        return path;
    }
    (2..)
        .map(|number| numbered(&path, Some(number)))
        .find(|path| !path.exists())
        .expect("some number is free")
}

/// A line for people. Nobody may be listening, and that is no reason to fail.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
