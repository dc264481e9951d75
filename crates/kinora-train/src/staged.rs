//! What the cast learns from: scenes as they are told, how they are staged, and pictures of their actors.

use crate::{
    TrainError, camera,
    random::{Purpose, generator},
};
use kinora_models::kinora1::{
    TERMS,
    cast::{CastConfig, Facts, LAYOUT, Layout, Mark, PORTRAIT, Sight},
    terms,
};
use kinora_stage::{
    Action, Angle, CameraMove, Colour, Emotion, Format, Light, Look, Relation, Scene, Setting,
    ShotSize, Subject, View, Weather, render_range_with_truth, views,
};
use rand::{Rng, seq::IndexedRandom};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Clips that actors are looked at in: frames and rate of the default clip.
const FRAMES: u32 = 25;
const FPS: f32 = 12.0;
/// Sizes of the pictures that portraits are cut from, and that layouts are made for.
const PICTURE: [u32; 2] = [192, 128];
const SHAPES: [[u32; 2]; 4] = [[48, 32], [48, 32], [32, 48], [40, 40]];
/// Least pixels of a window's side, and of an actor, that are worth a portrait.
const LEAST_SIDE: f32 = 20.0;
const LEAST_PIXELS: u32 = 80;

/// The sizes of the stage's vocabulary.
pub(crate) fn classes() -> CastConfig {
    CastConfig {
        role: [
            Subject::ALL.len(),
            Colour::ALL.len(),
            Action::ALL.len(),
            Emotion::ALL.len(),
        ],
        scenery: [
            Setting::ALL.len(),
            Light::ALL.len(),
            Weather::ALL.len(),
            Look::ALL.len(),
        ],
        shot: [
            Relation::ALL.len(),
            ShotSize::ALL.len(),
            Angle::ALL.len(),
            CameraMove::ALL.len(),
        ],
    }
}

/// What is told of a scene.
pub(crate) fn facts(scene: &Scene) -> Facts {
    let role = |actor: &kinora_stage::Actor| {
        [
            actor.subject as usize,
            actor.colour as usize,
            actor.action as usize,
            actor.emotion as usize,
        ]
    };
    Facts {
        roles: scene.cast.iter().map(role).collect(),
        scenery: [
            scene.setting as usize,
            scene.light as usize,
            scene.weather as usize,
            scene.look as usize,
        ],
        shot: [
            scene.relation as usize,
            scene.shot.size as usize,
            scene.shot.angle as usize,
            scene.shot.camera_move as usize,
        ],
    }
}

/// A scene and how it is staged.
pub(crate) struct Staged {
    /// The scene.
    pub scene: Scene,
    /// Width over height.
    pub aspect: f32,
    /// The layout as a vector, and which of its numbers mean something.
    pub layout: ([f32; LAYOUT], [f32; LAYOUT]),
}

impl Staged {
    /// So many scenes; those with an actor behind the camera are left out.
    pub fn all(seed: u64, count: u64, stop: &AtomicBool) -> Result<Vec<Self>, TrainError> {
        let of = |index: u64| -> Result<Option<Self>, TrainError> {
            let mut rng = generator(seed, Purpose::Staging, index);
            let scene = Scene::sample_training(rng.random());
            let [width, height] = *SHAPES.choose(&mut rng).expect("there are shapes");
            let format = Format {
                width,
                height,
                frames: FRAMES,
                fps: FPS,
            };
            let Some(layout) = layout(&scene, format)? else {
                return Ok(None);
            };
            Ok(Some(Self {
                scene,
                aspect: width as f32 / height as f32,
                layout: layout.to_vector(),
            }))
        };
        let all = gathered(count, stop, of)?;
        Ok(all.into_iter().flatten().collect())
    }
}

/// So many things, made on all cores; stops between some of them when `stop` is set.
fn gathered<T: Send>(
    count: u64,
    stop: &AtomicBool,
    make: impl Fn(u64) -> Result<T, TrainError> + Sync,
) -> Result<Vec<T>, TrainError> {
    const SOME: u64 = 256;
    let mut all = Vec::with_capacity(count as usize);
    while (all.len() as u64) < count {
        if stop.load(Ordering::Relaxed) {
            return Err(TrainError::Stopped);
        }
        let next = all.len() as u64..count.min(all.len() as u64 + SOME);
        let made: Vec<T> = next.into_par_iter().map(&make).collect::<Result<_, _>>()?;
        all.extend(made);
    }
    Ok(all)
}

