//! What the tests share: clips to try, and third parties to ask.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use kinora_media::{Clip, Fps, Reader};
use serde_json::{Value, json};

/// A disc that crosses a coloured ramp.
pub fn clip(width: u32, height: u32, frames: usize, fps: Fps) -> Clip {
    let frame = |index: usize| {
        let centre = width as f32 * (index as f32 + 0.5) / frames as f32;
        let pixel = |x: u32, y: u32| {
            let (dx, dy) = (x as f32 - centre, y as f32 - height as f32 / 2.0);
            let inside = dx.hypot(dy) < height as f32 / 4.0;
            if inside {
                [230, 90, 30]
            } else {
                [(x * 255 / width) as u8, (y * 255 / height) as u8, 120]
            }
        };
        (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| pixel(x, y)))
            .collect()
    };
    Clip::new(width, height, fps, (0..frames).map(frame).collect()).unwrap()
}

pub fn film() -> Fps {
    Fps::new(24_000, 1001).unwrap()
}

pub fn recipe() -> Value {
    json!({"prompt": "Ein Fuchs läuft durch den Schnee 🦊", "seed": 7, "model": "kinora-1"})
}

/// ffprobe and ffmpeg are third parties that must agree; a machine without them
/// says so and goes on, and CI sets the variable.
pub fn third_parties_wanted() -> bool {
    let wanted = std::env::var("KINORA_TEST_FFPROBE").is_ok_and(|v| v == "1");
    if !wanted {
        // Straight to standard error: the harness would swallow a print.
        let _ = writeln!(
            io::stderr(),
            "not checked against ffprobe: set KINORA_TEST_FFPROBE=1 to do so"
        );
    }
    wanted
}

pub fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|e| panic!("{program} does not start: {e}"));
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Of luma alone: 4:2:0 blurs the colour of sharp edges at any quality.
pub fn luma_psnr(clip: &Clip, decoded: &[u8]) -> f64 {
    let source = clip.frames().concat();
    assert_eq!(source.len(), decoded.len());
    let luma =
        |p: &[u8]| 0.2126 * f64::from(p[0]) + 0.7152 * f64::from(p[1]) + 0.0722 * f64::from(p[2]);
    let pairs = source.chunks_exact(3).zip(decoded.chunks_exact(3));
    let square: f64 = pairs.map(|(a, b)| (luma(a) - luma(b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) * (source.len() / 3) as f64 / square).log10()
}

/// Makes a file with ffmpeg from a moving test picture. Each frame differs from
/// the others over all of it, in colours that no conversion has to clip.
pub fn make(path: &Path, size: &str, frames: usize, options: &[&str]) {
    let source = format!("testsrc2=s={size}:r=24,hue=H=0.3*n/4:s=0.5,eq=contrast=0.7");
    let count = frames.to_string();
    let mut args = vec!["-v", "error", "-y", "-f", "lavfi", "-i", &source];
    args.extend(["-frames:v", &count]);
    args.extend(options);
    args.push(path.to_str().unwrap());
    run("ffmpeg", &args);
}

/// The bytes of each frame as ffmpeg decodes it, in the pixel format named.
pub fn decoded(path: &Path, format: &str, bytes: usize) -> Vec<Vec<u8>> {
    let flags = "accurate_rnd+full_chroma_int+bilinear";
    let path = path.to_str().unwrap();
    let args = [
        "-v",
        "error",
        "-xerror",
        "-i",
        path,
        "-sws_flags",
        flags,
        "-pix_fmt",
        format,
        "-f",
        "rawvideo",
        "-fps_mode",
        "passthrough",
        "-",
    ];
    let raw = run("ffmpeg", &args);
    assert_eq!(raw.len() % bytes, 0);
    raw.chunks(bytes).map(<[u8]>::to_vec).collect()
}

/// The mean distance of bytes.
pub fn distance(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| u64::from(a.abs_diff(b)))
        .sum();
    sum as f64 / a.len() as f64
}

/// The mean distance of the luma of frames: 4:2:0 leaves open how the colour of
/// sharp edges is brought back.
pub fn luma_distance(a: &[u8], b: &[u8]) -> f64 {
    let luma = |frame: &[u8]| -> Vec<u8> {
        let weighed = frame
            .chunks(3)
            .map(|p| 54 * u32::from(p[0]) + 183 * u32::from(p[1]) + 19 * u32::from(p[2]));
        weighed.map(|y| (y >> 8) as u8).collect()
    };
    distance(&luma(a), &luma(b))
}

/// Checks that each frame is near the one in the same place, and nearer to it
/// than to its neighbours; and that no channel is brighter in all.
pub fn assert_same_frames(found: &[Vec<u8>], expected: &[Vec<u8>], most: f64) {
    assert_eq!(found.len(), expected.len(), "number of frames");
    for (at, frame) in found.iter().enumerate() {
        let here = luma_distance(frame, &expected[at]);
        assert!(here <= most, "frame {at}: {here:.2} away");
        for other in [at.wrapping_sub(1), at + 1] {
            if let Some(other) = expected.get(other) {
                assert!(
                    distance(frame, other) > distance(frame, &expected[at]),
                    "frame {at} is its neighbour"
                );
            }
        }
        for channel in 0..3 {
            let sum = |frame: &[u8]| -> f64 {
                frame
                    .iter()
                    .skip(channel)
                    .step_by(3)
                    .map(|&c| f64::from(c))
                    .sum()
            };
            let off = (sum(frame) - sum(&expected[at])).abs() / (frame.len() / 3) as f64;
            assert!(
                off <= 2.0 * most,
                "frame {at}: channel {channel} is off by {off:.2}"
            );
        }
    }
}

pub fn reader() -> Reader {
    Reader {
        fps: Fps::new(10, 1).unwrap(),
        max_frames: 500,
        ffmpeg: None,
    }
}

pub fn with_ffmpeg() -> Reader {
    Reader {
        ffmpeg: Some("ffmpeg".into()),
        ..reader()
    }
}
