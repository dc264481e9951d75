//! What a clip will take, foreseen and measured.

use crate::support::Place;
use crate::wan::{done, fixtures, place_of};
use kinora_nn::{noise, weights};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

/// How far a peak may lie from the foreseen one, in shares of it.
const WITHIN: f64 = 0.15;

/// Runs the program until it ends, or until the file `latents` is there, and the greatest memory that it had. Freed memory
/// goes back to the system at once: what is foreseen knows nothing of memory that nobody uses.
#[cfg(target_os = "linux")]
fn peak(place: &Place, args: &[&str], latents: Option<&str>) -> u64 {
    let mut command = place.command(args);
    let mut child = command.env("MIMALLOC_PURGE_DELAY", "0").spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let is_there = latents.is_some_and(|latents| place.path(latents).exists());
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success() && latents.is_none(), "{args:?}");
            return peak;
        }
        if is_there {
            child.kill().unwrap();
            child.wait().unwrap();
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A run of the program on a checkpoint in `wan/`.
struct Run<'a> {
    place: &'a Place,
    flags: &'a [&'a str],
}

impl Run<'_> {
    fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let ask = ["generate", "a red fox", "--seed", "1", "--model", "wan"];
        let how = ["--steps", "1", "--guidance", "1", "-o", "out.mp4"];
        [&ask[..], &how, self.flags, more].concat()
    }

    fn plan(&self, more: &[&str]) -> Value {
        done(
            self.place,
            &self.args(&[&["--plan", "--json"], more].concat()),
        )
        .json()
    }

    /// Checks the peak, in a share of the memory that the run would take, if there is one; the plan.
    #[cfg(target_os = "linux")]
    fn check(&self, share: Option<f64>) -> Value {
        let whole = self.plan(&[])["peak"].as_u64().unwrap() as f64;
        let most = share.map(|share| format!("{:.0}", whole * share));
        let most: Vec<&str> = most.iter().flat_map(|m| ["--max-memory", m]).collect();
        let plan = self.plan(&most);
        let measured = peak(self.place, &self.args(&most), None);
        near(measured, plan["peak"].as_u64().unwrap(), &self.args(&most));
        plan
    }
}

fn near(measured: u64, foreseen: u64, what: &[&str]) {
    let off = measured as f64 / foreseen as f64 - 1.0;
    println!("{what:?}: {measured} of {foreseen} foreseen, {off:+.3}");
    assert!(off.abs() <= WITHIN, "{what:?}: {measured} of {foreseen}");
}

/// Rewrites the weights `file` of a checkpoint, random and in bf16: extents that are `grown` as it says, and its second block
/// repeated until there are `blocks`.
fn grow(place: &Place, file: &str, grown: impl Fn(usize) -> usize, blocks: usize) {
    let path = place.path("wan").join(file);
    let bytes = fs::read(&path).unwrap();
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, tensor) in weights::read(&bytes).unwrap().tensors {
        let shape: Vec<usize> = tensor.shape.iter().map(|&extent| grown(extent)).collect();
        let repeated = match name
            .split_once(".1.")
            .filter(|(list, _)| list.ends_with("block") || list.ends_with("blocks"))
        {
            Some((list, rest)) => (1..blocks).map(|n| format!("{list}.{n}.{rest}")).collect(),
            None => vec![name],
        };
        for name in repeated {
            let start = end;
            end += 2 * shape.iter().product::<usize>();
            let entry = json!({"dtype": "BF16", "shape": shape, "data_offsets": [start, end]});
            header.insert(name, entry);
        }
    }
    let header = serde_json::to_vec(&header).unwrap();
    let bytes = |number: &f32| ((number * 0.02).to_bits() >> 16) as u16;
    let numbers = noise::normal(1, 0, 1 << 19);
    let numbers: Vec<u8> = numbers
        .iter()
        .flat_map(|n| bytes(n).to_le_bytes())
        .collect();
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    out.write_all(&header).unwrap();
    while end > 0 {
        let part = numbers.len().min(end);
        out.write_all(&numbers[..part]).unwrap();
        end -= part;
    }
    out.flush().unwrap();
}

fn configure(folder: &Path, sizes: Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (key, value) in sizes.as_object().unwrap() {
        config[key] = value.clone();
    }
    fs::write(path, config.to_string()).unwrap();
}

