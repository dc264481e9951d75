//! Settings under a roof: room, stage, cave. Like film sets they have no fourth wall and no ceiling; the sky's colour
//! stands in for what is above.

use super::props::{Props, glow, lighter, matt, polished};
use crate::part::Shape;
use crate::set::Cover;
use crate::vocabulary::Light;
use glam::{Quat, Vec3, vec3};

/// A living room: papered walls, a window with the light of the hour, sofa, shelf, lamp, rug.
pub(super) fn room(props: &mut Props, light: Light) -> (Cover, Vec3) {
    let paper = props.pick(&[
        matt(0.52, 0.42, 0.30),
        matt(0.34, 0.45, 0.36),
        matt(0.55, 0.36, 0.29),
    ]);
    let white = matt(0.75, 0.73, 0.68);
    let (back, front, wide, high) = (-4.4, 7.0, 9.5, 4.6);
    props.block(
        vec3(0.0, 0.0, back - 0.15),
        vec3(wide, high / 2.0, 0.1),
        paper,
    );
    for side in [-1.0, 1.0] {
        props.block(
            vec3(side * wide, 0.0, (front + back) / 2.0),
            vec3(0.1, high / 2.0, (front - back) / 2.0),
            lighter(paper, 0.85),
        );
    }
    props.block(vec3(0.0, 0.0, back), vec3(wide, 0.09, 0.04), white);
    props.block(vec3(0.0, 0.95, back), vec3(wide, 0.03, 0.03), white);
    let side = props.side();
    window(props, vec3(side * 1.9, 1.95, back + 0.02), light);
    sofa(props, vec3(-side * 2.2, 0.0, back + 0.9));
    bookshelf(props, vec3(side * 4.6, 0.0, back + 0.35));
    props.sheet(vec3(0.0, 0.012, -0.4), 2.4, 1.5, matt(0.42, 0.09, 0.08));
    props.sheet(vec3(0.0, 0.020, -0.4), 2.1, 1.2, matt(0.58, 0.42, 0.22));
    for (x, y, size) in [(-0.5, 2.3, 0.35), (-2.2, 2.4, 0.55), (-3.9, 2.2, 0.4)] {
        let centre = vec3(side * x, y, back + 0.02);
        props.board(centre, size, size * 0.8, matt(0.10, 0.06, 0.03));
        let picture = vec3(
            props.range(0.1, 0.6),
            props.range(0.1, 0.5),
            props.range(0.1, 0.6),
        );
        props.board(
            centre + Vec3::Z * 0.02,
            size * 0.82,
            size * 0.62,
            matt(picture.x, picture.y, picture.z),
        );
    }
    // A standing lamp and a potted plant in the corners.
    let lamp = vec3(-side * 4.3, 0.0, back + 0.8);
    props.rod(lamp, lamp + Vec3::Y * 1.6, 0.03, matt(0.1, 0.08, 0.06));
    let burning = if matches!(light, Light::Day) {
        0.5
    } else {
        1.3
    };
    props.spike(
        lamp + Vec3::Y * 1.45,
        lamp + Vec3::Y * 2.3,
        0.38,
        glow(vec3(1.0, 0.72, 0.4) * burning),
    );
    let pot = vec3(side * 3.4, 0.0, back + 0.7);
    props.rod(pot, pot + Vec3::Y * 0.4, 0.24, matt(0.45, 0.17, 0.08));
    for i in 0..6 {
        let out = Quat::from_rotation_y(i as f32 * 1.05) * vec3(0.4, 0.0, 0.0);
        let tip = pot + out + Vec3::Y * props.range(0.9, 1.3);
        props.spike(pot + Vec3::Y * 0.4, tip, 0.12, matt(0.05, 0.22, 0.06));
    }
    (Cover::Wood, vec3(0.34, 0.19, 0.09))
}

