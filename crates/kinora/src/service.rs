//! What `serve`, `worker`, `keys` and `doctor` have in common: settings, logs, the signal to stop.

use crate::failure::BadInput;
use crate::sampling::tell;
use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing_subscriber::filter::LevelFilter;

/// How the program tells what it does
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Logs, on stderr")]
pub struct LogArgs {
    /// For people or for programs; text if not given
    #[arg(long, value_name = "text|json", env = "KINORA_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// error, warn, info, debug or trace; info if not given
    #[arg(long, value_name = "LEVEL", env = "KINORA_LOG_LEVEL")]
    pub log_level: Option<String>,
}

/// The form of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl LogArgs {
    /// These, and from `file` what is not given here.
    pub fn or(self, file: Self) -> Self {
        Self {
            log_format: self.log_format.or(file.log_format),
            log_level: self.log_level.or(file.log_level),
        }
    }

    /// Sends logs to stderr from here on.
    pub fn start(&self) -> Result<()> {
        let level = self.log_level.as_deref().unwrap_or("info");
        let level: LevelFilter = level.parse().map_err(|_| {
            BadInput(format!(
                "{level:?} is no level of logs; there are error, warn, info, debug and trace"
            ))
        })?;
        let logs = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            // It would tell stderr that stderr can't be written, and panic at that: logs may lie on a full disk.
            .log_internal_errors(false)
            .with_max_level(level)
            .with_target(false);
        let started = match self.log_format.unwrap_or(LogFormat::Text) {
            LogFormat::Text => logs.with_ansi(false).try_init(),
            LogFormat::Json => logs.json().flatten_event(true).try_init(),
        };
        started.map_err(|error| anyhow!("logs can't be started: {error}"))
    }
}

/// Reads a file of settings: those of the flags, by the same names.
pub fn settings<T: for<'de> Deserialize<'de> + Default>(path: Option<&Path>) -> Result<T> {
    let Some(path) = path else {
        return Ok(T::default());
    };
    let text = fs::read_to_string(path)
        .with_context(|| format!("the settings {} can't be read", path.display()))?;
    let read = toml::from_str(&text);
    Ok(read.map_err(|error| BadInput(format!("the settings {}: {error}", path.display())))?)
}

/// What runs the service's waiting; its work has threads of its own.
pub fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the service can't be started")
}

/// Becomes true at the first Ctrl-C or request to terminate; the second ends the program at once.
pub fn stop_signal() -> Result<watch::Receiver<bool>> {
    let (tell, stop) = watch::channel(false);
    #[cfg(unix)]
    let mut terminate = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).context("can't listen for the signal to terminate")?
    };
    tokio::spawn(async move {
        loop {
            #[cfg(unix)]
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            #[cfg(not(unix))]
            let _ = tokio::signal::ctrl_c().await;
            if tell.send_replace(true) {
                std::process::exit(crate::interrupt::EXIT_STATUS);
            }
            tracing::info!("stopping; once more ends it at once");
        }
    });
    Ok(stop)
}

/// Prints a list: as JSON, a line for each, or on stderr that there is nothing yet.
pub fn list<T>(
    rows: &[T],
    json: bool,
    (described, line): (impl Fn(&T) -> Value, impl Fn(&T) -> String),
    nothing: &str,
) -> Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let rows: Vec<Value> = rows.iter().map(described).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    } else if rows.is_empty() {
        tell(nothing);
    } else {
        for row in rows {
            writeln!(out, "{}", line(row).trim_end())?;
        }
    }
    Ok(())
}

/// Prints what is made once and can't be shown again: the secret alone and what it is on stderr, or all as JSON.
pub fn secret(
    (mut described, name): (Value, &str),
    secret: &str,
    json: bool,
    what: &str,
) -> Result<()> {
    let mut out = io::stdout().lock();
    if json {
        described[name] = secret.into();
        writeln!(out, "{}", serde_json::to_string_pretty(&described)?)?;
    } else {
        writeln!(out, "{secret}")?;
        tell(what);
    }
    Ok(())
}

/// So many random bytes, in hexadecimal digits.
pub fn random(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|e| anyhow!("the system gives no random numbers: {e}"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The value of a flag, or whose it was that can't be read.
pub fn flag<T>(name: &str, read: Result<T, String>) -> Result<T> {
    Ok(read.map_err(|reason| BadInput(format!("{name}: {reason}")))?)
}

/// A time: `30s`, `10m`, `12h`, `30d`.
pub fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "say it like 30s, 10m, 12h or 30d".to_owned();
    let (number, unit) =
        text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.trim().parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}
