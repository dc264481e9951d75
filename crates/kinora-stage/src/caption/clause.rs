//! The clause that says who does what where: of one subject, of two in a relation, of a crowd.

use super::grammar::{Form, Number, Pen, inflect, join};
use super::nouns::{Detail, Named, colour_shows};
use super::places::Around;
use super::verbs::verbs;
use crate::scene::Scene;
use crate::vocabulary::{Action, Colour, Emotion, Kind, Relation};

/// Speaks of the cast of one scene; the nouns stay the same in all its clauses.
pub(super) struct Teller<'a> {
    pub scene: &'a Scene,
    pub first: Named,
    second: Option<Named>,
    detail: Detail,
}

impl<'a> Teller<'a> {
    pub fn new(scene: &'a Scene, detail: Detail, pen: &mut Pen) -> Self {
        let first = Named::new(scene.cast[0], pen);
        let second = match scene.relation {
            Relation::Alone | Relation::Crowd => None,
            _ => scene.cast.get(1).map(|&actor| {
                if actor.subject == first.actor.subject {
                    first.like(actor)
                } else {
                    Named::new(actor, pen)
                }
            }),
        };
        Self {
            scene,
            first,
            second,
            detail,
        }
    }

    /// What the camera films: "the fox", "the foxes", "the pair".
    pub fn target(&self) -> String {
        match (self.scene.relation, self.second) {
            (Relation::Crowd, _) => self.first.definite_plural(),
            (_, Some(second)) if second.actor.subject == self.first.actor.subject => {
                "the pair".to_owned()
            }
            _ => self.first.definite(),
        }
    }

    /// Who does what, with place and time where they read best; `around` may be empty.
    pub fn clause(&self, form: Form, around: &Around, pen: &mut Pen) -> String {
        match (self.scene.relation, self.second) {
            (Relation::Crowd, _) => {
                let together = if pen.chance(0.15) { "together" } else { "" };
                let name = self.crowd_name(pen);
                let does = self.does(self.first, form, Number::Plural, pen);
                join(&[&name, &does, together, &around.path, &around.when])
            }
            (_, Some(second)) => self.pair(second, form, around, pen),
            _ => {
                let name = self.name(self.first, pen);
                let does = self.does(self.first, form, Number::Singular, pen);
                let alone = if pen.chance(0.04) { "alone" } else { "" };
                join(&[&name, &does, alone, &around.path, &around.when])
            }
        }
    }

    /// Who is where, without a word of what they do: "a red fox in the snow".
    pub fn presence(&self, around: &Around, pen: &mut Pen) -> String {
        let who = match (self.scene.relation, self.second) {
            (Relation::Crowd, _) => self.crowd_name(pen),
            (_, Some(second)) if self.twins(second) => self.pair_name(pen),
            (_, Some(second)) => join(&[
                &self.name(self.first, pen),
                "and",
                &self.other_name(second, pen),
            ]),
            _ => self.name(self.first, pen),
        };
        join(&[&who, &around.at, &around.when])
    }

    /// The action told before the name, if one stands alone and a single word tells it: "a dancing robot on a stage".
    pub fn attribute(&self, around: &Around, pen: &mut Pen) -> Option<String> {
        let actor = self.first.actor;
        let doing: Vec<String> = verbs(actor.subject, actor.action, self.scene.setting)
            .iter()
            .map(|verb| inflect(verb, Form::Participle, Number::Singular))
            .filter(|doing| !doing.contains(' ') && !self.first.repeats(doing))
            .collect();
        let moody = self.detail.mood && actor.emotion != Emotion::Neutral;
        if self.scene.relation != Relation::Alone || moody || doing.is_empty() {
            return None;
        }
        let name = self.name(self.first, pen);
        let doing = &doing[pen.favoured(doing.len())];
        Some(join(&[
            "a",
            doing,
            &name["a ".len()..],
            &around.at,
            &around.when,
        ]))
    }

    fn name(&self, who: Named, pen: &mut Pen) -> String {
        who.indefinite(self.scene.look, self.detail, pen)
    }

    /// The name of the second to be spoken of: "another cat" where nothing said tells it from the first.
    fn other_name(&self, who: Named, pen: &mut Pen) -> String {
        let name = self.name(who, pen);
        let alike = self.second.is_some_and(|second| {
            let (a, b) = (self.first.actor, second.actor);
            let shows = |colour| self.detail.colour && colour_shows(colour, self.scene.look);
            let one_colour = a.colour == b.colour || !shows(a.colour) || !shows(b.colour);
            a.subject == b.subject && one_colour && (a.emotion == b.emotion || !self.detail.mood)
        });
        if alike {
            format!("another {}", &name["a ".len()..])
        } else {
            name
        }
    }

