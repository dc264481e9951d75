//! Bad input: one sentence, the right status, nothing left behind.

use crate::support::{Ended, Place};
use kinora_engine::{Length, ModelFiles, PlanError, Request, plan};
use std::fs;

/// The run ended with `status` and one sentence on stderr that says `says`, and left no file.
pub fn refused(place: &Place, ended: &Ended, status: i32, says: &str) {
    let Ended { stderr, .. } = ended;
    assert_eq!(ended.status, Some(status), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    assert!(stderr.contains(says), "{stderr:?} does not say {says:?}");
    assert!(
        stderr.starts_with("error: ") && !stderr.contains("panicked"),
        "{stderr}"
    );
    assert!(
        !place
            .names()
            .iter()
            .any(|name| name.starts_with("out") || name.starts_with('.')),
        "{:?}",
        place.names()
    );
}

#[test]
fn requests_that_make_no_sense() {
    let place = Place::new();
    fs::create_dir(place.path("folder.mp4")).unwrap();
    fs::write(place.path("text"), "text").unwrap();
    let long = "a ".repeat(50_000);
    let table: &[(&[&str], &str)] = &[
        (&[""], "the prompt is empty"),
        (&[" \t\n"], "the prompt is empty"),
        (&[&long], "100000 characters; at most 4000"),
        (
            &["a fox", "--negative", &long],
            "the negative prompt has 100000",
        ),
        (
            &["a fox", "--size", "0x32"],
            "multiples of 32 from 32 to 2048",
        ),
        (
            &["a fox", "--size", "-64x32"],
            "the size -64x32 can't be made",
        ),
        (&["a fox", "--size", "100x64"], "such as 96x64"),
        (&["a fox", "--size", "3200000x64"], "can't be made"),
        (
            &["a fox", "--size", "99999999999999999999x64"],
            "width x height",
        ),
        (&["a fox", "--size", "big"], "width x height"),
        (
            &["a fox", "--frames", "0"],
            "the number of frames is 0; it can be 1 to 7201",
        ),
        (&["a fox", "--frames", "-5"], "the number of frames is -5"),
        (&["a fox", "--frames", "1000000000"], "1 to 7201"),
        (&["a fox", "--frames", "many"], "--frames"),
        (
            &["a fox", "--frames", "3", "--seconds", "1"],
            "cannot be used with",
        ),
        (
            &["a fox", "--seconds", "NaN"],
            "the length in seconds is NaN",
        ),
        (&["a fox", "--seconds", "-1"], "above 0 to"),
        (&["a fox", "--seconds", "1e9"], "the length in seconds"),
        (&["a fox", "--fps", "0"], "frames per second"),
        (&["a fox", "--fps", "1e99"], "frame rate"),
        (&["a fox", "--steps", "0"], "1 to 1000"),
        (
            &["a fox", "--guidance", "inf"],
            "the guidance is inf; it can be 0 to 100",
        ),
        (&["a fox", "--seed", "-1"], "--seed"),
        (&["a fox", "--count", "0"], "--count"),
        (
            &["a fox", "--sampler", "eular"],
            "did you mean \"euler\"?); there are euler, heun, ab2, unipc",
        ),
        (
            &["a fox", "--model", "kinora1"],
            "did you mean \"kinora-1\"?",
        ),
        (&["a fox", "--model", "text"], "no model is called \"text\""),
        (
            &["a fox", "-o", "missing/out.mp4"],
            "the folder missing does not exist",
        ),
        (&["a fox", "-o", "text/out.mp4"], "is not a folder"),
        (
            &["a fox", "-o", "folder.mp4"],
            "a folder of that name is in the way",
        ),
        (&["a fox", "-o", "out.avi"], "can't tell the format"),
        (&["a fox", "-o", "out.png"], "a .png holds one"),
        (
            &["a fox", "-o", "text/"],
            "a file of that name is in the way",
        ),
        (
            &["a fox", "-o", "-", "--count", "2"],
            "standard output takes one clip",
        ),
        (&["a fox", "--save-latents", "missing/x"], "does not exist"),
        (
            &["a fox", "--init-latents", "missing"],
            "missing can't be read",
        ),
        (&["a fox", "--init-latents", "text"], "no usable latents"),
        (&["--like", "missing.mp4"], "missing.mp4"),
        (&["--like", "text"], "text"),
        (&["--stepps", "3"], "unexpected argument"),
        (&[], "<PROMPT>"),
    ];
    for (args, says) in table {
        let mut line = vec!["generate"];
        line.extend_from_slice(args);
        for (flag, value) in [("--model", "tiny"), ("-o", "out.mp4")] {
            if !args.contains(&flag) {
                line.extend([flag, value]);
            }
        }
        refused(&place, &place.run(&line), 2, says);
    }
}

#[test]
fn folders_that_can_not_be_written() {
    let place = Place::new();
    let locked = place.path("locked");
    fs::create_dir(&locked).unwrap();
    let mut rights = fs::metadata(&locked).unwrap().permissions();
    rights.set_readonly(true);
    fs::set_permissions(&locked, rights).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        return; // the superuser may write anywhere
    }
    let ended = place.run(&[
        "generate",
        "a fox",
        "--model",
        "tiny",
        "-o",
        "locked/out.mp4",
    ]);
    refused(&place, &ended, 2, "takes no file");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_the_machines_failure() {
    let place = Place::new();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = place.command(&[
        "generate", "a fox", "--model", "tiny", "--seed", "7", "-o", "-",
    ]);
    let done = command.stdout(full).output().unwrap();
    let ended = Ended {
        status: done.status.code(),
        stdout: vec![],
        stderr: String::from_utf8(done.stderr).unwrap(),
    };
    refused(&place, &ended, 1, "No space left");
}

#[test]
fn damaged_models() {
    let place = Place::new();
    let sound = |name: &str| place.bytes(&format!("tiny/{name}"));
    let (config, vocabulary, weights) = (
        sound("config.json"),
        sound("vocab.json"),
        sound("dit.safetensors"),
    );
    let config_with = |from: &str, to: &str| {
        let text = String::from_utf8(config.clone()).unwrap();
        assert!(text.contains(from));
        text.replace(from, to).into_bytes()
    };
    let header = |text: &str, data: usize| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    };
    let claim = |shape: &str, end: &str| {
        header(
            &format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#),
            16,
        )
    };
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "dit.safetensors",
            weights[..weights.len() - 7].to_vec(),
            "dit.safetensors: the weight file is damaged",
        ),
        ("dit.safetensors", weights[..40].to_vec(), "damaged"),
        ("dit.safetensors", vec![], "damaged"),
        ("dit.safetensors", vec![0xff; 64], "claims a header of"),
        ("dit.safetensors", claim("[4]", "4096"), "damaged"),
        (
            "dit.safetensors",
            claim("[1000000000000,1000000000000]", "16"),
            "damaged",
        ),
        (
            "dit.safetensors",
            claim("[4]", "16"),
            "does not fit the model",
        ),
        (
            "vae.safetensors",
            weights.clone(),
            "vae.safetensors: the weight file does not fit the model",
        ),
        ("vae.safetensors", header("not json", 0), "not valid"),
        (
            "config.json",
            b"{}".to_vec(),
            "config.json is not a kinora-1 configuration",
        ),
        ("config.json", vec![0xff; 9], "config.json can't be read"),
        (
            "config.json",
            config_with("\"heads\":2", "\"heads\":5"),
            "heads",
        ),
        (
            "config.json",
            config_with("\"width\":24", "\"width\":99999999999"),
            "dit.width",
        ),
        (
            "config.json",
            config_with("\"depth\":2", "\"depth\":3"),
            "does not fit the model: missing",
        ),
        (
            "config.json",
            config_with("\"sampler\":\"ab2\"", "\"sampler\":\"no\""),
            "no sampler is called",
        ),
        ("vocab.json", b"[\"a\", \"a\"]".to_vec(), "twice"),
        ("vocab.json", b"[1]".to_vec(), "vocab.json"),
    ];
    for (name, bytes, says) in table {
        let path = place.path(&format!("tiny/{name}"));
        let before = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let ended = place.run(&[
            "generate", "a fox", "--model", "tiny", "--seed", "7", "-o", "out.mp4",
        ]);
        refused(&place, &ended, 2, says);
        fs::write(&path, before).unwrap();
    }
    assert_eq!(sound("vocab.json"), vocabulary);
    fs::remove_file(place.path("tiny/card.md")).unwrap();
    let ended = place.run(&["generate", "a fox", "--model", "tiny", "-o", "out.mp4"]);
    refused(&place, &ended, 2, "card.md can't be read");
}

