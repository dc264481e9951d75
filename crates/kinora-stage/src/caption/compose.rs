//! Puts clauses, circumstances and camera together into captions of the three lengths.

use super::air::{light_sentence, weather_sentence};
use super::camera::{
    angle_adjective, angle_after, angle_tag, look_lead, look_sentence, look_tag, move_clause,
    move_noun, plain_lead, size,
};
use super::clause::Teller;
use super::grammar::{Form, Number, Pen, capitalise, fix_articles, inflect, join};
use super::nouns::{Detail, mood_complements, mood_shows};
use super::places::{Around, Telling, around, scenery_sentence};
use crate::scene::Scene;
use crate::vocabulary::{Action, Angle, CameraMove, Emotion, Look, Relation, Weather};

/// "red fox running in the snow"
pub(super) fn short(scene: &Scene, pen: &mut Pen) -> String {
    let detail = Detail {
        colour: pen.chance(0.75),
        mood: mood_shows(scene) && pen.chance(0.3),
    };
    let teller = Teller::new(scene, detail, pen);
    let telling = Telling {
        light: pen.chance(0.15),
        weather: scene.weather != Weather::Clear && pen.chance(0.25),
    };
    let mut around = around(scene, telling, pen);
    if pen.chance(0.25) {
        let (path, at) = element(scene, pen);
        (around.path, around.at) = (path.to_owned(), at.to_owned());
    }
    let acts = pen.chance(0.9);
    let form = if pen.chance(0.8) {
        Form::Participle
    } else {
        Form::Simple
    };
    let attribute = if pen.chance(0.15) {
        teller.attribute(&around, pen)
    } else {
        None
    };
    let fragment = form == Form::Participle || !acts || attribute.is_some();
    let mut text = match attribute {
        Some(text) => text,
        None if acts => teller.clause(form, &around, pen),
        None => teller.presence(&around, pen),
    };
    if scene.look != Look::Plain && pen.chance(0.25) {
        text = if fragment && pen.chance(0.4) {
            join(&[look_lead(scene.look, pen), &text])
        } else {
            format!("{text}, {}", look_tag(scene.look, pen))
        };
    } else if pen.chance(0.12) {
        text = if fragment && pen.chance(0.5) {
            format!("{} of {text}", size(scene, pen))
        } else {
            format!("{text}, {}", move_noun(scene.shot.camera_move, pen))
        };
    } else if fragment && pen.chance(0.08) {
        text = join(&[plain_lead(pen), &text]);
    }
    // Typed in haste, a caption loses its first article.
    if fragment && pen.chance(0.25) {
        text = text.strip_prefix("a ").unwrap_or(&text).to_owned();
    }
    finish(&text, [0.67, 0.17], pen)
}

/// What surrounds who flies or swims, for a caption that leaves out the setting.
fn element(scene: &Scene, pen: &mut Pen) -> (&'static str, &'static str) {
    match scene.cast[0].action {
        Action::Fly if scene.setting.is_open() && pen.chance(0.6) => {
            ("through the sky", "in the sky")
        }
        Action::Swim if scene.setting.is_water() && pen.chance(0.6) => {
            ("through the water", "in the water")
        }
        _ => ("", ""),
    }
}

/// The text with its articles right: as it is, or with a capital, or with a capital and a stop. `shares` are those of
/// the first two.
fn finish(text: &str, shares: [f64; 2], pen: &mut Pen) -> String {
    let text = fix_articles(text);
    if pen.chance(shares[0]) {
        text
    } else if pen.chance(shares[1] / (1.0 - shares[0])) {
        capitalise(&text)
    } else {
        format!("{}.", capitalise(&text))
    }
}

