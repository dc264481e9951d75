//! What a staged clip should show before it is painted: its actors as they are imagined, before the picture of a set that the
//! camera moves over. Film people call such a sketch an animatic.

use super::camera::{MOTION, TERMS, field, terms};
use super::cast::{Cast, Facts, Layout, Mark, PORTRAIT, Role, Sight};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Portraits that are imagined at once.
const AT_ONCE: usize = 16;
/// Pixels about an actor that go with it when the set behind it is filled in.
const MARGIN: usize = 6;
/// A share of an actor above which a pixel is not the set's.
const HARDLY: f32 = 0.1;
/// How much more surely than it is imagined an outline is drawn: a soft actor would be seen through.
const DECIDED: f32 = 2.5;
/// Values of a portrait's pixel.
const PIXEL: usize = 4;

/// The clip that is staged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    /// Pixels down and across.
    pub size: [usize; 2],
    /// Frames, at least one.
    pub frames: usize,
    /// Frames a second.
    pub fps: f32,
}

/// An actor in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// How it is seen.
    pub sight: Sight,
    /// Middle of its window, in frame heights right of and below the frame's middle.
    pub place: [f32; 2],
    /// How far the picture is turned clockwise, in radians.
    pub roll: f32,
    /// Distance, in any unit.
    pub depth: f32,
}

/// A staged clip, or a part of one.
#[derive(Clone, Debug)]
pub struct Animatic {
    clip: Clip,
    /// The motion of what stands still over the clip; see [`super::CameraReader::forward`].
    camera: [f32; MOTION],
    /// Who is in each frame of the part and in the one halfway through the clip, near ones last, and their portraits
    /// `[64, 64, 4]`: the share that shows, and the colour times that.
    frames: BTreeMap<usize, Vec<(Seen, Vec<f32>)>>,
    /// The set behind them halfway through the clip, `[64, 64, 3]`, whatever the shape of the frame.
    set: Vec<f32>,
}

/// A frame of actors alone: the share of each pixel that shows them, and the colour times that share, `[H, W, 4]`.
type Actors = Vec<[f32; PIXEL]>;

impl Animatic {
    /// Stages what is told of a clip, of which the frames `part` are asked for.
    pub(super) fn new(
        cast: &Cast,
        facts: &Facts,
        (clip, part): (Clip, Range<usize>),
        seed: u64,
        device: &Device,
    ) -> Self {
        let aspect = clip.size[1] as f32 / clip.size[0] as f32;
        let layout = cast.blocking.draw(facts, aspect, seed, device);
        let phases: Vec<f32> = (0..facts.roles.len()).map(|it| phase(seed, it)).collect();
        let seen = |frame| seen(&layout, facts, clip, frame, &phases);
        let first = layout.marks.first().copied().unwrap_or_default();
        let set = Sight::of_set(&first, facts.scenery, aspect);
        Self::draw(cast, (clip, part), layout.camera, (seen, set), device)
    }

