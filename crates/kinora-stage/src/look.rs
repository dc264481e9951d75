//! The finish of the picture: what film, paint or ink does to display values.

use crate::picture::Picture;
use crate::shade::{Finish, luma};
use crate::texture::{hash, noise, ramp};
use crate::vocabulary::Look;
use glam::{Vec2, Vec3};

/// How surfaces take light under a look.
pub(crate) fn finish(look: Look) -> Finish {
    match look {
        Look::Clay => Finish::Clay,
        Look::Cel => Finish::Cel,
        Look::Plain | Look::Film35 | Look::Film16 | Look::Noir | Look::Watercolor => {
            Finish::Natural
        }
    }
}

/// Buffers that the looks use for frame after frame.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    first: Vec<Vec3>,
    second: Vec<Vec3>,
    soft: Vec<Vec3>,
    lines: Vec<f32>,
}

/// Applies a look to display values. The grain follows from `seed` and `frame`; paper stays where it is.
pub(crate) fn apply(
    look: Look,
    picture: &mut Picture,
    seed: u32,
    frame: u32,
    scratch: &mut Scratch,
) {
    match look {
        Look::Plain => {}
        Look::Film35 => {
            halation(picture, scratch);
            each(picture, |c, _| {
                contrast(grade(c, Vec3::new(1.03, 1.0, 0.955)), 0.25)
            });
            grain(picture, 0.008, seed, frame);
        }
        Look::Film16 => {
            soften(picture, 0.55, scratch);
            each(picture, |c, corner| {
                let faded = grade(contrast(c, 0.12), Vec3::new(1.05, 1.0, 0.86)) * 0.93 + 0.035;
                faded * (1.0 - 0.34 * corner)
            });
            grain(picture, 0.018, seed, frame);
        }
        Look::Noir => {
            each(picture, |c, corner| {
                // A yellow filter, as on black-and-white film: skin light, sky dark.
                let grey = c.dot(Vec3::new(0.40, 0.50, 0.10)).max(0.0);
                // Printed light, or the contrast would swallow a night.
                contrast(Vec3::splat(grey + (grey.sqrt() - grey) * 0.35), 0.85)
                    * (1.0 - 0.5 * corner)
            });
            grain(picture, 0.01, seed, frame);
        }
        Look::Watercolor => watercolor(picture, seed, scratch),
        Look::Clay => {
            defocus(picture, scratch);
            each(picture, |c, corner| {
                let grey = Vec3::splat(luma(c));
                (grey + (c - grey) * 1.15) * (1.0 - 0.15 * corner)
            });
        }
        Look::Cel => {
            outline(picture, scratch);
            each(picture, |c, _| {
                let grey = Vec3::splat(luma(c));
                grey + (c - grey) * 1.18
            });
        }
    }
    for c in &mut picture.colour {
        *c = c.clamp(Vec3::ZERO, Vec3::ONE);
    }
}

/// Maps every pixel, given its squared distance from the middle (1 in the corners).
fn each(picture: &mut Picture, map: impl Fn(Vec3, f32) -> Vec3) {
    let (width, height) = (picture.width, picture.height);
    for (y, row) in picture.colour.chunks_exact_mut(width).enumerate() {
        let v = (2 * y + 1) as f32 / height as f32 - 1.0;
        for (x, c) in row.iter_mut().enumerate() {
            let u = (2 * x + 1) as f32 / width as f32 - 1.0;
            *c = map(*c, 0.5 * (u * u + v * v));
        }
    }
}

/// Tints the light tones; the dark ones keep their colour.
fn grade(c: Vec3, tint: Vec3) -> Vec3 {
    c * (Vec3::ONE + (tint - 1.0) * luma(c).min(1.0))
}

/// An S-curve of a strength from 0 to 1; below 0 it flattens.
fn contrast(c: Vec3, strength: f32) -> Vec3 {
    let c = c.clamp(Vec3::ZERO, Vec3::ONE);
    c + (c * c * (3.0 - 2.0 * c) - c) * strength
}

/// Film grain of standard deviation `sigma`, strongest in the mid-tones: the same for every channel, as silver is.
fn grain(picture: &mut Picture, sigma: f32, seed: u32, frame: u32) {
    let seed = hash(frame as i32, 0, seed);
    let width = picture.width;
    for (i, c) in picture.colour.iter_mut().enumerate() {
        let h = hash((i % width) as i32, (i / width) as i32, seed);
        // The sum of four bytes is close to normal: mean 510, deviation 147.8.
        let sum = (h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24);
        let normal = (sum as f32 - 510.0) * (1.0 / 147.8);
        let tone = luma(*c);
        *c += normal * sigma * (0.55 + 1.8 * (tone * (1.0 - tone)).max(0.0));
    }
}

