//! `kinora pull`: a model from the Hugging Face hub.

use crate::failure::BadInput;
use crate::hub::{Cache, Client, Listing, MAIN, RemoteFile, Settings, fetch, place};
use crate::interrupt;
use crate::library::{KNOWN, QUANTS, known_by, own_folder, quantised, repository};
use crate::sampling::tell;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use kinora_engine::{EngineError, ModelFiles};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Fetch a model from the Hugging Face hub
///
/// Files go to the cache that other programs of the hub use too (HF_HOME, HF_HUB_CACHE). HF_TOKEN is sent to the hub
/// alone; HF_ENDPOINT names another hub. A pull that breaks off goes on where it was.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:
  kinora pull wan2.1-t2v-1.3b
  kinora pull wan2.1-t2v-14b --quant q8_0
  kinora generate \"a red fox in the snow\" --model wan2.1-t2v-1.3b -o fox.mp4

Short names: {}", KNOWN.map(|known| known.name).join(", ")))]
pub struct PullArgs {
    /// A short name, or the hub's owner/name
    name: String,
    /// The transformers in GGUF of this precision
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(QUANTS))]
    quant: Option<String>,
    /// Branch, tag or commit
    #[arg(long, default_value = MAIN)]
    revision: String,
    /// Put a folder of links to the files here, too
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Folders of a checkpoint that hold weights.
const NETWORKS: [&str; 5] = [
    "transformer",
    "transformer_2",
    "text_encoder",
    "vae",
    "image_encoder",
];

/// A repository, and what of it is fetched.
struct Part {
    listing: Listing,
    files: Vec<RemoteFile>,
}

/// A file of a folder of links: its name there, and where it is.
type Link = (String, PathBuf);

/// Runs the command.
pub fn pull(args: &PullArgs) -> Result<()> {
    let repo = repository(&args.name)?;
    let gguf = args
        .quant
        .as_deref()
        .map(|quant| gguf_of(&args.name, quant));
    let gguf = gguf.transpose()?;
    let folder = folder_of_links(args)?;
    let settings = Settings::from_environment()?;
    let client = Client::new(&settings.endpoint, settings.token.as_deref());
    let stop = interrupt::listen()?;

    let listing = client.listing(&repo, &args.revision)?;
    let files = needed(&listing, gguf.is_some())?;
    let mut parts = vec![Part { listing, files }];
    let mut transformers = Vec::new();
    if let (Some(repository), Some(quant)) = (gguf, &args.quant) {
        let listing = client.listing(&crate::hub::Repo::parse(repository)?, MAIN)?;
        transformers = quantised_files(&listing, quant, has_second(&parts[0].listing))?;
        let files = listing.files.iter().filter(|file| is_word(&file.path));
        let files = files.chain(transformers.iter().map(|(_, file)| file));
        parts.push(Part {
            files: files.cloned().collect(),
            listing,
        });
    }
    announce(&client, &settings.cache, &parts)?;
    let snapshot = fetch_all(&client, &settings.cache, &parts, &stop)?;

    let placed = match &folder {
        Some(folder) => {
            let links = links(&settings.cache, &parts, &transformers);
            lay_out(folder, &links)?;
            folder
        }
        None => &snapshot,
    };
    if gguf.is_none() {
        let commit = &parts[0].listing.commit;
        settings
            .cache
            .set_reference(&repo, &args.revision, commit)?;
    }
    report(args, placed, &parts)
}

/// The repository with the transformers of `name` in GGUF.
fn gguf_of(name: &str, quant: &str) -> Result<&'static str> {
    let found = known_by(name).and_then(|known| known.gguf);
    found.ok_or_else(|| {
        anyhow!(BadInput(format!(
            "no repository is known that has {name} in {quant}; pull it as it is, then: kinora convert"
        )))
    })
}

/// Where a folder of links is wanted: where it is asked for, or in a place of Kinora's own for what comes from several
/// repositories.
fn folder_of_links(args: &PullArgs) -> Result<Option<PathBuf>> {
    if let Some(folder) = &args.to {
        let free =
            fs::read_dir(folder).map_or(!folder.exists(), |mut found| found.next().is_none());
        if !free {
            bail!(BadInput(format!(
                "{} is there already; name a new or an empty folder",
                folder.display()
            )));
        }
        return Ok(Some(folder.clone()));
    }
    let Some(quant) = &args.quant else {
        return Ok(None);
    };
    match own_folder() {
        Some(folder) => Ok(Some(
            folder.join(quantised(&args.name, &quant.to_lowercase())),
        )),
        None => bail!(BadInput(
            "there is no home folder to keep the model's folder in; name one with --to".to_owned()
        )),
    }
}