/// How a scene is staged, if all its actors are before the camera.
fn layout(scene: &Scene, format: Format) -> Result<Option<Layout>, TrainError> {
    let camera = camera::motion(scene, format)?;
    let all = |frame: u32| -> Result<Option<Vec<View>>, TrainError> {
        Ok(views(scene, format, frame)?.into_iter().collect())
    };
    let (first, middle, last) = (all(0)?, all(format.frames / 2)?, all(format.frames - 1)?);
    let (Some(first), Some(middle), Some(last)) = (first, middle, last) else {
        return Ok(None);
    };
    let aspect = format.width as f32 / format.height as f32;
    let mark = |(index, at): (usize, &View)| {
        let (from, to) = (&first[index], &last[index]);
        let moved = carried(&camera, at.place, aspect);
        let way = [0, 1].map(|axis| to.place[axis] - from.place[axis] - moved[axis]);
        let turn = to.yaw - from.yaw;
        Mark {
            way: way.map(|way| way.clamp(-2.0, 2.0)),
            growth: (to.side / from.side).ln().clamp(-2.0, 2.0),
            turn: turn - std::f32::consts::TAU * (turn / std::f32::consts::TAU).round(),
            ..standing(at)
        }
    };
    Ok(Some(Layout {
        camera,
        roll: middle.first().map_or(0.0, |view| view.roll),
        marks: middle.iter().enumerate().map(mark).collect(),
    }))
}

/// An actor's mark as it is in one frame.
pub(crate) fn standing(view: &View) -> Mark {
    Mark {
        place: view.place,
        side: view.side,
        yaw: view.yaw,
        above: view.above,
        depth: view.depth,
        ..Mark::default()
    }
}

/// Where the camera's motion carries what stands at a place, over the clip, in frame heights.
fn carried(camera: &[f32; 2 * TERMS], [x, y]: [f32; 2], aspect: f32) -> [f32; 2] {
    let terms = terms(
        (2.0 * x / aspect).clamp(-1.0, 1.0),
        (2.0 * y).clamp(-1.0, 1.0),
    );
    let along = |axis: usize| {
        let shares = &camera[axis * TERMS..(axis + 1) * TERMS];
        -terms.iter().zip(shares).map(|(t, s)| t * s).sum::<f32>()
    };
    [along(0) * aspect, along(1)]
}

/// A picture of an actor, and what it shows.
pub(crate) struct Still {
    /// From where.
    pub sight: Sight,
    /// `[64, 64, 5]`: the share of each pixel that shows the actor, whether that is known, and its colour.
    pub pixels: Vec<u8>,
}

impl Still {
    /// Values of a pixel.
    pub const PIXEL: usize = 5;

    /// The actors of so many scenes, each in one frame.
    pub fn all(seed: u64, scenes: u64, stop: &AtomicBool) -> Result<Vec<Self>, TrainError> {
        let of = |index: u64| -> Result<Vec<Self>, TrainError> {
            let mut rng = generator(seed, Purpose::Portrait, index);
            let mut scene = Scene::sample_training(rng.random());
            // Near enough to show what somebody looks like, and far enough to show all of it.
            if rng.random_bool(0.6) {
                scene.shot.size = ShotSize::Full;
            }
            let [width, height] = PICTURE;
            let format = Format {
                width,
                height,
                frames: FRAMES,
                fps: FPS,
            };
            let frame = rng.random_range(0..FRAMES);
            let seen = views(&scene, format, frame)?;
            let (render, truth) = render_range_with_truth(&scene, format, frame..frame + 1)?;
            let truth = &truth.frames[0];
            let still = |(index, view): (usize, &Option<View>)| {
                let view = view.as_ref()?;
                let worth = view.side * height as f32 > LEAST_SIDE
                    && truth.actors[index].pixels > LEAST_PIXELS;
                worth.then(|| Self {
                    sight: sight(&scene, index, view, PICTURE),
                    pixels: cut(&render.frames, &truth.owners, index as u8 + 1, view),
                })
            };
            let mut stills: Vec<Self> = seen.iter().enumerate().filter_map(still).collect();
            if let Some(first) = &seen[0] {
                let aspect = width as f32 / height as f32;
                stills.push(Self {
                    sight: Sight::of_set(&standing(first), facts(&scene).scenery, aspect),
                    pixels: set(&render.frames, &truth.owners, PICTURE),
                });
            }
            Ok(stills)
        };
        let all = gathered(scenes, stop, of)?;
        Ok(all.into_iter().flatten().collect())
    }
}

/// An actor of a scene as it is seen in frames of so many pixels.
pub(crate) fn sight(scene: &Scene, actor: usize, view: &View, [width, height]: [u32; 2]) -> Sight {
    let told = facts(scene);
    Sight {
        role: Some(told.roles[actor]),
        scenery: told.scenery,
        yaw: view.yaw,
        above: view.above,
        side: view.side,
        time: view.time,
        phase: view.phase,
        aspect: width as f32 / height as f32,
    }
}