/// Mixes in a blur by 1 2 1 both ways.
fn soften(picture: &mut Picture, share: f32, scratch: &mut Scratch) {
    blur(
        &picture.colour,
        &mut scratch.first,
        &mut scratch.second,
        picture.width,
        picture.height,
    );
    for (c, soft) in picture.colour.iter_mut().zip(&scratch.second) {
        *c = c.lerp(*soft, share);
    }
}

/// The shallow focus of a lens close to a small model: what is far before or behind the actors is soft.
fn defocus(picture: &mut Picture, scratch: &mut Scratch) {
    let Picture { width, height, .. } = *picture;
    let shown = picture
        .owners
        .iter()
        .zip(&picture.depth)
        .filter(|(owner, _)| **owner > 0);
    let (sum, count) = shown.fold((0.0, 0), |(sum, count), (_, z)| (sum + z, count + 1));
    if count == 0 {
        return;
    }
    let focus = sum / count as f32;
    blur(
        &picture.colour,
        &mut scratch.first,
        &mut scratch.second,
        width,
        height,
    );
    std::mem::swap(&mut scratch.second, &mut scratch.soft);
    blur(
        &scratch.soft,
        &mut scratch.first,
        &mut scratch.second,
        width,
        height,
    );
    for (i, c) in picture.colour.iter_mut().enumerate() {
        // The circle of confusion grows with the difference of the inverse depths.
        let off = (1.0 - focus / picture.depth[i]).abs();
        *c = c.lerp(
            scratch.second[i],
            ramp(0.15, 0.7, off) * f32::from(u8::from(picture.owners[i] == 0)),
        );
    }
}

/// Blur by 1 2 1 along rows into `rows`, then along columns into `out`.
fn blur(from: &[Vec3], rows: &mut Vec<Vec3>, out: &mut Vec<Vec3>, width: usize, height: usize) {
    rows.clear();
    for line in from.chunks_exact(width) {
        rows.extend((0..width).map(|x| {
            (line[x.saturating_sub(1)] + 2.0 * line[x] + line[(x + 1).min(width - 1)]) * 0.25
        }));
    }
    out.clear();
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
        out.extend(
            (0..width)
                .map(|x| (rows[above + x] + 2.0 * rows[y * width + x] + rows[below + x]) * 0.25),
        );
    }
}

/// Light that the film's base scatters back: a red fringe about what is very bright.
fn halation(picture: &mut Picture, scratch: &mut Scratch) {
    let (width, height) = (picture.width, picture.height);
    let mut any = false;
    scratch.lines.clear();
    scratch.lines.extend(picture.colour.iter().map(|c| {
        let over = (luma(*c) - 0.8).max(0.0);
        any |= over > 0.0;
        over
    }));
    if !any {
        return;
    }
    // Two box blurs of five pixels, in place: along rows, then along columns.
    for y in 0..height {
        box_blur(&mut scratch.lines, y * width, 1, width);
    }
    for x in 0..width {
        box_blur(&mut scratch.lines, x, width, height);
    }
    for (c, &over) in picture.colour.iter_mut().zip(&scratch.lines) {
        *c += Vec3::new(0.55, 0.16, 0.05) * over;
    }
}

/// Running mean over five neighbours, edges repeated.
fn box_blur(values: &mut [f32], start: usize, step: usize, count: usize) {
    let at = |values: &[f32], i: usize| values[start + i.min(count - 1) * step];
    let first = at(values, 0);
    let mut window = [first, first, first, at(values, 1), at(values, 2)];
    for i in 0..count {
        let sum: f32 = window.iter().sum();
        let next = at(values, i + 3);
        values[start + i * step] = sum * 0.2;
        window = [window[1], window[2], window[3], window[4], next];
    }
}

