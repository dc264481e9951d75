//! What is told, against what was asked: properties over all controls, captions of known scenes and neutral prompts.

use kinora_prompt::{
    Angle, Controls, Dialect, Emotion, Finder, Framing, Lens, Light, Look, Move, PromptError, Size,
    Style, Term, built_in, expand,
};
use kinora_stage::{Length, Scene, caption};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// A value of some controls.
fn any(rng: &mut ChaCha8Rng) -> Controls {
    fn some<T: Copy>(values: &[T], rng: &mut ChaCha8Rng) -> Option<T> {
        rng.random_bool(0.5)
            .then(|| *values.choose(rng).expect("there are values"))
    }
    Controls {
        size: some(Size::ALL, rng),
        framing: some(Framing::ALL, rng),
        angle: some(Angle::ALL, rng),
        camera_move: some(Move::ALL, rng),
        lens: some(Lens::ALL, rng),
        light: some(Light::ALL, rng),
        look: some(Look::ALL, rng),
        emotion: some(Emotion::ALL, rng),
    }
}

/// Prompts that say nothing of sex, age or origin, nor of the shot.
fn neutral_prompts() -> Vec<String> {
    let who = [
        "a person",
        "someone",
        "a doctor",
        "a nurse",
        "a chef",
        "a dancer",
        "a runner",
        "a worker",
        "a teacher",
        "a pilot",
        "two friends",
        "a crowd",
        "a robot",
        "a fox",
        "a rider",
        "a soldier",
        "a scientist",
        "a musician",
        "a judge",
        "a cleaner",
    ];
    let does = [
        "walks through a forest",
        "sits in a room",
        "runs along the beach",
        "waves",
        "stands on a mountain road",
        "dances on a stage",
        "looks around",
        "waits",
        "drives a car",
        "swims in the sea",
    ];
    let pairs = who
        .iter()
        .flat_map(|who| does.iter().map(move |does| format!("{who} {does}")));
    pairs.collect()
}