/// "A red fox runs through a snowy forest at dusk, tracking shot, 16mm film"
pub(super) fn sentence(scene: &Scene, pen: &mut Pen) -> String {
    let detail = Detail {
        colour: true,
        mood: mood_shows(scene) && pen.chance(0.5),
    };
    let teller = Teller::new(scene, detail, pen);
    let weather = if scene.weather == Weather::Clear {
        0.05
    } else {
        0.85
    };
    let telling = Telling {
        light: pen.chance(0.7),
        weather: pen.chance(weather),
    };
    let around = around(scene, telling, pen);
    let mut said = Said::default();
    let mut text = match pen.pick(&[
        Opening::Clause,
        Opening::Clause,
        Opening::Place,
        Opening::Shot,
        Opening::Look,
    ]) {
        Opening::Clause => {
            let form = pen.pick(&[
                Form::Simple,
                Form::Simple,
                Form::Simple,
                Form::Progressive,
                Form::Participle,
            ]);
            teller.clause(form, &around, pen)
        }
        Opening::Place => from_the_place(&teller, &around, pen),
        Opening::Shot => {
            said.size = true;
            said.angle = scene.shot.angle != Angle::EyeLevel && pen.chance(0.5);
            let adjective = if said.angle {
                angle_adjective(scene.shot.angle, pen)
            } else {
                ""
            };
            let shot = size(scene, pen);
            join(&[
                "a",
                adjective,
                shot,
                "of",
                &teller.clause(Form::Participle, &around, pen),
            ])
        }
        Opening::Look => {
            said.look = scene.look != Look::Plain || pen.chance(0.2);
            let lead = if said.look {
                look_lead(scene.look, pen)
            } else {
                plain_lead(pen)
            };
            join(&[lead, &teller.clause(Form::Participle, &around, pen)])
        }
    };
    if pen.chance(0.25) && links(scene.shot.camera_move) {
        said.camera_move = true;
        let clause = move_clause(scene.shot.camera_move, &teller.target(), Form::Simple, pen);
        text = format!(
            "{text}{} {clause}",
            pen.pick(&[" as", " while", ", and", ";"])
        );
    }
    for tag in tags(scene, &said, pen) {
        text = format!("{text}, {tag}");
    }
    finish(&text, [0.35, 0.15], pen)
}

#[derive(Clone, Copy)]
enum Opening {
    Clause,
    Place,
    Shot,
    Look,
}

/// What of the camera and the look a caption has said so far.
#[derive(Default)]
struct Said {
    size: bool,
    angle: bool,
    camera_move: bool,
    look: bool,
}

/// Whether the camera's move is told well beside the action ("as the camera pans left"); to stay or shake is not.
fn links(camera_move: CameraMove) -> bool {
    !matches!(camera_move, CameraMove::Static | CameraMove::Handheld)
}

/// The clause with its place before it: "in the woods at night, a red fox runs".
fn from_the_place(teller: &Teller, around: &Around, pen: &mut Pen) -> String {
    let form = if pen.chance(0.7) {
        Form::Simple
    } else {
        Form::Progressive
    };
    if !around.when.is_empty() && pen.chance(0.3) {
        let inside = Around {
            when: String::new(),
            ..around.clone()
        };
        return format!("{}, {}", around.when, teller.clause(form, &inside, pen));
    }
    let clause = teller.clause(form, &Around::default(), pen);
    format!("{}, {clause}", join(&[&around.at, &around.when]))
}

/// What is not yet said of camera and look, at most three of it.
fn tags(scene: &Scene, said: &Said, pen: &mut Pen) -> Vec<&'static str> {
    let shot = scene.shot;
    let mut tags = Vec::new();
    if !said.size && pen.chance(0.3) {
        tags.push(size(scene, pen));
    }
    if !said.angle
        && pen.chance(if shot.angle == Angle::EyeLevel {
            0.06
        } else {
            0.6
        })
    {
        tags.push(angle_tag(shot.angle, pen));
    }
    if !said.camera_move
        && pen.chance(if shot.camera_move == CameraMove::Static {
            0.2
        } else {
            0.5
        })
    {
        tags.push(move_noun(shot.camera_move, pen));
    }
    if !said.look
        && pen.chance(if scene.look == Look::Plain {
            0.06
        } else {
            0.75
        })
    {
        tags.push(look_tag(scene.look, pen));
    }
    pen.shuffle(&mut tags);
    tags.truncate(3);
    tags
}

