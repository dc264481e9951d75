//! Models from a hub: fetched once, whole and verified, and then used by name.

use crate::hub::{COMMIT, Hub, Seen, etag, sha256};
use crate::support::{Ended, Place};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = "wan2.1-t2v-1.3b";
const REPO: &str = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers";
const FOLDER: &str = "hf/hub/models--Wan-AI--Wan2.1-T2V-1.3B-Diffusers";
const GGUF: &str = "samuelchristlie/Wan2.1-T2V-1.3B-GGUF";
const WEIGHTS: &str = "vae/diffusion_pytorch_model.safetensors";
const CARD: &str = "---\nlicense: apache-2.0\n---\n# Tiny Wan\n";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kinora-models/tests/fixtures/wan")
}

fn weights() -> Vec<u8> {
    fs::read(fixtures().join("tiny").join(WEIGHTS)).unwrap()
}

/// A hub with a tiny checkpoint, and things beside it that nobody needs.
fn hub() -> Hub {
    let hub = Hub::new();
    hub.add_folder(REPO, &fixtures().join("tiny"));
    hub.add(REPO, "README.md", CARD);
    hub.add(REPO, "LICENSE.txt", "Apache License, version 2.0");
    hub.add(REPO, "assets/demo.mp4", vec![0; 5000]);
    hub.add(REPO, "transformer/old.bin", vec![0; 5000]);
    hub.add(REPO, "notes/weights.safetensors", vec![0; 5000]);
    hub.add(GGUF, "Wan2.1-T2V-1.3B-Q4_0.gguf", "not this one");
    let tiny = fs::read(fixtures().join("tiny.gguf")).unwrap();
    hub.add(GGUF, "Wan2.1-T2V-1.3B-Q8_0.gguf", tiny);
    hub.add(GGUF, "README.md", "quantised");
    hub
}

/// The program with everything of the hub in the place's folder.
fn command(place: &Place, hub: &Hub, args: &[&str]) -> Command {
    let mut command = place.command(args);
    command
        .env("HF_ENDPOINT", hub.address())
        .env("HF_HOME", place.path("hf"))
        .env("XDG_DATA_HOME", place.path("data"))
        .env("XDG_CACHE_HOME", place.path("cache"));
    for name in [
        "HF_TOKEN",
        "HF_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "ALL_PROXY",
        "all_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
    ] {
        command.env_remove(name);
    }
    command
}

fn ended(command: &mut Command) -> Ended {
    told(command.output().unwrap())
}

