//! The clause that says who does what where: of one subject, of two in a relation, of a crowd.

use super::grammar::{Form, Number, Pen, inflect, join};
use super::nouns::{Detail, Named};
use super::verbs::verbs;
use crate::scene::Scene;
use crate::vocabulary::{Action, Colour, Relation};

/// Speaks of the cast of one scene; the nouns stay the same in all its clauses.
pub(super) struct Teller<'a> {
    pub scene: &'a Scene,
    pub first: Named,
    second: Option<Named>,
    pub detail: Detail,
}

impl<'a> Teller<'a> {
    pub fn new(scene: &'a Scene, detail: Detail, pen: &mut Pen) -> Self {
        let first = Named::new(scene.cast[0], pen);
        let second = match scene.relation {
            Relation::Alone | Relation::Crowd => None,
            _ => scene.cast.get(1).map(|&actor| {
                if actor.subject == first.actor.subject { first.like(actor) } else { Named::new(actor, pen) }
            }),
        };
        Self { scene, first, second, detail }
    }

    /// What the camera films: "the fox", "the foxes", "the pair".
    pub fn target(&self) -> String {
        match (self.scene.relation, self.second) {
            (Relation::Alone, _) => self.first.definite(),
            (Relation::Crowd, _) => self.first.definite_plural(),
            (_, Some(second)) if second.actor.subject != self.first.actor.subject => self.first.definite(),
            _ => "the pair".to_owned(),
        }
    }

    /// Who does what, with `place` at its natural place; it may be empty.
    pub fn clause(&self, form: Form, place: &str, pen: &mut Pen) -> String {
        match (self.scene.relation, self.second) {
            (Relation::Crowd, _) => self.crowd(form, place, pen),
            (_, Some(second)) => self.pair(second, form, place, pen),
            _ => join(&[&self.name(self.first, pen), &self.does(self.first, form, Number::Singular, pen), place]),
        }
    }

    /// Who is where, without a word of what they do: "a red fox in the snow".
    pub fn presence(&self, place: &str, pen: &mut Pen) -> String {
        match (self.scene.relation, self.second) {
            (Relation::Crowd, _) => join(&[&self.crowd_name(pen), place]),
            (_, Some(second)) if self.twins(second) => join(&[&self.pair_name(pen), place]),
            (_, Some(second)) => join(&[&self.name(self.first, pen), "and", &self.name(second, pen), place]),
            _ => join(&[&self.name(self.first, pen), place]),
        }
    }

    fn name(&self, who: Named, pen: &mut Pen) -> String {
        who.indefinite(self.scene.look, self.detail, pen)
    }

    fn does(&self, who: Named, form: Form, number: Number, pen: &mut Pen) -> String {
        let verb = pen.favour(verbs(who.actor.subject, who.actor.action, self.scene.setting));
        inflect(verb, form, number)
    }

    /// The name with what it does, as an attribute: "a blue cat that is dancing".
    fn name_doing(&self, who: Named, pen: &mut Pen) -> String {
        let doing = self.does(who, Form::Participle, Number::Singular, pen);
        let link = if pen.chance(0.35) { "that is" } else { "" };
        join(&[&self.name(who, pen), link, &doing])
    }

    fn crowd_name(&self, pen: &mut Pen) -> String {
        let number = if self.scene.cast.len() == 3 { "three" } else { "four" };
        let counted = match number {
            "three" => pen.favour(&["three", "a group of three", "a trio of", "a crowd of three"]),
            _ => pen.favour(&["four", "a group of four", "a crowd of four"]),
        };
        let mut colours: Vec<Colour> = Vec::new();
        for actor in &self.scene.cast {
            if !colours.contains(&actor.colour) {
                colours.push(actor.colour);
            }
        }
        self.first.counted(counted, &colours, self.scene.look, self.detail, pen)
    }

    fn crowd(&self, form: Form, place: &str, pen: &mut Pen) -> String {
        let together = if pen.chance(0.15) { "together" } else { "" };
        let name = self.crowd_name(pen);
        join(&[&name, &self.does(self.first, form, Number::Plural, pen), together, place])
    }

    /// Whether the two look and act alike, so that "two red foxes" tells them both.
    fn twins(&self, second: Named) -> bool {
        let (a, b) = (self.first.actor, second.actor);
        a.subject == b.subject
            && a.action == b.action
            && (a.colour == b.colour || !self.detail.colour)
            && (a.emotion == b.emotion || !self.detail.mood)
    }

    fn pair_name(&self, pen: &mut Pen) -> String {
        let two = pen.favour(&["two", "a pair of"]);
        self.first.counted(two, &[self.first.actor.colour], self.scene.look, self.detail, pen)
    }

    fn pair(&self, second: Named, form: Form, place: &str, pen: &mut Pen) -> String {
        let same_action = self.first.actor.action == second.actor.action;
        match self.scene.relation {
            _ if self.twins(second) => {
                let name = self.pair_name(pen);
                let does = self.does(self.first, form, Number::Plural, pen);
                join(&[&name, &does, twin_relation(self.scene.relation, pen), place])
            }
            Relation::Follows => self.follows(second, form, place, pen),
            Relation::PassesBehind => self.passes_behind(second, form, place, pen),
            _ if same_action && pen.chance(0.5) => self.in_step(second, form, place, pen),
            _ if !same_action && pen.chance(0.3) => self.meanwhile(second, form, place, pen),
            relation => {
                let turned = pen.chance(0.4);
                let (a, b) = if turned { (second, self.first) } else { (self.first, second) };
                let relation = if turned { inverse(relation) } else { relation };
                let other = if same_action { self.name(b, pen) } else { self.name_doing(b, pen) };
                let does = self.does(a, form, Number::Singular, pen);
                // "In the snow" belongs to both: it may stand after either.
                let (near, far) = if pen.chance(0.5) { (place, "") } else { ("", place) };
                join(&[&self.name(a, pen), &does, near, relation_words(relation, pen), &other, far])
            }
        }
    }

