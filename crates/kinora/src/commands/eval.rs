//! `kinora eval`: measure a model against ground truth.

use crate::interrupt;
use anyhow::Result;
use clap::{Args, Subcommand};
use kinora_train::{
    ClipCache, Event,
    config::{self, DataConfig, ModelConfig, VaeTraining},
    read_vae,
    vae::{Summary, evaluate},
};
use std::path::PathBuf;

/// Measure a model against ground truth
#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What held-out clips lose when they are compressed: PSNR and SSIM for each look
    Vae(VaeArgs),
}

#[derive(Debug, Args)]
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

/// Runs the command.
pub fn eval(args: EvalArgs) -> Result<()> {
    match args.what {
        What::Vae(args) => vae(&args),
    }
}

fn vae(args: &VaeArgs) -> Result<()> {
    let config: VaeTraining = config::read(&args.config)?;
    let (data, model) = (DataConfig::read(&config.data)?, config::read::<ModelConfig>(&config.model)?);
    let folder = args.model.clone().unwrap_or_else(|| config.run.join("model"));
    let stop = interrupt::listen()?;
    let mut report = |event| {
        if let Event::Note(note) = event {
            eprintln!("{note}");
        }
    };
    let clips = ClipCache::fill(&data, &stop, &mut report)?;
    let report = evaluate(&read_vae(&model, &folder)?, &clips, args.clips, args.sheet.as_deref())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    println!("{:<12} {:>5} {:>9} {:>9} {:>9} {:>7}", "look", "clips", "PSNR", "least", "details", "SSIM");
    let row = |name: &str, it: &Summary| {
        println!(
            "{name:<12} {:>5} {:>6.2} dB {:>6.2} dB {:>6.2} dB {:>7.4}",
            it.clips, it.psnr, it.least_psnr, it.detail_psnr, it.ssim
        );
    };
    report.looks.iter().for_each(|(look, summary)| row(&format!("{look:?}"), summary));
    row("all", &report.all);
    Ok(())
}