fn window(props: &mut Props, centre: Vec3, light: Light) {
    let outside = match light {
        Light::Day => vec3(0.55, 0.85, 1.25),
        Light::Night => vec3(0.02, 0.04, 0.14),
        Light::GoldenHour => vec3(1.4, 0.62, 0.16),
        Light::BlueHour => vec3(0.16, 0.26, 0.75),
        Light::Neon => vec3(0.45, 0.03, 0.40),
        Light::CandleLight => vec3(0.015, 0.015, 0.03),
    };
    props.board(centre, 1.15, 0.95, glow(outside));
    if light == Light::Night {
        props.ball(
            centre + vec3(0.45, 0.4, 0.02),
            vec3(0.15, 0.15, 0.01),
            glow(vec3(0.9, 0.95, 1.0)),
        );
    }
    let frame = matt(0.75, 0.73, 0.68);
    for (x, y, half_x, half_y) in [
        (0.0, 0.98, 1.25, 0.06),
        (0.0, -0.98, 1.3, 0.08),
        (-1.2, 0.0, 0.06, 1.0),
        (1.2, 0.0, 0.06, 1.0),
        (0.0, 0.0, 0.035, 0.95),
        (0.0, 0.1, 1.15, 0.035),
    ] {
        props.put(
            Shape::Cube,
            centre + vec3(x, y, 0.04),
            vec3(half_x, half_y, 0.05),
            Quat::IDENTITY,
            frame,
        );
    }
    for side in [-1.0, 1.0] {
        for fold in 0..3 {
            let foot = centre + vec3(side * (1.28 + 0.13 * fold as f32), -1.5, 0.12);
            props.rod(foot, foot + Vec3::Y * 2.65, 0.085, matt(0.55, 0.30, 0.12));
        }
    }
}

fn sofa(props: &mut Props, foot: Vec3) {
    let cloth = props.pick(&[
        matt(0.10, 0.22, 0.34),
        matt(0.12, 0.28, 0.18),
        matt(0.36, 0.10, 0.08),
    ]);
    props.block(foot, vec3(1.2, 0.24, 0.45), cloth);
    props.block(
        foot + Vec3::Z * -0.4,
        vec3(1.2, 0.5, 0.14),
        lighter(cloth, 0.85),
    );
    for side in [-1.0, 1.0] {
        props.block(
            foot + Vec3::X * side * 1.25,
            vec3(0.14, 0.35, 0.45),
            lighter(cloth, 1.15),
        );
        props.ball(
            foot + vec3(side * 0.75, 0.62, -0.1),
            vec3(0.26, 0.22, 0.12),
            matt(0.72, 0.55, 0.2),
        );
    }
}

fn bookshelf(props: &mut Props, foot: Vec3) {
    props.block(foot, vec3(0.85, 1.25, 0.22), matt(0.12, 0.065, 0.03));
    for row in 0..4 {
        let level = 0.15 + 0.58 * row as f32;
        let mut x = -0.72;
        while x < 0.6 {
            let (half, tall) = (props.range(0.04, 0.10), props.range(0.15, 0.22));
            let paint = vec3(
                props.range(0.05, 0.6),
                props.range(0.05, 0.4),
                props.range(0.05, 0.4),
            );
            props.block(
                foot + vec3(x + half, level, 0.18),
                vec3(half * 0.92, tall, 0.08),
                matt(paint.x, paint.y, paint.z),
            );
            x += half * 2.0;
        }
    }
}

/// A theatre: a red curtain in folds, boards, and footlights along the back.
pub(super) fn stage(props: &mut Props) -> (Cover, Vec3) {
    let velvet = props.varied(matt(0.42, 0.012, 0.02));
    let back = -3.9;
    for i in -24..=24 {
        let foot = vec3(
            i as f32 * 0.42,
            0.0,
            back + if i % 2 == 0 { 0.0 } else { 0.16 },
        );
        let fold = if i % 2 == 0 {
            lighter(velvet, 0.6)
        } else {
            velvet
        };
        let width = props.range(0.21, 0.27);
        props.rod(foot, foot + Vec3::Y * 7.0, width, fold);
    }
    // Wider folds on the wings, seen when the camera goes round.
    for i in 0..16 {
        let side = if i % 2 == 0 { -1.0 } else { 1.0 };
        let foot = vec3(side * 10.8, 0.0, back + (i / 2) as f32 * 1.3);
        let fold = lighter(velvet, if i % 4 < 2 { 0.5 } else { 0.8 });
        props.rod(foot, foot + Vec3::Y * 7.0, 0.75, fold);
    }
    let gold = polished(0.65, 0.42, 0.09);
    for i in -5..=5 {
        let centre = vec3(i as f32 * 1.9, 4.3, back + 0.35);
        props.ball(centre, vec3(1.05, 0.75, 0.14), lighter(velvet, 1.3));
        props.ball(centre - Vec3::Y * 0.62, vec3(0.65, 0.09, 0.12), gold);
    }
    for side in [-1.0, 1.0] {
        for fold in 0..5 {
            let foot = vec3(
                side * (4.6 + 0.4 * fold as f32),
                0.0,
                back + 1.1 - 0.1 * fold as f32,
            );
            props.rod(
                foot,
                foot + Vec3::Y * 7.0,
                0.26,
                lighter(velvet, 1.2 - 0.12 * fold as f32),
            );
        }
        props.rod(
            vec3(side * 4.45, 1.5, back + 1.4),
            vec3(side * 5.9, 1.5, back + 0.9),
            0.09,
            gold,
        );
    }
    // What is left of the last play: a column or a painted tree at one side or both.
    let first = props.side();
    for side in [first, -first].into_iter().take(props.pick(&[1, 2])) {
        let foot = vec3(side * props.range(2.3, 3.3), 0.0, back + 0.95);
        if props.pick(&[true, false]) {
            props.block(foot, vec3(0.36, 0.14, 0.3), matt(0.6, 0.57, 0.5));
            props.rod(foot, foot + Vec3::Y * 2.4, 0.22, matt(0.62, 0.6, 0.54));
            props.block(
                foot + Vec3::Y * 2.4,
                vec3(0.36, 0.12, 0.3),
                matt(0.6, 0.57, 0.5),
            );
        } else {
            props.rod(foot, foot + Vec3::Y * 1.0, 0.1, matt(0.2, 0.11, 0.05));
            props.spike(
                foot + Vec3::Y * 0.7,
                foot + Vec3::Y * 2.5,
                0.65,
                matt(0.05, 0.22, 0.07),
            );
        }
    }
    for i in -5..=5 {
        let spot = vec3(i as f32 * 0.8, 0.0, back + 0.75);
        props.ball(
            spot + Vec3::Y * 0.07,
            Vec3::splat(0.09),
            glow(vec3(1.0, 0.8, 0.45)),
        );
    }
    (Cover::Wood, vec3(0.30, 0.17, 0.075))
}

