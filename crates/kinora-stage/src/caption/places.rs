//! How captions speak of the setting, the light and the weather.

use super::grammar::Pen;
use crate::scene::Scene;
use crate::vocabulary::{Action, Light, Setting, Weather};

/// A name of a setting with the prepositions for being there and for moving through it.
struct Place {
    name: &'static str,
    at: &'static str,
    along: &'static str,
}

const fn place(name: &'static str, at: &'static str, along: &'static str) -> Place {
    Place { name, at, along }
}

const STREET: [Place; 9] = [
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
const FOREST: [Place; 6] = [
    place("a forest", "in", "through"),
    place("the forest", "in", "through"),
    place("the woods", "in", "through"),
    place("a woodland", "in", "through"),
    place("a wood", "in", "through"),
    place("a clearing among the trees", "in", "across"),
];
const MOUNTAIN_ROAD: [Place; 6] = [
    place("a mountain road", "on", "along"),
    place("a road in the mountains", "on", "along"),
    place("a mountain pass", "on", "over"),
    place("a highway in the mountains", "on", "down"),
    place("the mountains", "in", "through"),
    place("a lonely mountain road", "on", "down"),
];
const DESERT: [Place; 6] = [
    place("the desert", "in", "across"),
    place("a desert", "in", "through"),
    place("a sandy desert", "in", "across"),
    place("a wide desert", "in", "across"),
    place("the desert sand", "on", "over"),
    place("a desert landscape", "in", "through"),
];
const SEA: [Place; 5] = [
    place("the sea", "on", "across"),
    place("the ocean", "on", "across"),
    place("the open sea", "on", "over"),
    place("the open ocean", "on", "across"),
    place("the waves", "on", "over"),
];
const SEA_WATER: [Place; 4] = [
    place("the sea", "in", "through"),
    place("the ocean", "in", "across"),
    place("the open sea", "in", "through"),
    place("the waves", "in", "through"),
];
const SNOWFIELD: [Place; 8] = [
    place("a snowy field", "in", "across"),
    place("the snow", "in", "through"),
    place("a snowfield", "on", "across"),
    place("a snow-covered field", "in", "across"),
    place("a field of snow", "in", "through"),
    place("a snowy landscape", "in", "through"),
    place("a snowy plain", "on", "across"),
    place("a winter landscape", "in", "through"),
];
const ROOM: [Place; 6] = [
    place("a room", "in", "across"),
    place("a living room", "in", "through"),
    place("a cosy room", "in", "across"),
    place("a cozy living room", "in", "through"),
    place("indoors", "", ""),
    place("a room of a house", "in", "through"),
];
const STAGE: [Place; 5] = [
    place("a stage", "on", "across"),
    place("a theatre stage", "on", "across"),
    place("a theater stage", "on", "across"),
    place("the stage of a theatre", "on", "across"),
    place("the stage", "on", "across"),
];
const SPACE: [Place; 5] = [
    place("space", "in", "through"),
    place("outer space", "in", "through"),
    place("deep space", "in", "through"),
    place("the stars", "among", "among"),
    place("the cosmos", "in", "through"),
];
const BEACH: [Place; 5] = [
    place("a beach", "on", "along"),
    place("the beach", "on", "along"),
    place("a sandy beach", "on", "across"),
    place("the seashore", "on", "along"),
    place("the shore", "on", "along"),
];
const MEADOW: [Place; 6] = [
    place("a meadow", "in", "across"),
    place("a grassy meadow", "in", "through"),
    place("a grassy field", "in", "across"),
    place("a field", "in", "across"),
    place("a field of grass", "in", "through"),
    place("the grass", "in", "through"),
];
const UNDERWATER: [Place; 6] = [
    place("underwater", "", ""),
    place("under water", "", ""),
    place("under the sea", "", ""),
    place("beneath the waves", "", ""),
    place("the seabed", "on", "along"),
    place("the ocean floor", "on", "across"),
];
const CAVE: [Place; 5] = [
    place("a cave", "in", "through"),
    place("a rocky cave", "in", "through"),
    place("a cavern", "in", "through"),
    place("a grotto", "in", "through"),
    place("a underground cave", "in", "through"),
];

fn places(setting: Setting, action: Action) -> &'static [Place] {
    match setting {
        Setting::NeonStreet => &STREET,
        Setting::Forest => &FOREST,
        Setting::MountainRoad => &MOUNTAIN_ROAD,
        Setting::Desert => &DESERT,
        Setting::Sea if action == Action::Swim => &SEA_WATER,
        Setting::Sea => &SEA,
        Setting::Snowfield => &SNOWFIELD,
        Setting::Room => &ROOM,
        Setting::Stage => &STAGE,
        Setting::Space => &SPACE,
        Setting::Beach => &BEACH,
        Setting::Meadow => &MEADOW,
        Setting::Underwater => &UNDERWATER,
        Setting::Cave => &CAVE,
    }
}

