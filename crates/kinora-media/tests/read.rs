//! Files of many makers are read, frame for frame; damaged ones end in a sentence.

mod shared;

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage, Rgba, RgbaImage};
use kinora_media::{Clip, Fps, MediaError, Output, Reader, probe, read_clip, save_png, write};
use shared::{
    assert_same_frames, clip, decoded, distance, film, make, reader, recipe, run,
    third_parties_wanted, with_ffmpeg,
};

fn write_to(path: &Path, clip: &Clip) {
    write(clip, &recipe(), &Output::parse(path).unwrap()).unwrap();
}

fn refusal(path: &Path, reader: &Reader) -> String {
    let message = read_clip(path, reader).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// Flat areas of few colours that move.
fn flags(frames: usize, colors: usize) -> Clip {
    let frame = |t: usize| {
        let color = |i: usize| [(i * 37 % 256) as u8, (i / 7 % 256) as u8, (i % 256) as u8];
        (0..48 * 32)
            .flat_map(|at| color((at + t * 11) % colors + t % 2 * 999))
            .collect()
    };
    Clip::new(48, 32, film(), (0..frames).map(frame).collect()).unwrap()
}

#[test]
fn what_kinora_writes_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let twelve = Fps::new(12, 1).unwrap();
    let moving = clip(64, 48, 30, twelve);
    for (name, most) in [("a.mp4", 1.0), ("b.gif", 5.0), ("c", 0.0)] {
        let path = folder.path().join(name);
        write_to(&path, &moving);
        let found = read_clip(&path, &reader()).unwrap();
        let fps = if name == "c" { reader().fps } else { twelve };
        assert_eq!((found.width(), found.height(), found.fps()), (64, 48, fps));
        assert_same_frames(found.frames(), moving.frames(), most);
    }
    let still = clip(31, 17, 1, film());
    let path = folder.path().join("d.png");
    write_to(&path, &still);
    assert_eq!(
        read_clip(&path, &reader()).unwrap().frames(),
        still.frames()
    );
}

#[test]
fn a_gif_of_few_colours_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    // One palette for all, one for each frame, and only one colour.
    for colors in [100, 250, 1] {
        let flags = flags(6, colors);
        write_to(&path, &flags);
        let found = read_clip(&path, &reader()).unwrap();
        assert!(found.frames() == flags.frames(), "{colors} colours");
        assert_eq!(probe(&path).unwrap().recipe, Some(recipe()));
    }
    // One colour too many, and it is near.
    let many = flags(2, 257);
    write_to(&path, &many);
    let found = read_clip(&path, &reader()).unwrap();
    assert!(found.frames() != many.frames());
    assert!(distance(&found.frames()[0], &many.frames()[0]) < 12.0);
}

#[test]
fn disposal_and_transparency_of_a_gif_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    let palette = [0, 0, 0, 250, 0, 0, 0, 250, 0, 0, 0, 250];
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, 4, 1, &palette).unwrap();
    let mut put = |left, pixels: &[u8], dispose| {
        let frame = gif::Frame {
            delay: 5,
            dispose,
            transparent: Some(0),
            left,
            width: pixels.len() as u16,
            height: 1,
            buffer: pixels.to_vec().into(),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).unwrap();
    };
    put(0, &[1, 1, 0, 1], gif::DisposalMethod::Keep);
    put(1, &[2, 0], gif::DisposalMethod::Previous);
    put(2, &[3, 3], gif::DisposalMethod::Background);
    put(0, &[2], gif::DisposalMethod::Keep);
    drop(encoder);
    fs::write(&path, bytes).unwrap();
    let found = read_clip(&path, &reader()).unwrap();
    let shown = |frame: &Vec<u8>| -> String {
        let pixels = frame.chunks(3).map(|p| match p {
            [250, 0, 0] => 'r',
            [0, 250, 0] => 'g',
            [0, 0, 250] => 'b',
            _ => '.',
        });
        pixels.collect()
    };
    let found: Vec<_> = found.frames().iter().map(shown).collect();
    assert_eq!(found, ["rr.r", "rg.r", "rrbb", "gr.."]);
}

