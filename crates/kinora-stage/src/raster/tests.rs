//! Solids against small-step marching, and what they cover.

use super::*;
use crate::part::Material;
use crate::set::Camera;
use glam::Quat;
use rand::{Rng, SeedableRng};

fn is_inside(shape: Shape, p: Vec3) -> bool {
    let round = p.x * p.x + p.z * p.z;
    match shape {
        Shape::Sphere => p.length_squared() <= 1.0,
        Shape::Cube => p.abs().max_element() <= 1.0,
        Shape::Cylinder => round <= 1.0 && p.y.abs() <= 1.0,
        Shape::Cone => p.y.abs() <= 1.0 && round.sqrt() <= (1.0 - p.y) * 0.5,
        Shape::Quad | Shape::Triangle => false,
    }
}

/// Every sample's depth against the first point inside found by small steps along its ray.
#[test]
fn solids_are_hit_where_small_steps_find_them() {
    const STEP: f32 = 0.01;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let camera = Camera {
        eye: Vec3::ZERO,
        target: Vec3::NEG_Z,
        roll: 0.3,
        fov_y: 1.0,
        near: 0.05,
    };
    let lens = Lens::of_camera(&camera, 24, 16);
    let parallel = Lens::of_light(
        Vec3::new(0.3, 0.9, 0.1).normalize(),
        Vec3::new(0.0, 0.0, -5.0),
        3.0,
        16,
    );
    for shape in [Shape::Sphere, Shape::Cube, Shape::Cylinder, Shape::Cone] {
        for round in 0..12 {
            let lens = if round % 3 == 0 { &parallel } else { &lens };
            let mut random = |low: f32, high: f32| rng.random_range(low..high);
            let transform = Affine3A::from_scale_rotation_translation(
                Vec3::new(random(0.3, 1.5), random(0.3, 1.5), random(0.3, 1.5)),
                Quat::from_euler(
                    glam::EulerRot::XYZ,
                    random(0.0, 6.0),
                    random(0.0, 6.0),
                    random(0.0, 6.0),
                ),
                Vec3::new(random(-1.5, 1.5), random(-1.0, 1.0), random(-7.0, -4.0)),
            );
            let material = Material {
                albedo: Vec3::ONE,
                emission: Vec3::ZERO,
                gloss: 0.0,
                opacity: 1.0,
            };
            let placed = Placed::new(
                Part {
                    shape,
                    transform,
                    material,
                },
                0,
            )
            .unwrap();
            let (width, height) = (lens.centre.x as usize * 2, lens.centre.y as usize * 2);
            let mut layer = Layer::new(width, height, FINE);
            layer.draw(lens, &placed, Id::part(0));
            let middle = lens.view(placed.part.transform.translation.into()).z;
            for (i, &depth) in layer.depth.iter().enumerate() {
                let at = layer.row_start(i / width) + Vec2::new((i % width) as f32, 0.0);
                let (from, dir) = (
                    lens.origins().at(at.x, at.y),
                    lens.directions().at(at.x, at.y),
                );
                let found = (0..600)
                    .map(|k| middle - 3.0 + k as f32 * STEP)
                    .find(|&t| is_inside(shape, placed.inverse.transform_point3(from + dir * t)));
                match found {
                    Some(t) => assert!(
                        depth <= t + 1e-3 && depth > t - STEP - 1e-3,
                        "{shape:?} {depth} {t}"
                    ),
                    // Steps may jump over a corner that the exact test meets.
                    None if depth.is_finite() => {
                        let p = placed.inverse.transform_point3(from + dir * (depth + 1e-4));
                        assert!(is_inside(shape, p * 0.999), "{shape:?} {p}");
                    }
                    None => {}
                }
            }
        }
    }
}

#[test]
fn flat_shapes_have_their_area_and_need_no_thickness() {
    let camera = Camera {
        eye: Vec3::Y * 2.0,
        target: Vec3::ZERO,
        roll: 0.0,
        fov_y: 2.0 * 1f32.atan(),
        near: 0.05,
    };
    let lens = Lens::of_camera(&camera, 64, 64);
    let material = Material {
        albedo: Vec3::ONE,
        emission: Vec3::ZERO,
        gloss: 0.0,
        opacity: 1.0,
    };
    let upright = Affine3A::from_rotation_x(std::f32::consts::FRAC_PI_2);
    for (shape, transform, area) in [
        (
            Shape::Quad,
            Affine3A::from_scale(Vec3::new(1.0, 0.0, 0.5)),
            0.125,
        ),
        (Shape::Triangle, upright, 0.125),
    ] {
        let placed = Placed::new(
            Part {
                shape,
                transform,
                material,
            },
            0,
        )
        .unwrap();
        let mut layer = Layer::new(64, 64, FINE);
        layer.draw(&lens, &placed, Id::part(0));
        let seen = layer.depth.iter().filter(|z| z.is_finite()).count() as f32;
        let share = seen / layer.depth.len() as f32;
        assert!((share - area).abs() < 0.005, "{shape:?} {share}");
    }
}

#[test]
fn what_is_behind_the_camera_is_not_drawn_and_what_passes_it_is_cut() {
    let camera = Camera {
        eye: Vec3::ZERO,
        target: Vec3::NEG_Z,
        roll: 0.0,
        fov_y: 1.0,
        near: 0.5,
    };
    let lens = Lens::of_camera(&camera, 32, 32);
    let material = Material {
        albedo: Vec3::ONE,
        emission: Vec3::ZERO,
        gloss: 0.0,
        opacity: 1.0,
    };
    let seen = |scale: Vec3, at: Vec3| {
        let transform = Affine3A::from_scale_rotation_translation(scale, Quat::IDENTITY, at);
        let mut layer = Layer::new(32, 32, COARSE);
        let placed = Placed::new(
            Part {
                shape: Shape::Cube,
                transform,
                material,
            },
            0,
        )
        .unwrap();
        layer.draw(&lens, &placed, Id::part(0));
        layer.depth.iter().filter(|z| z.is_finite()).count()
    };
    assert_eq!(seen(Vec3::ONE, Vec3::Z * 3.0), 0);
    // A floor that runs from behind the camera to far ahead fills all rows below the horizon but the last few.
    let floor = seen(Vec3::new(50.0, 0.1, 50.0), Vec3::Y * -1.1);
    assert!((400..=512).contains(&floor), "{floor}");
}