/// What of the surroundings is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    pub light: bool,
    pub weather: bool,
}

/// Where, when and in what air, ready to stand after a verb or before a clause.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// "through a foggy forest"
    pub place: String,
    /// "at night", "in the rain"
    pub circumstances: Vec<String>,
}

/// The surroundings for an action; `moving` says whether it may lead through the place.
pub(super) fn surroundings(scene: &Scene, action: Action, moving: bool, telling: Telling, pen: &mut Pen) -> Surroundings {
    let place = &pen.favour(&(places(scene.setting, action).iter().collect::<Vec<_>>()));
    let mut told = telling;
    let mut adjectives = Vec::new();
    let article = ["a ", "the "].into_iter().find(|article| place.name.starts_with(article)).unwrap_or("");
    if !article.is_empty() {
        let words = weather_adjectives(scene);
        if told.weather && !words.is_empty() && pen.chance(0.45) {
            adjectives.push(pen.pick(words));
            told.weather = false;
        }
        let words = light_adjectives(scene, place.name);
        if told.light && adjectives.is_empty() && !words.is_empty() && pen.chance(0.2) {
            adjectives.push(pen.pick(words));
            told.light = false;
        }
    }
    let name = &place.name[article.len()..];
    // An adjective that repeats the name's own ("a snowy snowy field") is worse than none.
    adjectives.retain(|adjective| !name.contains(&adjective[..4]));
    let name = format!("{article}{}{name}", adjectives.iter().map(|word| format!("{word} ")).collect::<String>());
    let preposition = match action {
        Action::Fly if moving && scene.setting.is_open() && !place.at.is_empty() && pen.chance(0.5) => "over",
        action if moving && action.locomotes() && pen.chance(0.75) => place.along,
        _ => place.at,
    };
    let mut circumstances = Vec::new();
    if told.light {
        circumstances.push(light_phrase(scene, pen).to_owned());
    }
    if told.weather {
        circumstances.extend(weather_phrase(scene, pen).map(str::to_owned));
    }
    pen.shuffle(&mut circumstances);
    let place = if preposition.is_empty() { name } else { format!("{preposition} {name}") };
    Surroundings { place, circumstances }
}

fn weather_adjectives(scene: &Scene) -> &'static [&'static str] {
    match scene.weather {
        Weather::Clear => &[],
        Weather::Fog => &["foggy", "misty"],
        Weather::Rain => &["rainy", "rain-soaked"],
        Weather::Snow if scene.setting == Setting::Sea => &["snowy"],
        Weather::Snow => &["snowy", "snow-covered"],
    }
}

fn light_adjectives(scene: &Scene, place: &str) -> &'static [&'static str] {
    match scene.light {
        Light::Day if scene.setting.is_open() && scene.weather == Weather::Clear => &["sunny", "sunlit"],
        Light::Day if scene.setting.is_indoor() => &["brightly lit", "bright"],
        Light::Night if scene.setting.is_open() => &["dark", "moonlit"],
        Light::Night => &["dark", "dimly lit"],
        Light::CandleLight => &["candlelit"],
        Light::Neon if !place.contains("neon") => &["neon-lit"],
        _ => &[],
    }
}

/// "at night"
pub(super) fn light_phrase(scene: &Scene, pen: &mut Pen) -> &'static str {
    let clear = scene.weather == Weather::Clear;
    let phrases: &[&str] = match (scene.light, scene.setting) {
        (Light::Day, Setting::Stage) => {
            &["under bright stage lights", "under bright lights", "in bright light", "with the lights on"]
        }
        (Light::Day, Setting::Space) => &["in bright sunlight", "in the sunlight", "in bright light", "lit by the sun"],
        (Light::Day, Setting::Underwater) => &["in bright light", "in daylight", "in the sunlight from above"],
        (Light::Day, Setting::Cave) => &["in daylight", "in bright light", "lit from outside by daylight"],
        (Light::Day, Setting::Room) => &["in daylight", "in the daytime", "by day", "in bright light", "during the day"],
        (Light::Day, _) if clear => {
            &["by day", "in daylight", "in the daytime", "on a sunny day", "on a bright day", "in the sunshine", "at noon"]
        }
        (Light::Day, _) => &["by day", "in daylight", "in the daytime", "during the day", "at midday"],
        (Light::Night, Setting::Space | Setting::Cave | Setting::Stage) => {
            &["in the dark", "in darkness", "in dim light", "in near darkness"]
        }
        (Light::Night, Setting::Underwater) => &["at night", "in the dark", "in darkness", "by night"],
        (Light::Night, Setting::Room) => &["at night", "late at night", "in the dark", "after dark", "by night"],
        (Light::Night, Setting::NeonStreet) => &["at night", "late at night", "after dark", "by night", "at midnight"],
        (Light::Night, _) if clear => {
            &["at night", "late at night", "after dark", "by night", "at midnight", "in the moonlight", "under the night sky"]
        }
        (Light::Night, _) => &["at night", "late at night", "after dark", "by night", "in the dark of night"],
        (Light::GoldenHour, Setting::Stage) => &["in warm golden light", "in golden light", "in a warm glow"],
        (Light::GoldenHour, Setting::Room) => {
            &["at sunset", "in warm evening light", "in golden evening light", "at golden hour", "in the light of the setting sun"]
        }
        (Light::GoldenHour, _) => &[
            "at sunset",
            "at golden hour",
            "at sunrise",
            "at dawn",
            "during golden hour",
            "in warm evening light",
            "as the sun sets",
            "in the light of the setting sun",
            "in golden light",
        ],
        (Light::BlueHour, Setting::Underwater) => &["at dusk", "at twilight", "in dim blue light", "at blue hour"],
        (Light::BlueHour, _) => &[
            "at dusk",
            "at twilight",
            "at blue hour",
            "during blue hour",
            "in the blue light of dusk",
            "in the evening twilight",
            "at nightfall",
        ],
        (Light::Neon, Setting::NeonStreet) => {
            &["at night", "under neon lights", "in the glow of neon signs", "in neon light", "at night under neon signs"]
        }
        (Light::Neon, _) => &["under neon lights", "in neon light", "in a neon glow", "lit by neon", "in colourful neon light"],
        (Light::CandleLight, _) => {
            &["by candlelight", "in candlelight", "in the glow of candles", "in warm candlelight", "in the light of candles"]
        }
    };
    pen.favour(phrases)
}

