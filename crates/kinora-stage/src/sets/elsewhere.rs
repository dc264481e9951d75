//! The settings that are neither land under the sky nor a room: neon street, space, under water.

use super::props::{Props, glow, lighter, matt, polished};
use crate::part::Shape;
use crate::set::Cover;
use crate::vocabulary::Light;
use glam::{Quat, Vec3, vec3};

/// The tubes of neon signs, in linear light.
const TUBES: [Vec3; 5] = [
    vec3(1.3, 0.06, 0.62),
    vec3(0.05, 0.95, 1.25),
    vec3(1.2, 0.75, 0.05),
    vec3(0.15, 1.1, 0.25),
    vec3(0.6, 0.15, 1.3),
];

/// A street between tall houses that runs off into the distance, with lit windows and neon signs.
pub(super) fn neon_street(props: &mut Props, light: Light) -> (Cover, Vec3) {
    let lit = match light {
        Light::Day => 0.5,
        Light::GoldenHour => 0.8,
        _ => 1.0,
    };
    // Two rows of houses that frame the street, then the skyline that closes it.
    for side in [-1.0, 1.0] {
        for row in 0..4 {
            let (near, width) = (-3.2 - 7.0 * row as f32, 2.6);
            let x = side * (2.6 + width + 0.25 * row as f32);
            house(
                props,
                vec3(x, 0.0, near - 3.2),
                vec3(width, 0.0, 3.1),
                side,
                lit,
            );
        }
        // The corner houses along the cross street.
        house(
            props,
            vec3(side * 11.5, 0.0, -6.6),
            vec3(3.0, 0.0, 3.0),
            side,
            lit,
        );
        house(
            props,
            vec3(side * 18.2, 0.0, -6.6),
            vec3(3.2, 0.0, 3.0),
            side,
            lit,
        );
    }
    for spot in props.strew(7, 12.0, -38.0, -46.0) {
        let half = vec3(props.range(1.6, 2.6), props.range(5.0, 11.0), 2.0);
        props.block(spot, half, matt(0.05, 0.05, 0.075));
        let tube = props.pick(&TUBES);
        props.board(
            spot + vec3(0.0, half.y * 1.5, 2.05),
            0.5,
            half.y * 0.3,
            glow(tube * lit * 0.8),
        );
    }
    for side in [-1.0, 1.0] {
        props.sheet(
            vec3(side * 2.1, 0.03, -18.0),
            0.5,
            15.4,
            matt(0.16, 0.16, 0.17),
        );
        for z in [-3.0, -9.5] {
            props.lamp(vec3(side * 1.75, 0.0, z), 3.2, vec3(1.2, 0.9, 0.55) * lit);
        }
    }
    for i in 0..6 {
        props.sheet(
            vec3(0.0, 0.03, -4.5 - 4.0 * i as f32),
            0.07,
            0.9,
            matt(0.7, 0.66, 0.5),
        );
    }
    for i in -3..=3 {
        props.sheet(
            vec3(i as f32 * 0.62, 0.03, -2.75),
            0.2,
            0.42,
            matt(0.72, 0.72, 0.72),
        );
    }
    (Cover::Asphalt, vec3(0.06, 0.06, 0.07))
}

/// One house on `side` of the street with windows on the street front, a shop, and a hanging sign.
fn house(props: &mut Props, foot: Vec3, half: Vec3, side: f32, lit: f32) {
    let half = half.with_y(props.range(2.8, 5.2));
    let wall = props.pick(&[
        matt(0.13, 0.12, 0.15),
        matt(0.16, 0.11, 0.10),
        matt(0.09, 0.12, 0.15),
    ]);
    props.block(foot, half, wall);
    let front = foot.z + half.z + 0.03;
    let window = vec3(1.0, 0.72, 0.36) * 0.75 * lit;
    for floor in 0..3 {
        let y = 2.5 + 1.5 * floor as f32;
        if y + 0.5 > half.y * 2.0 {
            break;
        }
        let from = props.range(-0.7, 0.1) * half.x;
        props.board(vec3(foot.x + from + 0.5, y, front), 0.8, 0.3, glow(window));
    }
    let (tube, other) = (props.pick(&TUBES), props.pick(&TUBES));
    // A shop window at street level, a board above it, and a tall sign that juts out over the pavement.
    props.board(
        vec3(foot.x, 0.85, front),
        half.x * 0.75,
        0.55,
        glow(window * 0.9),
    );
    props.put(
        Shape::Cube,
        vec3(foot.x, 1.75, front + 0.1),
        vec3(half.x * 0.8, 0.17, 0.06),
        Quat::IDENTITY,
        glow(other * lit),
    );
    let street = foot.x - side * (half.x + 0.32);
    let sign = vec3(street, props.range(2.5, 3.3), front - props.range(0.5, 2.5));
    let tall = props.range(0.7, 1.1);
    props.put(
        Shape::Cube,
        sign,
        vec3(0.28, tall, 0.06),
        Quat::IDENTITY,
        glow(tube * lit),
    );
    // A lit strip along the side that faces the street.
    let strip = vec3(foot.x - side * (half.x + 0.04), 2.1, foot.z);
    props.put(
        Shape::Cube,
        strip,
        vec3(0.04, 0.07, half.z * 0.9),
        Quat::IDENTITY,
        glow(other * lit),
    );
}

