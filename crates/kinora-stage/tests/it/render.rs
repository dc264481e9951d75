//! Whole clips: determinism, odd sizes, ground truth, looks.

use kinora_stage::{Action, FrameTruth};
use kinora_stage::{
    Actor, Angle, CameraMove, Colour, Emotion, Look, Relation, Setting, ShotSize, Subject,
};
use kinora_stage::{Format, Light, Scene, Shot, StageError, Weather, render, render_with_truth};

fn scene(look: Look) -> Scene {
    Scene {
        seed: 11,
        setting: Setting::Meadow,
        light: Light::Day,
        weather: Weather::Clear,
        look,
        cast: vec![Actor {
            subject: Subject::Fox,
            colour: Colour::Red,
            action: Action::Run,
            emotion: Emotion::Neutral,
        }],
        relation: Relation::Alone,
        shot: Shot {
            size: ShotSize::Full,
            angle: Angle::EyeLevel,
            camera_move: CameraMove::Static,
        },
    }
}

fn format(width: u32, height: u32, frames: u32) -> Format {
    Format {
        width,
        height,
        frames,
        fps: 8.0,
    }
}

fn threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .build()
        .unwrap()
        .install(work)
}

#[test]
fn equal_scenes_give_equal_bytes_on_any_number_of_threads() {
    for seed in [1, 2, 3] {
        let scene = Scene::sample(seed);
        let one = threads(1, || render_with_truth(&scene, format(48, 32, 6)).unwrap());
        let three = threads(3, || render_with_truth(&scene, format(48, 32, 6)).unwrap());
        assert_eq!(one, three);
        assert_eq!(one.0, render(&scene, format(48, 32, 6)).unwrap());
    }
}

#[test]
fn another_seed_is_another_picture() {
    let first = scene(Look::Plain);
    let second = Scene {
        seed: 12,
        ..first.clone()
    };
    assert_ne!(
        render(&first, format(48, 32, 1)).unwrap(),
        render(&second, format(48, 32, 1)).unwrap()
    );
}

#[test]
fn odd_sizes_and_single_frames_are_rendered() {
    for look in Look::ALL {
        for (width, height, frames) in [(1, 1, 1), (33, 17, 1), (2, 90, 2)] {
            let clip = render(&scene(*look), format(width, height, frames)).unwrap();
            assert_eq!(clip.frames.len(), (width * height * frames * 3) as usize);
        }
    }
}

#[test]
fn empty_and_absurd_formats_are_refused() {
    let refusal = |format| render(&scene(Look::Plain), format).unwrap_err();
    assert!(matches!(refusal(format(0, 32, 1)), StageError::Size { .. }));
    assert!(matches!(
        refusal(format(32, u32::MAX, 1)),
        StageError::Size { .. }
    ));
    assert!(matches!(
        refusal(format(32, 32, 0)),
        StageError::Length { .. }
    ));
    assert!(matches!(
        refusal(format(8000, 8000, u32::MAX)),
        StageError::Length { .. }
    ));
    for fps in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(
            refusal(Format {
                fps,
                ..format(32, 32, 1)
            }),
            StageError::Rate { .. }
        ));
    }
    let nobody = Scene {
        cast: Vec::new(),
        ..scene(Look::Plain)
    };
    assert!(matches!(
        render(&nobody, format(32, 32, 1)),
        Err(StageError::Scene(_))
    ));
}

/// Mean absolute difference in levels of 255.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(a.abs_diff(*b)))
        .sum::<f64>()
        / a.len() as f64
}

#[test]
fn every_look_is_a_picture_of_its_own() {
    let clips: Vec<_> = Look::ALL
        .iter()
        .map(|look| render(&scene(*look), format(96, 64, 1)).unwrap())
        .collect();
    for (i, a) in clips.iter().enumerate() {
        for (k, b) in clips.iter().enumerate().skip(i + 1) {
            let apart = difference(&a.frames, &b.frames);
            assert!(
                apart > 1.0,
                "{:?} and {:?} differ by {apart}",
                Look::ALL[i],
                Look::ALL[k]
            );
        }
    }
}

#[test]
fn noir_is_without_colour_and_grain_moves() {
    let mut still = scene(Look::Noir);
    still.cast[0].action = Action::Stand;
    let clip = render(&still, format(48, 32, 2)).unwrap();
    assert!(
        clip.frames
            .chunks_exact(3)
            .all(|c| c[0].abs_diff(c[1]) <= 1 && c[1].abs_diff(c[2]) <= 1)
    );
    let corner = |k: usize| clip.frame(k).unwrap()[..30].to_vec();
    assert_ne!(corner(0), corner(1));
}

