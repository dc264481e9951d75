//! Clips go to files and come back; damaged files and full disks end in an error.

mod shared;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use kinora_media::{
    Clip, Fps, Kind, MediaError, Output, Shape, probe, read_recipe, write, write_gif, write_mp4,
};
use serde_json::{Value, json};

use shared::{clip, film, luma_psnr, recipe, run, third_parties_wanted};

fn write_to(path: &Path, clip: &Clip) -> Result<(), MediaError> {
    write(clip, &recipe(), &Output::parse(path)?)
}

#[test]
fn each_format_gives_back_shape_and_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let moving = clip(64, 48, 9, film());
    let still = clip(31, 17, 1, film());
    for (name, clip, kind) in [
        ("a.mp4", &moving, Kind::Mp4),
        ("b.gif", &moving, Kind::Gif),
        ("c.PNG", &still, Kind::Png),
        ("d", &moving, Kind::Frames),
    ] {
        let path = folder.path().join(name);
        write_to(&path, clip).unwrap();
        let found = probe(&path).unwrap();
        assert_eq!(
            (found.width, found.height),
            (clip.width(), clip.height()),
            "{name}"
        );
        assert_eq!(
            (found.kind, found.frames),
            (kind, clip.frames().len()),
            "{name}"
        );
        assert_eq!(found.recipe, Some(recipe()), "{name}");
        match kind {
            // Nine frames at 23.976 are 37.5 hundredths of a second, in whole ones 38.
            Kind::Mp4 | Kind::Gif => assert_eq!(found.fps, Some(film())),
            Kind::Png | Kind::Frames => assert_eq!(found.fps, None),
        }
    }
    let mut names: Vec<_> = fs::read_dir(folder.path().join("d"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names[0], "frame.1001.png");
    assert_eq!(names.len(), 10, "nine frames and recipe.json");
    assert_eq!(
        read_recipe(&folder.path().join("d/frame.1001.png")).unwrap(),
        recipe()
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        4,
        "no temporary file is left"
    );
}

#[test]
fn equal_clips_give_equal_bytes_and_the_index_comes_first() {
    let encode = || {
        let mut bytes = Vec::new();
        write_mp4(
            &clip(96, 64, 30, Fps::new(12, 1).unwrap()),
            &recipe(),
            &mut bytes,
        )
        .unwrap();
        bytes
    };
    let bytes = encode();
    assert!(bytes == encode());
    let place = |name: &[u8]| bytes.windows(4).position(|w| w == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"));
}

#[test]
fn names_say_the_format() {
    let parse = |name: &str| Output::parse(name);
    assert_eq!(parse("-").unwrap(), Output::Stdout);
    assert_eq!(parse("x/a.b.MP4").unwrap(), Output::Mp4("x/a.b.MP4".into()));
    assert_eq!(
        parse("shot.v1/").unwrap(),
        Output::Frames("shot.v1/".into())
    );
    assert_eq!(parse("shot").unwrap(), Output::Frames("shot".into()));
    for wrong in ["a.mov", "", "..", "/"] {
        let message = parse(wrong).unwrap_err().to_string();
        assert!(message.contains(".mp4"), "{wrong:?}: {message}");
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused_before_anything_is_computed() {
    let fps = |n| Some(Fps::new(n, 1).unwrap());
    let check = |name: &str, width, height, frames, fps| {
        Output::parse(name)
            .unwrap()
            .check_shape(Shape {
                width,
                height,
                frames,
                fps,
            })
            .map_err(|e| e.to_string())
    };
    assert!(
        check("a.mp4", 191, 128, 25, fps(12))
            .unwrap_err()
            .contains("even")
    );
    assert!(
        check("a.mp4", 8000, 128, 25, fps(12))
            .unwrap_err()
            .contains("3840")
    );
    assert!(
        check("a.gif", 192, 128, 25, fps(60))
            .unwrap_err()
            .contains("50")
    );
    assert!(
        check("a.png", 192, 128, 25, fps(12))
            .unwrap_err()
            .contains("1 frame")
    );
    assert_eq!(check("a/", 191, 127, 25, fps(12)), Ok(()));
}

#[test]
fn rates_and_clips_are_checked() {
    let fps = |text: &str| text.parse::<Fps>();
    assert_eq!(fps("23.976").unwrap(), Fps::new(2997, 125).unwrap());
    assert_eq!(fps("48000/2002").unwrap(), film());
    for wrong in [
        "0",
        "-1",
        "1e9",
        "24/0",
        "99999",
        "",
        "nan",
        "1/",
        "12.0001",
        "4294967296",
    ] {
        assert!(fps(wrong).is_err(), "{wrong}");
    }
    for (width, height, frames) in [
        (0, 2, vec![vec![]]),
        (2, 2, vec![]),
        (2, 2, vec![vec![0; 11]]),
        (1 << 20, 1, vec![vec![]]),
    ] {
        assert!(Clip::new(width, height, film(), frames).is_err());
    }
}

#[test]
fn destinations_are_checked_early() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "x").unwrap();
    fs::create_dir_all(at("theirs/deep")).unwrap();
    fs::create_dir(at("b.mp4")).unwrap();
    for (name, words) in [
        ("none/a.mp4", "does not exist"),
        ("file/a.mp4", "not a folder"),
        ("b.mp4", "folder of that name"),
        ("file", "file of that name"),
        ("theirs", "deep"),
    ] {
        let message = Output::parse(at(name))
            .unwrap()
            .check_destination()
            .unwrap_err()
            .to_string();
        assert!(message.contains(words), "{name}: {message}");
    }
    assert!(Output::parse("/dev/null").is_ok_and(|o| o.check_destination().is_err()));
}

#[test]
fn a_folder_of_ours_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames/");
    write_to(&path, &clip(16, 16, 5, film())).unwrap();
    write_to(&path, &clip(20, 16, 2, film())).unwrap();
    let found = probe(&path).unwrap();
    assert_eq!((found.frames, found.width), (2, 20));
    fs::write(path.join("notes.txt"), "mine").unwrap();
    assert!(write_to(&path, &clip(16, 16, 5, film())).is_err());
    assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "mine");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary folder is left"
    );
}

