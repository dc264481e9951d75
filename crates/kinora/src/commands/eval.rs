//! `kinora eval`: measure a model against ground truth.

use crate::args;
use crate::{failure::BadInput, interrupt, library, machine, sampling::EaseArgs};
use anyhow::Result;
use clap::{Args, Subcommand};
use kinora_engine::{Device, EngineError, Length, Request, plan};
use kinora_media::{check_writable_file, contact_sheet, save_png};
use kinora_train::{
    Characters, ClipCache, Event,
    config::{self, DataConfig, ModelConfig, VaeTraining},
    gallery::gallery,
    read_vae,
    recognition::Judge,
    repertoire::{Bench, Edits, LongTakes, Pictures, Scenes, Variations},
    stage::{Permanence, Questions, evaluate_stage},
    vae::{Summary, evaluate},
};
use std::path::{Path, PathBuf};

/// Measure a model against ground truth
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora eval vae --config configs/vae.toml --model models/kinora-1
  kinora eval stage --prompts 256 --sheet sheet.png
  kinora eval repertoire --scenes 16
  kinora eval prompts docs/prompts.txt --sheet sheet.png")]
pub struct EvalArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What held-out clips lose when they are compressed: PSNR and SSIM for each look
    Vae(VaeArgs),
    /// Whether clips of held-out scenes show what their captions say, attribute by attribute
    Stage(StageArgs),
    /// Whether pictures, extensions, loops, connections, remixes, edits and variations do as they should
    Repertoire(RepertoireArgs),
    /// A contact sheet of your own prompts, to be looked at
    Prompts(PromptsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora eval vae --config configs/vae.toml --model models/kinora-1 --sheet copies.png")]
struct VaeArgs {
    /// Configuration of the training run
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Model folder; default is the run's own
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Held-out clips to measure
    #[arg(long, default_value_t = 64)]
    clips: u64,
    /// Draw originals above their copies
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora eval stage --prompts 256 --seed 0 --json
  kinora eval stage --prompts 64 --steps 12 --sheet sheet.png")]
struct StageArgs {
    /// A built-in model's name or a model folder
    #[arg(long, value_name = "NAME|DIR", default_value = "kinora-1")]
    model: String,
    /// Folder of another recogniser than the program's own
    #[arg(long, value_name = "DIR")]
    recogniser: Option<PathBuf>,
    /// Held-out scenes to ask for
    #[arg(long, value_name = "N", default_value_t = 256)]
    prompts: u64,
    /// Decides the scenes, the wording and the noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Ask for combinations that training shows, in other scenes, instead of those that it never shows
    #[arg(long)]
    seen: bool,
    /// Noise level at which painting begins over the true render: 1 is noise alone, and below it this tells from where on
    /// the model finds its way
    #[arg(
        long,
        value_name = "0..1",
        default_value_t = 1.0,
        allow_hyphen_values = true
    )]
    strength: f64,
    /// Width and height of a clip; default is the model's
    #[arg(long, value_name = "WxH", value_parser = args::size)]
    size: Option<(i64, i64)>,
    /// Frames of a clip; default is the model's
    #[arg(long, value_name = "N")]
    frames: Option<i64>,
    /// Sampler steps; default is the model's
    #[arg(long, value_name = "N")]
    steps: Option<i64>,
    /// Guidance scale; default is the model's
    #[arg(long, value_name = "G")]
    guidance: Option<f64>,
    /// Draw the first clips, true renders at the right
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Clips on the sheet
    #[arg(long, value_name = "N", default_value_t = 24)]
    rows: usize,
    /// Print JSON, with every clip
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora eval repertoire --scenes 16 --seed 0 --json")]
struct RepertoireArgs {
    /// A built-in model's name or a model folder
    #[arg(long, value_name = "NAME|DIR", default_value = "kinora-1")]
    model: String,
    /// Folder of another recogniser than the program's own
    #[arg(long, value_name = "DIR")]
    recogniser: Option<PathBuf>,
    /// Held-out scenes to start from
    #[arg(long, value_name = "N", default_value_t = 16)]
    scenes: u64,
    /// Decides the scenes, the wording and the noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Sampler steps; default is the model's
    #[arg(long, value_name = "N")]
    steps: Option<i64>,
    #[command(flatten)]
    ease: EaseArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora eval prompts docs/prompts.txt --sheet sheet.png")]
struct PromptsArgs {
    /// Text file with a prompt a line; the first is painted with seed 0, the next with seed 1
    file: PathBuf,
    /// A built-in model's name or a model folder
    #[arg(long, value_name = "NAME|DIR", default_value = "kinora-1")]
    model: String,
    /// Sampler steps; default is the model's
    #[arg(long, value_name = "N")]
    steps: Option<i64>,
    /// Guidance scale; default is the model's
    #[arg(long, value_name = "G")]
    guidance: Option<f64>,
    /// Where the sheet goes
    #[arg(long, value_name = "PNG")]
    sheet: PathBuf,
}

/// Runs the command.
pub fn eval(args: EvalArgs) -> Result<()> {
    match args.what {
        What::Vae(args) => vae(&args),
        What::Stage(args) => stage(&args),
        What::Repertoire(args) => repertoire(&args),
        What::Prompts(args) => prompts(&args),
    }
}

fn vae(args: &VaeArgs) -> Result<()> {
    let config: VaeTraining = config::read(&args.config)?;
    let (data, model) = (
        DataConfig::read(&config.data)?,
        config::read::<ModelConfig>(&config.model)?,
    );
    let folder = args
        .model
        .clone()
        .unwrap_or_else(|| config.run.join("model"));
    let stop = interrupt::listen()?;
    let clips = ClipCache::fill(&data, &stop, &mut note)?;
    let report = evaluate(
        &read_vae(&model, &folder)?,
        &clips,
        args.clips,
        args.sheet.as_deref(),
    )?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    println!(
        "{:<12} {:>5} {:>9} {:>9} {:>9} {:>7}",
        "look", "clips", "PSNR", "least", "details", "SSIM"
    );
    let row = |name: &str, it: &Summary| {
        println!(
            "{name:<12} {:>5} {:>6.2} dB {:>6.2} dB {:>6.2} dB {:>7.4}",
            it.clips, it.psnr, it.least_psnr, it.detail_psnr, it.ssim
        );
    };
    report
        .looks
        .iter()
        .for_each(|(look, summary)| row(&format!("{look:?}"), summary));
    row("all", &report.all);
    Ok(())
}

fn stage(args: &StageArgs) -> Result<()> {
    let stop = interrupt::listen()?;
    let files = library::open(&args.model)?;
    let judge = judge(args.recogniser.as_deref())?;
    let model = files
        .load(files.about.precision, &Device::flex())
        .map_err(EngineError::from)?;
    let planned = |prompt: &str, seed| {
        let request = Request {
            size: args.size,
            length: args.frames.map(Length::Frames),
            steps: args.steps,
            guidance: args.guidance,
            ..Request::new(prompt, seed)
        };
        plan(&request, &files, None)
    };
    let questions = Questions {
        count: args.prompts,
        seed: args.seed,
        seen: args.seen,
        strength: args.strength,
    };
    let (report, rows) = evaluate_stage(
        &model, &judge, questions, args.rows, planned, &stop, &mut note,
    )?;
    if let Some(path) = &args.sheet {
        save_png(&contact_sheet(&rows), path)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let percent = |share: f64| 100.0 * share;
    println!(
        "{:<12} {:>8} {:>15} {:>8} {:>15} {:>8} {:>8} {:>10}",
        "attribute", "right", "95 %", "ceiling", "95 %", "copies", "control", "of ceiling"
    );
    for it in &report.attributes {
        let range = |[low, high]: [f64; 2]| format!("{:.1} to {:.1}", percent(low), percent(high));
        println!(
            "{:<12} {:>6.1} % {:>15} {:>6.1} % {:>15} {:>6.1} % {:>6.1} % {:>8.0} %",
            it.attribute.name(),
            percent(it.accuracy),
            range(it.interval),
            percent(it.ceiling),
            range(it.ceiling_interval),
            percent(it.copy),
            percent(it.control),
            percent(it.of_ceiling)
        );
    }
    println!(
        "{} scenes {}, seed {}, {}x{}, {} frames, {} steps, guidance {}",
        args.prompts,
        if args.seen {
            "of seen combinations"
        } else {
            "of unseen combinations"
        },
        args.seed,
        report.plan.width,
        report.plan.height,
        report.plan.frames,
        report.plan.steps,
        report.plan.guidance
    );
    println!(
        "mean of the ceiling {:.1} %; {:.2} times the shuffled-prompt control",
        percent(report.mean_of_ceiling),
        report.mean_over_control
    );
    let Permanence {
        count,
        painted,
        ceiling,
    } = report.permanence;
    println!(
        "sharpness {:.2} and flicker {:.2} times those of renders; {:.0} % of {count} who pass behind come back as themselves (renders {:.0} %)",
        report.sharpness,
        report.flicker,
        percent(painted),
        percent(ceiling)
    );
    Ok(())
}

fn repertoire(args: &RepertoireArgs) -> Result<()> {
    let stop = interrupt::listen()?;
    let files = library::open(&args.model)?;
    let judge = judge(args.recogniser.as_deref())?;
    let model = files
        .load(files.about.precision, &Device::flex())
        .map_err(EngineError::from)?;
    let scratch = tempfile::tempdir()?;
    let bench = Bench {
        model: &model,
        judge: &judge,
        ease: args.ease.strength,
        scratch: scratch.path(),
        stop: &stop,
    };
    let planned = |prompt: &str, seed| {
        let request = Request {
            steps: args.steps,
            ..Request::new(prompt, seed)
        };
        plan(&request, &files, None)
    };
    let scenes = Scenes {
        count: args.scenes,
        seed: args.seed,
    };
    let report = bench.evaluate(scenes, planned, &mut note)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    let Pictures {
        first,
        last,
        motion,
    } = report.pictures;
    println!(
        "pictures: first {:.1} dB (least {:.1}), last {:.1} dB (least {:.1}), {motion:.2} of the render's motion",
        first[0], first[1], last[0], last[1]
    );
    for seams in report.seams {
        println!(
            "{}: seams {:.2} times other frames, {:.0} % within the clip's own spread",
            seams.command,
            seams.ratio,
            100.0 * seams.within
        );
    }
    println!(
        "connect: {:.0} % of steps nearer to the end",
        100.0 * report.connect_forward
    );
    for remix in &report.remixes {
        println!(
            "remix {:.1}: structure {:.3}, prompt {:.0} %",
            remix.strength,
            remix.structure,
            100.0 * remix.followed
        );
    }
    let Edits {
        outside,
        border,
        inside,
    } = report.edits;
    println!(
        "edit: {outside} changed outside, {inside:.1} inside; steps at the border {border:.2} times those beside it"
    );
    let Variations {
        diversity,
        between_prompts,
        of_renders,
        true_to_prompt,
    } = report.variations;
    println!(
        "variations: diversity {diversity:.3} (of renders {of_renders:.3}, between prompts {between_prompts:.3}), prompt {:.0} %",
        100.0 * true_to_prompt
    );
    let LongTakes {
        count,
        seconds,
        kept,
        others,
    } = report.long_takes;
    println!(
        "long takes: {count} of {seconds:.0} s, identity and setting at the end {kept:.2} from the start; other clips {others:.2}"
    );
    let Characters {
        count,
        auc,
        ceiling,
        named: [subject, colour],
    } = report.characters;
    println!(
        "characters: {count} held out, AUC {auc:.3} (true renders {ceiling:.3}); subject named {:.0} %, colour {:.0} %",
        100.0 * subject,
        100.0 * colour
    );
    Ok(())
}

fn prompts(args: &PromptsArgs) -> Result<()> {
    let stop = interrupt::listen()?;
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| BadInput(format!("{} can't be read: {error}", args.file.display())))?;
    check_writable_file(&args.sheet)?;
    let prompts: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if prompts.is_empty() {
        return Err(BadInput(format!(
            "{} holds no prompt; write one on each line",
            args.file.display()
        ))
        .into());
    }
    let files = library::open(&args.model)?;
    let plans = (prompts.into_iter().zip(0..))
        .map(|(prompt, seed)| {
            let request = Request {
                steps: args.steps,
                guidance: args.guidance,
                ..Request::new(prompt, seed)
            };
            plan(&request, &files, machine::free_memory()).map_err(EngineError::from)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let model = files
        .load(files.about.precision, &Device::flex())
        .map_err(EngineError::from)?;
    let rows = gallery(&model, &plans, &stop)?;
    Ok(save_png(&contact_sheet(&rows), &args.sheet)?)
}

/// The recogniser in `folder`, or the program's own.
fn judge(folder: Option<&Path>) -> Result<Judge> {
    Ok(folder.map_or_else(Judge::built_in, Judge::load)?)
}

fn note(event: Event) {
    if let Event::Note(note) = event {
        eprintln!("{note}");
    }
}
