//! The captions as an editor and a fact checker would read them.

use super::grammar::{Form, Number, inflect};
use super::nouns::{colour_shows, colours, names};
use super::places::bare_names;
use super::verbs::verbs;
use super::{Length, caption, words};
use crate::scene::Scene;
use crate::vocabulary::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

fn each_caption(mut check: impl FnMut(&Scene, Length, &str)) {
    for seed in 0..2_000 {
        let scene = Scene::sample(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for length in Length::ALL {
            check(&scene, length, &caption(&scene, length, &mut rng));
        }
    }
}

/// Lower case words with one blank before and after each; hyphens part words, marks go.
fn plain(text: &str) -> String {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    format!(" {} ", words.join(" "))
}

fn says(text: &str, phrase: &str) -> bool {
    text.contains(&plain(phrase))
}

fn says_subject(text: &str, subject: Subject) -> bool {
    // A colour may part a name ("little red fox"), so its last word counts.
    names(subject)
        .iter()
        .flat_map(|noun| [noun.0, noun.1])
        .any(|noun| says(text, noun.rsplit(' ').next().unwrap()))
}

#[test]
fn captions_tell_the_facts_that_their_length_promises() {
    each_caption(|scene, length, text| {
        let read = plain(text);
        for actor in &scene.cast {
            assert!(
                says_subject(&read, actor.subject),
                "{:?} is missing in {text:?}",
                actor.subject
            );
        }
        if length == Length::Short {
            return;
        }
        for actor in scene
            .cast
            .iter()
            .filter(|actor| colour_shows(actor.colour, scene.look))
        {
            let all_show = scene
                .cast
                .iter()
                .all(|other| colour_shows(other.colour, scene.look));
            let told = colours(actor.colour)
                .iter()
                .any(|word| says(&read, word) || says(&read, &word.replace("golden", "gold")));
            // A crowd of mixed colours in black and white is told without any.
            assert!(
                told || !all_show,
                "{:?} is missing in {text:?}",
                actor.colour
            );
        }
        let first = scene.cast[0];
        assert!(
            bare_names(scene).any(|name| says(&read, name)),
            "{:?} is missing in {text:?}",
            scene.setting
        );
        let told = scene
            .cast
            .iter()
            .filter(|actor| actor.action == first.action)
            .any(|actor| {
                verbs(actor.subject, actor.action, scene.setting)
                    .iter()
                    .any(|verb| {
                        [
                            (Form::Participle, Number::Singular),
                            (Form::Simple, Number::Singular),
                            (Form::Simple, Number::Plural),
                        ]
                        .iter()
                        .any(|&(form, number)| says(&read, &inflect(verb, form, number)))
                    })
            });
        assert!(told, "{:?} is missing in {text:?}", first.action);
    });
}

/// Words that belong to one value of a vocabulary alone.
fn setting_marks(setting: Setting) -> &'static [&'static str] {
    match setting {
        Setting::NeonStreet => &["street", "alley", "city", "cyberpunk"],
        Setting::Forest => &["forest", "woods", "woodland"],
        Setting::MountainRoad => &["mountain", "mountains", "road", "highway"],
        Setting::Desert => &["desert", "dunes", "cacti"],
        Setting::Sea => &["open sea", "open ocean", "on the waves"],
        Setting::Snowfield => &["snowfield", "winter landscape", "field of snow"],
        Setting::Room => &["room", "indoors", "sofa"],
        Setting::Stage => &["stage", "theatre", "theater"],
        Setting::Space => &["outer space", "deep space", "cosmos", "asteroids", "planet"],
        Setting::Beach => &["beach", "seashore", "seaside", "shore", "palm trees"],
        Setting::Meadow => &["meadow", "grassy", "flowers"],
        Setting::Underwater => &["underwater", "under water", "seabed", "ocean floor", "reef"],
        Setting::Cave => &["cave", "cavern", "grotto", "stalactites"],
    }
}

fn light_marks(light: Light) -> &'static [&'static str] {
    match light {
        Light::Day => &[
            "daylight",
            "daytime",
            "noon",
            "midday",
            "sunny",
            "sunlit",
            "by day",
            "sunshine",
            "it is day",
        ],
        Light::Night => &[
            "at night",
            "by night",
            "it is night",
            "midnight",
            "moonlight",
            "moonlit",
            "darkness",
        ],
        Light::GoldenHour => &[
            "sunset",
            "sunrise",
            "dawn",
            "golden hour",
            "setting sun",
            "sun sets",
            "golden light",
        ],
        Light::BlueHour => &["dusk", "twilight", "blue hour", "nightfall"],
        Light::Neon => &["neon light", "neon lights", "neon glow", "lit by neon"],
        Light::CandleLight => &[
            "candlelight",
            "candlelit",
            "glow of candles",
            "light of candles",
        ],
    }
}

