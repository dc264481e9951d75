//! Settings under the open sky: forest, mountain road, desert, sea, snowfield, beach, meadow.
//!
//! All in set units: an actor is about 1.7 high, stands near the origin and is filmed from +z. Nothing solid stands
//! nearer than z = -2.5, where actors cross and cameras travel.

use super::props::{Props, lighter, matt, polished};
use crate::part::Shape;
use crate::set::Cover;
use glam::{Quat, Vec3, vec3};

/// Firs and leafy trees, thicker towards a dark wall of wood.
pub(super) fn forest(props: &mut Props) -> (Cover, Vec3) {
    let needles = matt(0.03, 0.15, 0.04);
    let leaves = matt(0.07, 0.24, 0.03);
    for spot in props.strew_aside(7, 1.7, 9.0, -3.2, -6.5) {
        let height = props.range(4.0, 6.5);
        props.leafy(spot, height, leaves);
    }
    for spot in props.strew(13, 18.0, -8.0, -16.0) {
        let height = props.range(5.0, 9.0);
        props.fir(spot, height, 3, needles);
    }
    for spot in props.strew(12, 40.0, -20.0, -26.0) {
        let height = props.range(9.0, 13.0);
        props.put(
            Shape::Cone,
            spot + Vec3::Y * height / 2.0,
            vec3(3.6, height / 2.0, 2.5),
            Quat::IDENTITY,
            lighter(needles, 0.6),
        );
    }
    for spot in props.strew(10, 7.5, -2.8, -5.5) {
        let size = props.range(0.22, 0.5);
        let bush = props.varied(matt(0.06, 0.2, 0.03));
        props.ball(
            spot + Vec3::Y * size * 0.5,
            vec3(1.3, 0.8, 1.0) * size,
            bush,
        );
    }
    for spot in props.strew_aside(3, 1.5, 6.0, -3.0, -4.5) {
        let size = props.range(0.25, 0.45);
        props.rock(spot, size, matt(0.16, 0.17, 0.14));
    }
    // Fallen leaves and tufts of fern, which tell the forest floor from above.
    let leaf = [
        matt(0.45, 0.22, 0.04),
        matt(0.36, 0.10, 0.03),
        matt(0.30, 0.24, 0.05),
    ];
    for spot in props.strew(26, 4.5, 0.9, -4.5) {
        let (paint, size) = (props.pick(&leaf), props.range(0.06, 0.11));
        props.ball(spot, vec3(size, 0.02, size * 0.6), paint);
    }
    for spot in props.strew_aside(6, 0.9, 4.0, -1.0, -2.4) {
        let tip = vec3(props.range(-0.2, 0.2), 0.32, 0.0);
        props.spike(spot, spot + tip, 0.09, matt(0.05, 0.26, 0.04));
    }
    (Cover::Grass, vec3(0.09, 0.18, 0.04))
}

/// A two-lane road with a guard rail before snow-capped peaks.
pub(super) fn mountain_road(props: &mut Props) -> (Cover, Vec3) {
    props.sheet(vec3(0.0, 0.012, 0.0), 60.0, 2.3, matt(0.055, 0.055, 0.06));
    for side in [-1.0, 1.0] {
        props.sheet(
            vec3(0.0, 0.022, side * 2.1),
            60.0,
            0.05,
            matt(0.75, 0.75, 0.7),
        );
    }
    for i in -8..=8 {
        props.sheet(
            vec3(i as f32 * 2.4, 0.022, 0.0),
            0.6,
            0.06,
            matt(0.8, 0.62, 0.1),
        );
    }
    props.block(
        vec3(0.0, 0.42, -2.9),
        vec3(40.0, 0.11, 0.03),
        polished(0.5, 0.52, 0.55),
    );
    for i in -7..=7 {
        props.block(
            vec3(i as f32 * 1.8, 0.0, -2.95),
            vec3(0.05, 0.3, 0.05),
            matt(0.3, 0.3, 0.32),
        );
    }
    let stone = matt(0.20, 0.20, 0.26);
    let snow = matt(0.82, 0.85, 0.9);
    for spot in props.strew(7, 75.0, -48.0, -70.0) {
        let height = props.range(13.0, 20.0);
        props.mountain(spot, height, height * 0.85, stone, Some(snow));
    }
    for spot in props.strew(6, 38.0, -22.0, -30.0) {
        let height = props.range(2.5, 4.5);
        props.mountain(spot, height, height * 2.2, matt(0.07, 0.15, 0.05), None);
    }
    for spot in props.strew_aside(9, 2.5, 16.0, -5.0, -13.0) {
        let height = props.range(2.2, 4.5);
        props.fir(spot, height, 2, matt(0.025, 0.10, 0.04));
    }
    for spot in props.strew(7, 9.0, -3.4, -5.0) {
        let size = props.range(0.15, 0.5);
        props.rock(spot, size, stone);
    }
    (Cover::Rock, vec3(0.20, 0.19, 0.10))
}