fn words(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    parts
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[test]
fn a_field_comes_back_from_the_text_it_is_told_in() {
    let finder = Finder::new();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for dialect in Dialect::ALL {
        for term in Term::all() {
            let controls = Controls::from_iter([term]);
            let told = dialect.tell("a fox", &controls, None, &finder).unwrap();
            let wanted: Controls = dialect.nearest(term).into_iter().collect();
            assert_eq!(
                finder.controls(&told.prompt),
                wanted,
                "{term:?}: {}",
                told.prompt
            );
        }
        for round in 0..2_000 {
            let controls = any(&mut rng);
            let prompts = neutral_prompts();
            let prompt = prompts.choose(&mut rng).unwrap();
            let told = dialect.tell(prompt, &controls, None, &finder).unwrap();
            let kept = told
                .added
                .iter()
                .copied()
                .chain(told.nearest.iter().map(|&(_, near)| near));
            let kept: Controls = kept.collect();
            assert_eq!(
                finder.controls(&told.prompt),
                kept,
                "{round}: {}",
                told.prompt
            );
            let all = told.added.len() + told.nearest.len() + told.left_out.len();
            assert_eq!(
                all,
                controls.terms().len(),
                "each is accounted for: {told:?}"
            );
            if dialect == Dialect::Film {
                assert_eq!(kept, controls);
            }
        }
    }
}

#[test]
fn every_name_of_a_term_means_it() {
    let finder = Finder::new();
    for &size in Size::ALL {
        for name in size.names().iter().chain(size.short_names()) {
            assert_eq!(name.parse::<Size>(), Ok(size));
        }
    }
    for term in Term::all() {
        for name in term.names() {
            assert_eq!(finder.controls(name).terms(), [term], "{name}");
        }
    }
    assert_eq!("mcu".parse(), Ok(Size::MediumCloseUp));
    assert_eq!("Push-In".parse(), Ok(Move::PushIn));
    let error = "sideways".parse::<Move>().unwrap_err().to_string();
    assert!(
        error.contains("sideways") && error.contains("truck left"),
        "{error}"
    );
}

#[test]
fn what_captions_say_of_known_scenes_is_found() {
    let finder = Finder::new();
    let (mut said, mut right, mut wrong) = (0, 0, Vec::new());
    for seed in 0..1_500 {
        let scene = Scene::sample(seed);
        let text = caption(
            &scene,
            Length::Paragraph,
            &mut ChaCha8Rng::seed_from_u64(seed),
        );
        let found = finder.controls(&text);
        // A paragraph names light, shot and finish always, so what is missing was missed.
        let name = |value: String| value.to_lowercase();
        let pairs = [
            (
                found.size.map(|v| format!("{v:?}")),
                format!("{:?}", scene.shot.size),
            ),
            (
                found.camera_move.map(|v| format!("{v:?}")),
                format!("{:?}", scene.shot.camera_move),
            ),
            (
                found
                    .look
                    .map(|v| format!("{v:?}").replace("BlackAndWhite", "Noir")),
                format!("{:?}", scene.look),
            ),
            (
                found.angle.map(|v| format!("{v:?}")),
                format!("{:?}", scene.shot.angle),
            ),
            (
                found
                    .light
                    .map(|v| format!("{v:?}").replace("Candle", "CandleLight")),
                format!("{:?}", scene.light),
            ),
        ];
        for (found, truth) in pairs {
            said += 1;
            match found.map(name) {
                Some(found) if found == truth.to_lowercase() => right += 1,
                // By night, neon or not.
                Some(found) if found == "night" && truth == "Neon" => said -= 1,
                Some(found) => wrong.push(format!("{found} for {truth}: {text}")),
                None => {}
            }
        }
    }
    assert!(right * 100 >= said * 93, "{right} of {said} found");
    let most = said / 100;
    assert!(
        wrong.len() <= most,
        "{} of {said} wrong: {:#?}",
        wrong.len(),
        &wrong[..5]
    );
}

#[test]
fn nothing_is_added_in_secret() {
    let finder = Finder::new();
    let sensitive = words(
        "man men woman women boy boys girl girls male female he she him her his hers guy guys lady ladies gentleman \
         gentlemen mother father son daughter young old elderly teenage aged child children kid kids adult white black \
         asian african european american hispanic latino arab indian caucasian pale dark-skinned",
    );
    let prompts = neutral_prompts();
    assert_eq!(prompts.len(), 200);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for prompt in &prompts {
        let own = words(prompt);
        let none = Controls::default();
        for dialect in Dialect::ALL {
            let told = dialect.tell(prompt, &none, None, &finder).unwrap();
            assert_eq!(&told.prompt, prompt, "without a control nothing is added");
            let mut controls = any(&mut rng);
            controls.look = controls.look.filter(|&look| look != Look::BlackAndWhite);
            let told = dialect.tell(prompt, &controls, None, &finder).unwrap();
            let added: Vec<String> = words(&told.prompt).difference(&own).cloned().collect();
            assert!(
                added.iter().all(|word| !sensitive.contains(word)),
                "{added:?}"
            );
        }
        let long = expand(prompt, &finder);
        assert_eq!(long, expand(prompt, &finder));
        assert!(long.to_lowercase().starts_with(prompt.as_str()), "{long}");
        let added: Vec<String> = words(&long).difference(&own).cloned().collect();
        assert!(
            added.iter().all(|word| !sensitive.contains(word)),
            "{added:?}"
        );
        let controls = finder.controls(&long);
        let settled = [
            controls.size.is_some(),
            controls.angle.is_some(),
            controls.camera_move.is_some(),
            controls.light.is_some(),
            controls.look.is_some(),
        ];
        assert_eq!(settled, [true; 5], "{long}");
    }
}

#[test]
fn an_expansion_keeps_what_the_prompt_states() {
    let finder = Finder::new();
    let prompt = "close-up of a burning candle at night, film noir";
    let long = expand(prompt, &finder);
    let (before, after) = (finder.controls(prompt), finder.controls(&long));
    assert_eq!(before.or(&after), after, "{long}");
    assert_eq!(
        finder.find(&long).len(),
        after.terms().len(),
        "nothing is said twice: {long}"
    );
}

#[test]
fn a_control_against_the_prompt_is_refused_and_one_with_it_not_repeated() {
    let finder = Finder::new();
    let wide = Controls::from_iter([Term::Size(Size::Wide)]);
    let error = Dialect::Stage
        .tell("a close-up of a fox", &wide, None, &finder)
        .unwrap_err();
    let PromptError::Conflict { words, asked, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        (words.as_str(), *asked),
        ("close up", Term::Size(Size::Wide))
    );
    let told = Dialect::Stage
        .tell("a wide shot of a fox", &wide, None, &finder)
        .unwrap();
    assert_eq!(told.prompt, "a wide shot of a fox");
}

#[test]
fn a_style_gives_way_to_the_prompt_and_the_controls() {
    let finder = Finder::new();
    let styles = built_in();
    assert!(styles.len() >= 12);
    let noir = styles.iter().find(|style| style.name == "noir").unwrap();
    let day = Controls::from_iter([Term::Light(Light::Day)]);
    let told = Dialect::Stage
        .tell("a low-angle shot of a man", &day, Some(noir), &finder)
        .unwrap();
    assert_eq!(
        told.prompt,
        "a low-angle shot of a man, in daylight, black and white"
    );
    assert_eq!(told.negative.as_deref(), Some("colour"));
    let told = Dialect::Film
        .tell("a man", &Controls::default(), Some(noir), &finder)
        .unwrap();
    assert!(
        told.prompt.ends_with("hard shadows, smoke, film noir"),
        "{}",
        told.prompt
    );
    // No two styles tell the same.
    let mut seen = BTreeSet::new();
    for style in &styles {
        let told = Dialect::Stage
            .tell("x", &Controls::default(), Some(style), &finder)
            .unwrap();
        assert!(seen.insert(told.prompt), "{}", style.name);
    }
    for (text, part) in [
        ("look = \"35mm\"", "about"),
        ("about = \"x\"\nlook = \"oil\"", "oil"),
        ("about = \"x\"\nlock = \"35mm\"", "lock"),
    ] {
        let error = Style::parse("mine", text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(Style::parse("../mine", "about = \"x\"").is_err());
}

#[test]
fn the_stage_dialect_uses_words_that_kinora_1_knows() {
    let vocabulary =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/kinora-1/vocab.json");
    let text = std::fs::read_to_string(vocabulary).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let finder = Finder::new();
    let mut unknown = BTreeSet::new();
    let mut check = |text: &str| {
        for word in words(text) {
            if !json.to_string().contains(&format!("\"{word}\"")) {
                unknown.insert(word);
            }
        }
    };
    for term in Term::all() {
        let told = Dialect::Stage.tell("a fox", &Controls::from_iter([term]), None, &finder);
        check(&told.unwrap().prompt);
    }
    for prompt in [
        "a fox",
        "a bird flies",
        "a red car",
        "a candle",
        "an astronaut walks",
    ] {
        check(&expand(prompt, &finder));
    }
    assert!(unknown.is_empty(), "{unknown:?}");
}