fn told(output: Output) -> Ended {
    Ended {
        status: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(place: &Place, hub: &Hub, args: &[&str]) -> Ended {
    ended(&mut command(place, hub, args))
}

/// Runs what must go well.
fn done(place: &Place, hub: &Hub, args: &[&str]) -> Ended {
    let ended = run(place, hub, args);
    assert_eq!(ended.status, Some(0), "{args:?}: {}", ended.stderr);
    ended
}

/// Runs a pull that must fail with `status`, saying all of `words`.
fn fails(place: &Place, hub: &Hub, status: i32, words: &[&str]) {
    let ended = run(place, hub, &["pull", NAME]);
    said(&ended, status, words);
}

fn said(ended: &Ended, status: i32, words: &[&str]) {
    assert_eq!(ended.status, Some(status), "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: "), "one sentence: {last}");
}

/// Requests for the bytes of the file with that end.
fn asked(seen: &[Seen], end: &str) -> Vec<Seen> {
    let of_file = |s: &&Seen| s.path.contains("/resolve/") && s.path.ends_with(end);
    seen.iter().filter(of_file).cloned().collect()
}

fn partial(place: &Place) -> PathBuf {
    place.path(&format!("{FOLDER}/blobs/{}.incomplete", sha256(&weights())))
}

const CLIP: [&str; 8] = [
    "--size", "48x32", "--frames", "9", "--steps", "1", "--seed", "1",
];

fn generates(place: &Place, hub: &Hub, model: &str, out: &str) {
    let ask = ["generate", "a fox", "--model", model, "-o", out];
    done(place, hub, &[&ask[..], &CLIP].concat());
    assert!(place.path(out).is_file());
}

#[test]
fn a_model_is_pulled_into_the_shared_cache_and_used_by_name() {
    let (place, hub) = (Place::new(), hub());
    let pulled = done(&place, &hub, &["pull", NAME, "--json"]);
    assert!(
        pulled.stderr.contains("licence apache-2.0"),
        "{}",
        pulled.stderr
    );
    let told = pulled.json();
    assert_eq!(told["repositories"][0]["commit"], COMMIT);
    let snapshot = place.path(&format!("{FOLDER}/snapshots/{COMMIT}"));
    assert_eq!(told["folder"], snapshot.to_str().unwrap());

    // The layout of huggingface_hub, with links that stay right when the cache is moved.
    let reference = place.path(&format!("{FOLDER}/refs/main"));
    assert_eq!(fs::read_to_string(reference).unwrap(), COMMIT);
    for (path, steps) in [(WEIGHTS, "../../../blobs"), ("LICENSE.txt", "../../blobs")] {
        let bytes = fs::read(snapshot.join(path)).unwrap();
        let link = fs::read_link(snapshot.join(path)).unwrap();
        assert_eq!(link, Path::new(steps).join(etag(path, &bytes)), "{path}");
    }
    assert_eq!(fs::read(snapshot.join(WEIGHTS)).unwrap(), weights());
    assert_eq!(
        fs::read_to_string(snapshot.join("README.md")).unwrap(),
        CARD
    );
    for unneeded in ["assets", "notes", "transformer/old.bin"] {
        assert!(!snapshot.join(unneeded).exists(), "{unneeded}");
    }
    let seen = hub.seen();
    assert!(asked(&seen, "demo.mp4").is_empty() && asked(&seen, "old.bin").is_empty());

    done(&place, &hub, &["pull", NAME]);
    assert!(
        asked(&hub.seen(), "").is_empty(),
        "a second pull fetches nothing"
    );

    let list = String::from_utf8(done(&place, &hub, &["models"]).stdout).unwrap();
    assert!(list.contains(NAME) && list.contains("apache-2.0"), "{list}");
    let shown = done(&place, &hub, &["models", "show", NAME]);
    assert!(shown.stdout.ends_with(b"# Tiny Wan\n"));
    generates(&place, &hub, NAME, "short.mp4");
    generates(&place, &hub, REPO, "long.mp4");
    generates(&place, &hub, &format!("{NAME}@{COMMIT}"), "commit.mp4");
    let recipe = done(&place, &hub, &["inspect", "short.mp4", "--json"]).json();
    assert_eq!(recipe["recipe"]["model"]["name"], NAME);
    done(
        &place,
        &hub,
        &["generate", "--like", "short.mp4", "-o", "again.mp4"],
    );
    assert_eq!(place.bytes("short.mp4"), place.bytes("again.mp4"));
    assert!(hub.seen().is_empty(), "nothing but a pull asks the hub");
}

#[test]
fn a_name_that_is_not_there_says_how_to_fetch_it() {
    let (place, hub) = (Place::new(), hub());
    let args = ["generate", "a fox", "--model", NAME, "-o", "out.mp4"];
    said(
        &run(&place, &hub, &args),
        2,
        &["kinora pull wan2.1-t2v-1.3b"],
    );
    said(
        &run(&place, &hub, &["pull", "wan"]),
        2,
        &["owner/name", NAME],
    );
    said(&run(&place, &hub, &["pull", "../wan"]), 2, &["owner/name"]);
    assert!(hub.seen().is_empty());
}

#[test]
fn a_revision_is_kept_under_its_own_name() {
    let (place, hub) = (Place::new(), hub());
    done(&place, &hub, &["pull", NAME, "--revision", "refs/pr/1"]);
    let kept = fs::read_to_string(place.path(&format!("{FOLDER}/refs/refs/pr/1")));
    assert_eq!(kept.unwrap(), COMMIT);
    done(
        &place,
        &hub,
        &["models", "show", &format!("{NAME}@refs/pr/1")],
    );
    let none = run(&place, &hub, &["pull", NAME, "--revision", "older"]);
    said(&none, 2, &["no revision \"older\"", REPO]);
    let out = run(&place, &hub, &["pull", NAME, "--revision", "../../x"]);
    said(&out, 2, &["no revision"]);
}

#[test]
fn a_broken_pull_goes_on_where_it_was() {
    let (place, hub) = (Place::new(), hub());
    (hub.faults().cut, hub.faults().cuts) = (Some((WEIGHTS, 70_000)), usize::MAX);
    fails(
        &place,
        &hub,
        1,
        &[WEIGHTS, "70.00 kB of 116.60 kB", "same command"],
    );
    assert_eq!(fs::read(partial(&place)).unwrap(), &weights()[..70_000]);
    assert!(!place.path(&format!("{FOLDER}/refs/main")).exists());
    hub.seen();
    hub.faults().cut = None;
    done(&place, &hub, &["pull", NAME]);
    let seen = asked(&hub.seen(), WEIGHTS);
    let ranges: Vec<_> = seen.iter().map(|seen| seen.range.as_deref()).collect();
    assert_eq!(
        ranges,
        [Some("bytes=70000-"); 2],
        "the hub and the store are asked for the rest alone"
    );
    assert!(!partial(&place).exists());
    generates(&place, &hub, NAME, "out.mp4");
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let (place, hub) = (Place::new(), hub());
    (hub.faults().cut, hub.faults().cuts) = (Some((WEIGHTS, 50_000)), 1);
    done(&place, &hub, &["pull", NAME]);
    let ranges: Vec<_> = asked(&hub.seen(), WEIGHTS)
        .into_iter()
        .map(|seen| seen.range)
        .collect();
    let rest = Some("bytes=50000-".to_owned());
    assert_eq!(ranges, [None, None, rest.clone(), rest]);
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let (place, hub) = (Place::new(), hub());
    (hub.faults().cut, hub.faults().cuts) = (Some((WEIGHTS, 50_000)), 1);
    hub.faults().no_ranges = true;
    done(&place, &hub, &["pull", NAME]);
    assert_eq!(
        fs::read(place.path(&format!("{FOLDER}/snapshots/{COMMIT}/{WEIGHTS}"))).unwrap(),
        weights()
    );
}

#[test]
fn bytes_that_are_not_the_listed_ones_are_not_kept() {
    for file in [WEIGHTS, "tokenizer/tokenizer.json"] {
        let (place, hub) = (Place::new(), hub());
        hub.faults().spoiled = Some(file);
        fails(&place, &hub, 1, &[file, "hash", "deleted"]);
        let blobs = fs::read_dir(place.path(&format!("{FOLDER}/blobs"))).unwrap();
        let names: Vec<_> = blobs
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(
            !names.iter().any(|name| name.ends_with("incomplete")),
            "{names:?}"
        );
        assert!(
            !place
                .path(&format!("{FOLDER}/snapshots/{COMMIT}/{file}"))
                .exists()
        );
        hub.faults().spoiled = None;
        done(&place, &hub, &["pull", NAME]);
    }
    let (place, hub) = (Place::new(), hub());
    hub.faults().longer = Some(WEIGHTS);
    fails(&place, &hub, 1, &[WEIGHTS, "116605 bytes", "116604"]);
}

#[test]
fn a_rest_of_something_else_is_found_by_its_hash() {
    let (place, hub) = (Place::new(), hub());
    let path = partial(&place);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, vec![7; 1000]).unwrap();
    fails(&place, &hub, 1, &[WEIGHTS, "hash"]);
    done(&place, &hub, &["pull", NAME]);
}