    /// Draws the frames `part` of a clip whose actors are seen so in each frame, and its set so halfway, when the camera moves as
    /// `camera` says.
    pub fn draw(
        cast: &Cast,
        (clip, part): (Clip, Range<usize>),
        camera: [f32; MOTION],
        (seen, set): (impl Fn(usize) -> Vec<Seen>, Sight),
        device: &Device,
    ) -> Self {
        let wanted: BTreeSet<usize> = part.chain([middle(clip.frames)]).collect();
        let seen: Vec<(usize, Vec<Seen>)> = wanted.into_iter().map(|at| (at, seen(at))).collect();
        let actors = (seen.iter()).flat_map(|(_, seen)| seen.iter().map(|seen| seen.sight));
        let sights: Vec<Sight> = actors.chain([set]).collect();
        let mut drawn: Vec<Vec<f32>> = Vec::with_capacity(sights.len());
        for sights in sights.chunks(AT_ONCE) {
            let pictures = cast.portraits.forward(sights, device);
            let pictures: Vec<f32> =
                (pictures.try_into_vec_as()).expect("flex tensors are in memory");
            let pictures = pictures.chunks_exact(PORTRAIT * PORTRAIT * PIXEL);
            drawn.extend(pictures.map(<[f32]>::to_vec));
        }
        let set = drawn.pop().unwrap_or_default();
        let colours = set.chunks_exact(PIXEL).flat_map(|pixel| &pixel[1..]);
        let set = colours.map(|colour| colour.clamp(-1.0, 1.0)).collect();
        let mut drawn = drawn.into_iter();
        let frame = |(frame, seen): (usize, Vec<Seen>)| {
            let portraits = drawn.by_ref().map(|drawn| weighed(&drawn));
            let mut actors: Vec<_> = seen.into_iter().zip(portraits).collect();
            actors.sort_by(|(a, _), (b, _)| b.depth.total_cmp(&a.depth));
            (frame, actors)
        };
        Self {
            clip,
            camera,
            frames: seen.into_iter().map(frame).collect(),
            set,
        }
    }

    /// The actors in `frame`, near ones before far ones.
    fn actors(&self, frame: usize) -> Actors {
        let size @ [height, width] = self.clip.size;
        let scale = height as f32;
        let mut picture = vec![[0.0; PIXEL]; height * width];
        for (
            Seen {
                sight, place, roll, ..
            },
            portrait,
        ) in &self.frames[&frame]
        {
            let window = Window {
                middle: [
                    width as f32 / 2.0 + place[0] * scale,
                    height as f32 / 2.0 + place[1] * scale,
                ],
                side: sight.side * scale,
                roll: roll.sin_cos(),
            };
            window.draw(portrait, &mut picture, size);
        }
        picture
    }

    /// The set as it is imagined, `[H, W, 3]`.
    fn set(&self) -> Vec<f32> {
        let [height, width] = self.clip.size;
        let along =
            |at: usize, side: usize| (at as f32 + 0.5) / side as f32 * PORTRAIT as f32 - 0.5;
        let place = |at: usize| [along(at % width, width), along(at / width, height)];
        (0..height * width)
            .flat_map(|at| sampled(&self.set, [PORTRAIT; 2], place(at)))
            .collect()
    }

    /// The frame halfway.
    pub fn middle(&self) -> usize {
        middle(self.clip.frames)
    }

    /// Some frames of the part `[1, F, H, W, 3]`, values about -1 to 1: the set moved by the camera, and the actors before it. The set is that of
    /// a `picture` `[H, W, 3]` of the middle frame, filled in where actors hide it, or as it is imagined.
    pub fn video(
        &self,
        picture: Option<&[f32]>,
        frames: Range<usize>,
        device: &Device,
    ) -> Tensor<5> {
        let size @ [height, width] = self.clip.size;
        let set = match picture {
            None => self.set(),
            Some(picture) => {
                // What is behind an actor differs from the set as it is imagined as what is around it does.
                let imagined = self.set();
                let apart = picture.iter().zip(&imagined).map(|(a, b)| a - b);
                let apart = apart.collect::<Vec<_>>();
                let hidden = covered(&self.actors(self.middle()), size);
                let filled = filled(&apart, &hidden, size).into_iter().zip(imagined);
                filled.map(|(apart, imagined)| apart + imagined).collect()
            }
        };
        let shape = [1, frames.len(), height, width, 3];
        let values = frames.flat_map(|frame| self.frame(&set, frame));
        Tensor::from_data(TensorData::new(values.collect(), shape), device)
    }