    /// The second to be spoken of with what it does, as an attribute: "a blue cat that is dancing".
    fn other_doing(&self, who: Named, pen: &mut Pen) -> String {
        let doing = self.does(who, Form::Participle, Number::Singular, pen);
        let state = doing
            .split(' ')
            .next()
            .is_some_and(|word| !word.ends_with("ing"));
        let link = match who.actor.subject.kind() {
            // "A car parked behind a bus" would put the parking there.
            _ if !state && pen.chance(0.65) => "",
            Kind::Person => "who is",
            _ => "that is",
        };
        join(&[&self.other_name(who, pen), link, &doing])
    }

    fn does(&self, who: Named, form: Form, number: Number, pen: &mut Pen) -> String {
        let options = verbs(who.actor.subject, who.actor.action, self.scene.setting);
        let fresh: Vec<&str> = options
            .iter()
            .copied()
            .filter(|verb| !who.repeats(verb))
            .collect();
        let verb = pen.favour(if fresh.is_empty() { options } else { &fresh });
        inflect(verb, form, number)
    }

    fn crowd_name(&self, pen: &mut Pen) -> String {
        let counted = match self.scene.cast.len() {
            3 => pen.favour(&["three", "a group of three", "a trio of", "a crowd of three"]),
            _ => pen.favour(&["four", "a group of four", "a crowd of four"]),
        };
        let mut colours: Vec<Colour> = Vec::new();
        for actor in &self.scene.cast {
            if !colours.contains(&actor.colour) {
                colours.push(actor.colour);
            }
        }
        self.first
            .counted(counted, &colours, self.scene.look, self.detail, pen)
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
        let two = pen.favour(&["two", "a pair of", "a couple of"]);
        self.first.counted(
            two,
            &[self.first.actor.colour],
            self.scene.look,
            self.detail,
            pen,
        )
    }

    fn pair(&self, second: Named, form: Form, around: &Around, pen: &mut Pen) -> String {
        let shared = self.shared_verbs(second);
        let same_action = self.first.actor.action == second.actor.action && !shared.is_empty();
        match self.scene.relation {
            _ if self.twins(second) => {
                let name = self.pair_name(pen);
                let does = self.does(self.first, form, Number::Plural, pen);
                let relation = twin_relation(self.scene.relation, pen);
                join(&[&name, &does, relation, &around.path, &around.when])
            }
            Relation::Follows => self.follows(second, form, around, pen),
            Relation::PassesBehind => self.passes_behind(second, form, around, pen),
            _ if same_action && pen.chance(0.5) => self.in_step(second, &shared, form, around, pen),
            _ if !same_action && pen.chance(0.3) => self.meanwhile(second, form, around, pen),
            relation => {
                let turned = pen.chance(0.4);
                let (a, b) = if turned {
                    (second, self.first)
                } else {
                    (self.first, second)
                };
                let relation = if turned { inverse(relation) } else { relation };
                let name = self.name(a, pen);
                let does = self.does(a, form, Number::Singular, pen);
                let other = if same_action {
                    self.other_name(b, pen)
                } else {
                    self.other_doing(b, pen)
                };
                // "In the snow" belongs to both: it may stand after either.
                let (near, far) = if pen.chance(0.5) {
                    (around.path.as_str(), "")
                } else {
                    ("", around.at.as_str())
                };
                join(&[
                    &name,
                    &does,
                    near,
                    relation_words(relation, pen),
                    &other,
                    far,
                    &around.when,
                ])
            }
        }
    }

    /// Both do the same: "a red fox and a blue cat run through the snow, the fox to the left of the cat".
    fn in_step(
        &self,
        second: Named,
        shared: &[&str],
        form: Form,
        around: &Around,
        pen: &mut Pen,
    ) -> String {
        let both = join(&[
            &self.name(self.first, pen),
            "and",
            &self.other_name(second, pen),
        ]);
        let does = inflect(pen.favour(shared), form, Number::Plural);
        let relation = self.scene.relation;
        if second.actor.subject == self.first.actor.subject {
            return join(&[
                &both,
                &does,
                twin_relation(relation, pen),
                &around.path,
                &around.when,
            ]);
        }
        let order = join(&[
            &self.first.definite(),
            relation_words(relation, pen),
            &second.definite(),
        ]);
        format!(
            "{}, {order}",
            join(&[&both, &does, &around.path, &around.when])
        )
    }