#[test]
fn refusals_say_what_to_do() {
    let (place, hub) = (Place::new(), hub());
    (hub.faults().token, hub.faults().refusal) = (Some("secret"), 401);
    fails(&place, &hub, 2, &[REPO, "set HF_TOKEN"]);
    let wrong = ended(command(&place, &hub, &["pull", NAME]).env("HF_TOKEN", "wrong"));
    said(&wrong, 2, &["does not take the token"]);
    assert!(!wrong.stderr.contains("wrong"), "a token is never shown");
    hub.faults().refusal = 403;
    let closed = ended(command(&place, &hub, &["pull", NAME]).env("HF_TOKEN", "other"));
    said(&closed, 2, &["accept its licence at", REPO]);
    hub.faults().token = None;
    let none = run(&place, &hub, &["pull", "nobody/nothing"]);
    said(&none, 2, &["nobody/nothing"]);
    let other = run(&place, &hub, &["pull", GGUF]);
    said(&other, 2, &["holds no model that Kinora runs"]);
    let offline = ended(command(&place, &hub, &["pull", NAME]).env("HF_HUB_OFFLINE", "1"));
    said(&offline, 2, &["HF_HUB_OFFLINE"]);
    // A port that nobody listens at.
    let gone =
        ended(command(&place, &hub, &["pull", NAME]).env("HF_ENDPOINT", "http://127.0.0.1:9"));
    said(&gone, 1, &["http://127.0.0.1:9 can't be reached"]);
    assert!(!place.path(FOLDER).exists(), "nothing is left behind");
}

