//! The art department: builds the set of a scene from its setting, light, weather and seed.
//!
//! Sets are laid out in set units, for an actor of about a person's size, and scaled to the cast, so that a candle is
//! filmed among small trees and a rocket among large ones: the setting can be told in any shot.

mod elsewhere;
mod indoors;
mod light;
mod outdoors;
mod props;

use crate::blocking;
use crate::scene::Scene;
use crate::set::{Ground, Set};
use crate::vocabulary::{Setting, Weather};
use glam::{Affine3A, Vec3, vec3};
use light::Mood;
use props::Props;

/// Builds all that stands still during the clip. Equal scenes give equal sets.
pub fn build(scene: &Scene) -> Set {
    let mut props = Props::new(scene.seed);
    let side = props.side();
    let light = scene.light;
    let ground = match scene.setting {
        Setting::NeonStreet => Some(elsewhere::neon_street(&mut props, light)),
        Setting::Forest => Some(outdoors::forest(&mut props)),
        Setting::MountainRoad => Some(outdoors::mountain_road(&mut props)),
        Setting::Desert => Some(outdoors::desert(&mut props)),
        Setting::Sea => Some(outdoors::sea(&mut props)),
        Setting::Snowfield => Some(outdoors::snowfield(&mut props)),
        Setting::Room => Some(indoors::room(&mut props, light)),
        Setting::Stage => Some(indoors::stage(&mut props)),
        Setting::Space => {
            elsewhere::space(&mut props);
            None
        }
        Setting::Beach => Some(outdoors::beach(&mut props)),
        Setting::Meadow => Some(outdoors::meadow(&mut props)),
        Setting::Underwater => Some(elsewhere::underwater(&mut props)),
        Setting::Cave => Some(indoors::cave(&mut props, light)),
    };
    light::fixtures(&mut props, light);
    if scene.weather == Weather::Snow {
        whiten(&mut props);
    }
    let mut mood = Mood::of(light, scene.setting, side);
    mood.weather(scene.weather, light);
    let scale = blocking::scale(scene);
    mood.scale(scale, blocking::frame(scene));
    let parts = (props.parts.into_iter())
        .map(|mut part| {
            part.transform = Affine3A::from_scale(Vec3::splat(scale)) * part.transform;
            part
        })
        .collect();
    let ground = ground.map(|(cover, albedo)| {
        let wet = if scene.setting == Setting::NeonStreet {
            0.6
        } else {
            0.0
        };
        let mut ground = Ground {
            cover,
            albedo,
            wet,
            level: 0.0,
        };
        Mood::soak(scene.weather, &mut ground);
        mood.spare(&ground);
        ground
    });
    Set {
        parts,
        ground,
        sky: mood.sky,
        key: mood.key,
        ambient: mood.ambient,
        lights: mood.lights,
        fog: mood.fog,
        fall: mood.fall,
        scale,
    }
}

/// Dusts everything that does not shine by itself with snow.
fn whiten(props: &mut Props) {
    for part in &mut props.parts {
        if part.material.emission == Vec3::ZERO {
            part.material.albedo = part.material.albedo.lerp(vec3(0.80, 0.84, 0.90), 0.45);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_well_formed_and_differ_by_seed() {
        for seed in 0..400 {
            let scene = Scene::sample(seed);
            let set = build(&scene);
            assert!(
                (30..=160).contains(&set.parts.len()),
                "{:?} has {} parts",
                scene.setting,
                set.parts.len()
            );
            for part in &set.parts {
                let size = part.transform.matrix3.determinant().abs();
                assert!(
                    size.is_finite() && size > 0.0,
                    "a flat or endless part in {:?}",
                    scene.setting
                );
                assert!(
                    part.transform.translation.is_finite(),
                    "a part without a place in {:?}",
                    scene.setting
                );
            }
            assert!(
                set.lights.len() <= 4,
                "{} lights in {:?}",
                set.lights.len(),
                scene.setting
            );
            assert!(set.key.direction.is_normalized() && set.fog.density.is_finite());
            assert!(
                set == build(&scene),
                "the same scene gives another set in {:?}",
                scene.setting
            );
            let other = build(&Scene {
                seed: seed + 1,
                ..scene.clone()
            });
            assert!(
                set.parts != other.parts,
                "{:?} is the same for every seed",
                scene.setting
            );
        }
    }
}