#[test]
fn an_evaluation_without_a_recogniser() {
    let place = Place::new();
    let ended = place.run(&["eval", "stage", "--recogniser", "nowhere"]);
    refused(&place, &ended, 2, "nowhere holds no recogniser");
}

#[test]
fn latents_of_another_clip() {
    let place = Place::new();
    place.generate(&["-o", "first.mp4", "--save-latents", "latents"]);
    let run = |more: &[&str]| {
        place.run(
            &[
                &[
                    "generate",
                    "a fox",
                    "--model",
                    "tiny",
                    "--init-latents",
                    "latents",
                    "-o",
                    "out.mp4",
                ],
                more,
            ]
            .concat(),
        )
    };
    refused(&place, &run(&["--frames", "13"]), 2, "[1, 3, 2, 4, 4]");
    refused(&place, &run(&["--size", "32x32"]), 2, "holds");
    let mut bytes = place.bytes("latents");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(place.path("latents"), &bytes).unwrap();
    refused(&place, &run(&[]), 2, "not finite");
    fs::write(place.path("latents"), &bytes[..end - 4]).unwrap();
    refused(&place, &run(&[]), 2, "damaged");
}

#[test]
fn a_request_beyond_the_memory_is_refused_with_the_estimate() {
    let place = Place::new();
    let model = ModelFiles::open(place.path("tiny").to_str().unwrap()).unwrap();
    let mut request = Request::new("a fox", 7);
    assert!(plan(&request, &model, Some(1 << 30)).is_ok());
    request.size = Some((1024, 1024));
    request.length = Some(Length::Frames(401));
    assert!(plan(&request, &model, None).is_ok());
    let refusal = plan(&request, &model, Some(1 << 30)).unwrap_err();
    assert!(
        refusal
            .to_string()
            .contains("1024x1024 pixels and 401 frames need about "),
        "{refusal}"
    );
    match refusal {
        PlanError::Memory { need, .. } => assert!(
            need > 2 * 1024 * 1024 * 3 * 401,
            "the frames alone take more"
        ),
        other => panic!("{other}"),
    }
}