#[test]
fn the_truth_agrees_with_itself_and_with_the_picture() {
    let (clip, truth) = render_with_truth(&scene(Look::Plain), format(96, 64, 3)).unwrap();
    assert_eq!(truth.frames.len(), 3);
    for (k, frame) in truth.frames.iter().enumerate() {
        let bounds = frame.actors[0].bounds.expect("a full shot shows its actor");
        let mask = frame.mask(0);
        for (i, inside) in mask.iter().enumerate() {
            let (x, y) = ((i % 96) as u32, (i / 96) as u32);
            let boxed = (bounds.left..bounds.right).contains(&x)
                && (bounds.top..bounds.bottom).contains(&y);
            assert!(boxed || !inside);
        }
        assert_eq!(
            mask.iter().filter(|m| **m).count(),
            frame.actors[0].pixels as usize
        );
        let shown = frame
            .depth
            .iter()
            .zip(&mask)
            .filter(|(_, m)| **m)
            .map(|(z, _)| f64::from(*z))
            .sum::<f64>();
        let depth = f64::from(frame.actors[0].depth.unwrap());
        assert!((shown / f64::from(frame.actors[0].pixels) - depth).abs() < 1e-4 * depth);
        assert!(
            in_view(frame, frame.camera.eye)
                .iter()
                .all(|v| v.abs() < 1e-4)
        );
        let [right, up, ahead] = in_view(frame, frame.camera.target);
        assert!(right.abs() < 1e-4 && up.abs() < 1e-4 && ahead > 0.0);
        // A red fox on green: the mask is where the picture is red.
        let (mut red, mut inside) = (0, 0);
        for (pixel, _) in clip
            .frame(k)
            .unwrap()
            .chunks_exact(3)
            .zip(&mask)
            .filter(|(_, m)| **m)
        {
            inside += 1;
            red += usize::from(pixel[0] > pixel[1]);
        }
        assert!(red * 2 > inside, "{red} of {inside}");
    }
    let text = serde_json::to_string(&truth.frames[0].camera).unwrap();
    assert_eq!(
        serde_json::from_str::<kinora_stage::CameraPose>(&text).unwrap(),
        truth.frames[0].camera
    );
}

/// A world point by the view matrix: metres right, up and ahead.
fn in_view(frame: &FrameTruth, [x, y, z]: [f32; 3]) -> [f32; 3] {
    let row = |k: usize| {
        frame.camera.view[k]
            .iter()
            .zip([x, y, z, 1.0])
            .map(|(a, b)| a * b)
            .sum()
    };
    [row(0), row(1), row(2)]
}

#[test]
fn every_sampled_scene_renders_and_is_neither_black_nor_white() {
    for seed in 0..40 {
        let scene = Scene::sample(seed);
        let clip = render(&scene, format(48, 32, 2)).unwrap();
        let mean =
            clip.frames.iter().map(|v| f64::from(*v)).sum::<f64>() / clip.frames.len() as f64;
        assert!(
            (8.0..247.0).contains(&mean),
            "seed {seed} has a mean of {mean}"
        );
    }
}

#[test]
fn the_truth_tells_where_everything_was_before() {
    for camera_move in [
        CameraMove::PanLeft,
        CameraMove::TiltUp,
        CameraMove::PushIn,
        CameraMove::TruckRight,
        CameraMove::ZoomOut,
        CameraMove::OrbitLeft,
    ] {
        let mut scene = scene(Look::Plain);
        scene.shot.camera_move = camera_move;
        let (width, height) = (96, 64);
        let (clip, truth) = render_with_truth(&scene, format(width, height, 9)).unwrap();
        let brightness = |frame: usize, x: f32, y: f32| {
            let at = (y as usize * width as usize + x as usize) * 3;
            let pixel = &clip.frame(frame).unwrap()[at..at + 3];
            pixel.iter().map(|&c| f32::from(c)).sum::<f32>()
        };
        // Half a second apart.
        let (now, before) = (6, 2);
        let (mut moved, mut still, mut count, mut actor) = (0.0, 0.0, 0, 0);
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let place = truth.frames[now].place_in(&truth.frames[before], [x, y], [width, height]);
            let Some([a, b]) = place else { continue };
            if !(0.0..width as f32).contains(&a) || !(0.0..height as f32).contains(&b) {
                continue;
            }
            let seen = brightness(now, x as f32, y as f32);
            moved += (seen - brightness(before, a, b)).abs();
            still += (seen - brightness(before, x as f32, y as f32)).abs();
            count += 1;
            actor += usize::from(truth.frames[now].owners[(y * width + x) as usize] > 0);
        }
        assert!(
            count > 2000 && actor > 50,
            "{camera_move:?}: {count}, {actor}"
        );
        assert!(
            moved < 0.75 * still,
            "{camera_move:?}: {moved} moved, {still} still"
        );
    }
}
