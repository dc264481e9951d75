//! From a scene to the bytes of its frames.

use crate::frame::{Canvas, Moment, Take};
use crate::lens::Lens;
use crate::look;
use crate::raster::Placed;
use crate::scene::{Format, Scene};
use crate::set::{Camera, Set};
use crate::shadow::ShadowMap;
use crate::truth::{self, CameraPose, FrameTruth, Truth};
use crate::validate::SceneError;
use crate::weather;
use crate::{blocking, camera, sets, subjects, texture};
use glam::{Affine3A, Vec3};
use rayon::prelude::*;
use std::ops::Range;
use thiserror::Error;

/// A rendered clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Render {
    /// What was asked for.
    pub format: Format,
    /// RGB8, [frames, height, width, 3], row-major.
    pub frames: Vec<u8>,
}

impl Render {
    /// The bytes of frame `index`, [height, width, 3]; none past the end.
    pub fn frame(&self, index: usize) -> Option<&[u8]> {
        self.frames
            .chunks_exact(frame_bytes(&self.format))
            .nth(index)
    }
}

/// Why a clip could not be rendered.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StageError {
    /// A side of the picture is 0 or too long.
    #[error(
        "a picture of {width}x{height} can't be rendered; each side must be 1 to {MOST_PIXELS_A_SIDE} pixels"
    )]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// No frames, or more than fit in memory.
    #[error(
        "{frames} frames of {width}x{height} can't be rendered; ask for 1 frame or more and at most {MOST_BYTES} bytes in all"
    )]
    Length {
        /// Number of frames.
        frames: u32,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The frame rate is not a positive number.
    #[error("{fps} frames a second is no frame rate; give a number above 0 and at most 1000")]
    Rate {
        /// Frames a second.
        fps: f32,
    },
    /// The scene contradicts itself.
    #[error("the scene is not coherent: {0}")]
    Scene(#[from] SceneError),
}

const MOST_PIXELS_A_SIDE: u32 = 8192;
const MOST_BYTES: u64 = 4 << 30;

fn frame_bytes(format: &Format) -> usize {
    format.width as usize * format.height as usize * 3
}

pub(crate) fn check(format: &Format) -> Result<(), StageError> {
    let Format {
        width,
        height,
        frames,
        fps,
    } = *format;
    let side = 1..=MOST_PIXELS_A_SIDE;
    if !side.contains(&width) || !side.contains(&height) {
        return Err(StageError::Size { width, height });
    }
    let bytes = u64::from(width) * u64::from(height) * 3 * u64::from(frames);
    if frames == 0 || bytes > MOST_BYTES {
        return Err(StageError::Length {
            frames,
            width,
            height,
        });
    }
    if !(fps > 0.0 && fps <= 1000.0) {
        return Err(StageError::Rate { fps });
    }
    Ok(())
}

/// Renders a scene. The same scene and format give the same bytes, whatever the number of threads.
///
/// # Errors
/// If the format is empty or too large, or the scene is not coherent.
pub fn render(scene: &Scene, format: Format) -> Result<Render, StageError> {
    render_range(scene, format, 0..format.frames)
}

/// Renders some frames of a clip, with the bytes they have in the whole clip.
///
/// # Errors
/// As `render`, and if the range is empty or reaches past the clip's end.
pub fn render_range(
    scene: &Scene,
    format: Format,
    range: Range<u32>,
) -> Result<Render, StageError> {
    let (render, _) = film(scene, format, range, |shoot, index, desk, out| {
        shoot.draw(index, desk, out);
    })?;
    Ok(render)
}

/// Renders a scene and tells what is where in each frame.
///
/// # Errors
/// As `render`.
pub fn render_with_truth(scene: &Scene, format: Format) -> Result<(Render, Truth), StageError> {
    render_range_with_truth(scene, format, 0..format.frames)
}

/// Renders some frames of a clip as `render_range` does and tells what is where in each of them.
///
/// # Errors
/// As `render_range`.
pub fn render_range_with_truth(
    scene: &Scene,
    format: Format,
    range: Range<u32>,
) -> Result<(Render, Truth), StageError> {
    let (render, frames) = film(scene, format, range, |shoot, index, desk, out| {
        shoot.draw_with_truth(index, desk, out)
    })?;
    Ok((render, Truth { frames }))
}

/// Draws the frames of `range` in parallel with `draw` and gathers what it tells of each.
fn film<T: Send>(
    scene: &Scene,
    format: Format,
    range: Range<u32>,
    draw: impl Fn(&Shoot, usize, &mut Desk, &mut [u8]) -> T + Sync,
) -> Result<(Render, Vec<T>), StageError> {
    let shoot = Shoot::new(scene, format)?;
    let part = Format {
        frames: range.end.saturating_sub(range.start),
        ..format
    };
    check(&part)?;
    if range.end > format.frames {
        return Err(StageError::Length {
            frames: range.end,
            width: format.width,
            height: format.height,
        });
    }
    let mut frames = vec![0; frame_bytes(&part) * part.frames as usize];
    let told = frames
        .par_chunks_exact_mut(frame_bytes(&part))
        .enumerate()
        .map_init(
            || shoot.desk(),
            |desk, (index, out)| draw(&shoot, range.start as usize + index, desk, out),
        )
        .collect();
    Ok((
        Render {
            format: part,
            frames,
        },
        told,
    ))
}

/// A scene made ready to be filmed.
struct Shoot<'a> {
    scene: &'a Scene,
    format: Format,
    set: Set,
    fixed: Vec<Placed>,
    fixed_shadow: ShadowMap,
    seed: u32,
}

