//! Prints how many clips a second the stage renders at the training size, in the plain look and in each other one.

use kinora_stage::{Format, Look, Scene, render};
use std::time::Instant;

const FORMAT: Format = Format {
    width: 192,
    height: 128,
    frames: 25,
    fps: 12.0,
};
const CLIPS: u64 = 12;

fn clips_a_second(look: Look) -> f64 {
    let start = Instant::now();
    for seed in 0..CLIPS {
        let scene = Scene {
            look,
            ..Scene::sample(seed)
        };
        let clip = render(&scene, FORMAT).expect("sampled scenes are coherent");
        std::hint::black_box(clip);
    }
    CLIPS as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    clips_a_second(Look::Plain);
    for look in Look::ALL {
        let rate = clips_a_second(*look);
        println!(
            "{look:?}: {rate:.1} clips/s, {:.0} frames/s",
            rate * f64::from(FORMAT.frames)
        );
    }
}
