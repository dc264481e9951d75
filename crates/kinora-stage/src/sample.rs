//! Draws scenes from a seed: varied and compositional, so that any subject meets any setting and colour, yet coherent.
//!
//! Part of the space is kept from training so that evaluation can ask for what was never seen: each subject has one
//! setting and one colour in which no training scene shows it. Each setting is reserved for two subjects and each
//! colour for two or three, so every value stays common in training, and what people ask for most (a boat at sea, a
//! red car, an astronaut in space) is trained on. About one scene in six is held out.

use crate::blocking::size;
use crate::scene::{Actor, Scene, Shot};
use crate::validate::{can_swim, relation_holds};
use crate::vocabulary::{
    Action, Angle, CameraMove, Colour, Emotion, Light, Look, Relation, Setting, ShotSize, Subject,
    Weather,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

impl Scene {
    /// Any coherent scene, held out or not; equal seeds give equal scenes.
    pub fn sample(seed: u64) -> Self {
        draw(&mut ChaCha8Rng::seed_from_u64(seed), seed)
    }

    /// A scene that training may use.
    pub fn sample_training(seed: u64) -> Self {
        draw_until(seed, |scene| !is_held_out(scene))
    }

    /// A scene that training may use and that shows one subject, alone and large in the frame.
    pub fn sample_portrait(seed: u64) -> Self {
        draw_until(seed, |scene| {
            let near = !matches!(scene.shot.size, ShotSize::ExtremeWide | ShotSize::Wide);
            near && scene.relation == Relation::Alone && !is_held_out(scene)
        })
    }

    /// A scene with a combination that training never uses.
    pub fn sample_held_out(seed: u64) -> Self {
        draw_until(seed, is_held_out)
    }
}

/// Whether any actor of the scene is in the setting or the colour that is [`reserved`] for its subject.
pub fn is_held_out(scene: &Scene) -> bool {
    scene.cast.iter().any(|actor| {
        let (setting, colour) = reserved(actor.subject);
        scene.setting == setting || actor.colour == colour
    })
}

/// The setting and the colour in which no training scene shows the subject.
pub fn reserved(subject: Subject) -> (Setting, Colour) {
    match subject {
        Subject::Woman => (Setting::Cave, Colour::Teal),
        Subject::Man => (Setting::Desert, Colour::Orange),
        Subject::Child => (Setting::Space, Colour::Black),
        Subject::Astronaut => (Setting::Stage, Colour::Brown),
        Subject::Knight => (Setting::Underwater, Colour::Pink),
        Subject::Chef => (Setting::MountainRoad, Colour::Purple),
        Subject::Wizard => (Setting::Beach, Colour::Yellow),
        Subject::Robot => (Setting::Sea, Colour::Green),
        Subject::Dog => (Setting::Space, Colour::Blue),
        Subject::Cat => (Setting::Sea, Colour::Red),
        Subject::Fox => (Setting::Stage, Colour::Teal),
        Subject::Horse => (Setting::Room, Colour::Pink),
        Subject::Elephant => (Setting::NeonStreet, Colour::Yellow),
        Subject::Bird => (Setting::Cave, Colour::Gray),
        Subject::Fish => (Setting::Meadow, Colour::Brown),
        Subject::Dragon => (Setting::Room, Colour::White),
        Subject::Ghost => (Setting::Snowfield, Colour::Orange),
        Subject::Monster => (Setting::Meadow, Colour::Red),
        Subject::Car => (Setting::Underwater, Colour::Brown),
        Subject::Bus => (Setting::Beach, Colour::White),
        Subject::Boat => (Setting::Desert, Colour::Black),
        Subject::Airplane => (Setting::Forest, Colour::Green),
        Subject::Rocket => (Setting::Snowfield, Colour::Teal),
        Subject::Candle => (Setting::MountainRoad, Colour::Blue),
        Subject::Snowman => (Setting::Forest, Colour::Purple),
        Subject::Balloon => (Setting::NeonStreet, Colour::Gray),
    }
}

fn draw_until(seed: u64, fits: impl Fn(&Scene) -> bool) -> Scene {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    loop {
        let scene = draw(&mut rng, seed);
        if fits(&scene) {
            return scene;
        }
    }
}

fn draw(rng: &mut ChaCha8Rng, seed: u64) -> Scene {
    let setting = any(rng, Setting::ALL);
    let (relation, cast) = draw_cast(rng, setting);
    Scene {
        seed,
        setting,
        light: draw_light(rng, setting),
        weather: draw_weather(rng, setting),
        look: draw_look(rng),
        shot: draw_shot(rng, &cast),
        relation,
        cast,
    }
}

fn any<T: Copy>(rng: &mut ChaCha8Rng, values: &[T]) -> T {
    values[rng.random_range(0..values.len())]
}

/// One of `values`, each as likely as its weight says.
fn weighted<T: Copy>(rng: &mut ChaCha8Rng, values: &[(T, u32)]) -> T {
    let total: u32 = values.iter().map(|&(_, weight)| weight).sum();
    let mut left = rng.random_range(0..total);
    for &(value, weight) in values {
        if left < weight {
            return value;
        }
        left -= weight;
    }
    unreachable!("the draw is below the sum of the weights")
}

fn draw_cast(rng: &mut ChaCha8Rng, setting: Setting) -> (Relation, Vec<Actor>) {
    let subject = any(rng, Subject::ALL);
    let relation = draw_relation(rng, subject);
    let first = draw_actor(rng, subject, setting, |action| match relation {
        Relation::PassesBehind | Relation::Follows => action.locomotes(),
        _ => true,
    });
    let mut cast = vec![first];
    match relation {
        Relation::Alone => {}
        Relation::Crowd => {
            let uniform = rng.random_bool(0.8);
            for _ in 1..rng.random_range(3..=4) {
                let colour = if uniform {
                    first.colour
                } else {
                    any(rng, Colour::ALL)
                };
                cast.push(Actor { colour, ..first });
            }
        }
        _ => cast.push(draw_companion(rng, first, setting, relation)),
    }
    (relation, cast)
}

fn draw_relation(rng: &mut ChaCha8Rng, first: Subject) -> Relation {
    if rng.random_bool(0.6) {
        return Relation::Alone;
    }
    let moves = first.actions().iter().any(|action| action.locomotes());
    loop {
        let relation = any(rng, &Relation::ALL[1..]);
        if moves || !matches!(relation, Relation::PassesBehind | Relation::Follows) {
            return relation;
        }
    }
}

/// An actor whose action `fits`; swimmers like water, and those who can float do so in space.
fn draw_actor(
    rng: &mut ChaCha8Rng,
    subject: Subject,
    setting: Setting,
    fits: impl Fn(Action) -> bool,
) -> Actor {
    let possible: Vec<(Action, u32)> = (subject.actions().iter())
        .filter(|&&action| fits(action) && (action != Action::Swim || can_swim(subject, setting)))
        .map(|&action| {
            let native = (action == Action::Swim && setting.is_water())
                || (action == Action::Float && setting == Setting::Space);
            (action, if native { 5 } else { 1 })
        })
        .collect();
    let emotion = if !subject.shows_emotion() || rng.random_bool(0.3) {
        Emotion::Neutral
    } else {
        any(rng, Emotion::ALL)
    };
    Actor {
        subject,
        colour: any(rng, Colour::ALL),
        action: weighted(rng, &possible),
        emotion,
    }
}

/// The second of two: often of the same kind, never so much bigger or smaller that one of them is lost in the frame.
fn draw_companion(
    rng: &mut ChaCha8Rng,
    first: Actor,
    setting: Setting,
    relation: Relation,
) -> Actor {
    let holds = |action| relation_holds(relation, first.action, action);
    let able = |subject: &Subject| {
        let (a, b) = (size(*subject), size(first.subject));
        a.max(b) < 2.2 * a.min(b)
            && (subject.actions().iter()).any(|&action| {
                holds(action) && (action != Action::Swim || can_swim(*subject, setting))
            })
    };
    let subject = if rng.random_bool(0.3) && able(&first.subject) {
        first.subject
    } else {
        let able: Vec<Subject> = Subject::ALL.iter().copied().filter(able).collect();
        any(rng, &able)
    };
    let same = subject.can(first.action) && holds(first.action);
    let in_step = same
        && rng.random_bool(0.5)
        && (first.action != Action::Swim || can_swim(subject, setting));
    draw_actor(rng, subject, setting, |action| {
        if in_step {
            action == first.action
        } else {
            holds(action)
        }
    })
}

fn draw_light(rng: &mut ChaCha8Rng, setting: Setting) -> Light {
    let weights: &[u32] = if setting == Setting::NeonStreet {
        &[6, 2, 1, 1]
    } else {
        &[6, 4, 4, 3, 2, 1]
    };
    let lights: Vec<(Light, u32)> = setting
        .lights()
        .iter()
        .copied()
        .zip(weights.iter().copied())
        .collect();
    weighted(rng, &lights)
}

fn draw_weather(rng: &mut ChaCha8Rng, setting: Setting) -> Weather {
    let weight = |weather| match weather {
        Weather::Clear => 6,
        Weather::Fog => 2,
        Weather::Rain | Weather::Snow => 3,
    };
    let weathers: Vec<(Weather, u32)> = setting
        .weathers()
        .iter()
        .map(|&weather| (weather, weight(weather)))
        .collect();
    weighted(rng, &weathers)
}

fn draw_look(rng: &mut ChaCha8Rng) -> Look {
    if rng.random_bool(0.35) {
        Look::Plain
    } else {
        any(rng, &Look::ALL[1..])
    }
}

fn draw_shot(rng: &mut ChaCha8Rng, cast: &[Actor]) -> Shot {
    let near = if cast.len() == 1 { 1 } else { 0 };
    let size = weighted(
        rng,
        &[
            (ShotSize::ExtremeWide, 8),
            (ShotSize::Wide, 30),
            (ShotSize::Full, 34),
            (ShotSize::Medium, 18 * near),
            (ShotSize::CloseUp, 10 * near),
        ],
    );
    let angle = weighted(
        rng,
        &[
            (Angle::EyeLevel, 60),
            (Angle::Low, 12),
            (Angle::High, 12),
            (Angle::Overhead, 8),
            (Angle::Dutch, 8),
        ],
    );
    let weight = |choice| match choice {
        CameraMove::Static => 5,
        // Open to few scenes, so it is likelier in those.
        CameraMove::Track => 3 * u32::from(cast[0].action.locomotes()),
        _ => 1,
    };
    let moves: Vec<(CameraMove, u32)> = CameraMove::ALL
        .iter()
        .map(|&choice| (choice, weight(choice)))
        .collect();
    Shot {
        size,
        angle,
        camera_move: weighted(rng, &moves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::fmt::Debug;
    use std::hash::Hash;

    const SAMPLES: u64 = 5_000;

    fn scenes() -> impl Iterator<Item = Scene> {
        (0..SAMPLES).map(Scene::sample)
    }

    fn assert_all_occur<T: Copy + Eq + Hash + Debug>(all: &[T], found: impl Iterator<Item = T>) {
        let mut counts: HashMap<T, u32> = HashMap::new();
        found.for_each(|value| *counts.entry(value).or_default() += 1);
        for value in all {
            assert!(
                counts.get(value).is_some_and(|&count| count >= 20),
                "{value:?} is rare: {counts:?}"
            );
        }
    }

    #[test]
    fn every_value_occurs() {
        assert_all_occur(
            Subject::ALL,
            scenes()
                .flat_map(|scene| scene.cast)
                .map(|actor| actor.subject),
        );
        assert_all_occur(
            Colour::ALL,
            scenes()
                .flat_map(|scene| scene.cast)
                .map(|actor| actor.colour),
        );
        assert_all_occur(
            Action::ALL,
            scenes()
                .flat_map(|scene| scene.cast)
                .map(|actor| actor.action),
        );
        assert_all_occur(
            Emotion::ALL,
            scenes()
                .flat_map(|scene| scene.cast)
                .map(|actor| actor.emotion),
        );
        assert_all_occur(Setting::ALL, scenes().map(|scene| scene.setting));
        assert_all_occur(Light::ALL, scenes().map(|scene| scene.light));
        assert_all_occur(Weather::ALL, scenes().map(|scene| scene.weather));
        assert_all_occur(Look::ALL, scenes().map(|scene| scene.look));
        assert_all_occur(Relation::ALL, scenes().map(|scene| scene.relation));
        assert_all_occur(ShotSize::ALL, scenes().map(|scene| scene.shot.size));
        assert_all_occur(Angle::ALL, scenes().map(|scene| scene.shot.angle));
        assert_all_occur(
            CameraMove::ALL,
            scenes().map(|scene| scene.shot.camera_move),
        );
    }

    #[test]
    fn every_sample_is_coherent_and_repeatable() {
        for seed in 0..SAMPLES {
            let scene = Scene::sample(seed);
            assert_eq!(scene.validate(), Ok(()), "seed {seed}: {scene:?}");
            assert_eq!(scene, Scene::sample(seed));
        }
    }

    #[test]
    fn training_and_held_out_scenes_are_disjoint() {
        for seed in 0..500 {
            assert!(!is_held_out(&Scene::sample_training(seed)));
            let portrait = Scene::sample_portrait(seed);
            assert!(portrait.cast.len() == 1 && !is_held_out(&portrait));
            assert!(matches!(
                portrait.shot.size,
                ShotSize::Full | ShotSize::Medium | ShotSize::CloseUp
            ));
            let held_out = Scene::sample_held_out(seed);
            assert!(is_held_out(&held_out) && held_out.validate().is_ok());
        }
        let share = scenes().filter(is_held_out).count() as f64 / SAMPLES as f64;
        assert!((0.10..0.20).contains(&share), "{share} is held out");
    }

    #[test]
    fn the_reserved_combinations_are_spread_evenly() {
        for &setting in Setting::ALL {
            assert_eq!(
                Subject::ALL
                    .iter()
                    .filter(|&&subject| reserved(subject).0 == setting)
                    .count(),
                2,
                "{setting:?}"
            );
        }
        for &colour in Colour::ALL {
            let count = Subject::ALL
                .iter()
                .filter(|&&subject| reserved(subject).1 == colour)
                .count();
            assert!(
                (2..=3).contains(&count),
                "{colour:?} is reserved for {count}"
            );
        }
    }

    #[test]
    fn incoherent_scenes_are_refused() {
        let lone_candle = Scene {
            seed: 0,
            setting: Setting::Room,
            light: Light::Day,
            weather: Weather::Clear,
            look: Look::Plain,
            cast: vec![Actor {
                subject: Subject::Candle,
                colour: Colour::Red,
                action: Action::Flicker,
                emotion: Emotion::Neutral,
            }],
            relation: Relation::Alone,
            shot: Shot {
                size: ShotSize::Full,
                angle: Angle::EyeLevel,
                camera_move: CameraMove::Static,
            },
        };
        assert_eq!(lone_candle.validate(), Ok(()));
        let spoil: [fn(&mut Scene); 8] = [
            |scene| scene.cast.clear(),
            |scene| scene.cast = vec![scene.cast[0]; 5],
            |scene| scene.relation = Relation::LeftOf,
            |scene| scene.weather = Weather::Rain,
            |scene| (scene.setting, scene.light) = (Setting::Beach, Light::Neon),
            |scene| scene.cast[0].action = Action::Walk,
            |scene| scene.cast[0].emotion = Emotion::Happy,
            |scene| scene.shot.camera_move = CameraMove::Track,
        ];
        for (i, change) in spoil.iter().enumerate() {
            let mut scene = lone_candle.clone();
            change(&mut scene);
            assert!(scene.validate().is_err(), "change {i} of {scene:?}");
        }
    }
}
