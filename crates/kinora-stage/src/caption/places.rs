//! How captions speak of the setting.

use super::air::{light_adjectives, light_phrase, weather_adjectives, weather_phrase};
use super::grammar::{Pen, join};
use crate::scene::Scene;
use crate::vocabulary::{Action, Angle, Setting, ShotSize};

/// A name of a setting with the prepositions for being there and for moving through it.
struct Place {
    name: &'static str,
    at: &'static str,
    along: &'static str,
}

const fn place(name: &'static str, at: &'static str, along: &'static str) -> Place {
    Place { name, at, along }
}

const STREET: &[Place] = &[
    place("a neon street", "on", "down"),
    place("a neon-lit street", "on", "along"),
    place("a neon-lit city street", "on", "down"),
    place("a city street with neon signs", "on", "along"),
    place("a downtown street with neon signs", "on", "down"),
    place("a neon alley", "in", "through"),
    place("a alley with neon signs", "in", "down"),
    place("a neon city", "in", "through"),
    place("a cyberpunk city", "in", "through"),
];
const FOREST: &[Place] = &[
    place("a forest", "in", "through"),
    place("the forest", "in", "through"),
    place("the woods", "in", "through"),
    place("a woodland", "in", "through"),
    place("a wood", "in", "through"),
    place("a pine forest", "in", "through"),
    place("the trees", "among", "through"),
    place("a clearing in the woods", "in", "across"),
];
const MOUNTAIN_ROAD: &[Place] = &[
    place("a mountain road", "on", "along"),
    place("a road in the mountains", "on", "along"),
    place("a mountain pass", "on", "over"),
    place("a highway in the mountains", "on", "down"),
    place("the mountains", "in", "through"),
    place("a lonely mountain road", "on", "down"),
    place("a mountain highway", "on", "along"),
];
const DESERT: &[Place] = &[
    place("the desert", "in", "across"),
    place("a desert", "in", "through"),
    place("a sandy desert", "in", "across"),
    place("a wide desert", "in", "across"),
    place("the desert sand", "on", "over"),
    place("a desert landscape", "in", "through"),
    place("the dunes", "among", "over"),
    place("the sand dunes", "in", "across"),
    place("a desert with cacti", "in", "across"),
];
const SEA: &[Place] = &[
    place("the sea", "on", "across"),
    place("the ocean", "on", "across"),
    place("the open sea", "on", "over"),
    place("the open ocean", "on", "across"),
    place("the waves", "on", "over"),
];
const SEA_WATER: &[Place] = &[
    place("the sea", "in", "through"),
    place("the ocean", "in", "across"),
    place("the open sea", "in", "through"),
    place("the waves", "in", "through"),
];
const SNOWFIELD: &[Place] = &[
    place("a snowy field", "in", "across"),
    place("the snow", "in", "through"),
    place("a snowfield", "on", "across"),
    place("a snow-covered field", "in", "across"),
    place("a field of snow", "in", "through"),
    place("a snowy landscape", "in", "through"),
    place("a snowy plain", "on", "across"),
    place("a winter landscape", "in", "through"),
];
const ROOM: &[Place] = &[
    place("a room", "in", "across"),
    place("a living room", "in", "through"),
    place("a cosy room", "in", "across"),
    place("a cozy living room", "in", "through"),
    place("indoors", "", ""),
    place("a room in a house", "in", "across"),
    place("a living room with a sofa", "in", "across"),
];
const STAGE: &[Place] = &[
    place("a stage", "on", "across"),
    place("a theatre stage", "on", "across"),
    place("a theater stage", "on", "across"),
    place("the stage of a theatre", "on", "across"),
    place("the stage", "on", "across"),
    place("a stage with a curtain", "on", "across"),
];
const SPACE: &[Place] = &[
    place("space", "in", "through"),
    place("outer space", "in", "through"),
    place("deep space", "in", "through"),
    place("the stars", "among", "among"),
    place("the cosmos", "in", "through"),
    place("outer space near a ringed planet", "in", "through"),
    place("a field of asteroids", "in", "through"),
];
const BEACH: &[Place] = &[
    place("a beach", "on", "along"),
    place("the beach", "on", "along"),
    place("a sandy beach", "on", "across"),
    place("the seashore", "on", "along"),
    place("the shore", "on", "along"),
    place("the seaside", "at", "along"),
    place("a tropical beach", "on", "along"),
    place("a beach with palm trees", "on", "along"),
];
const MEADOW: &[Place] = &[
    place("a meadow", "in", "across"),
    place("a grassy meadow", "in", "through"),
    place("a grassy field", "in", "across"),
    place("a field", "in", "across"),
    place("a field of grass", "in", "through"),
    place("the grass", "in", "through"),
    place("a flowery meadow", "in", "across"),
    place("a farm field", "in", "across"),
];
const UNDERWATER: &[Place] = &[
    place("underwater", "", ""),
    place("under water", "", ""),
    place("under the sea", "", ""),
    place("beneath the waves", "", ""),
    place("the seabed", "on", "along"),
    place("the ocean floor", "on", "across"),
    place("a coral reef", "at", "along"),
    place("the sea bed", "on", "over"),
];
const CAVE: &[Place] = &[
    place("a cave", "in", "through"),
    place("a rocky cave", "in", "through"),
    place("a cavern", "in", "through"),
    place("a grotto", "in", "through"),
    place("a underground cave", "in", "through"),
    place("a cave with stalactites", "in", "through"),
];