fn weather_marks(weather: Weather) -> &'static [&'static str] {
    match weather {
        Weather::Clear => &[
            "clear sky",
            "sky is clear",
            "air is clear",
            "weather is clear",
            "sunny",
        ],
        Weather::Fog => &["fog", "foggy", "mist", "misty"],
        Weather::Rain => &["rain", "rains", "rainy", "raining", "rain soaked"],
        Weather::Snow => &[
            "it is snowing",
            "falling snow",
            "snow falling",
            "snow falls",
            "snowflakes",
            "it snows",
        ],
    }
}

fn look_marks(look: Look) -> &'static [&'static str] {
    match look {
        Look::Plain => &["3d", "computer animation", "plain digital video"],
        Look::Film35 => &["35mm", "35 mm", "cinematic"],
        Look::Film16 => &["16mm", "grainy"],
        Look::Noir => &[
            "noir",
            "monochrome",
            "in black and white",
            "black and white film",
        ],
        Look::Watercolor => &["watercolor", "watercolour", "painted in"],
        Look::Clay => &["clay", "claymation"],
        Look::Cel => &["anime", "cartoon", "cel", "hand drawn"],
    }
}

fn move_marks(camera_move: CameraMove) -> &'static [&'static str] {
    match camera_move {
        CameraMove::Static => &[
            "static",
            "locked off",
            "fixed camera",
            "camera stays still",
            "camera holds still",
        ],
        CameraMove::PanLeft => &[
            "pan left",
            "pans left",
            "pans to the left",
            "pan to the left",
        ],
        CameraMove::PanRight => &[
            "pan right",
            "pans right",
            "pans to the right",
            "pan to the right",
        ],
        CameraMove::TiltUp => &["tilt up", "tilts up", "tilts upward", "tilt upward"],
        CameraMove::TiltDown => &["tilt down", "tilts down", "tilts downward", "tilt downward"],
        CameraMove::PushIn => &[
            "push in",
            "pushes in",
            "dolly in",
            "dollies in",
            "moves closer",
            "moves in",
        ],
        CameraMove::PullOut => &[
            "pull out",
            "pulls out",
            "pull back",
            "pulls back",
            "dolly out",
            "dollies out",
        ],
        CameraMove::TruckLeft => &[
            "truck left",
            "trucks left",
            "slides to the left",
            "sideways to the left",
        ],
        CameraMove::TruckRight => &[
            "truck right",
            "trucks right",
            "slides to the right",
            "sideways to the right",
        ],
        CameraMove::BoomUp => &[
            "boom up",
            "booms up",
            "crane up",
            "cranes up",
            "camera rises",
        ],
        CameraMove::BoomDown => &[
            "boom down",
            "booms down",
            "crane down",
            "cranes down",
            "camera sinks",
        ],
        CameraMove::OrbitLeft => &["orbit left", "orbits left", "arcs to the left"],
        CameraMove::OrbitRight => &["orbit right", "orbits right", "arcs to the right"],
        CameraMove::Track => &["tracking", "camera tracks", "camera follows"],
        CameraMove::ZoomIn => &["zoom in", "zooms in"],
        CameraMove::ZoomOut => &["zoom out", "zooms out"],
        CameraMove::Handheld => &["handheld", "hand held"],
    }
}

fn shot_marks(size: ShotSize) -> &'static [&'static str] {
    match size {
        ShotSize::ExtremeWide => &["extreme wide", "very wide", "extreme long", "distant view"],
        ShotSize::Wide => &["a wide shot", "a long shot", "wide view"],
        ShotSize::Full => &["full shot", "full body", "full length", "full view"],
        ShotSize::Medium => &["medium shot", "mid shot", "waist up"],
        ShotSize::CloseUp => &["close up", "closeup"],
    }
}

fn angle_marks(angle: Angle) -> &'static [&'static str] {
    match angle {
        Angle::EyeLevel => &["eye level"],
        Angle::Low => &["low angle", "from below"],
        Angle::High => &["high angle", "seen from above"],
        Angle::Overhead => &["overhead", "top down", "directly above"],
        Angle::Dutch => &["dutch", "canted", "tilted"],
    }
}