/// "in the rain"; clear weather goes without saying most of the time, and cannot be seen without a sky.
pub(super) fn weather_phrase(scene: &Scene, pen: &mut Pen) -> Option<&'static str> {
    let phrases: &[&str] = match scene.weather {
        Weather::Clear if scene.setting.is_open() => &["under a clear sky", "in clear weather", "in clear air"],
        Weather::Clear => return None,
        Weather::Fog => &["in the fog", "in thick fog", "in the mist", "in fog", "surrounded by mist"],
        Weather::Rain => &["in the rain", "in pouring rain", "in heavy rain", "while it rains", "as rain falls"],
        Weather::Snow => {
            &["in the falling snow", "while it snows", "as snow falls", "in a snowfall", "with snow falling"]
        }
    };
    Some(pen.favour(phrases))
}

/// The light as a sentence of its own, without a stop: "the scene is lit by candles".
pub(super) fn light_sentence(scene: &Scene, pen: &mut Pen) -> &'static str {
    let sentences: &[&str] = match (scene.light, scene.setting) {
        (Light::Day, Setting::Stage) => &["bright stage lights shine down", "the stage lights are bright"],
        (Light::Day, Setting::Space) => &["the light of the sun is hard and bright", "bright sunlight falls on the scene"],
        (Light::Day, Setting::Underwater | Setting::Cave) => &["daylight comes in from above", "the light is bright"],
        (Light::Day, Setting::Room) => &["daylight fills the room", "the room is bright with daylight"],
        (Light::Day, _) => &["it is day", "it is the middle of the day", "the scene is in full daylight", "it is daytime"],
        (Light::Night, Setting::Space | Setting::Cave | Setting::Stage | Setting::Underwater) => {
            &["it is dark", "the scene is dark", "there is little light"]
        }
        (Light::Night, Setting::Room) => &["it is night", "it is late at night", "the room is dark"],
        (Light::Night, _) => &["it is night", "it is late at night", "the night is dark", "night has fallen"],
        (Light::GoldenHour, Setting::Stage) => &["the light is warm and golden", "warm light glows on the scene"],
        (Light::GoldenHour, _) => &[
            "the sun is low and the light is golden",
            "it is sunset",
            "the warm light of golden hour falls on the scene",
            "warm evening light falls from the side",
        ],
        (Light::BlueHour, _) => &["it is dusk", "it is blue hour", "twilight colours everything blue", "the light is the blue of dusk"],
        (Light::Neon, _) => &["neon lights glow", "the light comes from neon", "neon light colours the scene"],
        (Light::CandleLight, _) => {
            &["candles give the only light", "the scene is lit by candlelight", "warm candlelight flickers"]
        }
    };
    pen.pick(sentences)
}

/// The weather as a sentence of its own, if there is any to speak of.
pub(super) fn weather_sentence(scene: &Scene, pen: &mut Pen) -> Option<&'static str> {
    let sentences: &[&str] = match scene.weather {
        Weather::Clear if scene.setting.is_open() => &["the air is clear", "the weather is clear", "the sky is clear"],
        Weather::Clear => return None,
        Weather::Fog => &["fog hangs in the air", "the air is thick with fog", "mist veils the distance", "it is foggy"],
        Weather::Rain => &["it is raining", "rain is falling", "rain pours down", "it rains heavily"],
        Weather::Snow => &["it is snowing", "snow is falling", "snowflakes drift down", "snow falls softly"],
    };
    Some(pen.pick(sentences))
}
