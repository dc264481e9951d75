//! What a clip will take, said before its first step.

use crate::sampling::tell;
use anyhow::Result;
use kinora_engine::{
    Device, ModelFiles, Need, Plan, Precision, Shortcuts, Stage, estimate, human,
    operations_a_second,
};
use serde_json::json;
use std::io::{self, Write};

/// Measurements of a rate.
const TIMES: usize = 4;
/// What is foreseen to take less time is not worth a word.
const WORTH_SECONDS: f64 = 10.0;

/// Says on stderr what the clip will take, if that is long; `pictures` tells whether some are given.
pub fn foretell(
    plan: &Plan,
    shortcuts: &Shortcuts,
    files: &ModelFiles,
    pictures: bool,
    memory: Option<u64>,
) {
    let need = estimate(plan, shortcuts, files, pictures, memory);
    if need.stages.iter().all(|stage| stage.operations == 0.0) {
        return;
    }
    let rates = Rates::measured();
    if rates.seconds(&need).sum::<f64>() > WORTH_SECONDS {
        lines(&need, &rates, memory)
            .iter()
            .for_each(|line| tell(line));
    }
}

/// Says on stdout what the clip will take.
pub fn show_need(
    plan: &Plan,
    shortcuts: &Shortcuts,
    files: &ModelFiles,
    pictures: bool,
    memory: Option<u64>,
    as_json: bool,
) -> Result<()> {
    let need = estimate(plan, shortcuts, files, pictures, memory);
    let rates = Rates::measured();
    let mut out = io::stdout().lock();
    if as_json {
        let weights = weights(&need, memory);
        let shown = json!({
            "peak": need.peak(weights),
            "stages": need.stages.iter().map(|stage| stage.name).collect::<Vec<_>>(),
            "peaks": need.peaks(weights).collect::<Vec<_>>(),
            "seconds": rates.seconds(&need).collect::<Vec<_>>(),
            "tiles": need.tiles.count(),
            "weights_that_stay": weights,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
        return Ok(());
    }
    for line in lines(&need, &rates, memory) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Bytes of a network's weights that stay in so much memory.
fn weights(need: &Need, memory: Option<u64>) -> u64 {
    need.room(memory).weights
}

fn lines(need: &Need, rates: &Rates, memory: Option<u64>) -> Vec<String> {
    let weights = weights(need, memory);
    let of = memory.map_or_else(String::new, |memory| format!(" of {}", human(memory)));
    let mut lines = vec![format!(
        "foreseen: {}{of} of memory at most",
        human(need.peak(weights))
    )];
    let stages = need.stages.iter().zip(need.peaks(weights));
    for ((stage, peak), seconds) in stages.zip(rates.seconds(need)) {
        let time = match stage.operations > 0.0 {
            true => format!(", about {}", span(seconds)),
            false => String::new(),
        };
        let again = match stage.weights > weights {
            true => format!(
                "; {} of its {} of weights are read again at each use",
                human(stage.weights - weights),
                human(stage.weights)
            ),
            false => String::new(),
        };
        lines.push(format!("  {:<18} {}{time}{again}", stage.name, human(peak)));
    }
    if need.tiles.count() > 1 {
        lines.push(format!(
            "  frames are decoded in {} tiles",
            need.tiles.count()
        ));
    }
    lines
}

/// Operations a second of products on this machine.
struct Rates {
    f32: f64,
    bf16: f64,
    int8: f64,
}

impl Rates {
    fn measured() -> Self {
        let device = Device::flex();
        // The fastest of several: other work on the machine disturbs some.
        let rate = |precision| {
            let rates = (0..TIMES).map(|_| operations_a_second(precision, &device));
            rates.fold(0.0, f64::max)
        };
        Self {
            f32: rate(Precision::F32),
            bf16: rate(Precision::Bf16),
            int8: rate(Precision::Int8),
        }
    }

    /// What each stage takes at these rates.
    fn seconds<'a>(&'a self, need: &'a Need) -> impl Iterator<Item = f64> + 'a {
        let seconds = |stage: &Stage| match stage.precision {
            Precision::F32 => stage.operations / self.f32,
            Precision::Bf16 => stage.operations / self.bf16,
            Precision::Int8 => stage.operations / self.int8,
        };
        need.stages.iter().map(seconds)
    }
}

/// A time for people: `40 s`, `12 min`, `3.5 h`.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
