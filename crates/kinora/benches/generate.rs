//! How long the default clip takes, phase by phase, and the memory it needs: `cargo bench -p kinora --bench generate`.
//!
//! The phases are the program's own, in one process, for the built-in model or for the model folder given as the
//! first argument after `--`. On Linux the peak of the resident memory is printed beside the planner's estimate.

use anyhow::Result;
use kinora_engine::{
    Conditioning, Device, Event, Job, ModelFiles, Plan, Recipe, Request, Room, Shortcuts, generate,
    plan,
};
use kinora_media::{Output, write};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const PROMPT: &str = "A red fox runs through a snowy forest at dusk";

fn main() -> Result<()> {
    let name = std::env::args()
        .skip(1)
        .find(|arg| !arg.starts_with("--"))
        .unwrap_or_else(|| "kinora-1".into());
    let began = Instant::now();
    let files = ModelFiles::open(&name)?;
    let plan = plan(&Request::new(PROMPT, 7), &files, None)?;
    let device = Device::flex();
    let model = files.load(files.about.precision, &device)?;
    let loaded = began.elapsed();

    let (mut first, mut sampled) = (Duration::ZERO, Duration::ZERO);
    let job = Job {
        plan: &plan,
        model: &model,
        device: &device,
        conditioning: &Conditioning::default(),
        start: None,
        save_latents: None,
        shortcuts: &Shortcuts::NONE,
        room: Room::ALL,
        previews: false,
        cancel: &AtomicBool::new(false),
    };
    let clip = generate(&job, |event| match event {
        Event::Sampled(step) if step.done == 1 => first = began.elapsed(),
        Event::Sampled(step) if step.done == step.of => sampled = began.elapsed(),
        _ => {}
    })?;
    let decoded = began.elapsed();
    let folder = tempfile::tempdir()?;
    let recipe = Recipe::new(&plan, &Shortcuts::NONE, &files, None, None).to_json();
    write(&clip, &recipe, &Output::Mp4(folder.path().join("clip.mp4")))?;
    let written = began.elapsed();

    let Plan {
        width,
        height,
        frames,
        steps,
        sampler,
        ..
    } = plan;
    println!("{name}: {width}x{height}, {frames} frames, {steps} steps of {sampler}");
    for (phase, time) in [
        ("start-up, to the first step", loaded),
        ("first step", first - loaded),
        ("other steps", sampled - first),
        ("decode", decoded - sampled),
        ("encode and write", written - decoded),
        ("all", written),
    ] {
        println!("{phase:<28} {:>7.2} s", time.as_secs_f64());
    }
    println!(
        "{:<28} {:>7} MB",
        "memory, foreseen",
        kinora_engine::estimate(&plan, &Shortcuts::NONE, &files, false, None).peak(u64::MAX)
            / 1_000_000
    );
    if let Some(peak) = peak_memory() {
        println!("{:<28} {:>7} MB", "memory, at the peak", peak / 1_000_000);
    }
    Ok(())
}

/// Bytes of resident memory at the peak, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
