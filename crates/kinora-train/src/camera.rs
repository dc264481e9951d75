//! Teaches the reader of the camera's moves: from captions of scenes to the motion that the stage knows. Scenes are not
//! rendered whole for it; where things are in a few small frames is all that it takes.

use crate::{
    TrainError,
    config::CameraConfig,
    principal::{factorise, solve},
    random::{Purpose, generator},
};
use burn::{
    module::Module,
    tensor::{Device, Int, Tensor, TensorData},
};
use kinora_models::kinora1::{CameraReader, MOTION, TERMS, Tokenizer, terms};
use kinora_nn::optim::{AdamW, AdamWConfig, Grads};
use kinora_stage::{Format, FrameTruth, Length, Scene, caption, render_range_with_truth};
use rand::Rng;
use rayon::prelude::*;

/// The frames in which motion is looked at, and the clip that they are of. Small ones do, for it is smooth.
const FORMAT: Format = Format {
    width: 48,
    height: 32,
    frames: 25,
    fps: 12.0,
};
const LOOKED_AT: [u32; 4] = [0, 8, 16, 24];
/// Damps the polynomial where hardly anything but actors shows.
const DAMPING: f64 = 1e-4;

/// The reader after it has learned from `config.scenes` scenes; it stays as it is from then on.
///
/// # Errors
/// When a scene can't be rendered.
pub(crate) fn learn(
    mut reader: CameraReader,
    config: &CameraConfig,
    tokenizer: &Tokenizer,
    seed: u64,
    device: &Device,
) -> Result<CameraReader, TrainError> {
    let scenes: Vec<Scene> = (0..config.scenes)
        .map(|index| Scene::sample_training(generator(seed, Purpose::Camera, index).random()))
        .collect();
    let motions: Vec<[f32; MOTION]> = scenes
        .par_iter()
        .map(|scene| motion(scene, FORMAT))
        .collect::<Result<_, _>>()?;
    let mut adam = AdamW::new(AdamWConfig {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay: 0.0,
    });
    for step in 0..config.steps {
        let mut rng = generator(seed, Purpose::Camera, config.scenes + step);
        let (mut captions, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..config.batch {
            let scene = rng.random_range(0..scenes.len());
            let length = Length::ALL[rng.random_range(0..Length::ALL.len())];
            captions.push(
                tokenizer
                    .encode(&caption(&scenes[scene], length, &mut rng))
                    .ids,
            );
            targets.extend(motions[scene]);
        }
        let (ids, present) = padded(&captions, device);
        let targets = TensorData::new(targets, [captions.len(), MOTION]);
        let targets = Tensor::<2>::from_data(targets, device);
        let loss = (reader.forward(ids, present) - targets).square().mean();
        let grads = Grads::take(&reader, &mut loss.backward());
        let left = 1.0 - step as f64 / config.steps as f64;
        reader = adam.step(reader, &grads, (config.learning_rate * left) as f32, 1.0);
    }
    Ok(reader.no_grad())
}

/// Token ids `[B, L]` and which of them are there, `[B, L, 1]`.
fn padded(captions: &[Vec<u32>], device: &Device) -> (Tensor<2, Int>, Tensor<3>) {
    let longest = captions.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let (mut ids, mut present) = (Vec::new(), Vec::new());
    for caption in captions {
        let token = |at: usize| caption.get(at).copied();
        ids.extend((0..longest).map(|at| token(at).unwrap_or(0) as i32));
        present.extend((0..longest).map(|at| f32::from(token(at).is_some())));
    }
    let (b, l) = (captions.len(), longest);
    (
        Tensor::from_data(TensorData::new(ids, [b, l]), device),
        Tensor::from_data(TensorData::new(present, [b, l, 1]), device),
    )
}

/// How the camera moves over the clip of a scene in a format of 25 frames, as [`CameraReader::forward`] tells it.
pub(crate) fn motion(scene: &Scene, format: Format) -> Result<[f32; MOTION], TrainError> {
    let frame = |at: u32| -> Result<FrameTruth, TrainError> {
        let (_, mut truth) = render_range_with_truth(scene, format, at..at + 1)?;
        Ok(truth.frames.remove(0))
    };
    let frames: Vec<FrameTruth> = LOOKED_AT.into_iter().map(frame).collect::<Result<_, _>>()?;
    let mut sum = [0.0; MOTION];
    for pair in frames.windows(2) {
        for (sum, share) in sum.iter_mut().zip(between(&pair[0], &pair[1], format)) {
            *sum += share;
        }
    }
    Ok(sum)
}

/// Where what does not move by itself in the frame `now` is taken from in the one `before`: the least squares of the polynomial.
fn between(before: &FrameTruth, now: &FrameTruth, format: Format) -> [f32; MOTION] {
    let (width, height) = (format.width, format.height);
    let mut normal = [0.0; TERMS * TERMS];
    let mut sides = [[0.0; TERMS]; 2];
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        if now.owners[(y * width + x) as usize] > 0 {
            continue;
        }
        let Some(place) = now.place_in(before, [x, y], [width, height]) else {
            continue;
        };
        let at = [
            (x as f32 + 0.5) / width as f32,
            (y as f32 + 0.5) / height as f32,
        ];
        let moved = [
            place[0] / width as f32 - at[0],
            place[1] / height as f32 - at[1],
        ];
        if moved.iter().any(|share| share.abs() > 1.0) {
            continue; // beside the other frame, where the polynomial need not be right
        }
        let terms = terms(2.0 * at[0] - 1.0, 2.0 * at[1] - 1.0).map(f64::from);
        for (i, term) in terms.into_iter().enumerate() {
            (0..TERMS).for_each(|j| normal[i * TERMS + j] += term * terms[j]);
            (0..2).for_each(|axis| sides[axis][i] += term * f64::from(moved[axis]));
        }
    }
    for i in 0..TERMS {
        normal[i * TERMS + i] += DAMPING * f64::from(width * height);
    }
    factorise(&mut normal, TERMS);
    for side in &mut sides {
        solve(&normal, side);
    }
    std::array::from_fn(|index| sides[index / TERMS][index % TERMS] as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::floats;
    use kinora_nn::Init;
    use kinora_stage::CameraMove;

    fn filmed(camera_move: CameraMove) -> Scene {
        let scenes = (0..).map(Scene::sample);
        scenes
            .filter(|scene| scene.shot.camera_move == camera_move)
            .nth(2)
            .expect("all moves are sampled")
    }

    #[test]
    fn moves_are_measured_as_what_they_are() {
        let of = |camera_move| motion(&filmed(camera_move), FORMAT).unwrap();
        assert!(
            of(CameraMove::Static)
                .iter()
                .all(|share| share.abs() < 1e-3)
        );
        // What a camera that turns right shows was further right before, and what a zoom shows was nearer the middle.
        let (pan, zoom) = (of(CameraMove::PanRight), of(CameraMove::ZoomIn));
        assert!(pan[0] > 0.2 && pan[TERMS].abs() < 0.2 * pan[0], "{pan:?}");
        assert!(
            zoom[1] < -0.1 && (zoom[1] - zoom[TERMS + 2]).abs() < 0.01,
            "{zoom:?}"
        );
        assert!(zoom[0].abs() < 0.01 && zoom[TERMS].abs() < 0.01, "{zoom:?}");
    }

    #[test]
    fn a_reader_learns_moves_from_captions() {
        let device = Device::flex().autodiff();
        let tokenizer = Tokenizer::new(kinora_stage::words());
        let tokenizer = tokenizer.unwrap();
        let fresh = CameraReader::new(tokenizer.len(), &mut Init::new(1, &device));
        let config = CameraConfig {
            scenes: 400,
            steps: 600,
            batch: 32,
            learning_rate: 1e-2,
        };
        let reader = learn(fresh, &config, &tokenizer, 1, &device).unwrap();
        let read = |text: &str| {
            let (ids, present) = padded(&[tokenizer.encode(text).ids], &device);
            floats(reader.forward(ids, present))
        };
        let right = read("A dog runs along the beach. The camera pans right.");
        let left = read("A dog runs along the beach. The camera pans left.");
        assert!(right[0] > 0.1 && left[0] < -0.1, "{right:?} {left:?}");
        assert!(read("").iter().all(|share| *share == 0.0));
    }
}
