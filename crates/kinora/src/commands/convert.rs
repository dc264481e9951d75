//! `kinora convert`: a weight file in another precision.

use crate::failure::BadInput;
use crate::interrupt;
use anyhow::{Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};
use kinora_engine::checkpoint::{Network, networks};
use kinora_engine::{Encoding, EngineError, convert as rewrite};
use kinora_media::check_writable_file;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Write a weight file in another precision, as safetensors or GGUF
///
/// In GGUF, vectors and tables stay in f32, and with q8_0, q5_0 and q4_0 so do the parts of a network that few bits would
/// harm. One tensor at a time is in memory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora convert wan2.1_t2v_1.3B_bf16.safetensors -o wan2.1_t2v_1.3B_q8_0.gguf --to q8_0
  kinora convert Wan2.1-T2V-14B-Diffusers/transformer -o wan2.1_t2v_14B_bf16.safetensors")]
pub struct ConvertArgs {
    /// safetensors or GGUF, or a folder with the files of one network
    source: PathBuf,
    /// What to write: NAME.safetensors or NAME.gguf
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Number format; safetensors take f32, f16 and bf16
    #[arg(long, default_value = "bf16", ignore_case = true, value_parser = PossibleValuesParser::new(["f32", "f16", "bf16", "q8_0", "q5_0", "q4_0"]))]
    to: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn convert(args: &ConvertArgs) -> Result<()> {
    let named = |encoding: &Encoding| encoding.name().eq_ignore_ascii_case(&args.to);
    let Some(to) = Encoding::WRITABLE.into_iter().find(named) else {
        bail!(BadInput(format!("{} can't be written", args.to)));
    };
    check_writable_file(&args.output)?;
    let stop = interrupt::listen()?;
    let bar = bar();
    let converted = rewrite(&args.source, &args.output, to, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    bar.finish_and_clear();
    converted.map_err(EngineError::from)?;
    let (written, _) = networks(&args.output).map_err(EngineError::from)?;
    report(args, &written)
}

fn bar() -> ProgressBar {
    let template = "[{bar:30}] {decimal_bytes}/{decimal_total_bytes}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("a template that is written here");
    let bar = ProgressBar::new(0);
    bar.set_style(style.progress_chars("=> "));
    bar
}

/// Says what was written, as its header tells.
fn report(args: &ConvertArgs, written: &[Network]) -> Result<()> {
    let mut out = io::stdout().lock();
    for network in written {
        match args.json {
            true => writeln!(out, "{}", serde_json::to_string_pretty(network)?)?,
            false => writeln!(
                out,
                "{}: {}, {:.1} MB",
                args.output.display(),
                network.is,
                network.bytes as f64 / 1e6
            )?,
        }
    }
    Ok(())
}