/// Dunes, cacti, and mesas on the horizon.
pub(super) fn desert(props: &mut Props) -> (Cover, Vec3) {
    let sand = vec3(0.62, 0.40, 0.17);
    let dune = matt(0.60, 0.37, 0.15);
    for spot in props.strew(9, 45.0, -14.0, -34.0) {
        let half = vec3(
            props.range(8.0, 15.0),
            props.range(1.4, 3.4),
            props.range(4.0, 7.0),
        );
        let dune = props.varied(dune);
        props.ball(spot, half, dune);
    }
    let mesa = matt(0.36, 0.13, 0.06);
    for spot in props.strew_aside(5, 5.0, 55.0, -50.0, -60.0) {
        let (width, height) = (props.range(4.0, 8.0), props.range(6.0, 12.0));
        props.block(spot, vec3(width, height * 0.36, width), mesa);
        props.block(
            spot,
            vec3(width * 0.7, height * 0.5, width * 0.8),
            lighter(mesa, 1.2),
        );
    }
    for spot in props.strew_aside(8, 1.6, 12.0, -3.4, -12.0) {
        let height = props.range(1.4, 3.0);
        cactus(props, spot, height);
    }
    for spot in props.strew(10, 9.0, -2.8, -7.0) {
        let size = props.range(0.1, 0.35);
        props.rock(spot, size, matt(0.34, 0.19, 0.10));
    }
    (Cover::Sand, sand)
}

fn cactus(props: &mut Props, foot: Vec3, height: f32) {
    let green = props.varied(matt(0.07, 0.22, 0.07));
    let radius = height * 0.075;
    props.rod(foot, foot + Vec3::Y * height, radius, green);
    props.ball(foot + Vec3::Y * height, Vec3::splat(radius), green);
    for side in [-1.0, 1.0] {
        let root = foot + Vec3::Y * height * props.range(0.35, 0.55);
        let elbow = root + vec3(side * height * 0.2, 0.0, 0.0);
        props.rod(root, elbow, radius * 0.7, green);
        let reach = height * props.range(0.2, 0.35);
        props.rod(
            elbow - Vec3::Y * radius * 0.5,
            elbow + Vec3::Y * reach,
            radius * 0.7,
            green,
        );
    }
}

