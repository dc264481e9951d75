//! Files are cut and joined frame by frame, and only what must be is encoded again.

mod shared;

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use kinora_media::{Clip, Copied, Fps, Output, concat, probe, read_clip, read_recipe, trim, write};
use shared::{
    assert_same_frames, clip, decoded, film, make, reader, recipe, third_parties_wanted,
    with_ffmpeg,
};

fn cut(input: &Path, range: Range<usize>, output: &Path) -> Result<Copied, String> {
    let output = Output::parse(output).unwrap();
    trim(input, range, &recipe(), &output, &reader()).map_err(|e| e.to_string())
}

fn join(inputs: &[&Path], output: &Path) -> Result<Copied, String> {
    let inputs: Vec<PathBuf> = inputs.iter().map(|path| path.to_path_buf()).collect();
    let output = Output::parse(output).unwrap();
    concat(&inputs, &recipe(), &output, &reader()).map_err(|e| e.to_string())
}

/// Checks by ffmpeg's own decoding that `made` holds just the frames `expected`:
/// to the bit where they were copied, near where not.
fn assert_holds(made: &Path, expected: &[Vec<u8>], copied: Copied) {
    let found = decoded(made, "yuv420p", expected[0].len());
    assert_eq!(found.len(), expected.len());
    assert_eq!(copied.copied + copied.encoded, expected.len());
    let pairs = || found.iter().zip(expected);
    let exact = pairs().filter(|(a, b)| a == b).count();
    assert!(exact >= copied.copied, "{exact} of {copied:?} are exact");
    for (at, (found, frame)) in pairs().enumerate() {
        let away = shared::distance(found, frame);
        assert!(away < 1.5, "frame {at} of {copied:?} is {away:.2} away");
        let nearest = (0..expected.len()).min_by(|&a, &b| {
            let [a, b] = [a, b].map(|i| shared::distance(found, &expected[i]));
            a.total_cmp(&b)
        });
        assert_eq!(nearest, Some(at), "{copied:?}");
    }
    let told = probe(made).unwrap();
    assert_eq!(told.frames, expected.len());
    assert_eq!(told.fps, Some(Fps::new(24, 1).unwrap()));
    assert_eq!(told.recipe, Some(recipe()));
}

const X264: [&str; 6] = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "14"];

#[test]
fn a_cut_at_key_frames_copies_and_elsewhere_encodes_little() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let kinds: [(&str, &[&str]); 6] = [
        ("plain", &["-bf", "0"]),
        ("b", &["-bf", "2", "-b_strategy", "0"]),
        (
            "pyramid",
            &[
                "-bf",
                "6",
                "-b_strategy",
                "0",
                "-x264-params",
                "b-pyramid=normal:ref=4",
            ],
        ),
        (
            "709",
            &[
                "-bf",
                "2",
                "-vf",
                "scale=out_color_matrix=bt709",
                "-colorspace",
                "bt709",
                "-color_primaries",
                "bt709",
                "-color_trc",
                "bt709",
            ],
        ),
        ("full", &["-vf", "scale=out_range=pc", "-color_range", "pc"]),
        ("intra", &["-g", "1"]),
    ];
    let mut counts = HashMap::new();
    for (name, options) in kinds {
        let input = at(&format!("{name}.mp4"));
        let groups = ["-g", "12", "-sc_threshold", "0"];
        make(
            &input,
            "118x70",
            50,
            &[&X264[..], &groups, options].concat(),
        );
        let frames = decoded(&input, "yuv420p", 118 * 70 * 3 / 2);
        for range in [
            0..50,
            12..36,
            0..24,
            24..50,
            5..9,
            5..30,
            11..13,
            17..41,
            0..1,
            49..50,
            12..22,
            0..31,
            0..33,
        ] {
            let output = at("cut.mp4");
            let copied = cut(&input, range.clone(), &output).unwrap();
            assert_holds(&output, &frames[range.clone()], copied);
            // Its own reader agrees with ffmpeg.
            let own = read_clip(&output, &reader()).unwrap();
            let theirs = decoded(&output, "rgb24", 118 * 70 * 3);
            assert_same_frames(own.frames(), &theirs, 1.2);
            counts.insert(
                (name, range.start, range.end),
                (copied.copied, copied.encoded),
            );
        }
    }
    for name in ["plain", "b", "pyramid", "709", "full", "intra"] {
        for (start, end) in [(0, 50), (12, 36), (0, 24), (24, 50)] {
            assert_eq!(counts[&(name, start, end)], (end - start, 0), "{name}");
        }
    }
    assert_eq!(counts[&("plain", 5, 30)], (18, 7));
    assert_eq!(counts[&("plain", 17, 41)], (17, 7));
    assert_eq!(counts[&("intra", 5, 9)], (4, 0));
    // I0 P3 b1 b2 P6 b4 b5 P9 b7 b8: ten frames end after a whole run of them.
    assert_eq!(counts[&("b", 12, 22)], (10, 0));
    // Nine end inside of one, so 0 3 1 2 6 4 5 are copied, and 7 and 8 are not.
    assert_eq!(counts[&("b", 0, 33)], (31, 2));
    assert_eq!(counts[&("b", 0, 31)], (31, 0));
    assert_eq!(counts[&("b", 5, 9)], (0, 4));
}

