//! Puts clauses, circumstances and camera together into captions of the three lengths.

use super::camera::{
    angle_adjective, angle_phrase, look_lead, look_sentence, look_tag, move_clause, move_noun, size,
};
use super::clause::Teller;
use super::grammar::{Form, Number, Pen, capitalise, fix_articles, inflect, join};
use super::nouns::{Detail, mood_adverbs, mood_complements, mood_shows};
use super::places::{Surroundings, Telling, light_sentence, surroundings, weather_sentence};
use crate::scene::Scene;
use crate::vocabulary::{Angle, CameraMove, Emotion, Look, Relation, Weather};

/// "red fox running in the snow"
pub(super) fn short(scene: &Scene, pen: &mut Pen) -> String {
    let detail = Detail { colour: pen.chance(0.75), mood: mood_shows(scene) && pen.chance(0.3) };
    let teller = Teller::new(scene, detail, pen);
    let telling = Telling { light: pen.chance(0.15), weather: scene.weather != Weather::Clear && pen.chance(0.25) };
    let action = scene.cast[0].action;
    let with_action = pen.chance(0.9);
    let around = surroundings(scene, action, with_action, telling, pen);
    let place = if pen.chance(0.75) { around.place.as_str() } else { "" };
    let form = if pen.chance(0.8) { Form::Participle } else { Form::Simple };
    let mut text = if with_action { teller.clause(form, place, pen) } else { teller.presence(place, pen) };
    for circumstance in around.circumstances {
        text = join(&[&text, &circumstance]);
    }
    let named = form == Form::Participle || !with_action;
    if scene.look != Look::Plain && pen.chance(0.25) {
        text = if named && pen.chance(0.4) {
            join(&[look_lead(scene.look, pen), &text])
        } else {
            format!("{text}, {}", look_tag(scene.look, pen))
        };
    } else if pen.chance(0.12) {
        text = if named && pen.chance(0.5) {
            format!("{} of {text}", size(scene, pen))
        } else {
            format!("{text}, {}", move_noun(scene.shot.camera_move, pen))
        };
    }
    // Typed in haste, a caption loses its first article.
    if named && pen.chance(0.25) {
        text = text.strip_prefix("a ").unwrap_or(&text).to_owned();
    }
    let text = fix_articles(&text);
    match pen.pick(&[0, 0, 0, 0, 1, 2]) {
        0 => text,
        1 => capitalise(&text),
        _ => format!("{}.", capitalise(&text)),
    }
}

