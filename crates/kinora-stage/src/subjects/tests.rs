//! What has to hold for every subject, action and mood.

use super::*;
use crate::vocabulary::{Colour, Emotion};

fn actor(subject: Subject, action: Action, emotion: Emotion) -> Actor {
    Actor {
        subject,
        colour: Colour::Red,
        action,
        emotion,
    }
}

/// Points that bound a part without curves: the corners of its triangle, or of its box.
fn corners(part: &Part) -> Vec<Vec3> {
    let unit: Vec<Vec3> = match part.shape {
        Shape::Triangle => vec![
            Vec3::new(-1.0, -1.0, 0.0),
            Vec3::new(1.0, -1.0, 0.0),
            Vec3::Y,
        ],
        _ => (0..8)
            .map(|i| Vec3::new((i & 1) as f32, (i >> 1 & 1) as f32, (i >> 2) as f32) * 2.0 - 1.0)
            .collect(),
    };
    unit.into_iter()
        .map(|point| part.transform.transform_point3(point))
        .collect()
}

/// The points a part can reach at most, nearer than its box for round shapes.
fn bounds(parts: &[Part]) -> (Vec3, Vec3) {
    let mut low = Vec3::INFINITY;
    let mut high = Vec3::NEG_INFINITY;
    for part in parts {
        if part.shape == Shape::Sphere {
            let m = part.transform.matrix3;
            let rows = glam::Mat3::from(m).transpose();
            let reach = Vec3::new(
                rows.x_axis.length(),
                rows.y_axis.length(),
                rows.z_axis.length(),
            );
            let middle = Vec3::from(part.transform.translation);
            (low, high) = (low.min(middle - reach), high.max(middle + reach));
        } else {
            for corner in corners(part) {
                (low, high) = (low.min(corner), high.max(corner));
            }
        }
    }
    (low, high)
}

#[test]
fn every_pose_is_finite_small_and_in_its_room() {
    for &subject in Subject::ALL {
        let size = extent(subject);
        let room = 1.65 * size.height.max(size.width).max(size.length);
        for &action in Action::ALL {
            for &emotion in Emotion::ALL {
                for (seed, t) in [(1, 0.0), (2, 0.4), (3, 1.1), (4, 2.0)] {
                    let parts = pose(&actor(subject, action, emotion), seed, t);
                    let name = format!(
                        "{subject:?} {action:?} {emotion:?} at {t}: {} parts",
                        parts.len()
                    );
                    assert!((4..=60).contains(&parts.len()), "{name}");
                    assert!(
                        parts.iter().all(|part| part.transform.is_finite()),
                        "{name}"
                    );
                    assert!(
                        parts
                            .iter()
                            .all(|part| part.transform.matrix3.determinant().abs() > 1e-12),
                        "{name}"
                    );
                    assert!(
                        parts
                            .iter()
                            .all(|part| (0.0..=1.0).contains(&part.material.opacity)),
                        "{name}"
                    );
                    let (low, high) = bounds(&parts);
                    assert!(
                        low.min_element() > -room && high.max_element() < room,
                        "{name}: {low} to {high}, {room}"
                    );
                    // Swimmers lie in the water; all others may dip a foot at most.
                    let depth = if action == Action::Swim { 0.5 } else { 0.35 };
                    assert!(
                        low.y > -depth * size.height.max(1.0),
                        "{name} sinks to {}",
                        low.y
                    );
                }
            }
        }
    }
}

#[test]
fn who_stands_fills_its_extent() {
    for &subject in Subject::ALL {
        let size = extent(subject);
        let (low, high) = bounds(&pose(
            &actor(subject, Action::Stand, Emotion::Neutral),
            7,
            0.0,
        ));
        let span = high - low;
        for (is, said) in [
            (span.x, size.width),
            (high.y, size.height),
            (span.z, size.length),
        ] {
            assert!(
                is > 0.75 * said && is < 1.25 * said,
                "{subject:?}: {low} to {high}, said {size:?}"
            );
        }
    }
}

#[test]
fn actions_differ_and_move() {
    let still = |a: &[Part], b: &[Part]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b);
    for &subject in Subject::ALL {
        for &action in Action::ALL {
            let at = |action, t| pose(&actor(subject, action, Emotion::Neutral), 5, t);
            let now = at(action, 0.9);
            if action != Action::Stand {
                assert!(
                    !still(&now, &at(action, 0.65)),
                    "{subject:?} {action:?} is frozen"
                );
            }
            for &other in Action::ALL.iter().filter(|&&other| other != action) {
                assert!(
                    !still(&now, &at(other, 0.9)),
                    "{subject:?}: {action:?} and {other:?} look the same"
                );
            }
        }
    }
}

#[test]
fn moods_show_on_all_that_has_a_face() {
    let faceless = [
        Subject::Car,
        Subject::Bus,
        Subject::Boat,
        Subject::Airplane,
        Subject::Rocket,
        Subject::Candle,
        Subject::Balloon,
    ];
    for &subject in Subject::ALL
        .iter()
        .filter(|subject| !faceless.contains(subject))
    {
        let plain = pose(&actor(subject, Action::Walk, Emotion::Neutral), 5, 0.9);
        for &emotion in Emotion::ALL
            .iter()
            .filter(|&&emotion| emotion != Emotion::Neutral)
        {
            assert_ne!(
                plain,
                pose(&actor(subject, Action::Walk, emotion), 5, 0.9),
                "{subject:?} {emotion:?}"
            );
        }
    }
}

#[test]
fn palette_colours_are_well_apart() {
    for &a in Colour::ALL {
        for &b in Colour::ALL.iter().filter(|&&b| b != a) {
            // Compared as the eye does, on a roughly perceptual scale.
            let gap = (albedo(a).powf(0.45) - albedo(b).powf(0.45)).length();
            assert!(gap > 0.22, "{a:?} and {b:?}: {gap}");
        }
    }
}