/// Open water with swell, an island and a lighthouse.
pub(super) fn sea(props: &mut Props) -> (Cover, Vec3) {
    for spot in props.strew(22, 22.0, -3.0, -26.0) {
        let half = vec3(
            props.range(0.9, 2.4),
            props.range(0.10, 0.2),
            props.range(0.2, 0.4),
        );
        props.ball(spot, half, polished(0.07, 0.22, 0.32));
        props.ball(
            spot + vec3(0.1, half.y * 0.75, 0.1),
            half * vec3(0.6, 0.4, 0.5),
            matt(0.7, 0.8, 0.85),
        );
    }
    let side = props.side();
    let island = vec3(side * props.range(9.0, 15.0), 0.0, -38.0);
    props.ball(island, vec3(9.0, 2.2, 4.0), matt(0.14, 0.2, 0.08));
    props.ball(
        island + vec3(side * 5.0, 0.0, 1.0),
        vec3(6.0, 1.4, 4.0),
        matt(0.3, 0.26, 0.18),
    );
    for (band, paint) in [
        matt(0.85, 0.85, 0.85),
        matt(0.7, 0.06, 0.05),
        matt(0.85, 0.85, 0.85),
    ]
    .into_iter()
    .enumerate()
    {
        let foot = island + Vec3::Y * (1.9 + 1.5 * band as f32);
        props.rod(foot, foot + Vec3::Y * 1.5, 0.75 - 0.12 * band as f32, paint);
    }
    props.spike(
        island + Vec3::Y * 6.4,
        island + Vec3::Y * 7.6,
        0.7,
        matt(0.7, 0.06, 0.05),
    );
    for spot in props.strew_aside(4, 12.0, 60.0, -60.0, -70.0) {
        props.ball(spot, vec3(9.0, 3.0, 3.0), matt(0.10, 0.15, 0.2));
    }
    (Cover::Water, vec3(0.03, 0.16, 0.27))
}

/// White drifts, laden firs, icy peaks.
pub(super) fn snowfield(props: &mut Props) -> (Cover, Vec3) {
    let snow = matt(0.84, 0.88, 0.94);
    for spot in props.strew(9, 30.0, -7.0, -20.0) {
        let half = vec3(
            props.range(3.0, 7.0),
            props.range(0.4, 1.3),
            props.range(2.0, 4.0),
        );
        props.ball(spot, half, snow);
    }
    for spot in props.strew_aside(9, 2.0, 16.0, -4.0, -15.0) {
        let height = props.range(2.6, 5.5);
        props.fir(spot, height, 2, matt(0.05, 0.13, 0.1));
        for (low, radius) in [(0.58, 0.125), (0.83, 0.062)] {
            let foot = spot + Vec3::Y * height * low;
            props.spike(foot, foot + Vec3::Y * height * 0.21, height * radius, snow);
        }
    }
    for spot in props.strew(7, 70.0, -45.0, -60.0) {
        let height = props.range(9.0, 15.0);
        props.mountain(
            spot,
            height,
            height * 1.1,
            matt(0.34, 0.42, 0.55),
            Some(snow),
        );
    }
    for spot in props.strew(8, 8.0, -2.9, -6.0) {
        let half = vec3(
            props.range(0.4, 0.9),
            props.range(0.12, 0.3),
            props.range(0.3, 0.5),
        );
        props.ball(spot, half, snow);
    }
    (Cover::Snow, vec3(0.80, 0.84, 0.90))
}