    /// The verbs that fit both for what both do, if they do the same: a fox may "pad along", a man doesn't, and where
    /// a car drives a boat sails.
    fn shared_verbs(&self, second: Named) -> Vec<&'static str> {
        let of = |who: Named| verbs(who.actor.subject, who.actor.action, self.scene.setting);
        of(self.first)
            .iter()
            .copied()
            .filter(|verb| of(second).contains(verb))
            .collect()
    }

    /// "a red fox sits in the snow while a blue cat dances to the right of it"
    fn meanwhile(&self, second: Named, form: Form, around: &Around, pen: &mut Pen) -> String {
        let does = self.does(self.first, form, Number::Singular, pen);
        let main = join(&[&self.name(self.first, pen), &does, &around.path]);
        let form = if form == Form::Progressive {
            form
        } else {
            Form::Simple
        };
        let other = join(&[
            &self.other_name(second, pen),
            &self.does(second, form, Number::Singular, pen),
        ]);
        let about = self.object_of(self.first);
        let relation = relation_words(inverse(self.scene.relation), pen);
        join(&[&main, "while", &other, relation, &about, &around.when])
    }

    fn follows(&self, second: Named, form: Form, around: &Around, pen: &mut Pen) -> String {
        let same_action =
            self.first.actor.action == second.actor.action && !self.shared_verbs(second).is_empty();
        if pen.chance(0.3) {
            let leader = self.name(second, pen);
            let does = self.does(second, form, Number::Singular, pen);
            let place = if same_action {
                &around.path
            } else {
                &around.at
            };
            let main = join(&[&leader, &does, place, &around.when]);
            let follower = if same_action {
                self.other_name(self.first, pen)
            } else {
                self.other_doing(self.first, pen)
            };
            return format!("{main}, followed by {follower}");
        }
        let name = self.name(self.first, pen);
        let other = if same_action {
            self.other_name(second, pen)
        } else {
            self.other_doing(second, pen)
        };
        // "Follows" leaves out how: the leader's action must tell it, so it needs the same.
        if same_action && pen.chance(0.3) {
            let verb = if self.first.actor.action == Action::Run {
                pen.favour(&["chase", "run after"])
            } else {
                "follow"
            };
            let leader = self.other_doing(second, pen);
            return join(&[
                &name,
                &inflect(verb, form, Number::Singular),
                &leader,
                &around.path,
                &around.when,
            ]);
        }
        let does = self.does(self.first, form, Number::Singular, pen);
        let after = pen.favour(&["after", "behind", "close behind"]);
        join(&[&name, &does, after, &other, &around.path, &around.when])
    }

    fn passes_behind(&self, second: Named, form: Form, around: &Around, pen: &mut Pen) -> String {
        if pen.chance(0.2) {
            let stayer = self.name(second, pen);
            let stays = self.does(second, form, Number::Singular, pen);
            let form = if form == Form::Progressive {
                form
            } else {
                Form::Simple
            };
            let passer = self.other_name(self.first, pen);
            let does = self.does(self.first, form, Number::Singular, pen);
            return join(&[
                &stayer,
                &stays,
                &around.at,
                &around.when,
                "while",
                &passer,
                &does,
                "behind",
            ]) + &format!(" {}", self.object_of(second));
        }
        let name = self.name(self.first, pen);
        let does = self.does(self.first, form, Number::Singular, pen);
        let other = if pen.chance(0.7) {
            self.other_doing(second, pen)
        } else {
            self.other_name(second, pen)
        };
        let later = if form == Form::Simple {
            form
        } else {
            Form::Participle
        };
        if pen.chance(0.5) {
            let passes = inflect("pass behind", later, Number::Singular);
            return join(&[
                &name,
                &does,
                &around.path,
                "and",
                &passes,
                &other,
                &around.when,
            ]);
        }
        let (near, far) = if pen.chance(0.5) {
            (around.path.as_str(), "")
        } else {
            ("", around.at.as_str())
        };
        let main = join(&[&name, &does, near, "behind", &other, far, &around.when]);
        if pen.chance(0.5) {
            let again = inflect("reappear", later, Number::Singular);
            let link = if form == Form::Simple { " and" } else { "," };
            let end = pen.favour(&[" on the other side", ""]);
            return format!("{main}{link} {again}{end}");
        }
        main
    }

    /// What a clause about both calls `who`, where "her" could mean either.
    fn object_of(&self, who: Named) -> String {
        match self.second {
            Some(second)
                if second.actor.subject == self.first.actor.subject && who.object() != "it" =>
            {
                "the first".to_owned()
            }
            _ => who.object(),
        }
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
        Relation::LeftOf => &["to the left of", "on the left of"],
        Relation::RightOf => &["to the right of", "on the right of"],
        Relation::Behind | Relation::PassesBehind => &["behind"],
        Relation::InFrontOf => &["in front of"],
        Relation::Follows => &["after"],
        Relation::Alone | Relation::Crowd => &["with"],
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
