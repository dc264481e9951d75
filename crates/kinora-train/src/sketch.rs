//! Sketches of clips of the stage, as a model's cast imagines them from where the camera truly sees each actor: what the
//! transformer learns to paint over.

use crate::{TrainError, camera, clips::Clips, staged};
use burn::tensor::{Device, Tensor};
use kinora_models::kinora1::{
    Animatic, Clip, MOTION, Seen, Vae,
    cast::{Cast, Sight},
};
use kinora_stage::{Format, View, views};

/// The sketch of a clip in the latents of `vae`, not normalised, `[1, T, h, w, C]`; none if the first actor is behind the camera.
///
/// # Errors
/// When the scene is not coherent.
pub(crate) fn sketch(
    cast: &Cast,
    vae: &Vae,
    clips: &Clips,
    record: u64,
    device: &Device,
) -> Result<Option<Tensor<5>>, TrainError> {
    let (bucket, scene) = (&clips.bucket, &clips.label(record).scene);
    let format = Format {
        width: bucket.width as u32,
        height: bucket.height as u32,
        frames: bucket.of as u32,
        fps: bucket.fps,
    };
    let first = clips.first_frame(record);
    let frames = (first..first + bucket.frames as u32)
        .map(|frame| Ok(views(scene, format, frame)?))
        .collect::<Result<Vec<Vec<Option<View>>>, TrainError>>()?;
    let Some(halfway) = frames[frames.len() / 2].first().copied().flatten() else {
        return Ok(None);
    };
    let seen = |frame: usize| {
        let actors = frames[frame].iter().enumerate();
        let seen =
            actors.filter_map(|(actor, view)| Some(seen(scene, actor, view.as_ref()?, format)));
        seen.collect()
    };
    let camera = match bucket.frames {
        1 => [0.0; MOTION],
        frames => {
            let small = Format {
                width: format.width / 4,
                height: format.height / 4,
                ..format
            };
            let share = (frames - 1) as f32 / (bucket.of - 1).max(1) as f32;
            camera::motion(scene, small)?.map(|motion| motion * share)
        }
    };
    let clip = Clip {
        size: [bucket.height, bucket.width],
        frames: bucket.frames,
        fps: bucket.fps,
    };
    let aspect = format.width as f32 / format.height as f32;
    let scenery = staged::facts(scene).scenery;
    let set = Sight::of_set(&staged::standing(&halfway), scenery, aspect);
    let all = 0..bucket.frames;
    let animatic = Animatic::draw(cast, (clip, all.clone()), camera, (seen, set), device);
    Ok(Some(vae.encode(animatic.video(None, all, device))))
}

fn seen(scene: &kinora_stage::Scene, actor: usize, view: &View, format: Format) -> Seen {
    Seen {
        sight: staged::sight(scene, actor, view, [format.width, format.height]),
        place: view.place,
        roll: view.roll,
        depth: view.depth,
    }
}