/// What Kinora reads of a checkpoint, and the words that belong to it.
fn needed(listing: &Listing, other_transformers: bool) -> Result<Vec<RemoteFile>> {
    let has = |path: &str| listing.files.iter().any(|file| file.path == path);
    if !has("model_index.json") && !has("dit.safetensors") {
        bail!(BadInput(format!(
            "{} holds no model that Kinora runs: it has neither model_index.json (a checkpoint in the layout of \
             diffusers) nor dit.safetensors (one that kinora train wrote)",
            listing.repo.name()
        )));
    }
    let wanted = |file: &&RemoteFile| is_needed(&file.path, other_transformers);
    Ok(listing.files.iter().filter(wanted).cloned().collect())
}

fn is_needed(path: &str, other_transformers: bool) -> bool {
    use kinora_models::registry::file::{CARD, CONFIG, DIT, VAE, VOCABULARY};
    match *path.split('/').collect::<Vec<_>>() {
        [name] => {
            let own = [CARD, CONFIG, DIT, VAE, VOCABULARY];
            name == "model_index.json" || is_word(name) || own.contains(&name)
        }
        ["tokenizer" | "scheduler" | "image_processor", _] => true,
        [network, "config.json"] => NETWORKS.contains(&network),
        [network, name] if NETWORKS.contains(&network) => {
            let other = other_transformers && network.starts_with("transformer");
            !other && (is_weights(name) || name.ends_with(".index.json"))
        }
        _ => false,
    }
}

fn is_weights(path: &str) -> bool {
    path.ends_with(".safetensors") || path.ends_with(".gguf")
}

/// Whether it is a card or a licence of the whole.
fn is_word(path: &str) -> bool {
    let path = path.to_ascii_uppercase();
    let begins = ["README.MD", "LICENSE", "LICENCE", "NOTICE"];
    !path.contains('/') && begins.iter().any(|word| path.starts_with(word))
}

fn has_second(listing: &Listing) -> bool {
    let config = "transformer_2/config.json";
    listing.files.iter().any(|file| file.path == config)
}

/// The transformers of precision `quant`, each with its name in a folder of diffusers. Of two, the one for high noise
/// comes first.
fn quantised_files(
    listing: &Listing,
    quant: &str,
    second: bool,
) -> Result<Vec<(String, RemoteFile)>> {
    let quant = quant.to_lowercase();
    let stem = |file: &RemoteFile| {
        file.path
            .to_lowercase()
            .strip_suffix(".gguf")
            .map(str::to_owned)
    };
    let of_quant = |file: &&RemoteFile| {
        let stem = stem(file).unwrap_or_default();
        let before = stem.strip_suffix(&quant);
        before.is_some_and(|before| before.ends_with(['-', '.', '_']))
    };
    let found: Vec<&RemoteFile> = listing.files.iter().filter(of_quant).collect();
    let of = |folder: &str, word: &str| {
        let mut files = found.iter().filter(|file| {
            let plain = file.path.to_lowercase().replace(['_', '-'], "");
            plain.contains(word)
        });
        match (files.next(), files.next()) {
            (Some(file), None) => {
                let name = file.path.rsplit('/').next().unwrap_or(&file.path);
                Ok((format!("{folder}/{name}"), (*file).clone()))
            }
            _ => {
                let all = listing.files.iter().filter_map(stem);
                bail!(BadInput(format!(
                    "{} has not just one {word} file of {quant}; it has {}",
                    listing.repo.name(),
                    all.collect::<Vec<_>>().join(", ")
                )))
            }
        }
    };
    match second {
        true => Ok(vec![
            of("transformer", "highnoise")?,
            of("transformer_2", "lownoise")?,
        ]),
        false => Ok(vec![of("transformer", "")?]),
    }
}

/// Says what is about to be fetched and under which licence, and checks that the disk has room for it.
fn announce(client: &Client, cache: &Cache, parts: &[Part]) -> Result<()> {
    let mut missing = 0;
    for Part { listing, files } in parts {
        let here: u64 = files
            .iter()
            .map(|file| cache.missing(&listing.repo, file))
            .sum();
        let whole: u64 = files.iter().map(|file| file.bytes).sum();
        let licence = match &listing.licence {
            Some(licence) => format!("licence {licence}"),
            None => format!("no licence stated, see {}", client.page(&listing.repo)),
        };
        tell(&format!(
            "{} at {}, {licence}: {} files of {}, {} to fetch",
            listing.repo.name(),
            &listing.commit[..8],
            files.len(),
            DecimalBytes(whole),
            DecimalBytes(here)
        ));
        missing += here;
    }
    match cache.free() {
        Some(free) if free < missing => Err(anyhow!(
            "the disk of {} has {} free and {} are needed; make room, or set HF_HOME to a folder of another disk",
            cache.root().display(),
            DecimalBytes(free),
            DecimalBytes(missing)
        )),
        _ => Ok(()),
    }
}

