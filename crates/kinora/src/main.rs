//! `kinora`: text to video for people who make films, on their own machine.

mod args;
mod cards;
mod characters;
mod chat;
mod commands {
    pub mod character;
    pub mod convert;
    pub mod cut;
    pub mod decode;
    pub mod eval;
    pub mod generate;
    pub mod inspect;
    pub mod keys;
    pub mod models;
    pub mod pull;
    pub mod repertoire;
    pub mod serve;
    pub mod stage;
    pub mod styles;
    pub mod train;
    pub mod webhooks;
}
mod failure;
mod foresight;
mod hub;
mod input;
mod interrupt;
mod kept;
mod library;
mod loras;
mod machine;
mod place;
mod progress;
mod prompting;
mod renderer;
mod sampling;
mod service;
mod styles;

use anyhow::Result;
use clap::{Parser, Subcommand};
use commands::{
    convert, cut, decode, eval, generate, inspect, keys, models, pull, repertoire, serve, stage,
    train, webhooks,
};
use std::io::{self, Write};
use std::process::ExitCode;

/// Training and sampling allocate large buffers all the time, which the system's allocator hands back and fetches anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Text to video for people who make films, on your own machine
#[derive(Debug, Parser)]
#[command(version)]
#[command(after_help = "Examples:
  kinora generate \"A red fox runs through a snowy forest at dusk\" -o fox.mp4
  kinora extend fox.mp4 --seconds 2 -o longer.mp4
  kinora inspect fox.mp4
  kinora models show kinora-1
  kinora serve

Exit status: 0 done, 1 the machine failed, 2 the request can't be carried out as it stands, 130 stopped by Ctrl-C.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(Box<generate::GenerateArgs>),
    Decode(decode::DecodeArgs),
    Extend(Box<repertoire::ExtendArgs>),
    Loop(Box<repertoire::LoopArgs>),
    Connect(Box<repertoire::ConnectArgs>),
    Remix(Box<repertoire::RemixArgs>),
    Edit(Box<repertoire::EditArgs>),
    Variations(Box<repertoire::VariationsArgs>),
    Trim(cut::TrimArgs),
    Concat(cut::ConcatArgs),
    Inspect(inspect::InspectArgs),
    Models(models::ModelsArgs),
    Pull(pull::PullArgs),
    Convert(convert::ConvertArgs),
    Styles(commands::styles::StylesArgs),
    Character(commands::character::CharacterArgs),
    Stage(stage::StageArgs),
    Train(train::TrainArgs),
    Eval(eval::EvalArgs),
    Serve(Box<serve::ServeArgs>),
    Worker(Box<serve::WorkerArgs>),
    Keys(keys::KeysArgs),
    Webhooks(webhooks::WebhooksArgs),
    Doctor(serve::DoctorArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            let _ = error.print(); // help or version, asked for
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&failure::usage(&error), failure::BAD_INPUT),
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(
            &format!("error: {}", failure::sentence(&error)),
            failure::status(&error),
        ),
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Generate(args) => generate::generate(&args),
        Command::Decode(args) => decode::decode(&args),
        Command::Extend(args) => repertoire::extend(&args),
        Command::Loop(args) => repertoire::looped(&args),
        Command::Connect(args) => repertoire::connect(&args),
        Command::Remix(args) => repertoire::remix(&args),
        Command::Edit(args) => repertoire::edit(&args),
        Command::Variations(args) => repertoire::variations(&args),
        Command::Trim(args) => cut::trim(&args),
        Command::Concat(args) => cut::concat(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Models(args) => models::models(&args),
        Command::Pull(args) => pull::pull(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Styles(args) => commands::styles::styles(&args),
        Command::Character(args) => commands::character::character(&args),
        Command::Stage(args) => stage::stage(&args),
        Command::Train(args) => train::train(args),
        Command::Eval(args) => eval::eval(args),
        Command::Serve(args) => serve::serve(*args),
        Command::Worker(args) => serve::worker(*args),
        Command::Keys(args) => keys::keys(args),
        Command::Webhooks(args) => webhooks::webhooks(args),
        Command::Doctor(args) => serve::doctor(args),
    }
}

fn fail(sentence: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{sentence}"); // nobody may be listening
    ExitCode::from(status)
}