/// A ringed planet, a moon, and rocks adrift on all sides.
pub(super) fn space(props: &mut Props) {
    let side = props.side();
    let planet = vec3(side * props.range(11.0, 14.0), props.range(3.5, 6.0), -30.0);
    let paint = props.pick(&[
        matt(0.62, 0.36, 0.16),
        matt(0.16, 0.34, 0.62),
        matt(0.5, 0.2, 0.3),
    ]);
    props.ball(planet, Vec3::splat(7.0), paint);
    for (height, share) in [(0.42, 1.35), (-0.25, 0.75)] {
        let half = vec3(
            (1.0f32 - height * height).sqrt() * 7.12,
            0.7,
            (1.0f32 - height * height).sqrt() * 7.12,
        );
        props.ball(planet + Vec3::Y * 7.0 * height, half, lighter(paint, share));
    }
    let ring = Quat::from_rotation_z(-side * 0.35) * Quat::from_rotation_x(0.22);
    for (radius, share) in [(12.5, 0.9), (11.3, 0.55)] {
        props.put(
            Shape::Cylinder,
            planet,
            vec3(radius, 0.03 + 0.03 * share, radius),
            ring,
            matt(0.6 * share, 0.52 * share, 0.4 * share),
        );
    }
    let moon = vec3(-side * props.range(9.0, 12.0), props.range(4.0, 7.0), -26.0);
    props.ball(moon, Vec3::splat(2.3), matt(0.45, 0.45, 0.47));
    for i in 0..5 {
        let turn = Quat::from_rotation_y(-0.7 + 0.35 * i as f32)
            * Quat::from_rotation_x(props.range(-0.7, 0.7));
        let size = props.range(0.25, 0.6);
        props.ball(
            moon + turn * Vec3::Z * 2.15,
            Vec3::splat(size),
            matt(0.30, 0.30, 0.32),
        );
    }
    for (count, wide, near, far, big) in
        [(22, 12.0, -4.0, -11.0, 0.5), (24, 45.0, -16.0, -45.0, 1.5)]
    {
        for spot in props.strew(count, wide, near, far) {
            let height = props.range(-0.42, 0.5) * (2.5 - spot.z);
            let size = big * props.range(0.3, 1.0);
            let half = vec3(
                props.range(0.7, 1.3),
                props.range(0.6, 1.0),
                props.range(0.7, 1.2),
            ) * size;
            let turn = Quat::from_rotation_y(props.range(0.0, 3.0))
                * Quat::from_rotation_x(props.range(0.0, 3.0));
            let stone = props.varied(matt(0.27, 0.24, 0.22));
            let shape = props.pick(&[Shape::Sphere, Shape::Sphere, Shape::Sphere, Shape::Cube]);
            props.put(shape, spot + Vec3::Y * height, half, turn, stone);
        }
    }
}

/// The seabed: weed, coral, rocks, columns of bubbles.
pub(super) fn underwater(props: &mut Props) -> (Cover, Vec3) {
    for spot in props.strew(18, 10.0, -2.9, -9.0) {
        let weed = props.varied(matt(0.05, 0.30, 0.10));
        for _ in 0..2 {
            let tip = vec3(
                props.range(-0.4, 0.4),
                props.range(1.0, 2.6),
                props.range(-0.2, 0.2),
            );
            let foot = spot + Vec3::X * props.range(-0.2, 0.2);
            props.spike(foot, foot + tip, 0.11, weed);
        }
    }
    let corals = [
        matt(0.85, 0.22, 0.25),
        matt(0.9, 0.45, 0.1),
        matt(0.7, 0.2, 0.6),
        matt(0.9, 0.75, 0.25),
    ];
    for spot in props.strew_aside(9, 1.0, 7.0, -2.8, -6.5) {
        let paint = props.pick(&corals);
        let size = props.range(0.5, 1.0);
        for _ in 0..4 {
            let tip = spot
                + vec3(
                    props.range(-0.5, 0.5),
                    props.range(0.5, 1.1),
                    props.range(-0.2, 0.2),
                ) * size;
            props.rod(spot, tip, 0.075 * size, paint);
            props.ball(tip, Vec3::splat(0.14 * size), lighter(paint, 1.2));
        }
    }
    for spot in props.strew_aside(9, 3.0, 18.0, -8.0, -16.0) {
        let half = vec3(
            props.range(1.0, 2.6),
            props.range(0.7, 2.2),
            props.range(0.8, 1.5),
        );
        let stone = props.varied(matt(0.16, 0.19, 0.20));
        props.ball(spot, half, stone);
    }
    for spot in props.strew_aside(4, 1.2, 5.0, -3.0, -7.0) {
        for i in 0..5 {
            let height = 0.5 + 0.75 * i as f32 + props.range(-0.2, 0.2);
            let size = 0.05 + 0.012 * i as f32;
            let drift = props.range(-0.12, 0.12);
            props.ball(
                spot + vec3(drift, height, 0.0),
                Vec3::splat(size),
                polished(0.75, 0.92, 0.98),
            );
        }
    }
    (Cover::Seabed, vec3(0.52, 0.46, 0.30))
}