/// Rock walls, stalactites and stalagmites, glowing crystals, and the way out far behind.
pub(super) fn cave(props: &mut Props, light: Light) -> (Cover, Vec3) {
    let rock = matt(0.27, 0.19, 0.135);
    let outside = match light {
        Light::Day => vec3(0.75, 0.95, 1.15),
        Light::Night => vec3(0.03, 0.05, 0.16),
        Light::GoldenHour => vec3(1.4, 0.66, 0.2),
        Light::BlueHour => vec3(0.12, 0.22, 0.7),
        Light::Neon => vec3(0.5, 0.05, 0.6),
        Light::CandleLight => vec3(0.03, 0.02, 0.015),
    };
    let way_out = props.side() * props.range(1.6, 3.0);
    props.ball(
        vec3(way_out, 1.2, -15.5),
        vec3(2.0, 2.6, 0.1),
        glow(outside),
    );
    props.block(
        vec3(0.0, 0.0, -16.5),
        vec3(26.0, 9.0, 0.6),
        lighter(rock, 0.35),
    );
    let mut lumps = props.strew_aside(10, 4.2, 12.0, -5.0, -14.0);
    lumps.extend(props.strew_aside(6, 10.5, 14.0, 3.0, -5.0));
    for spot in lumps {
        let half = vec3(
            props.range(1.6, 2.6),
            props.range(2.5, 5.5),
            props.range(1.4, 2.2),
        );
        let rock = props.varied(rock);
        props.ball(spot, half, rock);
    }
    // The vault: great lumps of rock over the back of the cave.
    for spot in props.strew(7, 11.0, -6.5, -13.0) {
        let half = vec3(
            props.range(2.5, 3.6),
            props.range(1.2, 2.0),
            props.range(2.0, 3.0),
        );
        let rock = props.varied(lighter(rock, 0.7));
        props.ball(spot + Vec3::Y * 6.6, half, rock);
    }
    for spot in props.strew(20, 8.0, -3.6, -12.0) {
        let length = props.range(1.2, 3.2);
        let rock = props.varied(lighter(rock, 1.15));
        let root = spot + Vec3::Y * 5.4;
        props.spike(root, root - Vec3::Y * length, length * 0.14, rock);
    }
    for spot in props.strew_aside(12, 1.6, 8.0, -2.9, -9.0) {
        let height = props.range(0.5, 1.8);
        let rock = props.varied(lighter(rock, 1.2));
        props.spike(spot, spot + Vec3::Y * height, height * 0.25, rock);
    }
    let crystal = props.pick(&[
        vec3(0.1, 0.75, 0.9),
        vec3(0.6, 0.2, 0.9),
        vec3(0.15, 0.85, 0.45),
    ]);
    for spot in props.strew_aside(5, 1.9, 5.5, -3.0, -6.0) {
        for _ in 0..3 {
            let lean = vec3(
                props.range(-0.2, 0.2),
                props.range(0.3, 0.7),
                props.range(0.0, 0.2),
            );
            props.spike(spot, spot + lean, 0.1, glow(crystal * 0.7));
        }
    }
    for spot in props.strew(8, 7.0, -2.8, -6.0) {
        let size = props.range(0.15, 0.4);
        props.rock(spot, size, rock);
    }
    (Cover::Rock, vec3(0.24, 0.17, 0.12))
}
