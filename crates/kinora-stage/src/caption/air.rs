//! How captions speak of the light and the weather.

use super::grammar::Pen;
use crate::scene::Scene;
use crate::vocabulary::{Light, Setting, Weather};

/// What weather makes of a place: "foggy".
pub(super) fn weather_adjectives(scene: &Scene) -> &'static [&'static str] {
    match scene.weather {
        Weather::Clear => &[],
        Weather::Fog => &["foggy", "misty"],
        // Water is neither soaked nor covered.
        Weather::Rain | Weather::Snow if scene.setting == Setting::Sea => &[],
        Weather::Rain => &["rainy", "rain-soaked"],
        Weather::Snow => &["snowy", "snow-covered"],
    }
}

/// What light makes of a place: "moonlit".
pub(super) fn light_adjectives(scene: &Scene, place: &str) -> &'static [&'static str] {
    match scene.light {
        Light::Day if scene.setting.is_open() && scene.weather == Weather::Clear => {
            &["sunny", "sunlit"]
        }
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
    pen.favour(light_phrases(scene.light, scene.setting, clear))
}

pub(super) fn light_phrases(
    light: Light,
    setting: Setting,
    clear: bool,
) -> &'static [&'static str] {
    match (light, setting) {
        (Light::Day, Setting::Stage) => &[
            "under bright stage lights",
            "under the spotlights",
            "in the spotlight",
            "under bright lights",
            "in bright light",
            "with the lights on",
        ],
        (Light::Day, Setting::Space) => &[
            "in bright sunlight",
            "in the sunlight",
            "in bright light",
            "lit by the sun",
        ],
        (Light::Day, Setting::Underwater) => &[
            "in bright light",
            "in daylight",
            "in the sunlight from above",
        ],
        (Light::Day, Setting::Cave) => &[
            "in daylight",
            "in bright light",
            "lit from outside by daylight",
        ],
        (Light::Day, Setting::Room) => &[
            "in daylight",
            "in the daytime",
            "by day",
            "in bright light",
            "during the day",
        ],
        (Light::Day, _) if clear => &[
            "by day",
            "in daylight",
            "in the daytime",
            "on a sunny day",
            "on a bright day",
            "in the sunshine",
            "at noon",
        ],
        (Light::Day, _) => &[
            "by day",
            "in daylight",
            "in the daytime",
            "during the day",
            "at midday",
        ],
        (Light::Night, Setting::Space | Setting::Cave | Setting::Stage) => &[
            "in the dark",
            "in darkness",
            "in dim light",
            "in near darkness",
        ],
        (Light::Night, Setting::Underwater) => {
            &["at night", "in the dark", "in darkness", "by night"]
        }
        (Light::Night, Setting::Room) => &[
            "at night",
            "late at night",
            "in the dark",
            "after dark",
            "by night",
        ],
        (Light::Night, Setting::NeonStreet) => &[
            "at night",
            "late at night",
            "after dark",
            "by night",
            "at midnight",
        ],
        (Light::Night, _) if clear => &[
            "at night",
            "late at night",
            "after dark",
            "by night",
            "at midnight",
            "in the moonlight",
            "under the night sky",
            "under the stars",
            "under the moon",
        ],
        (Light::Night, _) => &[
            "at night",
            "late at night",
            "after dark",
            "by night",
            "in the dark of night",
        ],
        (Light::GoldenHour, Setting::Stage) => {
            &["in warm golden light", "in golden light", "in a warm glow"]
        }
        (Light::GoldenHour, Setting::Room) => &[
            "at sunset",
            "in warm evening light",
            "in golden evening light",
            "at golden hour",
            "in the light of the setting sun",
        ],
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
        (Light::BlueHour, Setting::Underwater) => &[
            "at dusk",
            "at twilight",
            "in dim blue light",
            "at blue hour",
        ],
        (Light::BlueHour, _) => &[
            "at dusk",
            "at twilight",
            "at blue hour",
            "during blue hour",
            "in the blue light of dusk",
            "in the evening twilight",
            "at nightfall",
        ],
        (Light::Neon, Setting::NeonStreet) => &[
            "at night",
            "under neon lights",
            "in the glow of neon signs",
            "in neon light",
            "at night under neon signs",
        ],
        (Light::Neon, _) => &[
            "under neon lights",
            "in neon light",
            "in a neon glow",
            "lit by neon",
            "in colourful neon light",
        ],
        (Light::CandleLight, _) => &[
            "by candlelight",
            "in candlelight",
            "in the glow of candles",
            "in warm candlelight",
            "in the light of candles",
        ],
    }
}