/// A checkpoint whose networks have so many blocks, of 26 MB in the text encoder and 34 MB in the transformer.
fn grown(text: usize, transformer: usize) -> Place {
    let place = place_of("tiny");
    let extents = |extent| match extent {
        16 | 24 => 1024, // widths
        32 => 4096,
        144 => 6 * 1024,
        other => other,
    };
    let file = "transformer/diffusion_pytorch_model.safetensors";
    grow(&place, file, extents, transformer);
    let sizes = json!({"attention_head_dim": 128, "num_attention_heads": 8, "ffn_dim": 4096,
        "num_layers": transformer, "text_dim": 1024, "freq_dim": 1024});
    configure(&place.path("wan/transformer"), sizes);
    let extents = |extent| match extent {
        16 => 1024,
        32 => 2816,
        2 => 16, // heads
        other => other,
    };
    grow(&place, "text_encoder/model.safetensors", extents, text);
    let sizes =
        json!({"d_model": 1024, "d_ff": 2816, "d_kv": 64, "num_heads": 16, "num_layers": text});
    configure(&place.path("wan/text_encoder"), sizes);
    place
}

#[cfg(target_os = "linux")]
#[test]
fn the_peak_of_large_networks_is_the_foreseen_one() {
    for (text, transformer, stage) in [(14, 2, "reading the prompt"), (2, 12, "sampling")] {
        let place = grown(text, transformer);
        for share in [None, Some(0.5)] {
            let flags = &["--size", "128x128", "--frames", "9"];
            let plan = Run {
                place: &place,
                flags,
            }
            .check(share);
            let mut peaks = plan["peaks"].as_array().unwrap().iter();
            let highest = peaks.position(|peak| *peak == plan["peak"]).unwrap();
            assert_eq!(plan["stages"][highest], stage);
            assert!(plan["peak"].as_u64().unwrap() > 150_000_000);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_peak_of_a_decode_is_the_foreseen_one() {
    for (name, flags) in [
        ("tiny", &["--size", "960x960", "--frames", "9"]),
        ("tiny-ti2v", &["--size", "1024x1024", "--frames", "9"]),
    ] {
        let place = place_of(name);
        for share in [None, Some(0.8)] {
            let plan = Run {
                place: &place,
                flags,
            }
            .check(share);
            assert_eq!(plan["tiles"].as_u64().unwrap() > 1, share.is_some());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_peak_of_reading_pictures_is_the_foreseen_one() {
    let place = place_of("tiny-ti2v");
    let first = fixtures().join("tiny-ti2v-first.png");
    let given = ["--image", first.to_str().unwrap()];
    let flags = [&given[..], &["--size", "1024x1024", "--frames", "9"]].concat();
    let run = Run {
        place: &place,
        flags: &flags,
    };
    let plan = run.plan(&[]);
    assert_eq!(plan["stages"][0], "reading pictures");
    let foreseen = plan["peaks"][0].as_u64().unwrap();
    let others = plan["peaks"].as_array().unwrap()[1..3].iter();
    assert!(others.filter_map(Value::as_u64).all(|peak| peak < foreseen));
    let args = run.args(&["--save-latents", "latents"]);
    near(peak(&place, &args, Some("latents")), foreseen, &args);
}

#[test]
fn tiles_give_the_same_bytes() {
    for name in ["tiny", "tiny-ti2v"] {
        let place = place_of(name);
        let ask = [
            "generate",
            "a red fox",
            "--seed",
            "1",
            "--model",
            "wan",
            "--size",
            "768x512",
        ];
        let how = ["--frames", "9", "--steps", "1", "--json"];
        let ask = |out, more: &[&str]| {
            done(&place, &[&ask[..], &how, &["-o", out], more].concat()).json()
        };
        let whole = ask("whole.mp4", &["--plan"])["peak"].as_u64().unwrap();
        let most = format!("{}", whole - whole / 8);
        let plan = ask("tiled.mp4", &["--plan", "--max-memory", &most]);
        assert!(plan["tiles"].as_u64().unwrap() > 1, "{plan}");
        ask("tiled.mp4", &["--max-memory", &most]);
        ask("whole.mp4", &[]);
        assert!(place.bytes("tiled.mp4") == place.bytes("whole.mp4"));
    }
}

#[test]
fn what_is_foreseen_is_said_in_words() {
    let place = place_of("tiny");
    let ask = [
        "generate",
        "a red fox",
        "--model",
        "wan",
        "--size",
        "384x256",
    ];
    let shown = done(
        &place,
        &[&ask[..], &["--plan", "--max-memory", "2GB"]].concat(),
    );
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in [
        "of 2.0 GB",
        "reading the prompt",
        "sampling",
        "decoding",
        "about",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(place.names(), ["wan"], "nothing is painted");
}