#[test]
fn pictures_are_read_on_black_and_upright() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let half = RgbaImage::from_pixel(3, 2, Rgba([200, 100, 50, 128]));
    half.save(&path).unwrap();
    let found = read_clip(&path, &reader()).unwrap();
    assert_eq!(
        (found.fps(), &found.frames()[0][..3]),
        (reader().fps, &[100, 50, 25][..])
    );

    let path = folder.path().join("a.jpg");
    let ramp = RgbImage::from_fn(40, 24, |x, y| Rgb([x as u8 * 6, y as u8 * 9, 90]));
    ramp.save(&path).unwrap();
    let found = read_clip(&path, &reader()).unwrap();
    assert!(distance(&found.frames()[0], ramp.as_raw()) < 4.0);
    let whole = fs::read(&path).unwrap();
    // Orientation 6 of Exif: to be turned a quarter clockwise.
    let exif = b"\xff\xe1\x00\x22Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    fs::write(&path, [&whole[..2], exif, &whole[2..]].concat()).unwrap();
    let found = read_clip(&path, &reader()).unwrap();
    assert_eq!((found.width(), found.height()), (24, 40));

    for (name, bytes) in [
        ("a.jpg", whole),
        ("a.png", fs::read(folder.path().join("a.png")).unwrap()),
    ] {
        let path = folder.path().join(name);
        for len in 0..bytes.len() {
            fs::write(&path, &bytes[..len]).unwrap();
            refusal(&path, &reader());
        }
    }
}

#[test]
fn a_folder_is_sorted_by_name_and_has_one_size() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let flat = |c| RgbImage::from_pixel(6, 4, Rgb([c; 3]));
    assert!(refusal(folder.path(), &reader()).contains("no .png"));
    for (name, c) in [("b.png", 2), ("c.PNG", 3), ("a9.png", 1)] {
        save_png(&flat(c), &at(name)).unwrap();
    }
    fs::write(at("._b.png"), "x").unwrap();
    fs::write(at("notes.txt"), "x").unwrap();
    let found = read_clip(folder.path(), &reader()).unwrap();
    let first: Vec<u8> = found.frames().iter().map(|frame| frame[0]).collect();
    assert_eq!(first, [1, 2, 3]);

    let few = Reader {
        max_frames: 2,
        ..reader()
    };
    let message = refusal(folder.path(), &few);
    assert!(message.contains("3 frames are more than 2"), "{message}");
    save_png(&RgbImage::new(4, 6), &at("c.PNG")).unwrap();
    let message = refusal(folder.path(), &reader());
    assert!(
        message.contains("6x4 to 4x6 pixels at frame 2"),
        "{message}"
    );
    fs::write(at("b.png"), "x").unwrap();
    assert!(refusal(folder.path(), &reader()).contains("b.png"));
}

#[test]
fn what_needs_ffmpeg_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for (bytes, words) in [
        (&b"\x1a\x45\xdf\xa3 and so on"[..], "WebM"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"once upon a time", "does not know"),
    ] {
        fs::write(&path, bytes).unwrap();
        let message = refusal(&path, &reader());
        assert!(
            message.contains(words) && message.contains("an ffmpeg on the PATH"),
            "{message}"
        );
    }
    fs::write(&path, "").unwrap();
    assert!(refusal(&path, &reader()).contains("empty"));
    assert!(refusal(&folder.path().join("none"), &reader()).contains("none"));
    let missing = Reader {
        ffmpeg: Some("/no/such/ffmpeg".into()),
        ..reader()
    };
    fs::write(&path, "once upon a time").unwrap();
    assert!(refusal(&path, &missing).contains("/no/such/ffmpeg"));
}

#[test]
fn damaged_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    for name in ["a.mp4", "b.gif"] {
        let whole = folder.path().join(name);
        write_to(&whole, &clip(48, 32, 5, film()));
        let whole = fs::read(&whole).unwrap();
        for len in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..len]).unwrap();
            refusal(&path, &reader());
        }
        for at in (0..whole.len()).step_by(5) {
            for flip in [0xff, 0x01, 0x80] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                fs::write(&path, &bytes).unwrap();
                drop(read_clip(&path, &reader()));
            }
        }
    }
}