/// Two to four sentences with all that can be seen.
pub(super) fn paragraph(scene: &Scene, pen: &mut Pen) -> String {
    let shows = mood_shows(scene) && scene.cast[0].subject.shows_emotion();
    // Moods of two are told with their names, so that each is told.
    let mood_early = shows && (scene.cast.len() == 2 || pen.chance(0.4));
    let teller = Teller::new(
        scene,
        Detail {
            colour: true,
            mood: mood_early,
        },
        pen,
    );
    let telling = Telling {
        light: pen.chance(0.5),
        weather: scene.weather != Weather::Clear && pen.chance(0.4),
    };
    let around = around(scene, telling, pen);
    let main = if pen.chance(0.75) {
        let form = if pen.chance(0.7) {
            Form::Simple
        } else {
            Form::Progressive
        };
        teller.clause(form, &around, pen)
    } else {
        from_the_place(&teller, &around, pen)
    };
    let mut sentences = vec![main];
    if shows && !mood_early {
        sentences.extend(mood(&teller, pen));
    }
    let scenery = if pen.chance(0.4) {
        scenery_sentence(scene, pen)
    } else {
        None
    };
    let light = if telling.light {
        None
    } else {
        Some(light_sentence(scene, pen))
    };
    let weather = if telling.weather {
        None
    } else {
        weather_sentence(scene, pen)
    };
    let mut air: Vec<&str> = [light, weather].into_iter().flatten().collect();
    pen.shuffle(&mut air);
    air.extend(scenery);
    match air.as_slice() {
        [] => {}
        [only] => sentences.push((*only).to_owned()),
        [head @ .., last] => sentences.push(format!("{}, and {last}", head.join(", "))),
    }
    let camera = camera_sentence(scene, &teller, pen);
    let last = if sentences.len() < 3 && pen.chance(0.5) {
        vec![camera, look_sentence(scene.look, pen).to_owned()]
    } else if pen.chance(0.5) {
        vec![format!("{camera}, and {}", look_sentence(scene.look, pen))]
    } else {
        vec![format!("{camera}, {}", look_tag(scene.look, pen))]
    };
    let at = if pen.chance(0.1) { 0 } else { sentences.len() };
    sentences.splice(at..at, last);
    let sentences: Vec<String> = sentences
        .iter()
        .map(|sentence| format!("{}.", capitalise(sentence)))
        .collect();
    fix_articles(&sentences.join(" "))
}

/// What the first, or the whole crowd, feels: "she looks sad". An animal at its ease goes without saying.
fn mood(teller: &Teller, pen: &mut Pen) -> Option<String> {
    let (first, emotion) = (teller.first, teller.first.actor.emotion);
    if emotion == Emotion::Neutral && !first.actor.subject.has_face() {
        return None;
    }
    let (who, number) = if teller.scene.relation == Relation::Crowd {
        ("they".to_owned(), Number::Plural)
    } else {
        (first.pronoun(), Number::Singular)
    };
    if emotion == Emotion::Neutral && pen.chance(0.3) {
        return Some(join(&[
            &who,
            &inflect("show no emotion", Form::Simple, number),
        ]));
    }
    let verb = if emotion == Emotion::Neutral {
        "look"
    } else {
        pen.favour(&["look", "seem", "appear", "be clearly"])
    };
    let verb = inflect(verb, Form::Simple, number);
    Some(join(&[&who, &verb, pen.favour(mood_complements(emotion))]))
}

/// Shot size, angle and move in one sentence.
fn camera_sentence(scene: &Scene, teller: &Teller, pen: &mut Pen) -> String {
    let shot = scene.shot;
    let clause = move_clause(shot.camera_move, &teller.target(), Form::Simple, pen);
    let size = size(scene, pen);
    let told_after = clause.ends_with(" in");
    match pen.pick(&[0, 1, 2]) {
        1 if !told_after => format!("{clause} in a {} {size}", angle_adjective(shot.angle, pen)),
        2 => format!(
            "this is a {size} {}; {clause}",
            angle_after(shot.angle, pen)
        ),
        _ => format!("in a {} {size}, {clause}", angle_adjective(shot.angle, pen)),
    }
}