/// The window of a view cut out of a picture, upright: means of 2 x 2 places of each pixel.
fn cut(picture: &[u8], owners: &[u8], owner: u8, view: &View) -> Vec<u8> {
    let [width, height] = PICTURE.map(|side| side as usize);
    let (sin, cos) = view.roll.sin_cos();
    let scale = height as f32;
    let middle = [
        width as f32 / 2.0 + view.place[0] * scale,
        height as f32 / 2.0 + view.place[1] * scale,
    ];
    let mut pixels = Vec::with_capacity(PORTRAIT * PORTRAIT * Still::PIXEL);
    let fine = 2 * PORTRAIT;
    for index in 0..PORTRAIT * PORTRAIT {
        let (row, column) = (index / PORTRAIT, index % PORTRAIT);
        let (mut shows, mut known, mut colour) = (0u32, 0u32, [0u32; 3]);
        for part in 0..4 {
            let along = |at: usize, part: usize| {
                ((2 * at + part) as f32 + 0.5) / fine as f32 * view.side * scale
                    - view.side * scale / 2.0
            };
            let (u, v) = (along(column, part % 2), along(row, part / 2));
            let x = middle[0] + u * cos + v * sin;
            let y = middle[1] - u * sin + v * cos;
            if x < 0.0 || y < 0.0 || x >= width as f32 || y >= height as f32 {
                continue;
            }
            let pixel = y as usize * width + x as usize;
            let here = owners[pixel];
            if here == 0 || here == owner {
                known += 1;
            }
            if here == owner {
                shows += 1;
                (0..3).for_each(|c| colour[c] += u32::from(picture[pixel * 3 + c]));
            }
        }
        let share = |count: u32| (count * 255 / 4) as u8;
        pixels.extend([share(shows), share(known)]);
        pixels.extend(colour.map(|sum| sum.checked_div(shows).unwrap_or(0) as u8));
    }
    pixels
}

/// The set in a picture of so many pixels across and down, brought to the size of a portrait: means over blocks, of what no actor
/// hides.
fn set(picture: &[u8], owners: &[u8], [width, height]: [u32; 2]) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    let span = |at: usize, side: usize| at * side / PORTRAIT..((at + 1) * side).div_ceil(PORTRAIT);
    let mut pixels = Vec::with_capacity(PORTRAIT * PORTRAIT * Still::PIXEL);
    for index in 0..PORTRAIT * PORTRAIT {
        let (mut seen, mut all, mut colour) = (0u32, 0u32, [0u32; 3]);
        for y in span(index / PORTRAIT, height) {
            for x in span(index % PORTRAIT, width) {
                let pixel = y * width + x;
                all += 1;
                if owners[pixel] == 0 {
                    seen += 1;
                    (0..3).for_each(|c| colour[c] += u32::from(picture[pixel * 3 + c]));
                }
            }
        }
        let share = (seen * 255 / all.max(1)) as u8;
        pixels.extend([share, share]);
        pixels.extend(colour.map(|sum| sum.checked_div(seen).unwrap_or(0) as u8));
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format {
        width: 48,
        height: 32,
        frames: FRAMES,
        fps: FPS,
    };

    fn scenes(wanted: impl Fn(&Scene) -> bool) -> impl Iterator<Item = Scene> {
        (0..).map(Scene::sample).filter(move |scene| {
            scene.relation == Relation::Alone && scene.shot.size == ShotSize::Full && wanted(scene)
        })
    }

    #[test]
    fn who_stands_goes_where_the_camera_leaves_it_and_who_walks_goes_on() {
        let stands = |scene: &Scene| {
            scene.shot.camera_move == CameraMove::PanRight && !scene.cast[0].action.locomotes()
        };
        for scene in scenes(stands).take(3) {
            let layout = layout(&scene, FORMAT).unwrap().unwrap();
            let carried = carried(&layout.camera, layout.marks[0].place, 1.5);
            assert!(carried[0] < -0.2, "{carried:?}");
            assert!(layout.marks[0].way[0].abs() < 0.15, "{layout:?}");
        }
        let walks = |scene: &Scene| {
            scene.shot.camera_move == CameraMove::Static && scene.cast[0].action.locomotes()
        };
        for scene in scenes(walks).take(3) {
            let layout = layout(&scene, FORMAT).unwrap().unwrap();
            let mark = layout.marks[0];
            assert!(mark.way[0] * mark.yaw.sin() > 0.05, "{layout:?}");
        }
    }

    #[test]
    fn portraits_show_their_actors_upright_and_whole() {
        let dutch = |scene: &Scene| scene.shot.angle == Angle::Dutch;
        for scene in scenes(dutch).take(3) {
            let [width, height] = PICTURE;
            let format = Format {
                width,
                height,
                ..FORMAT
            };
            let view = views(&scene, format, 12).unwrap()[0].unwrap();
            let (render, truth) = render_range_with_truth(&scene, format, 12..13).unwrap();
            let pixels = cut(&render.frames, &truth.frames[0].owners, 1, &view);
            let pixels: Vec<&[u8]> = pixels.chunks_exact(Still::PIXEL).collect();
            let shows: f32 = pixels.iter().map(|pixel| f32::from(pixel[0]) / 255.0).sum();
            let pixel = view.side * height as f32 / PORTRAIT as f32;
            let whole = truth.frames[0].actors[0].pixels as f32;
            assert!(
                (shows * pixel * pixel / whole - 1.0).abs() < 0.1,
                "{scene:?}"
            );
            // What is beside the frame is not known, and nobody is there.
            assert!(pixels.iter().all(|pixel| pixel[0] <= pixel[1]));
        }
    }
}