fn assert_only<T: Copy + PartialEq + std::fmt::Debug>(
    text: &str,
    all: &[T],
    truth: &[T],
    marks: impl Fn(T) -> &'static [&'static str],
) {
    let read = plain(text);
    for &value in all.iter().filter(|value| !truth.contains(value)) {
        for mark in marks(value) {
            assert!(
                !says(&read, mark),
                "{mark:?} belongs to {value:?}, not to {truth:?}: {text:?}"
            );
        }
    }
}

#[test]
fn captions_never_contradict_the_scene() {
    each_caption(|scene, _, text| {
        assert_only(text, Setting::ALL, &[scene.setting], setting_marks);
        // A neon street lit by its signs is a street at night.
        let night = scene.setting == Setting::NeonStreet && scene.light == Light::Neon;
        let lights = if night {
            vec![Light::Neon, Light::Night]
        } else {
            vec![scene.light]
        };
        assert_only(text, Light::ALL, &lights, light_marks);
        assert_only(text, Weather::ALL, &[scene.weather], weather_marks);
        assert_only(text, Look::ALL, &[scene.look], look_marks);
        assert_only(text, CameraMove::ALL, &[scene.shot.camera_move], move_marks);
        assert_only(text, ShotSize::ALL, &[scene.shot.size], shot_marks);
        assert_only(text, Angle::ALL, &[scene.shot.angle], angle_marks);
    });
}

#[test]
fn sides_are_told_the_right_way_round() {
    let mut seen = 0;
    each_caption(|scene, _, text| {
        let (left, right) = match (scene.relation, scene.cast.as_slice()) {
            (Relation::LeftOf, [a, b]) => (a.subject, b.subject),
            (Relation::RightOf, [a, b]) => (b.subject, a.subject),
            _ => return,
        };
        let read = plain(text);
        for (mark, wrong, right) in [(" left of ", left, right), (" right of ", right, left)] {
            if let Some(at) = read.find(mark).filter(|_| left != right) {
                let next = &read[at + mark.len() - 1..];
                let next: String = next.split_inclusive(' ').take(5).collect();
                // The first of the two nouns after the words is what they refer to.
                assert!(
                    says_subject(&next, right) || !says_subject(&next, wrong),
                    "turned round: {text:?}"
                );
                seen += 1;
            }
        }
    });
    assert!(seen > 200, "only {seen} captions told of sides");
}

#[test]
fn captions_are_well_formed() {
    each_caption(|_, length, text| {
        assert!(
            !text.contains("  ") && text.trim() == text,
            "blanks in {text:?}"
        );
        for wrong in [" ,", " .", ",,", "..", ",.", "{", "}", " ;", ", and ,"] {
            assert!(!text.contains(wrong), "{wrong:?} in {text:?}");
        }
        let words: Vec<&str> = text.split(' ').collect();
        for pair in words.windows(2) {
            let vowel = pair[1]
                .to_lowercase()
                .starts_with(['a', 'e', 'i', 'o', 'u']);
            let article = pair[0].to_lowercase();
            assert!(
                !(article == "a" && vowel && !pair[1].starts_with("uniform")),
                "article in {text:?}"
            );
            assert!(article != "an" || vowel, "article in {text:?}");
            assert_ne!(article, pair[1].to_lowercase(), "stutter in {text:?}");
        }
        let stops = text.matches(". ").count() + usize::from(text.ends_with('.'));
        match length {
            Length::Paragraph => assert!((2..=4).contains(&stops), "{stops} sentences in {text:?}"),
            _ => assert!(stops <= 1, "{stops} stops in {text:?}"),
        }
    });
}

#[test]
fn captions_vary_and_repeat_with_the_seed() {
    for (length, least) in [
        (Length::Short, 40),
        (Length::Sentence, 60),
        (Length::Paragraph, 60),
    ] {
        for seed in 0..40 {
            let scene = Scene::sample(seed);
            let draw = |n| caption(&scene, length, &mut ChaCha8Rng::seed_from_u64(n));
            let distinct: BTreeSet<String> = (0..64).map(draw).collect();
            assert!(
                distinct.len() >= least,
                "{} distinct {length:?} captions of seed {seed}",
                distinct.len()
            );
            assert_eq!(draw(5), draw(5));
        }
    }
}

#[test]
fn the_word_list_holds_every_word() {
    let words = words();
    assert!(
        words.is_sorted() && words.len() < 2_000,
        "{} words",
        words.len()
    );
    for seed in 1_000_000..1_003_000 {
        let scene = Scene::sample(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for length in Length::ALL {
            let text = plain(&caption(&scene, length, &mut rng));
            for word in text.split_whitespace() {
                assert!(
                    words.iter().any(|known| known == word),
                    "{word:?} is not in the list"
                );
            }
        }
    }
}