/// Sand, palms, and the sea behind with a line of foam.
pub(super) fn beach(props: &mut Props) -> (Cover, Vec3) {
    props.sheet(
        vec3(0.0, 0.012, -66.5),
        120.0,
        60.0,
        polished(0.03, 0.30, 0.42),
    );
    props.sheet(
        vec3(0.0, 0.020, -8.2),
        120.0,
        1.8,
        polished(0.16, 0.50, 0.52),
    );
    for i in 0..9 {
        let centre = vec3(
            (i as f32 - 4.0) * 4.2,
            0.03,
            -6.4 + props.range(-0.25, 0.25),
        );
        props.sheet(centre, 2.4, 0.22, matt(0.9, 0.93, 0.95));
        let centre = vec3(
            (i as f32 - 4.0) * 7.0 + props.range(-1.0, 1.0),
            0.03,
            props.range(-22.0, -11.0),
        );
        props.sheet(centre, props_wave(i), 0.10, matt(0.8, 0.88, 0.9));
    }
    for spot in props.strew_aside(5, 2.3, 9.0, -3.2, -5.6) {
        let height = props.range(3.4, 5.0);
        props.palm(spot, height, matt(0.06, 0.24, 0.05));
    }
    let side = props.side();
    let shade = vec3(side * props.range(1.9, 2.6), 0.0, -3.4);
    props.rod(shade, shade + Vec3::Y * 2.1, 0.03, matt(0.8, 0.8, 0.78));
    props.spike(
        shade + Vec3::Y * 1.75,
        shade + Vec3::Y * 2.3,
        1.15,
        matt(0.8, 0.1, 0.07),
    );
    props.sheet(
        shade + vec3(side * -0.2, 0.02, 0.4),
        0.35,
        0.9,
        matt(0.1, 0.3, 0.75),
    );
    for spot in props.strew(9, 8.0, -2.7, -5.5) {
        let size = props.range(0.05, 0.16);
        props.rock(spot, size, matt(0.65, 0.55, 0.45));
    }
    let shells = [
        matt(0.9, 0.75, 0.6),
        matt(0.85, 0.35, 0.2),
        matt(0.9, 0.88, 0.85),
    ];
    for spot in props.strew(14, 4.0, 0.9, -3.0) {
        let (paint, size) = (props.pick(&shells), props.range(0.04, 0.08));
        props.ball(spot, vec3(size, size * 0.5, size * 0.8), paint);
    }
    props.ball(
        vec3(-side * 26.0, 0.0, -70.0),
        vec3(18.0, 4.5, 6.0),
        matt(0.12, 0.25, 0.2),
    );
    (Cover::Sand, vec3(0.72, 0.58, 0.36))
}

/// How long the far foam line `index` is.
fn props_wave(index: usize) -> f32 {
    1.2 + 0.5 * (index % 3) as f32
}

/// Bright grass with flowers, round hills, a fence and a red barn.
pub(super) fn meadow(props: &mut Props) -> (Cover, Vec3) {
    for spot in props.strew(8, 55.0, -24.0, -48.0) {
        let half = vec3(
            props.range(12.0, 20.0),
            props.range(2.2, 5.0),
            props.range(6.0, 9.0),
        );
        let hill = props.varied(matt(0.12, 0.30, 0.05));
        props.ball(spot, half, hill);
    }
    for spot in props.strew_aside(6, 3.0, 20.0, -9.0, -18.0) {
        let height = props.range(3.0, 5.0);
        props.leafy(spot, height, matt(0.07, 0.24, 0.03));
    }
    let barn = vec3(props.side() * props.range(6.5, 8.5), 0.0, -17.0);
    props.block(barn, vec3(2.4, 1.3, 1.8), matt(0.45, 0.05, 0.04));
    props.put(
        Shape::Cube,
        barn + Vec3::Y * 2.6,
        vec3(1.75, 1.75, 1.9),
        Quat::from_rotation_z(std::f32::consts::FRAC_PI_4),
        matt(0.25, 0.22, 0.22),
    );
    props.board(
        barn + vec3(0.0, 0.8, 1.82),
        0.6,
        0.8,
        matt(0.75, 0.72, 0.68),
    );
    let wood = matt(0.45, 0.36, 0.26);
    for height in [0.35, 0.7] {
        props.block(vec3(0.0, height, -6.0), vec3(24.0, 0.05, 0.03), wood);
    }
    for i in -7..=7 {
        props.block(
            vec3(i as f32 * 1.7, 0.0, -6.05),
            vec3(0.06, 0.45, 0.05),
            wood,
        );
    }
    let petals = [
        matt(0.9, 0.1, 0.1),
        matt(0.95, 0.8, 0.1),
        matt(0.9, 0.9, 0.9),
        matt(0.5, 0.15, 0.75),
    ];
    for spot in props.strew(48, 6.5, 0.9, -5.6) {
        let size = props.range(0.04, 0.075);
        let paint = props.pick(&petals);
        props.ball(spot + Vec3::Y * 0.12, vec3(size, size * 0.7, size), paint);
    }
    (Cover::Grass, vec3(0.15, 0.36, 0.06))
}