#[test]
fn the_token_is_for_the_hub_alone() {
    let (place, hub) = (Place::new(), hub());
    (hub.faults().token, hub.faults().refusal) = (Some("secret"), 401);
    let pulled = ended(command(&place, &hub, &["pull", NAME]).env("HF_TOKEN", "secret"));
    assert_eq!(pulled.status, Some(0), "{}", pulled.stderr);
    let seen = hub.seen();
    assert!(
        seen.iter().any(|seen| !seen.to_hub),
        "large files come from elsewhere"
    );
    for seen in seen {
        assert_eq!(seen.token.is_some(), seen.to_hub, "{seen:?}");
    }
}

#[test]
fn hostile_lists_are_refused_before_anything_is_written() {
    let (place, hub) = (Place::new(), hub());
    let hash = "0".repeat(40);
    let file =
        |path: &str, hash: &str| json!({ "type": "file", "path": path, "oid": hash, "size": 1 });
    for path in [
        "../x",
        "/etc/x",
        "vae/../../x",
        "vae//x",
        "./x",
        "",
        "vae/",
        "C:x",
        "..\\x",
        "tokenizer/a\nb",
    ] {
        hub.faults().entries = vec![file(path, &hash)];
        fails(&place, &hub, 2, &["leads out of its folder"]);
    }
    hub.faults().entries = vec![file("tokenizer/x", "../../../x")];
    fails(&place, &hub, 2, &["which is none"]);
    let large = json!({ "oid": "/etc/passwd", "size": 1 });
    hub.faults().entries =
        vec![json!({ "type": "file", "path": "vae/x.gguf", "oid": hash, "lfs": large })];
    fails(&place, &hub, 2, &["which is none"]);
    assert!(!place.path("hf").exists());
}

#[test]
fn a_checkpoint_that_can_not_be_run_is_not_fetched() {
    let (place, hub) = (Place::new(), hub());
    let path = "transformer/config.json";
    let config = fs::read_to_string(fixtures().join("tiny").join(path)).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["in_channels"] = json!(7);
    hub.add(REPO, path, config.to_string());
    fails(&place, &hub, 2, &["is not fetched"]);
    assert!(asked(&hub.seen(), ".safetensors").is_empty());
}