#[test]
fn what_an_edit_list_hides_stays_hidden() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    make(
        &at("a.mp4"),
        "64x48",
        40,
        &[&X264[..], &["-g", "12", "-bf", "2"]].concat(),
    );
    let text = |name: &str| at(name).to_str().unwrap().to_owned();
    let (from, to) = (text("a.mp4"), text("b.mp4"));
    shared::run(
        "ffmpeg",
        &["-v", "error", "-ss", "0.25", "-i", &from, "-c", "copy", &to],
    );
    let frames = decoded(&at("b.mp4"), "yuv420p", 64 * 48 * 3 / 2);
    let copied = cut(&at("b.mp4"), 0..frames.len(), &at("c.mp4")).unwrap();
    assert_holds(&at("c.mp4"), &frames, copied);
    assert!(
        copied.encoded > 0 && copied.copied > copied.encoded,
        "{copied:?}"
    );
}

#[test]
fn joined_files_hold_all_frames_in_order() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let bytes = 64 * 48 * 3 / 2;
    make(
        &at("a.mp4"),
        "64x48",
        20,
        &[&X264[..], &["-bf", "3"]].concat(),
    );
    make(
        &at("b.mp4"),
        "64x48",
        15,
        &[&X264[..], &["-profile:v", "baseline", "-vf", "negate"]].concat(),
    );
    make(
        &at("c.mp4"),
        "64x48",
        9,
        &[&X264[..], &["-g", "1", "-vf", "hflip"]].concat(),
    );
    let [a, b, c] = ["a.mp4", "b.mp4", "c.mp4"].map(&at);
    let frames = |paths: &[&Path]| -> Vec<Vec<u8>> {
        paths
            .iter()
            .flat_map(|path| decoded(path, "yuv420p", bytes))
            .collect()
    };

    let copied = join(&[&a, &b, &c], &at("abc.mp4")).unwrap();
    assert_eq!(
        (copied.copied, copied.encoded),
        (44, 0),
        "three descriptions in one track"
    );
    assert_holds(&at("abc.mp4"), &frames(&[&a, &b, &c]), copied);
    // What was joined can be cut over the joints.
    let copied = cut(&at("abc.mp4"), 10..40, &at("cut.mp4")).unwrap();
    assert_holds(&at("cut.mp4"), &frames(&[&a, &b, &c])[10..40], copied);
    assert_eq!(copied.encoded, 10);

    // Others are encoded, or make all be encoded; the frames are right in any case.
    make(
        &at("444.mp4"),
        "64x48",
        8,
        &["-c:v", "libx264", "-pix_fmt", "yuv444p", "-qp", "4"],
    );
    let output = Output::parse(at("mixed.mp4")).unwrap();
    let inputs = [a.clone(), at("444.mp4")];
    let mixed = concat(&inputs, &recipe(), &output, &with_ffmpeg()).unwrap();
    assert_eq!((mixed.copied, mixed.encoded), (0, 28));
    let found = read_clip(&at("mixed.mp4"), &reader()).unwrap();
    let parts = inputs.map(|path| read_clip(&path, &with_ffmpeg()).unwrap().into_frames());
    assert_same_frames(found.frames(), &parts.concat(), 2.0);
}