/// The names of a setting; one swims in the sea, and does all else on it.
fn places(scene: &Scene) -> &'static [Place] {
    match scene.setting {
        Setting::NeonStreet => STREET,
        Setting::Forest => FOREST,
        Setting::MountainRoad => MOUNTAIN_ROAD,
        Setting::Desert => DESERT,
        Setting::Sea if scene.cast.iter().all(|actor| actor.action == Action::Swim) => SEA_WATER,
        Setting::Sea => SEA,
        Setting::Snowfield => SNOWFIELD,
        Setting::Room => ROOM,
        Setting::Stage => STAGE,
        Setting::Space => SPACE,
        Setting::Beach => BEACH,
        Setting::Meadow => MEADOW,
        Setting::Underwater => UNDERWATER,
        Setting::Cave => CAVE,
    }
}

/// The names of a setting, without articles.
#[cfg(test)]
pub(super) fn bare_names(scene: &Scene) -> impl Iterator<Item = &'static str> {
    places(scene).iter().map(|place| {
        place
            .name
            .trim_start_matches("a ")
            .trim_start_matches("the ")
    })
}

/// What of the surroundings is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    pub light: bool,
    pub weather: bool,
}

/// Where, when and in what air; every part may be empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// Where the action takes place or leads: "through a foggy forest".
    pub path: String,
    /// Where it takes place: "in a foggy forest".
    pub at: String,
    /// When and in what air: "at night in the rain".
    pub when: String,
}

/// The surroundings of the scene for the first actor's action.
pub(super) fn around(scene: &Scene, telling: Telling, pen: &mut Pen) -> Around {
    let action = scene.cast[0].action;
    let options = places(scene);
    let place = &options[pen.favoured(options.len())];
    let mut told = telling;
    let article = ["a ", "the "]
        .into_iter()
        .find(|article| place.name.starts_with(article))
        .unwrap_or("");
    let bare = &place.name[article.len()..];
    let mut adjective = "";
    if told.weather && !article.is_empty() && pen.chance(0.45) {
        adjective = pen.adjective(weather_adjectives(scene), bare);
        told.weather = adjective.is_empty();
    }
    if told.light && !article.is_empty() && adjective.is_empty() && pen.chance(0.2) {
        adjective = pen.adjective(light_adjectives(scene, bare), bare);
        told.light = adjective.is_empty();
    }
    let name = join(&[article.trim_end(), adjective, bare]);
    let mut when = Vec::new();
    if told.light {
        when.push(light_phrase(scene, pen));
    }
    if told.weather {
        when.extend(weather_phrase(scene, !told.light, pen));
    }
    pen.shuffle(&mut when);
    let alike = when
        .iter()
        .filter(|phrase| phrase.starts_with("in "))
        .count()
        == 2;
    let along = match action {
        Action::Fly if scene.setting.is_open() && !place.at.is_empty() && pen.chance(0.5) => "over",
        _ if action.locomotes() && pen.chance(0.75) => place.along,
        _ => place.at,
    };
    Around {
        path: join(&[along, &name]),
        at: join(&[place.at, &name]),
        when: when.join(if alike { " and " } else { " " }),
    }
}

/// What else there is to see in the setting, without a stop, where the frame is wide and level enough to show it.
pub(super) fn scenery_sentence(scene: &Scene, pen: &mut Pen) -> Option<&'static str> {
    let wide = !matches!(scene.shot.size, ShotSize::Medium | ShotSize::CloseUp);
    let level = matches!(scene.shot.angle, Angle::EyeLevel | Angle::Low);
    if !wide || !level {
        return None;
    }
    let sentences: &[&str] = match scene.setting {
        Setting::NeonStreet => &[
            "shop windows shine along the street",
            "tall houses with neon signs line the street",
        ],
        Setting::Forest => &[
            "tall trees stand all around",
            "the trees stand close together behind",
        ],
        Setting::MountainRoad => &[
            "mountains rise beyond the road",
            "peaks rise in the distance",
        ],
        Setting::Desert => &[
            "dunes and cacti stretch to the horizon",
            "cacti stand in the sand",
        ],
        Setting::Sea => &["waves roll all around", "water reaches to the horizon"],
        Setting::Snowfield => &["snow covers the ground", "fir trees stand in deep snow"],
        Setting::Room => &[
            "a sofa stands by the wall",
            "there is a window in the wall behind",
        ],
        Setting::Stage => &[
            "a heavy curtain hangs behind",
            "a theatre curtain hangs at the back of the stage",
        ],
        Setting::Space => &[
            "stars shine all around",
            "a ringed planet hangs in the distance",
        ],
        Setting::Beach => &[
            "palm trees stand by the water",
            "the sea lies behind the sand",
        ],
        Setting::Meadow => &["flowers grow in the grass", "hills rise behind the grass"],
        Setting::Underwater => &[
            "corals and seaweed grow on the seabed",
            "bubbles rise through the water",
        ],
        Setting::Cave => &[
            "stalactites hang from the rock",
            "rock walls rise all around",
        ],
    };
    Some(pen.pick(sentences))
}