#[test]
fn transformers_in_gguf_take_the_others_place() {
    let (place, hub) = (Place::new(), hub());
    let pulled = done(&place, &hub, &["pull", NAME, "--quant", "Q8_0"]);
    assert!(
        pulled.stderr.contains(REPO) && pulled.stderr.contains(GGUF),
        "{}",
        pulled.stderr
    );
    let folder = place.path(&format!("data/kinora/models/{NAME}-q8_0"));
    assert_eq!(pulled.stdout, format!("{}\n", folder.display()).as_bytes());
    assert!(
        folder
            .join("transformer/Wan2.1-T2V-1.3B-Q8_0.gguf")
            .is_file()
    );
    assert_eq!(
        fs::read(folder.join("transformer/README.md")).unwrap(),
        b"quantised"
    );
    assert_eq!(fs::read_to_string(folder.join("README.md")).unwrap(), CARD);
    let seen = hub.seen();
    assert!(asked(&seen, "transformer/diffusion_pytorch_model.safetensors").is_empty());
    assert!(asked(&seen, "Q4_0.gguf").is_empty());
    generates(&place, &hub, NAME, "short.mp4");
    generates(&place, &hub, &format!("{NAME}-q8_0"), "named.mp4");
    let list = String::from_utf8(done(&place, &hub, &["models"]).stdout).unwrap();
    assert!(list.contains("wan2.1-t2v-1.3b-q8_0"), "{list}");
    done(&place, &hub, &["pull", NAME, "--quant", "q8_0"]); // in place of the first
    generates(&place, &hub, NAME, "again.mp4");
    let none = run(&place, &hub, &["pull", NAME, "--quant", "q6_k"]);
    said(&none, 2, &[GGUF, "q6_k", "q4_0"]);
    let unknown = run(&place, &hub, &["pull", REPO, "--quant", "q8_0"]);
    said(&unknown, 2, &["kinora convert"]);
}

#[test]
fn both_experts_come_in_gguf() {
    let (place, hub) = (Place::new(), Hub::new());
    hub.add_folder(
        "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
        &fixtures().join("tiny-a14b"),
    );
    for (part, name) in [("transformer", "HighNoise"), ("transformer_2", "LowNoise")] {
        // The names of diffusers in safetensors' place would not do, but nothing is loaded here.
        hub.add(
            "QuantStack/Wan2.2-T2V-A14B-GGUF",
            &format!("{name}/Wan2.2-T2V-A14B-{name}-Q8_0.gguf"),
            part,
        );
    }
    done(
        &place,
        &hub,
        &["pull", "wan2.2-t2v-a14b", "--quant", "q8_0", "--to", "wan"],
    );
    let read = |path: &str| fs::read_to_string(place.path("wan").join(path)).unwrap();
    assert_eq!(
        read("transformer/Wan2.2-T2V-A14B-HighNoise-Q8_0.gguf"),
        "transformer"
    );
    assert_eq!(
        read("transformer_2/Wan2.2-T2V-A14B-LowNoise-Q8_0.gguf"),
        "transformer_2"
    );
    let again = run(&place, &hub, &["pull", "wan2.2-t2v-a14b", "--to", "wan"]);
    said(&again, 2, &["is there already"]);
}

/// Waits until `child`, which fetches the file with the gate, is there.
fn at_gate(place: &Place) {
    let began = Instant::now();
    while !place.path("reached").exists() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the gate is not reached"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn start(command: &mut Command) -> Child {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.spawn().unwrap()
}

#[test]
#[cfg(unix)]
fn ctrl_c_keeps_what_has_arrived_and_nobody_fetches_the_same_twice() {
    let (place, hub) = (Place::new(), hub());
    hub.faults().gate = Some((WEIGHTS, place.path("")));
    let child = start(&mut command(&place, &hub, &["pull", NAME]));
    at_gate(&place);
    fails(&place, &hub, 1, &["another program is fetching"]);
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    thread::sleep(Duration::from_millis(100));
    fs::write(place.path("go"), "").unwrap();
    let stopped = told(child.wait_with_output().unwrap());
    said(&stopped, 130, &["same command"]);
    assert!(fs::metadata(partial(&place)).unwrap().len() >= weights().len() as u64 / 2);
    hub.faults().gate = None;
    done(&place, &hub, &["pull", NAME]);
}