    /// Both do the same: "a red fox and a blue cat run through the snow, the fox to the left of the cat".
    fn in_step(&self, second: Named, form: Form, place: &str, pen: &mut Pen) -> String {
        let both = join(&[&self.name(self.first, pen), "and", &self.name(second, pen)]);
        let does = self.does(self.first, form, Number::Plural, pen);
        let relation = self.scene.relation;
        if second.actor.subject == self.first.actor.subject {
            return join(&[&both, &does, twin_relation(relation, pen), place]);
        }
        let order = join(&[&self.first.definite(), relation_words(relation, pen), &second.definite()]);
        format!("{}, {order}", join(&[&both, &does, place]))
    }

    /// "a red fox sits in the snow while a blue cat dances to its right"
    fn meanwhile(&self, second: Named, form: Form, place: &str, pen: &mut Pen) -> String {
        let main = join(&[&self.name(self.first, pen), &self.does(self.first, form, Number::Singular, pen), place]);
        let other_form = if form == Form::Progressive { Form::Progressive } else { Form::Simple };
        let other = join(&[&self.name(second, pen), &self.does(second, other_form, Number::Singular, pen)]);
        let about = if second.actor.subject == self.first.actor.subject && self.first.object() == "it" {
            "the other".to_owned()
        } else {
            self.first.object()
        };
        format!("{main} while {other} {} {about}", relation_words(inverse(self.scene.relation), pen))
    }

    fn follows(&self, second: Named, form: Form, place: &str, pen: &mut Pen) -> String {
        let same_action = self.first.actor.action == second.actor.action;
        let name = self.name(self.first, pen);
        if pen.chance(0.3) {
            let does = self.does(second, form, Number::Singular, pen);
            return format!("{}, followed by {name}", join(&[&self.name(second, pen), &does, place]));
        }
        let other = if same_action || pen.chance(0.4) { self.name(second, pen) } else { self.name_doing(second, pen) };
        if pen.chance(0.5) {
            let verb = if self.first.actor.action == Action::Run { pen.favour(&["chase", "follow"]) } else { "follow" };
            return join(&[&name, &inflect(verb, form, Number::Singular), &other, place]);
        }
        let does = self.does(self.first, form, Number::Singular, pen);
        join(&[&name, &does, pen.favour(&["after", "behind", "close behind"]), &other, place])
    }

    fn passes_behind(&self, second: Named, form: Form, place: &str, pen: &mut Pen) -> String {
        let name = self.name(self.first, pen);
        let other = if pen.chance(0.6) { self.name_doing(second, pen) } else { self.name(second, pen) };
        if pen.chance(0.35) {
            let passes = inflect(pen.favour(&["pass behind", "move past behind"]), form, Number::Singular);
            let doing = self.does(self.first, Form::Participle, Number::Singular, pen);
            return format!("{}, {doing}", join(&[&name, &passes, &other, place]));
        }
        let does = self.does(self.first, form, Number::Singular, pen);
        let main = join(&[&name, &does, pen.favour(&["past behind", "by behind", "behind"]), &other, place]);
        if pen.chance(0.4) {
            let again = inflect("reappear", if form == Form::Simple { form } else { Form::Participle }, Number::Singular);
            let link = if form == Form::Simple { " and" } else { "," };
            return format!("{main}{link} {again} {}", pen.favour(&["on the other side", "again"]));
        }
        main
    }
}

fn inverse(relation: Relation) -> Relation {
    match relation {
        Relation::LeftOf => Relation::RightOf,
        Relation::RightOf => Relation::LeftOf,
        Relation::Behind => Relation::InFrontOf,
        Relation::InFrontOf => Relation::Behind,
        other => other,
    }
}

fn relation_words(relation: Relation, pen: &mut Pen) -> &'static str {
    let options: &[&str] = match relation {
        Relation::LeftOf => &["to the left of", "left of", "on the left of"],
        Relation::RightOf => &["to the right of", "right of", "on the right of"],
        Relation::Behind | Relation::PassesBehind => &["behind"],
        Relation::InFrontOf => &["in front of"],
        Relation::Follows => &["after", "behind"],
        Relation::Alone | Relation::Crowd => &["beside"],
    };
    pen.favour(options)
}

/// How two of a kind stand to each other.
fn twin_relation(relation: Relation, pen: &mut Pen) -> &'static str {
    let options: &[&str] = match relation {
        Relation::LeftOf | Relation::RightOf => &["side by side", "next to each other"],
        Relation::Follows => &["one after the other", "in single file"],
        Relation::Behind | Relation::InFrontOf | Relation::PassesBehind => {
            &["one behind the other", "one in front of the other"]
        }
        Relation::Alone | Relation::Crowd => &["together"],
    };
    pen.favour(options)
}
