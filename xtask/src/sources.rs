//! Rules for source files: a head, a length, no strays, `unsafe` only where listed.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines a file may have.
const MOST_LINES: usize = 600;

/// The only files that may hold `unsafe`: kernels with a scalar twin in a test, and the mapping of files.
const UNSAFE_FILES: &[&str] = &[
    "crates/kinora-nn/src/bf16.rs",
    "crates/kinora-nn/src/bf16/amx.rs",
    "crates/kinora-nn/src/bf16/pack.rs",
    "crates/kinora-nn/src/int8.rs",
    "crates/kinora-nn/src/matmul.rs",
    "crates/kinora-nn/src/weights/mapped.rs",
];

/// What must not stand in any code, comments included. The names are cut in
/// two so that this file passes its own check.
const STRAYS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
];

/// What must not stand in the code of the named crates, tests aside.
const FORBIDDEN: &[(&[&str], &str, &str)] = &[
    (
        LIBRARIES,
        ".unwrap()",
        "return an error, or expect with the reason it can't fail",
    ),
    (
        LIBRARIES,
        "std::env::",
        "only the binary reads the environment: take an argument",
    ),
    (
        LIBRARIES,
        "println!(",
        "only the binary speaks to the terminal: return it, or call back",
    ),
    (
        &["kinora-diffusion", "kinora-models"],
        "std::fs",
        "models and samplers do no I/O",
    ),
];

const LIBRARIES: &[&str] = &[
    "kinora-nn",
    "kinora-diffusion",
    "kinora-models",
    "kinora-stage",
    "kinora-media",
    "kinora-engine",
    "kinora-train",
    "kinora-server",
];

/// Reads each Rust file and lists what breaks a rule.
pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in ["crates", "fuzz", "xtask"] {
        find(&root.join(folder), &mut files)?;
    }
    files.sort();

    let mut problems = Vec::new();
    for file in files {
        let name = file
            .strip_prefix(root)?
            .to_string_lossy()
            .replace('\\', "/");
        problems.extend(check_source(&name, &fs::read_to_string(&file)?));
    }
    let gone = UNSAFE_FILES.iter().filter(|name| !root.join(name).exists());
    problems.extend(gone.map(|name| format!("{name}: listed for unsafe, but not there")));
    Ok(problems)
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// A line without its strings and its comment.
fn code_of(line: &str) -> String {
    let outside: String = line.split('"').step_by(2).collect();
    outside.split("//").next().unwrap_or_default().to_owned()
}

fn check_source(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if !text.starts_with("//! ") {
        problems.push(format!(
            "{name}: begin with a //! line that says what the file is for"
        ));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        problems.push(format!(
            "{name}: {lines} lines; split it, {MOST_LINES} are the most"
        ));
    }

    let krate = name
        .strip_prefix("crates/")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    let mut in_tests = !name.contains("/src/") || name.ends_with("/tests.rs");
    let mut unsafe_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        // A file's unit tests are its last part.
        in_tests |= line.trim_start().starts_with("#[cfg(test)]");
        for stray in STRAYS.iter().filter(|stray| line.contains(**stray)) {
            problems.push(format!("{name}:{number}: {stray} is left over"));
        }
        let code = code_of(line);
        unsafe_code |= code
            .split(|c: char| c != '_' && !c.is_alphanumeric())
            .any(|word| word == "unsafe");
        for (crates, words, instead) in FORBIDDEN {
            if !in_tests && crates.contains(&krate) && code.contains(words) {
                problems.push(format!("{name}:{number}: {words} {instead}"));
            }
        }
    }
    match (unsafe_code, UNSAFE_FILES.contains(&name)) {
        (true, false) => problems.push(format!("{name}: unsafe outside the files listed for it")),
        (false, true) => problems.push(format!("{name}: listed for unsafe, but has none")),
        _ => {}
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules that a file breaks, by a word of each message.
    fn check(name: &str, text: &str, expected: &[&str]) {
        let problems = check_source(name, text);
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, word) in problems.iter().zip(expected) {
            assert!(problem.contains(word), "{problem} should name {word}");
        }
    }

    #[test]
    fn each_rule_can_fail() {
        let file = "crates/kinora-stage/src/a.rs";
        check(file, "//! Good.\n// unsafe, .unwrap() in words\n", &[]);
        check(file, "fn f() {}\n", &["//!"]);
        check(
            file,
            &format!("//! Long.\n{}", "\n".repeat(600)),
            &["601 lines"],
        );
        check(
            file,
            &format!("//! Left.\n// {}\n", STRAYS[0]),
            &["left over"],
        );
        check(
            file,
            "//! Bare.\nfn f() { unsafe { g() } }\n",
            &["unsafe outside"],
        );
        check(
            file,
            "//! Rash.\nfn f() { g().unwrap() }\n",
            &["a.rs:2: .unwrap()"],
        );
        check(
            file,
            "//! Tested.\n#[cfg(test)]\nmod tests { fn f() { g().unwrap() } }\n",
            &[],
        );
        check(
            "crates/kinora-models/src/a.rs",
            "//! Reads.\nuse std::fs::File;\n",
            &["I/O"],
        );
        check(UNSAFE_FILES[0], "//! Idle.\n", &["has none"]);
    }
}