#[test]
fn own_clips_are_joined_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let put = |name: &str, clip: &Clip| {
        write(clip, &recipe(), &Output::parse(at(name)).unwrap()).unwrap()
    };
    let read = |name: &str| read_clip(&at(name), &reader()).unwrap();
    let (long, short) = (clip(64, 48, 60, film()), clip(64, 48, 7, film()));
    put("a.mp4", &long);
    put("b.mp4", &short);
    let copied = join(&[&at("a.mp4"), &at("b.mp4"), &at("a.mp4")], &at("c.mp4")).unwrap();
    assert_eq!((copied.copied, copied.encoded), (127, 0));
    let found = read("c.mp4");
    let [a, b] = [read("a.mp4"), read("b.mp4")];
    assert!(found.frames() == [a.frames(), b.frames(), a.frames()].concat());
    assert_eq!(read_recipe(&at("c.mp4")).unwrap(), recipe());

    // A folder takes the rate of the film, and is encoded beside what is copied.
    put("d", &short);
    let copied = join(&[&at("d"), &at("a.mp4")], &at("e.mp4")).unwrap();
    assert_eq!((copied.copied, copied.encoded), (60, 7));
    let found = read("e.mp4");
    assert_eq!(found.fps(), film());
    assert!(found.frames()[..7] == *b.frames() && found.frames()[7..] == *a.frames());

    // From the middle of the first group: 48 frames are a group at 23.976.
    let copied = cut(&at("a.mp4"), 40..55, &at("f.mp4")).unwrap();
    assert_eq!((copied.copied, copied.encoded), (7, 8));
    assert!(read("f.mp4").frames()[8..] == a.frames()[48..55]);
    assert_same_frames(read("f.mp4").frames(), &a.frames()[40..55], 1.0);

    // Into another format, and from folders and animations: the frames are exact.
    for name in ["g/", "h.gif"] {
        let flat = Clip::new(
            6,
            4,
            Fps::new(10, 1).unwrap(),
            (0..9).map(|i| vec![i * 20; 72]).collect(),
        )
        .unwrap();
        put(name, &flat);
        let out = at(&format!("cut.{name}"));
        let copied = cut(&at(name), 2..5, &out).unwrap();
        assert_eq!((copied.copied, copied.encoded), (0, 3));
        let found = read_clip(&out, &reader()).unwrap();
        assert!(found.frames() == &flat.frames()[2..5]);
        assert_eq!(found.fps(), flat.fps());
        join(&[&at(name), &out], &at("joined.gif")).unwrap();
        assert!(read("joined.gif").frames() == [flat.frames(), found.frames()].concat());
    }
    cut(&at("a.mp4"), 5..6, &at("i.png")).unwrap();
    assert!(read("i.png").frames() == &a.frames()[5..6]);
}

#[test]
fn what_cannot_be_cut_or_joined_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let put = |name: &str, clip: &Clip| {
        write(clip, &recipe(), &Output::parse(at(name)).unwrap()).unwrap()
    };
    put("a.mp4", &clip(64, 48, 9, film()));
    put("b.mp4", &clip(48, 64, 9, film()));
    put("c.mp4", &clip(64, 48, 9, Fps::new(25, 1).unwrap()));
    put("d/", &clip(64, 48, 3, film()));
    let [a, b, c, d] = ["a.mp4", "b.mp4", "c.mp4", "d"].map(&at);
    let before = fs::read(&a).unwrap();
    let is = |result: Result<Copied, String>, words: &[&str]| {
        let message = result.unwrap_err();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    is(cut(&a, 3..3, &at("x.mp4")), &["a.mp4", "no frame"]);
    is(cut(&a, 3..10, &at("x.mp4")), &["a.mp4", "it has 9"]);
    is(cut(&d, 3..4, &at("x.mp4")), &["d", "it has 3"]);
    is(cut(&a, 3..5, &a), &["a.mp4", "is read to make it"]);
    is(
        cut(&at("d/frame.1001.png"), 0..1, &at("d/")),
        &["is read to make it"],
    );
    is(cut(&a, 3..5, &at("x.png")), &["1 frame"]);
    is(cut(&a, 3..5, &at("none/x.mp4")), &["does not exist"]);
    is(join(&[], &at("x.mp4")), &["no file"]);
    is(join(&[&a, &b], &at("x.mp4")), &["b.mp4", "48x64", "64x48"]);
    is(
        join(&[&a, &c], &at("x.mp4")),
        &["c.mp4", "25", "24000/1001"],
    );
    is(join(&[&c, &a], &a), &["is read to make it"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&a, at("link.mp4")).unwrap();
        is(cut(&a, 3..5, &at("link.mp4")), &["is read to make it"]);
    }
    assert_eq!(fs::read(&a).unwrap(), before);
    assert!(!at("x.mp4").exists() && !at("x.png").exists());

    // Damaged inputs end in a sentence or in a file, and never in part of one.
    for at_byte in (0..before.len()).step_by(9) {
        let mut bytes = before.clone();
        bytes[at_byte] ^= 0xff;
        fs::write(at("damaged.mp4"), &bytes).unwrap();
        drop(cut(&at("damaged.mp4"), 1..5, &at("y.mp4")));
        fs::write(at("damaged.mp4"), &before[..at_byte]).unwrap();
        assert!(cut(&at("damaged.mp4"), 1..5, &at("z.mp4")).is_err());
    }
    assert!(!at("z.mp4").exists());
}