#[test]
fn a_small_file_that_promises_much_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    write_to(&path, &flags(3, 9));
    let mut bytes = fs::read(&path).unwrap();
    bytes[6..10].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let message = refusal(&path, &reader());
    assert!(message.contains("GiB"), "{message}");

    let path = folder.path().join("a.mp4");
    write_to(&path, &clip(48, 32, 9, film()));
    let few = Reader {
        max_frames: 8,
        ..reader()
    };
    let error = read_clip(&path, &few).unwrap_err();
    assert!(matches!(error, MediaError::TooLong { .. }), "{error}");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|w| w == b"stsz").unwrap();
    // All samples have one size, and there are four thousand million.
    bytes[at + 8..at + 16].copy_from_slice(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    let times = bytes.windows(4).position(|w| w == b"stts").unwrap();
    bytes[times + 12..times + 16].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    assert!(refusal(&path, &reader()).contains("the most read"));
}

#[test]
fn h264_of_others_is_read_frame_for_frame() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let x264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "12"];
    let b709 = [
        "-vf",
        "scale=out_color_matrix=bt709:out_range=tv",
        "-colorspace",
        "bt709",
        "-color_range",
        "tv",
    ];
    let full = [
        "-vf",
        "scale=out_color_matrix=bt601:out_range=pc",
        "-colorspace",
        "smpte170m",
        "-color_range",
        "pc",
    ];
    let cases: [(&str, Vec<&str>); 10] = [
        ("b-frames.mp4", vec!["-bf", "3", "-g", "250"]),
        (
            "pyramid.mov",
            vec![
                "-bf",
                "8",
                "-b_strategy",
                "0",
                "-x264-params",
                "b-pyramid=normal:ref=5",
            ],
        ),
        (
            "open-gop.mp4",
            vec!["-bf", "2", "-g", "12", "-x264-params", "open-gop=1"],
        ),
        ("no-b.mp4", vec!["-bf", "0", "-g", "10"]),
        ("intra.mp4", vec!["-g", "1"]),
        ("baseline.mp4", vec!["-profile:v", "baseline"]),
        ("slices.mp4", vec!["-slices", "4", "-bf", "2"]),
        ("709.mp4", b709.to_vec()),
        ("full.mp4", full.to_vec()),
        (
            "moov-first.mp4",
            vec!["-movflags", "faststart", "-video_track_timescale", "1000"],
        ),
    ];
    for (name, options) in cases {
        let path = folder.path().join(name);
        // A size that is no multiple of 16, more frames than a group.
        make(&path, "182x118", 60, &[&x264[..], &options].concat());
        let found = read_clip(&path, &reader()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((found.width(), found.height()), (182, 118), "{name}");
        assert_eq!(found.fps(), Fps::new(24, 1).unwrap(), "{name}");
        let expected = decoded(&path, "rgb24", 182 * 118 * 3);
        assert_same_frames(found.frames(), &expected, 1.2);
        let told = probe(&path).unwrap();
        assert_eq!((told.frames, told.fps), (60, Some(found.fps())), "{name}");
    }
}

#[test]
fn uneven_times_are_evened_out_and_no_frame_is_lost() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let x264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2"];
    // Frames 3, 8, 13, ... are missing, and the one before is shown for twice as long.
    let gaps = ["-vf", "select='not(eq(mod(n,5),3))'", "-fps_mode", "vfr"];
    make(&path, "96x64", 40, &[&x264[..], &gaps].concat());
    let found = read_clip(&path, &reader()).unwrap();
    assert_same_frames(found.frames(), &decoded(&path, "rgb24", 96 * 64 * 3), 1.2);
    assert!(
        (found.fps().as_f64() - 24.0 * 0.8).abs() < 0.4,
        "{}",
        found.fps()
    );
    assert_eq!(probe(&path).unwrap().fps, Some(found.fps()));
}