/// A disk with room for `left` bytes.
struct Full {
    left: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_of_the_machine() {
    let clip = clip(64, 48, 4, film());
    for left in [0, 10, 700, 2000] {
        for result in [
            write_mp4(&clip, &recipe(), &mut Full { left }),
            write_gif(&clip, &recipe(), &mut Full { left }),
        ] {
            let error = result.unwrap_err();
            assert!(error.is_machine_failure(), "{error}");
            assert!(error.to_string().contains("no storage space"), "{error}");
        }
    }
}

#[test]
fn damaged_files_end_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (name, frames) in [("a.mp4", 3), ("b.gif", 3), ("c.png", 1)] {
        let path = folder.path().join(name);
        write_to(&path, &clip(32, 32, frames, film())).unwrap();
        let whole = fs::read(&path).unwrap();
        let damaged = folder.path().join("damaged");
        // Truncation is always noticed; a flipped byte only must not panic.
        for len in (0..whole.len()).step_by(13) {
            fs::write(&damaged, &whole[..len]).unwrap();
            assert!(
                probe(&damaged).is_err(),
                "{name} cut to {len} of {}",
                whole.len()
            );
        }
        for at in (0..whole.len().min(1500)).step_by(3) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            fs::write(&damaged, &bytes).unwrap();
            drop(probe(&damaged));
        }
    }
    let path = folder.path().join("a.mp4");
    for (lie, words) in [
        ("stsz", "disagree"),
        ("moov", "truncated"),
        ("stts", "inside its"),
        ("ftyp", "shorter than its own"),
    ] {
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(4).position(|w| w == lie.as_bytes()).unwrap();
        match lie {
            "stsz" => bytes[at + 12..at + 16].fill(0xff),
            "ftyp" => bytes[at - 4..at].copy_from_slice(&[0, 0, 0, 3]),
            _ => bytes[at - 4..at].fill(0xff),
        }
        let damaged = folder.path().join("lie.mp4");
        fs::write(&damaged, &bytes).unwrap();
        let message = probe(&damaged).unwrap_err().to_string();
        assert!(message.contains(words), "{lie}: {message}");
    }
}

#[test]
fn ffprobe_and_ffmpeg_agree() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A size that is no multiple of 16 tests the cropping, too.
    let clip = clip(196, 130, 25, film());
    for (name, least_psnr) in [("a.mp4", 44.0), ("b.gif", 32.0)] {
        let path = folder.path().join(name);
        write_to(&path, &clip).unwrap();
        let path = path.to_str().unwrap();
        let told = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-count_frames",
                "-show_streams",
                "-show_format",
                "-of",
                "json",
                path,
            ],
        );
        let told: Value = serde_json::from_slice(&told).unwrap();
        let stream = &told["streams"][0];
        assert_eq!(
            (&stream["width"], &stream["height"]),
            (&json!(196), &json!(130))
        );
        assert_eq!(stream["nb_read_frames"], "25");
        if name == "a.mp4" {
            for (key, value) in [
                ("codec_name", "h264"),
                ("pix_fmt", "yuv420p"),
                ("color_range", "tv"),
                ("color_space", "bt709"),
                ("color_primaries", "bt709"),
                ("color_transfer", "bt709"),
                ("r_frame_rate", "24000/1001"),
                ("avg_frame_rate", "24000/1001"),
                ("nb_frames", "25"),
            ] {
                assert_eq!(stream[key], value, "{key}");
            }
            assert_eq!(told["format"]["tags"]["comment"], recipe().to_string());
            assert!(told["format"]["tags"]["creation_time"].is_null());
        }
        let scale = "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int,format=rgb24";
        let raw = [
            "-v",
            "error",
            "-i",
            path,
            "-vf",
            scale,
            "-f",
            "rawvideo",
            "-fps_mode",
            "passthrough",
            "-",
        ];
        let found = luma_psnr(&clip, &run("ffmpeg", &raw));
        assert!(found > least_psnr, "{name}: {found:.1} dB of luma");
    }
}