/// What one thread keeps from frame to frame.
struct Desk {
    canvas: Canvas,
    scratch: look::Scratch,
}

impl<'a> Shoot<'a> {
    fn new(scene: &'a Scene, format: Format) -> Result<Self, StageError> {
        check(&format)?;
        scene.validate()?;
        let set = sets::build(scene);
        let fixed: Vec<Placed> = set
            .parts
            .iter()
            .filter_map(|part| Placed::new(*part, 0))
            .collect();
        let mut shoot = Shoot {
            scene,
            format,
            set,
            fixed,
            fixed_shadow: ShadowMap::empty(),
            seed: texture::fold(scene.seed),
        };
        shoot.fixed_shadow = shoot.shadow_of_set();
        Ok(shoot)
    }

    /// Seconds from the first frame to the last: 0 for a single picture, which the blocking takes as mid-clip.
    fn duration(&self) -> f32 {
        (self.format.frames - 1) as f32 / self.format.fps
    }

    /// The set's shadows do not move: one map serves all frames, about where the actors spend the clip.
    fn shadow_of_set(&self) -> ShadowMap {
        const SIZE: usize = 384;
        if self.set.key.shadow <= 0.0 {
            return ShadowMap::empty();
        }
        let ends = [0.0, 1.0]
            .map(|share| blocking::place(self.scene, share * self.duration(), self.duration()));
        let spots: Vec<Vec3> = ends
            .iter()
            .flatten()
            .map(|place| place.translation.into())
            .collect();
        let (low, high) = spots
            .iter()
            .fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(l, h), p| {
                (l.min(*p), h.max(*p))
            });
        let radius = (high - low).length() * 0.5 + 12.0 * self.set.scale;
        let mut map = ShadowMap::new(SIZE);
        map.draw(
            self.set.key.direction,
            (low + high) * 0.5,
            radius,
            &self.fixed,
        );
        map
    }

    fn desk(&self) -> Desk {
        let (width, height) = (self.format.width as usize, self.format.height as usize);
        Desk {
            canvas: Canvas::new(width, height),
            scratch: look::Scratch::default(),
        }
    }

    fn moment(&self, index: usize) -> Moment {
        let (t, duration) = (index as f32 / self.format.fps, self.duration());
        let places = blocking::place(self.scene, t, duration);
        let pose = |(k, place): (usize, &Affine3A)| {
            let mut parts = subjects::pose(
                &self.scene.cast[k],
                self.scene.seed.wrapping_add(k as u64),
                t,
            );
            for part in &mut parts {
                part.transform = *place * part.transform;
            }
            parts
        };
        Moment {
            t,
            camera: camera::camera(
                self.scene,
                self.format.width as f32 / self.format.height as f32,
                t,
                duration,
            ),
            actors: places.iter().enumerate().map(pose).collect(),
        }
    }

    /// Draws frame `index` into `out`; the desk then holds its depth and owners.
    fn draw(&self, index: usize, desk: &mut Desk, out: &mut [u8]) -> (Camera, Lens) {
        let moment = self.moment(index);
        let take = Take {
            set: &self.set,
            fixed: &self.fixed,
            fixed_shadow: &self.fixed_shadow,
            finish: look::finish(self.scene.look),
            seed: self.seed,
        };
        let lens = take.draw(&moment, &mut desk.canvas);
        let picture = &mut desk.canvas.picture;
        weather::draw(&self.set, &lens, self.seed, moment.t, picture);
        picture.bloom(0.35);
        picture.develop();
        look::apply(
            self.scene.look,
            picture,
            self.seed,
            index as u32,
            &mut desk.scratch,
        );
        picture.write(out);
        (moment.camera, lens)
    }

    fn draw_with_truth(&self, index: usize, desk: &mut Desk, out: &mut [u8]) -> FrameTruth {
        let (camera, lens) = self.draw(index, desk, out);
        let picture = &desk.canvas.picture;
        FrameTruth {
            camera: CameraPose::new(&camera, &lens),
            actors: truth::actors(
                picture.width,
                &picture.owners,
                &picture.depth,
                self.scene.cast.len(),
            ),
            owners: picture.owners.clone(),
            depth: picture.depth.clone(),
        }
    }
}