    /// A frame `[H, W, 3]` of actors before the `set` of the middle one.
    fn frame(&self, set: &[f32], frame: usize) -> Vec<f32> {
        let size @ [_, width] = self.clip.size;
        let offset = frame as isize - self.middle() as isize;
        let moves = field(&pace(&self.camera, self.clip.frames), size, &[offset]);
        let pixels = self
            .actors(frame)
            .into_iter()
            .zip(moves.chunks_exact(2))
            .enumerate();
        let colour = |(pixel, (actor, moved)): (usize, ([f32; PIXEL], &[f32]))| {
            let at = [
                (pixel % width) as f32 + moved[0],
                (pixel / width) as f32 + moved[1],
            ];
            let behind = sampled(set, size, at);
            [0, 1, 2].map(|c| actor[1 + c] + behind[c] * (1.0 - actor[0]))
        };
        pixels.flat_map(colour).collect()
    }
}

/// The frame halfway through so many.
fn middle(frames: usize) -> usize {
    frames / 2
}

/// The motion from a frame to the next of a clip of so many, of that over the clip.
fn pace(camera: &[f32; MOTION], frames: usize) -> [f32; MOTION] {
    camera.map(|motion| motion / frames.saturating_sub(1).max(1) as f32)
}

/// The actors of a layout in `frame` of a clip, who began at these `phases`.
fn seen(layout: &Layout, facts: &Facts, clip: Clip, frame: usize, phases: &[f32]) -> Vec<Seen> {
    let aspect = clip.size[1] as f32 / clip.size[0] as f32;
    // How far through the clip, -0.5 to 0.5; a single frame is halfway.
    let (progress, time) = match clip.frames {
        1 => (0.0, 1.0),
        frames => (
            frame as f32 / (frames - 1) as f32 - 0.5,
            frame as f32 / clip.fps,
        ),
    };
    let of = |((mark, &role), &phase): ((&Mark, &Role), &f32)| {
        let [x, y] = carried(mark.place, &layout.camera, clip, frame);
        Seen {
            sight: Sight {
                role: Some(role),
                scenery: facts.scenery,
                yaw: mark.yaw + mark.turn * progress,
                above: mark.above,
                side: mark.side * (mark.growth * progress).exp(),
                time,
                phase,
                aspect,
            },
            place: [x + mark.way[0] * progress, y + mark.way[1] * progress],
            roll: layout.roll,
            depth: mark.depth,
        }
    };
    let marks = layout.marks.iter().zip(&facts.roles).zip(phases);
    marks.map(of).collect()
}

/// Where `frame` has what stands at a place halfway through the clip, in frame heights from the frame's middle.
fn carried([mut x, mut y]: [f32; 2], camera: &[f32; MOTION], clip: Clip, frame: usize) -> [f32; 2] {
    let aspect = clip.size[1] as f32 / clip.size[0] as f32;
    let (pace, middle) = (pace(camera, clip.frames), middle(clip.frames));
    // What the camera passes goes the other way.
    let direction = if frame < middle { 1.0 } else { -1.0 };
    for _ in 0..frame.abs_diff(middle) {
        let shares = terms(
            (2.0 * x / aspect).clamp(-1.0, 1.0),
            (2.0 * y).clamp(-1.0, 1.0),
        );
        let along = |axis: usize| {
            let pace = &pace[axis * TERMS..(axis + 1) * TERMS];
            direction * shares.iter().zip(pace).map(|(t, s)| t * s).sum::<f32>()
        };
        (x, y) = (x + along(0) * aspect, y + along(1));
    }
    [x, y]
}