#[test]
fn edit_lists_and_turns_are_followed() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("a.mp4");
    make(
        &source,
        "96x64",
        60,
        &[
            "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "24", "-bf", "2",
        ],
    );
    let cut = folder.path().join("cut.mp4");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (from, to) = (text(&source), text(&cut));
    run(
        "ffmpeg",
        &[
            "-v", "error", "-ss", "0.5", "-i", &from, "-t", "1", "-c", "copy", &to,
        ],
    );
    let expected = decoded(&cut, "rgb24", 96 * 64 * 3);
    let found = read_clip(&cut, &reader()).unwrap();
    assert_same_frames(found.frames(), &expected, 1.2);
    assert!(
        found.frames().len() < 30,
        "the edit list hides the beginning of the group"
    );

    for turn in ["90", "180", "270"] {
        let turned = folder.path().join("turned.mp4");
        let (turned_name, rotate) = (text(&turned), format!("rotate={turn}"));
        run(
            "ffmpeg",
            &[
                "-v",
                "error",
                "-y",
                "-i",
                &from,
                "-metadata:s:v",
                &rotate,
                "-c",
                "copy",
                &turned_name,
            ],
        );
        let found = read_clip(&turned, &reader()).unwrap();
        let sides = if turn == "180" { (96, 64) } else { (64, 96) };
        assert_eq!((found.width(), found.height()), sides);
        assert_eq!(probe(&turned).unwrap().width, sides.0);
        assert_same_frames(found.frames(), &decoded(&turned, "rgb24", 96 * 64 * 3), 1.2);
    }
}

#[test]
fn ffmpeg_opens_the_rest() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str], &str); 6] = [
        ("a.webm", &["-c:v", "libvpx", "-b:v", "4M"], "WebM"),
        (
            "444.mp4",
            &["-c:v", "libx264", "-pix_fmt", "yuv444p", "-qp", "4"],
            "4:2:0",
        ),
        (
            "10.mp4",
            &["-c:v", "libx264", "-pix_fmt", "yuv420p10", "-qp", "4"],
            "8 bits",
        ),
        (
            "fields.mp4",
            &[
                "-c:v",
                "libx264",
                "-pix_fmt",
                "yuv420p",
                "-flags",
                "+ildct+ilme",
            ],
            "interlaced",
        ),
        ("prores.mov", &["-c:v", "prores_ks"], "ProRes"),
        (
            "fragments.mp4",
            &[
                "-c:v",
                "libx264",
                "-pix_fmt",
                "yuv420p",
                "-movflags",
                "empty_moov+frag_keyframe",
            ],
            "fragments",
        ),
    ];
    for (name, options, words) in cases {
        let path = folder.path().join(name);
        make(&path, "98x68", 20, options);
        let message = refusal(&path, &reader());
        assert!(
            message.contains(words) && message.contains("an ffmpeg on the PATH"),
            "{message}"
        );
        let found = read_clip(&path, &with_ffmpeg()).unwrap();
        assert_eq!(
            (found.width(), found.height(), found.fps()),
            (98, 68, Fps::new(24, 1).unwrap())
        );
        assert_same_frames(found.frames(), &decoded(&path, "rgb24", 98 * 68 * 3), 1.2);
        let few = Reader {
            max_frames: 19,
            ..with_ffmpeg()
        };
        assert!(refusal(&path, &few).contains("more than 19 frames"));
        let bytes = fs::read(&path).unwrap();
        for part in 1..6 {
            fs::write(&path, &bytes[..bytes.len() * part / 6]).unwrap();
            drop(read_clip(&path, &with_ffmpeg()));
        }
    }
    let path = folder.path().join("list.m3u8");
    fs::write(&path, "#EXTM3U\n#EXTINF:1,\n444.mp4\n#EXT-X-ENDLIST\n").unwrap();
    assert!(refusal(&path, &with_ffmpeg()).contains("ffmpeg can't read it either"));
}

#[test]
fn a_changing_size_is_one_clear_error() {
    if !third_parties_wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let options = [
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-f", "h264",
    ];
    for (size, number) in [("64x48", 0), ("96x80", 1), ("48x64", 2)] {
        make(&at(&format!("{number}.h264")), size, 10, &options);
    }
    for other in [1, 2] {
        for (first, second) in [(0, other), (other, 0)] {
            let parts = [first, second].map(|n| fs::read(at(&format!("{n}.h264"))).unwrap());
            let path = at("joined.h264");
            fs::write(&path, parts.concat()).unwrap();
            let message = refusal(&path, &with_ffmpeg());
            assert!(message.contains("changes its size"), "{message}");
            // In an MP4, the second size is known to the pictures only.
            let movie = at("joined.mp4");
            let (from, to) = (path.to_str().unwrap(), movie.to_str().unwrap());
            run(
                "ffmpeg",
                &["-v", "error", "-y", "-i", from, "-c", "copy", to],
            );
            let message = refusal(&movie, &reader());
            assert!(message.contains("changes its size"), "{message}");
        }
    }
}