/// "A red fox runs through a snowy forest at dusk, tracking shot, 16mm film"
pub(super) fn sentence(scene: &Scene, pen: &mut Pen) -> String {
    let detail = Detail { colour: true, mood: mood_shows(scene) && pen.chance(0.5) };
    let teller = Teller::new(scene, detail, pen);
    let weather = if scene.weather == Weather::Clear { 0.05 } else { 0.85 };
    let around = {
        let telling = Telling { light: pen.chance(0.7), weather: pen.chance(weather) };
        surroundings(scene, scene.cast[0].action, true, telling, pen)
    };
    let mut said = Said::default();
    let opening = pen.pick(&[Opening::Clause, Opening::Clause, Opening::Place, Opening::Shot, Opening::Look]);
    let mut text = match opening {
        Opening::Clause => {
            let form = pen.pick(&[Form::Simple, Form::Simple, Form::Simple, Form::Progressive, Form::Participle]);
            told(&teller, form, &around, pen)
        }
        Opening::Place => from_the_place(&teller, &around, pen),
        Opening::Shot => {
            said.size = true;
            let angle = scene.shot.angle;
            said.angle = angle != Angle::EyeLevel && pen.chance(0.5);
            let adjective = if said.angle { angle_adjective(angle, pen) } else { "" };
            let lead = join(&["a", adjective, size(scene, pen), "of"]);
            join(&[&lead, &told(&teller, Form::Participle, &around, pen)])
        }
        Opening::Look => {
            said.look = true;
            join(&[look_lead(scene.look, pen), &told(&teller, Form::Participle, &around, pen)])
        }
    };
    if pen.chance(0.25) && link_camera(scene.shot.camera_move) {
        said.camera_move = true;
        let clause = move_clause(scene.shot.camera_move, &teller.target(), Form::Simple, pen);
        text = format!("{text}{} {clause}", pen.pick(&[" as", " while", ", and", ";"]));
    }
    for tag in tags(scene, &mut said, pen) {
        text = format!("{text}, {tag}");
    }
    let text = fix_articles(&text);
    match pen.pick(&[0, 0, 0, 1, 2, 2]) {
        0 => format!("{}.", capitalise(&text)),
        1 => capitalise(&text),
        _ => text,
    }
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

/// A moving camera can be told beside the action ("as the camera pans left"); one that stays or shakes reads ill so.
fn link_camera(camera_move: CameraMove) -> bool {
    !matches!(camera_move, CameraMove::Static | CameraMove::Handheld)
}

/// The clause with its place and circumstances after it.
fn told(teller: &Teller, form: Form, around: &Surroundings, pen: &mut Pen) -> String {
    let mut text = teller.clause(form, &around.place, pen);
    for circumstance in &around.circumstances {
        text = join(&[&text, circumstance]);
    }
    text
}

/// The clause with its place and circumstances before it: "in the woods at night, a red fox runs".
fn from_the_place(teller: &Teller, around: &Surroundings, pen: &mut Pen) -> String {
    let form = if pen.chance(0.7) { Form::Simple } else { Form::Progressive };
    let clause = teller.clause(form, "", pen);
    let circumstances = around.circumstances.join(" ");
    if !circumstances.is_empty() && pen.chance(0.3) {
        return format!("{circumstances}, {}", join(&[&teller.clause(form, &around.place, pen)]));
    }
    format!("{}, {clause}", join(&[&around.place, &circumstances]))
}

fn tags(scene: &Scene, said: &mut Said, pen: &mut Pen) -> Vec<String> {
    let shot = scene.shot;
    let mut tags = Vec::new();
    if !said.size && pen.chance(0.3) {
        tags.push(size(scene, pen).to_owned());
    }
    if !said.angle && pen.chance(if shot.angle == Angle::EyeLevel { 0.06 } else { 0.6 }) {
        tags.push(angle_phrase(shot.angle, pen).to_owned());
    }
    if !said.camera_move && pen.chance(if shot.camera_move == CameraMove::Static { 0.2 } else { 0.5 }) {
        tags.push(move_noun(shot.camera_move, pen).to_owned());
    }
    if !said.look && pen.chance(if scene.look == Look::Plain { 0.06 } else { 0.75 }) {
        tags.push(look_tag(scene.look, pen).to_owned());
    }
    pen.shuffle(&mut tags);
    tags.truncate(3);
    tags
}

/// Two to four sentences with all that can be seen.
pub(super) fn paragraph(scene: &Scene, pen: &mut Pen) -> String {
    let mood_first = pen.chance(0.4);
    let shows = mood_shows(scene) && scene.cast[0].subject.has_face();
    let teller = Teller::new(scene, Detail { colour: true, mood: shows && mood_first }, pen);
    let light_first = pen.chance(0.5);
    let weather_first = pen.chance(0.4) && scene.weather != Weather::Clear;
    let around = {
        let telling = Telling { light: light_first, weather: weather_first };
        surroundings(scene, scene.cast[0].action, true, telling, pen)
    };
    let main = if pen.chance(0.75) {
        let form = if pen.chance(0.7) { Form::Simple } else { Form::Progressive };
        told(&teller, form, &around, pen)
    } else {
        from_the_place(&teller, &around, pen)
    };
    let mut sentences = vec![main];
    if shows && !(mood_first && scene.cast[0].emotion != Emotion::Neutral) {
        sentences.extend(mood(&teller, pen));
    }
    let light = (!light_first).then(|| light_sentence(scene, pen).to_owned());
    let weather = if weather_first { None } else { weather_sentence(scene, pen).map(str::to_owned) };
    match (light, weather) {
        (Some(light), Some(weather)) => sentences.push(if pen.chance(0.5) {
            format!("{light}, and {weather}")
        } else {
            format!("{weather}, and {light}")
        }),
        (Some(one), None) | (None, Some(one)) => sentences.push(one),
        (None, None) => {}
    }
    let camera = camera_sentence(scene, &teller, pen);
    let look = look_sentence(scene.look, pen);
    let technique = if pen.chance(0.6) { format!("{camera}, and {look}") } else { format!("{camera}, {}", look_tag(scene.look, pen)) };
    if pen.chance(0.15) {
        sentences.insert(0, technique);
    } else {
        sentences.push(technique);
    }
    let sentences: Vec<String> = sentences.iter().map(|sentence| format!("{}.", capitalise(sentence))).collect();
    fix_articles(&sentences.join(" "))
}

/// What everyone feels: "she looks sad".
fn mood(teller: &Teller, pen: &mut Pen) -> Option<String> {
    let scene = teller.scene;
    let emotion = scene.cast[0].emotion;
    let number = if scene.relation == Relation::Crowd { Number::Plural } else { Number::Singular };
    let who = if number == Number::Plural { "they".to_owned() } else { teller.first.pronoun() };
    let who = if scene.cast.len() == 2 { teller.target() } else { who };
    if who == "the pair" {
        return None;
    }
    let manner = mood_adverbs(emotion);
    if !manner.is_empty() && pen.chance(0.2) {
        let acts = inflect("act", Form::Simple, number);
        return Some(join(&[&who, &acts, pen.pick(manner)]));
    }
    let verb = inflect(pen.favour(&["look", "seem", "appear"]), Form::Simple, number);
    Some(join(&[&who, &verb, pen.favour(mood_complements(emotion))]))
}

/// Shot size, angle and move in one sentence.
fn camera_sentence(scene: &Scene, teller: &Teller, pen: &mut Pen) -> String {
    let shot = scene.shot;
    let adjective = angle_adjective(shot.angle, pen);
    let clause = move_clause(shot.camera_move, &teller.target(), Form::Simple, pen);
    match pen.pick(&[0, 1, 2]) {
        0 => format!("in a {adjective} {}, {clause}", size(scene, pen)),
        1 => format!("{clause} in a {adjective} {}", size(scene, pen)),
        _ => format!("it is a {} {}, and {clause}", size(scene, pen), angle_phrase(shot.angle, pen)),
    }
}