/// "in the rain"; clear weather goes without saying most of the time, and cannot be seen without a sky. The phrase may
/// tell the hour with it ("on a rainy night") if nothing else does.
pub(super) fn weather_phrase(
    scene: &Scene,
    with_hour: bool,
    pen: &mut Pen,
) -> Option<&'static str> {
    if with_hour && scene.setting.is_open() && pen.chance(0.3) {
        match (scene.light, scene.weather) {
            (Light::Day, Weather::Fog) => return Some("on a foggy day"),
            (Light::Day, Weather::Rain) => return Some("on a rainy day"),
            (Light::Day, Weather::Snow) => return Some("on a snowy day"),
            (Light::Night, Weather::Fog) => return Some("on a foggy night"),
            (Light::Night, Weather::Rain) => return Some("on a rainy night"),
            (Light::Night, Weather::Snow) => return Some("on a snowy night"),
            _ => {}
        }
    }
    let phrases: &[&str] = match scene.weather {
        Weather::Clear if scene.setting.is_open() => {
            &["under a clear sky", "in clear weather", "in clear air"]
        }
        Weather::Clear => return None,
        Weather::Fog => &[
            "in the fog",
            "in thick fog",
            "in the mist",
            "in fog",
            "surrounded by mist",
        ],
        Weather::Rain => &[
            "in the rain",
            "in pouring rain",
            "in heavy rain",
            "in a downpour",
            "in a storm",
            "while it rains",
            "as rain falls",
        ],
        Weather::Snow => &[
            "in the falling snow",
            "while it snows",
            "as snow falls",
            "in a snowfall",
            "in a snowstorm",
            "with snow falling",
        ],
    };
    Some(pen.favour(phrases))
}

/// The light as a sentence of its own, without a stop: "the scene is lit by candles".
pub(super) fn light_sentence(scene: &Scene, pen: &mut Pen) -> &'static str {
    pen.pick(light_sentences(scene.light, scene.setting))
}

pub(super) fn light_sentences(light: Light, setting: Setting) -> &'static [&'static str] {
    match (light, setting) {
        (Light::Day, Setting::Stage) => &[
            "bright stage lights shine down",
            "the stage lights are bright",
        ],
        (Light::Day, Setting::Space) => &[
            "the light of the sun is hard and bright",
            "bright sunlight falls on the scene",
        ],
        (Light::Day, Setting::Underwater | Setting::Cave) => {
            &["daylight comes in from above", "the light is bright"]
        }
        (Light::Day, Setting::Room) => &[
            "daylight fills the room",
            "the room is bright with daylight",
        ],
        (Light::Day, _) => &[
            "it is day",
            "it is the middle of the day",
            "the scene is in full daylight",
            "it is daytime",
        ],
        (Light::Night, Setting::Space | Setting::Cave | Setting::Stage | Setting::Underwater) => {
            &["it is dark", "the scene is dark", "there is little light"]
        }
        (Light::Night, Setting::Room) => {
            &["it is night", "it is late at night", "the room is dark"]
        }
        (Light::Night, _) => &[
            "it is night",
            "it is late at night",
            "the night is dark",
            "night has fallen",
        ],
        (Light::GoldenHour, Setting::Stage) => &[
            "the light is warm and golden",
            "warm light glows on the scene",
        ],
        (Light::GoldenHour, _) => &[
            "the sun is low and the light is golden",
            "it is sunset",
            "the warm light of golden hour falls on the scene",
            "warm evening light falls from the side",
        ],
        (Light::BlueHour, _) => &[
            "it is dusk",
            "it is blue hour",
            "twilight colours everything blue",
            "the light is the blue of dusk",
        ],
        (Light::Neon, _) => &[
            "neon lights glow",
            "the light comes from neon",
            "neon light colours the scene",
        ],
        (Light::CandleLight, _) => &[
            "candles give the only light",
            "the scene is lit by candlelight",
            "warm candlelight flickers",
        ],
    }
}

/// The weather as a sentence of its own, if there is any to speak of.
pub(super) fn weather_sentence(scene: &Scene, pen: &mut Pen) -> Option<&'static str> {
    let sentences: &[&str] = match scene.weather {
        Weather::Clear if scene.setting.is_open() => &[
            "the air is clear",
            "the weather is clear",
            "the sky is clear",
        ],
        Weather::Clear => return None,
        Weather::Fog => &[
            "fog hangs in the air",
            "the air is thick with fog",
            "mist veils the distance",
            "it is foggy",
        ],
        Weather::Rain => &[
            "it is raining",
            "rain is falling",
            "rain pours down",
            "it rains heavily",
        ],
        Weather::Snow => &[
            "it is snowing",
            "snow is falling",
            "snowflakes drift down",
            "snow falls softly",
        ],
    };
    Some(pen.pick(sentences))
}