/// Fetches all files, small ones first: whether the program can run the checkpoint shows before its weights come.
/// Returns the snapshot of the first part.
fn fetch_all(client: &Client, cache: &Cache, parts: &[Part], stop: &AtomicBool) -> Result<PathBuf> {
    let all = parts.iter().flat_map(|part| &part.files);
    let bar = bar(all.map(|file| file.bytes).sum());
    let mut done = 0;
    let mut take = |part: &Part, weights: bool| -> Result<()> {
        let listing = &part.listing;
        for file in part.files.iter().filter(|f| is_weights(&f.path) == weights) {
            bar.set_message(file.path.clone());
            fetch(client, cache, listing, file, stop, &|have| {
                bar.set_position(done + have)
            })?;
            cache.link(&listing.repo, &listing.commit, file)?;
            done += file.bytes;
        }
        Ok(())
    };
    let base = &parts[0].listing;
    let snapshot = cache.snapshot(&base.repo, &base.commit);
    for part in parts {
        take(part, false)?;
    }
    if ModelFiles::is_checkpoint(&snapshot) {
        let checked = ModelFiles::check_config(&snapshot).map_err(EngineError::from);
        checked.with_context(|| format!("{} is not fetched", base.repo.name()))?;
    }
    for part in parts {
        take(part, true)?;
    }
    bar.finish_and_clear();
    Ok(snapshot)
}

fn bar(bytes: u64) -> ProgressBar {
    let template = "{wide_msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("a template that is written here");
    let bar = ProgressBar::new(bytes);
    bar.set_style(style.progress_chars("=> "));
    bar
}

/// The files of a folder in the layout of diffusers: the first part's own, and the transformers of the second with what
/// its publisher says beside them.
fn links(cache: &Cache, parts: &[Part], transformers: &[(String, RemoteFile)]) -> Vec<Link> {
    let mut links = Vec::new();
    for (index, Part { listing, files }) in parts.iter().enumerate() {
        for file in files {
            let named = transformers
                .iter()
                .find(|(_, of)| index > 0 && of.path == file.path);
            let name = match (index, named) {
                (0, _) => file.path.clone(),
                (_, Some((name, _))) => name.clone(),
                (_, None) => format!("transformer/{}", file.path),
            };
            links.push((name, cache.blob(&listing.repo, &file.digest)));
        }
    }
    links
}

/// A folder of links at `folder`, in place of an earlier one.
fn lay_out(folder: &Path, links: &[Link]) -> Result<()> {
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let failed = || format!("{} can't be written", folder.display());
    fs::create_dir_all(parent).with_context(failed)?;
    let aside = tempfile::Builder::new().prefix(".pull").tempdir_in(parent);
    let aside = aside.with_context(failed)?;
    let (new, old) = (aside.path().join("new"), aside.path().join("old"));
    for (name, blob) in links {
        let blob = fs::canonicalize(blob).with_context(|| format!("{} is gone", blob.display()))?;
        place(&new.join(name), &blob)?;
    }
    if folder.exists() {
        fs::rename(folder, old).with_context(failed)?;
    }
    fs::rename(new, folder).with_context(failed)
}

/// Says where everything is.
fn report(args: &PullArgs, folder: &Path, parts: &[Part]) -> Result<()> {
    let mut out = io::stdout().lock();
    if !args.json {
        writeln!(out, "{}", folder.display())?;
        return Ok(());
    }
    let shown = parts.iter().map(|Part { listing, files }| {
        let files: Vec<Value> = files
            .iter()
            .map(
                |file| json!({ "path": file.path, "bytes": file.bytes, "etag": file.digest.hex() }),
            )
            .collect();
        json!({
            "repository": listing.repo.name(),
            "commit": listing.commit,
            "licence": listing.licence,
            "files": files,
        })
    });
    let shown: Vec<Value> = shown.collect();
    let answer = json!({ "name": args.name, "folder": folder, "repositories": shown });
    writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
    Ok(())
}
