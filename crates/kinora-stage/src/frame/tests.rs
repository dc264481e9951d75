//! Pictures of small scenes: shadows, mirrors, glass, edges.

use super::*;
use crate::part::Shape;
use crate::set::{DirectionalLight, Fall, Fog, Ground, Hemisphere, Sky};
use crate::truth::{self, Bounds};
use glam::{Affine3A, Quat, vec3};

const SIZE: usize = 64;

fn set(ground: Option<Ground>) -> Set {
    Set {
        parts: Vec::new(),
        ground,
        sky: Sky {
            zenith: Vec3::ZERO,
            horizon: Vec3::ZERO,
            nadir: Vec3::ZERO,
            disc: None,
            stars: 0.0,
            clouds: 0.0,
            cloud_colour: Vec3::ZERO,
        },
        key: DirectionalLight {
            direction: Vec3::Y,
            colour: Vec3::splat(0.8),
            shadow: 1.0,
        },
        ambient: Hemisphere {
            above: Vec3::splat(0.2),
            below: Vec3::splat(0.2),
        },
        lights: Vec::new(),
        fog: Fog {
            colour: Vec3::ZERO,
            density: 0.0,
        },
        fall: Fall::None,
        scale: 1.0,
    }
}

fn plain_ground(wet: f32) -> Option<Ground> {
    Some(Ground {
        cover: Cover::Plain,
        albedo: Vec3::splat(0.5),
        wet,
        level: 0.0,
    })
}

fn part(shape: Shape, half: f32, at: Vec3, albedo: Vec3) -> Part {
    let transform =
        Affine3A::from_scale_rotation_translation(Vec3::splat(half), Quat::IDENTITY, at);
    Part {
        shape,
        transform,
        material: Material {
            albedo,
            emission: Vec3::ZERO,
            gloss: 0.0,
            opacity: 1.0,
        },
    }
}

/// A right angle of view from `eye` to `target`.
fn camera(eye: Vec3, target: Vec3) -> Camera {
    Camera {
        eye,
        target,
        roll: 0.0,
        fov_y: std::f32::consts::FRAC_PI_2,
        near: 0.05,
    }
}

fn draw(set: &Set, camera: Camera, actors: Vec<Vec<Part>>) -> Canvas {
    let mut canvas = Canvas::new(SIZE, SIZE);
    let shadow = ShadowMap::empty();
    let take = Take {
        set,
        fixed: &[],
        fixed_shadow: &shadow,
        finish: Finish::Natural,
        seed: 1,
    };
    take.draw(
        &Moment {
            t: 0.0,
            camera,
            actors,
        },
        &mut canvas,
    );
    canvas
}

const RED: Vec3 = Vec3::new(0.8, 0.0, 0.0);

#[test]
fn a_cube_falls_on_the_pixels_and_at_the_depth_that_geometry_says() {
    // Its front face, 5 m off and 2.5 m wide, takes a quarter of a right angle's 10 m: 16 of 64 pixels.
    let cube = part(Shape::Cube, 1.25, Vec3::ZERO, RED);
    let canvas = draw(
        &set(None),
        camera(vec3(0.0, 0.0, 6.25), Vec3::ZERO),
        vec![vec![cube]],
    );
    let picture = &canvas.picture;
    let truth = truth::actors(SIZE, &picture.owners, &picture.depth, 1)[0];
    assert_eq!(
        truth.bounds,
        Some(Bounds {
            left: 24,
            top: 24,
            right: 40,
            bottom: 40
        })
    );
    assert_eq!(truth.pixels, 256);
    assert!((truth.depth.unwrap() - 5.0).abs() < 1e-4);
    assert_eq!(picture.depth[0], f32::INFINITY);
}

#[test]
fn an_actor_behind_another_is_not_seen() {
    let wall = part(Shape::Cube, 1.0, vec3(0.0, 0.0, 2.0), RED);
    let ball = part(Shape::Sphere, 0.5, Vec3::ZERO, RED);
    let view = camera(vec3(0.0, 0.0, 6.0), Vec3::ZERO);
    let canvas = draw(&set(None), view, vec![vec![ball], vec![wall]]);
    let found = truth::actors(SIZE, &canvas.picture.owners, &canvas.picture.depth, 2);
    assert_eq!(
        (found[0].pixels, found[0].bounds, found[0].depth),
        (0, None, None)
    );
    assert!(found[1].pixels > 100);
}

#[test]
fn a_shadow_lies_under_a_thing_in_the_light() {
    let cube = part(Shape::Cube, 0.5, vec3(0.0, 1.5, 0.0), RED);
    let view = camera(vec3(0.0, 3.0, 3.0), Vec3::ZERO);
    let light = |actors| {
        draw(&set(plain_ground(0.0)), view, actors).picture.colour[SIZE * SIZE / 2 + SIZE / 2].x
    };
    let (bare, shaded) = (light(vec![]), light(vec![vec![cube]]));
    // The key light gives 0.8 of 1.0; the ambient light stays, less what the cube itself keeps off.
    assert!((bare - 0.5).abs() < 0.02, "{bare}");
    assert!(shaded > 0.0 && shaded < 0.12, "{shaded}");
}

#[test]
fn wet_ground_mirrors_what_stands_on_it() {
    let cube = part(Shape::Cube, 1.0, vec3(0.0, 1.0, -3.0), RED);
    let view = camera(vec3(0.0, 1.0, 3.0), vec3(0.0, 1.0, 0.0));
    // Below the cube's foot, on the ground before it.
    let spot = (SIZE / 2 + 12) * SIZE + SIZE / 2;
    let redness = |wet| {
        let c = draw(&set(plain_ground(wet)), view, vec![vec![cube]])
            .picture
            .colour[spot];
        c.x / c.y
    };
    assert!((redness(0.0) - 1.0).abs() < 0.01);
    assert!(redness(1.0) > 1.04, "{}", redness(1.0));
}

#[test]
fn glass_shows_itself_and_what_is_behind() {
    let wall = part(Shape::Cube, 1.0, vec3(0.0, 0.0, -2.0), RED);
    let mut ghost = part(Shape::Sphere, 0.7, Vec3::ZERO, vec3(0.0, 0.0, 0.8));
    ghost.material.opacity = 0.5;
    let view = camera(vec3(0.0, 0.0, 3.0), Vec3::ZERO);
    let canvas = draw(&set(None), view, vec![vec![ghost], vec![wall]]);
    let middle = SIZE * SIZE / 2 + SIZE / 2;
    let colour = canvas.picture.colour[middle];
    assert!(colour.x > 0.05 && colour.z > 0.05, "{colour}");
    assert_eq!(canvas.picture.owners[middle], 1);
}

#[test]
fn edges_are_smooth() {
    // A slanted edge gives grey levels between black and white.
    let mut cube = part(Shape::Cube, 1.0, Vec3::ZERO, Vec3::ONE);
    cube.transform *= Affine3A::from_rotation_z(0.2);
    let canvas = draw(
        &set(None),
        camera(vec3(0.0, 0.0, 4.0), Vec3::ZERO),
        vec![vec![cube]],
    );
    let mut levels: Vec<i32> = canvas
        .picture
        .colour
        .iter()
        .map(|c| (c.x * 1000.0) as i32)
        .collect();
    levels.sort_unstable();
    levels.dedup();
    assert!(levels.len() >= 4, "{levels:?}");
}
