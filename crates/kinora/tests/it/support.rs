//! Running the program in a folder of its own, with a tiny model of random weights.

use kinora_engine::Device;
use kinora_models::kinora1::{
    Config, DecoderConfig, Defaults, DitConfig, Kinora1, LatentStats, TextConfig, Vae, VaeConfig,
    cast::CastConfig,
};
use kinora_models::registry::file;
use kinora_nn::Init;
use kinora_nn::layers::randomised;
use kinora_nn::weights::{Dtype, save};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder with a model in `tiny/`; the program runs in it.
pub struct Place {
    folder: TempDir,
}

/// How a run ended.
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        tiny_model(&place.path("tiny"));
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Names in the folder, sorted, besides the model's.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is there");
        let name = |e: std::io::Result<fs::DirEntry>| {
            e.expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        };
        let mut names: Vec<String> = entries.map(name).filter(|name| name != "tiny").collect();
        names.sort();
        names
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinora"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        // Of the user's own models none is seen, and none of what the program remembers reaches the user's folders.
        for (name, folder) in [
            ("HF_HOME", "tiny/hf"),
            ("XDG_CACHE_HOME", "tiny/cache"),
            ("XDG_DATA_HOME", "tiny/data"),
        ] {
            command.env(name, self.path(folder));
        }
        command.env_remove("HF_HUB_CACHE");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(args).output().expect("the program starts");
        Ended {
            status: status.code(),
            stdout,
            stderr: String::from_utf8(stderr).expect("UTF-8 on stderr"),
        }
    }

    /// `kinora generate` with the tiny model and `more` flags; it must succeed.
    pub fn generate(&self, more: &[&str]) -> Ended {
        let ended = self.run(
            &[
                &[
                    "generate",
                    "a red fox runs",
                    "--model",
                    "tiny",
                    "--seed",
                    "7",
                ],
                more,
            ]
            .concat(),
        );
        assert_eq!(ended.status, Some(0), "{more:?}: {}", ended.stderr);
        ended
    }
}

impl Ended {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect("JSON on stdout")
    }
}

fn tiny_config() -> Config {
    let decoder = DecoderConfig {
        width: 8,
        depth: 1,
        expansion: 2,
    };
    Config {
        name: "tiny".into(),
        licence: "Apache-2.0".into(),
        vae: VaeConfig {
            latent_channels: 4,
            decoder,
        },
        text: TextConfig {
            vocabulary: 8,
            max_tokens: 6,
            width: 16,
            depth: 1,
            heads: 2,
        },
        dit: DitConfig {
            width: 24,
            depth: 2,
            heads: 2,
            expansion: 2,
            fine_width: 16,
            fine_depth: 1,
            cell_width: 8,
            half_width: 8,
            cell_depth: 1,
            names: [27, 12],
        },
        cast: Some(CastConfig {
            role: [3, 2, 4, 2],
            scenery: [2, 2, 3, 2],
            shot: [3, 2, 2, 4],
        }),
        latent: LatentStats {
            mean: vec![0.1; 4],
            std: vec![0.9; 4],
            persistence: vec![0.5; 4],
            spread: vec![1.1; 4],
        },
        defaults: Defaults {
            width: 64,
            height: 32,
            frames: 6,
            fps: 12,
            steps: 3,
            guidance: 3.0,
            sampler: "ab2".into(),
            shift: 2.0,
            temperature: 0.5,
            candidates: 2,
        },
    }
}

fn tiny_model(folder: &Path) {
    fs::create_dir(folder).expect("a new folder");
    let (config, device) = (tiny_config(), Device::flex());
    let text = |name, text: String| fs::write(folder.join(name), text).expect("a text file");
    text(
        file::CONFIG,
        serde_json::to_string(&config).expect("plain data"),
    );
    text(
        file::VOCABULARY,
        r#"["a", "red", "fox", "runs", "blue", "cat"]"#.into(),
    );
    text(file::CARD, "# tiny\nRandom weights.\n".into());
    let vae = randomised(Vae::new(&config.vae, &mut Init::new(1, &device)), 2);
    save(&vae, &BTreeMap::new(), &folder.join(file::VAE), Dtype::F16).expect("weights");
    let painter = randomised(Kinora1::new(&config, &mut Init::new(3, &device)), 4);
    save(
        &painter,
        &BTreeMap::new(),
        &folder.join(file::DIT),
        Dtype::F16,
    )
    .expect("weights");
}