/// Where in its movements an actor begins, 0 to 1: a hash of the seed (SplitMix64).
fn phase(seed: u64, actor: usize) -> f32 {
    let mut z = seed.wrapping_add((actor as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

/// Logits and colours as shares and colours times shares.
fn weighed(drawn: &[f32]) -> Vec<f32> {
    let pixel = |pixel: &[f32]| {
        let share = 1.0 / (1.0 + (-DECIDED * pixel[0]).exp());
        let colour = |c: usize| pixel[c].clamp(-1.0, 1.0) * share;
        [share, colour(1), colour(2), colour(3)]
    };
    drawn.chunks_exact(PIXEL).flat_map(pixel).collect()
}

/// An actor's window in a picture, in pixels.
struct Window {
    middle: [f32; 2],
    side: f32,
    /// Sine and cosine of how far the picture is turned clockwise.
    roll: (f32, f32),
}

impl Window {
    /// Draws a portrait over the `picture`; four samples a pixel where it is made smaller.
    fn draw(&self, portrait: &[f32], picture: &mut Actors, [height, width]: [usize; 2]) {
        let (sin, cos) = self.roll;
        let reach = self.side / 2.0 * (sin.abs() + cos.abs());
        let span = |middle: f32, most: usize| {
            let first = (middle - reach).floor().clamp(0.0, most as f32) as usize;
            first..(middle + reach).ceil().clamp(0.0, most as f32) as usize
        };
        let parts: &[f32] = match self.side < PORTRAIT as f32 {
            true => &[0.25, 0.75],
            false => &[0.5],
        };
        let weight = 1.0 / (parts.len() * parts.len()) as f32;
        for row in span(self.middle[1], height) {
            for column in span(self.middle[0], width) {
                let mut seen = [0.0; PIXEL];
                for (down, across) in parts.iter().flat_map(|y| parts.iter().map(move |x| (y, x))) {
                    let (x, y) = (
                        column as f32 + across - self.middle[0],
                        row as f32 + down - self.middle[1],
                    );
                    let at = [x * cos - y * sin, x * sin + y * cos]
                        .map(|at| (at / self.side + 0.5) * PORTRAIT as f32 - 0.5);
                    let sample = texel(portrait, at);
                    (0..PIXEL).for_each(|c| seen[c] += sample[c] * weight);
                }
                let pixel = &mut picture[row * width + column];
                *pixel = std::array::from_fn(|c| seen[c] + pixel[c] * (1.0 - seen[0]));
            }
        }
    }
}

/// A portrait at a place between its pixels; nothing beside it.
fn texel(portrait: &[f32], [x, y]: [f32; 2]) -> [f32; PIXEL] {
    let (left, top) = (x.floor(), y.floor());
    let (right, down) = (x - left, y - top);
    let at = |column: f32, row: f32| {
        let inside = |at: f32| (0.0..PORTRAIT as f32).contains(&at);
        let place = (inside(column) && inside(row))
            .then(|| (row as usize * PORTRAIT + column as usize) * PIXEL);
        move |c: usize| place.map_or(0.0, |place| portrait[place + c])
    };
    let corners = [
        (at(left, top), (1.0 - right) * (1.0 - down)),
        (at(left + 1.0, top), right * (1.0 - down)),
        (at(left, top + 1.0), (1.0 - right) * down),
        (at(left + 1.0, top + 1.0), right * down),
    ];
    std::array::from_fn(|c| {
        corners
            .iter()
            .map(|(value, weight)| value(c) * weight)
            .sum()
    })
}

/// A picture `[H, W, 3]` at a place between its pixels; beside it its border goes on.
fn sampled(picture: &[f32], [height, width]: [usize; 2], [x, y]: [f32; 2]) -> [f32; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (right, down) = (x - left, y - top);
    let at = |column: f32, row: f32, c: usize| {
        let column = column.clamp(0.0, (width - 1) as f32) as usize;
        let row = row.clamp(0.0, (height - 1) as f32) as usize;
        picture[(row * width + column) * 3 + c]
    };
    std::array::from_fn(|c| {
        let over = at(left, top, c) * (1.0 - right) + at(left + 1.0, top, c) * right;
        let under = at(left, top + 1.0, c) * (1.0 - right) + at(left + 1.0, top + 1.0, c) * right;
        over * (1.0 - down) + under * down
    })
}

/// Which pixels actors cover, and a few beside them.
fn covered(actors: &Actors, [height, width]: [usize; 2]) -> Vec<bool> {
    let near = |at: usize, most: usize| at.saturating_sub(MARGIN)..(at + MARGIN + 1).min(most);
    let rows: Vec<bool> = (0..height * width)
        .map(|pixel| {
            let row = pixel / width * width;
            near(pixel % width, width).any(|column| actors[row + column][0] > HARDLY)
        })
        .collect();
    (0..height * width)
        .map(|pixel| near(pixel / width, height).any(|row| rows[row * width + pixel % width]))
        .collect()
}

/// The picture with what is covered filled in from around it: means of ever larger blocks go where nothing finer is known
/// (the pull and push of Gortler et al. 1996, "The Lumigraph").
fn filled(picture: &[f32], covered: &[bool], size: [usize; 2]) -> Vec<f32> {
    let pixels = picture.chunks_exact(3).zip(covered);
    let level: Vec<[f32; 4]> = pixels
        .map(|(pixel, covered)| match covered {
            true => [0.0; 4],
            false => [pixel[0], pixel[1], pixel[2], 1.0],
        })
        .collect();
    pulled(&level, size).concat()
}

/// The mean colour at each place of a level of sums of colours and counts, of coarser levels where it has none.
fn pulled(level: &[[f32; 4]], size @ [_, width]: [usize; 2]) -> Vec<[f32; 3]> {
    let empty = |sums: &[f32; 4]| sums[3] <= 0.0;
    let mean = |sums: &[f32; 4]| [0, 1, 2].map(|c| sums[c] / sums[3].max(1e-6));
    if size == [1, 1] || !level.iter().any(empty) {
        return level.iter().map(mean).collect();
    }
    let [rows, columns] = size.map(|side| side.div_ceil(2));
    let mut coarser = vec![[0.0; 4]; rows * columns];
    for (place, sums) in level.iter().enumerate() {
        let block = &mut coarser[place / width / 2 * columns + place % width / 2];
        (0..4).for_each(|c| block[c] += sums[c]);
    }
    let coarser = pulled(&coarser, [rows, columns]).concat();
    let place = |(place, sums): (usize, &[f32; 4])| {
        let at = [place % width, place / width].map(|at| (at as f32 - 0.5) / 2.0);
        match empty(sums) {
            true => sampled(&coarser, [rows, columns], at),
            false => mean(sums),
        }
    };
    level.iter().enumerate().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIP: Clip = Clip {
        size: [32, 48],
        frames: 5,
        fps: 12.0,
    };

    /// A clip of a white square that goes so far over a clip, when the camera moves so.
    fn staged(way: [f32; 2], camera: [f32; MOTION]) -> Animatic {
        let pixel = |i: usize| {
            let inside = |at: usize| (24..40).contains(&at);
            match inside(i % PORTRAIT) && inside(i / PORTRAIT) {
                true => [1.0; PIXEL],
                false => [0.0; PIXEL],
            }
        };
        let portrait: Vec<f32> = (0..PORTRAIT * PORTRAIT).flat_map(pixel).collect();
        let layout = Layout {
            camera,
            roll: 0.0,
            marks: vec![Mark {
                side: 1.0,
                way,
                depth: 1.0,
                ..Mark::default()
            }],
        };
        let facts = Facts {
            roles: vec![[0; 4]],
            scenery: [0; 4],
            shot: [0; 4],
        };
        let frame = |frame| {
            let seen = seen(&layout, &facts, CLIP, frame, &[0.0]);
            let actors = seen.into_iter().map(|seen| (seen, portrait.clone()));
            (frame, actors.collect())
        };
        // The right half of the set is bright.
        let half = |at: usize| [f32::from(u8::from(at % PORTRAIT >= PORTRAIT / 2)) - 0.5; 3];
        Animatic {
            clip: CLIP,
            camera,
            frames: (0..CLIP.frames).map(frame).collect(),
            set: (0..PORTRAIT * PORTRAIT).flat_map(half).collect(),
        }
    }

    /// The middle of what shows across, in pixels.
    fn centre(actors: &Actors) -> f32 {
        let places = actors.iter().enumerate().map(|(pixel, actor)| {
            let across = (pixel % 48) as f32 + 0.5;
            (across * actor[0], actor[0])
        });
        let (sum, all) = places.fold((0.0, 0.0), |(sum, all), (x, share)| (sum + x, all + share));
        sum / all
    }

    #[test]
    fn actors_go_their_way_and_the_cameras() {
        let still = staged([0.0; 2], [0.0; MOTION]);
        assert!((centre(&still.actors(2)) - 24.0).abs() < 0.1);
        let goes = staged([0.25, 0.0], [0.0; MOTION]);
        let [first, last] = [0, 4].map(|frame| centre(&goes.actors(frame)));
        assert!((last - first - 0.25 * 32.0).abs() < 0.2, "{first} {last}");
        // The camera pans right by a quarter of the frame's width: all goes left.
        let mut pan = [0.0; MOTION];
        pan[0] = 0.25;
        let panned = staged([0.0; 2], pan);
        let [first, last] = [0, 4].map(|frame| centre(&panned.actors(frame)));
        assert!((last - first + 0.25 * 48.0).abs() < 0.2, "{first} {last}");
    }

    #[test]
    fn actors_stand_before_a_set_that_the_camera_passes() {
        let mut pan = [0.0; MOTION];
        pan[0] = 0.25;
        let clip = staged([0.0; 2], pan);
        let frames = clip.video(None, 0..5, &Device::flex());
        let frames: Vec<f32> = frames
            .try_into_vec_as()
            .expect("flex tensors are in memory");
        let pixel = |frame: usize, column: usize| frames[((frame * 32 + 2) * 48 + column) * 3];
        // Halfway the set's own border is in the middle; a quarter of the width is passed over the clip.
        for (frame, border) in [(0, 30), (2, 24), (4, 18)] {
            let [dark, bright] = [pixel(frame, border - 3), pixel(frame, border + 3)];
            assert!(dark < -0.4 && bright > 0.4, "{frame}: {dark} {bright}");
        }
        let actor = ((2 * 32 + 16) * 48 + 24) * 3;
        assert!((frames[actor] - 1.0).abs() < 1e-3);
    }

    #[test]
    fn the_set_is_whole_behind_who_leaves() {
        let goes = staged([0.8, 0.0], [0.0; MOTION]);
        // The picture's set is as it is imagined, and lighter.
        let mut picture: Vec<f32> = goes.set().iter().map(|value| value + 0.2).collect();
        for (pixel, actor) in goes.actors(2).iter().enumerate() {
            let pixel = &mut picture[pixel * 3..][..3];
            let painted = pixel[0] * (1.0 - actor[0]) + actor[0];
            pixel.fill(painted);
        }
        let first = goes.video(Some(&picture), 0..1, &Device::flex());
        let first: Vec<f32> = first.try_into_vec_as().expect("flex tensors are in memory");
        let at = |column: usize| first[(16 * 48 + column) * 3];
        for (column, there) in [(20, -0.3), (28, 0.7)] {
            assert!((at(column) - there).abs() < 1e-3, "{}", at(column));
        }
        assert!((at(24 - 13) - 1.0).abs() < 1e-3, "{}", at(24 - 13));
    }

    #[test]
    fn near_actors_hide_far_ones() {
        let mut clip = staged([0.0; 2], [0.0; MOTION]);
        let (seen, portrait) = clip.frames[&2][0].clone();
        let black = portrait
            .chunks_exact(PIXEL)
            .flat_map(|p| [p[0], -p[0], -p[0], -p[0]]);
        let nearer = Seen { depth: 0.5, ..seen };
        clip.frames
            .entry(2)
            .or_default()
            .push((nearer, black.collect()));
        let middle = clip.actors(2)[16 * 48 + 24];
        assert!((middle[1] + 1.0).abs() < 1e-3, "{middle:?}");
    }
}
