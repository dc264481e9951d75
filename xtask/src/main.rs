//! `cargo xtask tidy`: checks of the workspace that a compiler does not make.

mod directions;
mod sources;

use std::path::Path;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments != ["tidy"] {
        anyhow::bail!("usage: cargo xtask tidy");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace");
    let mut problems = directions::check(root)?;
    problems.extend(sources::check(root)?);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        println!("tidy");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{} to put right", problems.len());
    Ok(ExitCode::FAILURE)
}
