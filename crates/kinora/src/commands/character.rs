//! `kinora character`: who stays the same in new scenes.

use crate::characters::Character;
use crate::input::{Given, reader};
use crate::sampling::tell;
use anyhow::Result;
use clap::{Args, Subcommand};
use kinora_train::recognition::Judge;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;

/// Keep a character, to be named in prompts
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kinora character add Rusty --from fox.mp4
  kinora character add Rusty --from side.png front.png --as \"a red fox\"
  kinora generate \"Rusty runs through a forest\" --character Rusty -o rusty.mp4
  kinora character list")]
pub struct CharacterArgs {
    #[command(subcommand)]
    what: What,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep pictures of a character; one of the same name is replaced
    #[command(after_help = "Examples:
  kinora character add Rusty --from fox.mp4
  kinora character add Rusty --from side.png front.png --as \"a red fox\"")]
    Add {
        /// One word that prompts will call it
        name: String,
        /// Pictures and clips that show it, large and alone
        #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
        from: Vec<PathBuf>,
        /// What the model is told in the place of the name; without it, what the recogniser takes the pictures for
        #[arg(long = "as", value_name = "TEXT")]
        words: Option<String>,
    },
    /// List the characters
    #[command(after_help = "Examples:
  kinora character list --json")]
    List,
    /// Forget a character and its pictures
    #[command(after_help = "Examples:
  kinora character remove Rusty")]
    Remove {
        /// Its name
        name: String,
    },
}

/// Runs the command.
pub fn character(args: &CharacterArgs) -> Result<()> {
    let mut out = io::stdout().lock();
    match &args.what {
        What::Add { name, from, words } => {
            let reader = reader(None)?;
            let clips = from
                .iter()
                .map(|path| Given::open(path, "picture", &reader))
                .collect::<Result<Vec<_>>>()?;
            let added = Character::add(name, clips, words.as_deref(), &Judge::built_in()?)?;
            let pictures = added.pictures.frames().len();
            if args.json {
                let shown = described(&added);
                writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
            } else {
                tell(&format!(
                    "{name} is kept with {pictures} pictures; a model is told {:?} (another with --as)",
                    added.description
                ));
            }
        }
        What::List => {
            let names = Character::names()?;
            let all = names.iter().map(|name| Character::named(name));
            let all = all.collect::<Result<Vec<_>>>()?;
            if args.json {
                let list: Vec<Value> = all.iter().map(described).collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
            } else if all.is_empty() {
                tell("no character is kept yet; add one with `kinora character add`");
            } else {
                for one in &all {
                    let pictures = one.pictures.frames().len();
                    writeln!(
                        out,
                        "{:<16} {} ({pictures} pictures)",
                        one.name, one.description
                    )?;
                }
            }
        }
        What::Remove { name } => Character::remove(name)?,
    }
    Ok(())
}

fn described(character: &Character) -> Value {
    json!({
        "name": character.name,
        "description": character.description,
        "pictures": character.pictures.frames().len(),
    })
}
