//! Styles: those that come with Kinora, and a user's own.

use crate::failure::BadInput;
use crate::machine;
use anyhow::{Context, Result, bail};
use kinora_prompt::{Style, built_in};
use std::fs;

/// All styles in order of name; a user's own takes the place of a built-in one of its name.
pub fn all() -> Result<Vec<Style>> {
    let mut styles = built_in();
    for style in own()? {
        styles.retain(|other| other.name != style.name);
        styles.push(style);
    }
    styles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(styles)
}

/// The style of a name.
pub fn named(name: &str) -> Result<Style> {
    let styles = all()?;
    if let Some(style) = styles.iter().find(|style| style.name == name) {
        return Ok(style.clone());
    }
    let known: Vec<&str> = styles.iter().map(|style| style.name.as_str()).collect();
    bail!(BadInput(format!(
        "there is no style called {name:?}; known are {}",
        known.join(", ")
    )))
}

fn own() -> Result<Vec<Style>> {
    let Some(folder) = machine::settings_folder()
        .map(|folder| folder.join("styles"))
        .filter(|folder| folder.is_dir())
    else {
        return Ok(Vec::new());
    };
    let unread = || format!("can't read the styles in {}", folder.display());
    let mut styles = Vec::new();
    for entry in fs::read_dir(&folder).with_context(unread)? {
        let path = entry.with_context(unread)?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text =
            fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        let style = Style::parse(&name, &text)
            .map_err(|error| BadInput(format!("{}: {error}", path.display())))?;
        styles.push(style);
    }
    Ok(styles)
}