/// How strongly an outline runs through each pixel: where the owner changes, the depth jumps or the surface folds.
fn edges(picture: &Picture, lines: &mut Vec<f32>) {
    let (width, height) = (picture.width, picture.height);
    lines.clear();
    lines.resize(width * height, 0.0);
    let between = |i: usize, k: usize| {
        let (near, far) = (
            picture.depth[i].min(picture.depth[k]),
            picture.depth[i].max(picture.depth[k]),
        );
        let jump = if near.is_finite() {
            ((far - near) / near).min(1.0)
        } else {
            0.0
        };
        let (a, b) = (picture.normals[i], picture.normals[k]);
        let fold = 1.0 - a.dot(b) / (a.length_squared() * b.length_squared()).max(1e-20).sqrt();
        let other = if picture.owners[i] == picture.owners[k] {
            0.0
        } else {
            1.0
        };
        // Far things keep thin lines, or a distant wood would be all ink.
        let fade = 1.0 / (1.0 + near / 30.0);
        f32::max(other, ramp(0.08, 0.3, jump) * fade).max(0.6 * ramp(0.5, 1.0, fold) * fade)
    };
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            if x + 1 < width {
                mark(picture, lines, i, i + 1, between(i, i + 1));
            }
            if y + 1 < height {
                mark(picture, lines, i, i + width, between(i, i + width));
            }
        }
    }
}

/// Marks the nearer of two pixels.
fn mark(picture: &Picture, lines: &mut [f32], i: usize, k: usize, strength: f32) {
    let nearer = if picture.depth[i] <= picture.depth[k] {
        i
    } else {
        k
    };
    lines[nearer] = lines[nearer].max(strength);
}

fn outline(picture: &mut Picture, scratch: &mut Scratch) {
    edges(picture, &mut scratch.lines);
    for (c, &line) in picture.colour.iter_mut().zip(&scratch.lines) {
        *c *= 1.0 - 0.82 * line;
    }
}

/// Washes of even tone with darker rims, on grained paper.
fn watercolor(picture: &mut Picture, seed: u32, scratch: &mut Scratch) {
    let (width, height) = (picture.width, picture.height);
    kuwahara(&picture.colour, scratch, width, height);
    edges(picture, &mut scratch.lines);
    let wash = &scratch.first;
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            let p = Vec2::new(x as f32, y as f32);
            // Pigment flows to the rim of a wash.
            let left = wash[y * width + x.saturating_sub(1)];
            let above = wash[y.saturating_sub(1) * width + x];
            let rim = ((wash[i] - left).length() + (wash[i] - above).length()).min(0.5);
            let line = 0.38 * scratch.lines[i];
            let tone = luma(wash[i]);
            // Six steps of tone, softly parted.
            let step = tone * 6.0;
            let stepped = (step.floor() + ramp(0.3, 0.7, step.fract())) / 6.0;
            let grey = Vec3::splat(tone);
            let even = (grey + (wash[i] - grey) * 1.25).max(Vec3::ZERO)
                * ((stepped + 0.06) / (tone + 0.06));
            let flow = noise(p * 0.045, seed ^ 61) - 0.5;
            let paper = noise(p * 0.55, seed ^ 62) - 0.5;
            let pigment = (1.0 - 0.5 * rim - line) * (1.0 + 0.16 * flow + 0.06 * paper);
            let white = Vec3::new(0.985, 0.97, 0.94);
            // Thin paint lets the paper through.
            picture.colour[i] = (even * pigment).lerp(white, 0.16 + 0.05 * flow + 0.03 * paper);
        }
    }
}

/// Kuwahara's filter on 3 x 3 quadrants: each pixel takes the mean of the most even one (Kuwahara et al. 1976).
fn kuwahara(from: &[Vec3], scratch: &mut Scratch, width: usize, height: usize) {
    let Scratch {
        first: out,
        second: means,
        lines: spreads,
        ..
    } = scratch;
    // Mean and spread of the 3 x 3 block about each pixel, by sums along rows first.
    let mut rows = vec![(Vec3::ZERO, 0.0); width * height];
    for (sums, line) in rows.chunks_exact_mut(width).zip(from.chunks_exact(width)) {
        for (x, sum) in sums.iter_mut().enumerate() {
            let three = [
                line[x.saturating_sub(1)],
                line[x],
                line[(x + 1).min(width - 1)],
            ];
            *sum = (
                three[0] + three[1] + three[2],
                three.iter().map(|c| c.length_squared()).sum(),
            );
        }
    }
    means.clear();
    spreads.clear();
    for y in 0..height {
        let line = |y: usize| &rows[y * width..][..width];
        let (above, below) = (line(y.saturating_sub(1)), line((y + 1).min(height - 1)));
        for ((a, b), c) in above.iter().zip(line(y)).zip(below) {
            let mean = (a.0 + b.0 + c.0) / 9.0;
            means.push(mean);
            spreads.push((a.1 + b.1 + c.1) / 9.0 - mean.length_squared());
        }
    }
    out.clear();
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let mut best = above + left;
            for quadrant in [above + right, below + left, below + right] {
                best = if spreads[quadrant] < spreads[best] {
                    quadrant
                } else {
                    best
                };
            }
            out.push(means[best]);
        }
    }
}