/// Runs `script` as `sh` would, with the program's path in `$0`, and with `$HF_HOME` on a disk of `kilobytes` of its own;
/// `None` where that takes rights that are not given.
#[cfg(unix)]
fn on_small_disk(place: &Place, hub: &Hub, kilobytes: usize, script: &str) -> Option<Child> {
    fs::create_dir_all(place.path("hf")).unwrap();
    let mount = format!("mount -t tmpfs -o size={kilobytes}k none \"$HF_HOME\"");
    let shell = |line: &str| {
        let mut shell = Command::new("unshare");
        shell.args(["--user", "--map-root-user", "--mount", "sh", "-c", line]);
        let program = command(place, hub, &[]);
        shell
            .arg(program.get_program())
            .current_dir(place.path("."));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
    };
    let tried = shell(&mount).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        eprintln!("skipped: this machine gives no disk of its own to a test");
        return None;
    }
    Some(start(&mut shell(&format!("{mount} && {script}"))))
}

#[test]
#[cfg(unix)]
fn a_disk_without_room_is_seen_before_the_start() {
    let (place, hub) = (Place::new(), hub());
    let Some(child) = on_small_disk(&place, &hub, 100, &format!("exec \"$0\" pull {NAME}")) else {
        return;
    };
    let ended = told(child.wait_with_output().unwrap());
    said(&ended, 1, &["free and", "are needed", "make room"]);
    assert!(asked(&hub.seen(), "").is_empty());
}

#[test]
#[cfg(unix)]
fn a_disk_that_fills_up_says_how_much_is_needed_and_the_pull_goes_on() {
    let (place, hub) = (Place::new(), hub());
    hub.faults().gate = Some((WEIGHTS, place.path("")));
    // Once half of the file is there, another program takes all the room that is left; then it gives it back.
    let script = format!(
        "\"$0\" pull {NAME} & pid=$!; while [ ! -e reached ]; do sleep 0.05; done; cat /dev/zero >\"$HF_HOME/other\" \
         2>/dev/null; touch go; wait $pid; echo $?; rm \"$HF_HOME/other\"; ls -l \"$HF_HOME\"/hub/*/blobs/*.incomplete; \
         exec \"$0\" pull {NAME}"
    );
    let Some(child) = on_small_disk(&place, &hub, 600, &script) else {
        return;
    };
    let ended = told(child.wait_with_output().unwrap());
    let (out, err) = (String::from_utf8(ended.stdout).unwrap(), ended.stderr);
    assert_eq!(ended.status, Some(0), "the second pull: {err}");
    assert_eq!(out.lines().next(), Some("1"), "{err}");
    assert!(
        err.contains("the disk is full") && err.contains("needs") && err.contains("make room"),
        "{err}"
    );
    assert!(out.contains(".incomplete"), "{out}");
    let last = asked(&hub.seen(), WEIGHTS).pop().unwrap();
    assert!(last.range.is_some(), "the rest alone is fetched");
}

#[test]
#[cfg(unix)]
fn a_limit_on_the_length_of_files_is_as_a_full_disk() {
    let (place, hub) = (Place::new(), hub());
    // In blocks of 512 bytes. The signal that comes with the limit would end the program.
    let line = format!("trap '' XFSZ; ulimit -f 200; exec \"$0\" pull {NAME}");
    let program = command(&place, &hub, &[]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &line])
        .arg(program.get_program())
        .current_dir(place.path("."));
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let ended = told(shell.output().unwrap());
    said(&ended, 1, &["the disk is full", WEIGHTS, "same command"]);
    let kept = fs::read(partial(&place)).unwrap();
    assert!(!kept.is_empty() && weights().starts_with(&kept));
    done(&place, &hub, &["pull", NAME]);
    generates(&place, &hub, NAME, "out.mp4");
}
