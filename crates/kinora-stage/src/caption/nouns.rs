//! How captions speak of the subjects: their names, colours and moods.

use super::grammar::{Number, Pen, list};
use crate::scene::{Actor, Scene};
use crate::vocabulary::{Colour, Emotion, Kind, Look, ShotSize, Subject};

type Noun = (&'static str, &'static str);

/// The names of a subject, one and several, the plainest first.
pub(super) fn names(subject: Subject) -> &'static [Noun] {
    match subject {
        Subject::Woman => &[
            ("woman", "women"),
            ("lady", "ladies"),
            ("young woman", "young women"),
        ],
        Subject::Man => &[
            ("man", "men"),
            ("guy", "guys"),
            ("young man", "young men"),
            ("gentleman", "gentlemen"),
        ],
        // The stage's child is of no stated sex, so it may be called either.
        Subject::Child => &[
            ("child", "children"),
            ("kid", "kids"),
            ("little kid", "little kids"),
            ("young child", "young children"),
            ("little girl", "little girls"),
            ("little boy", "little boys"),
        ],
        Subject::Astronaut => &[
            ("astronaut", "astronauts"),
            ("cosmonaut", "cosmonauts"),
            ("spacewalker", "spacewalkers"),
        ],
        Subject::Knight => &[
            ("knight", "knights"),
            ("medieval knight", "medieval knights"),
        ],
        Subject::Chef => &[("chef", "chefs"), ("cook", "cooks")],
        Subject::Wizard => &[
            ("wizard", "wizards"),
            ("magician", "magicians"),
            ("sorcerer", "sorcerers"),
            ("mage", "mages"),
            ("old wizard", "old wizards"),
        ],
        Subject::Robot => &[
            ("robot", "robots"),
            ("android", "androids"),
            ("humanoid robot", "humanoid robots"),
        ],
        Subject::Dog => &[
            ("dog", "dogs"),
            ("hound", "hounds"),
            ("puppy", "puppies"),
            ("small dog", "small dogs"),
        ],
        Subject::Cat => &[
            ("cat", "cats"),
            ("kitty", "kitties"),
            ("kitten", "kittens"),
            ("cute cat", "cute cats"),
        ],
        Subject::Fox => &[("fox", "foxes"), ("little fox", "little foxes")],
        Subject::Horse => &[
            ("horse", "horses"),
            ("pony", "ponies"),
            ("stallion", "stallions"),
            ("mare", "mares"),
        ],
        Subject::Elephant => &[
            ("elephant", "elephants"),
            ("huge elephant", "huge elephants"),
            ("big elephant", "big elephants"),
        ],
        Subject::Bird => &[
            ("bird", "birds"),
            ("little bird", "little birds"),
            ("small bird", "small birds"),
            ("songbird", "songbirds"),
        ],
        Subject::Fish => &[
            ("fish", "fish"),
            ("little fish", "little fish"),
            ("small fish", "small fish"),
        ],
        Subject::Dragon => &[
            ("dragon", "dragons"),
            ("winged dragon", "winged dragons"),
            ("big dragon", "big dragons"),
            ("giant dragon", "giant dragons"),
        ],
        Subject::Ghost => &[
            ("ghost", "ghosts"),
            ("spirit", "spirits"),
            ("phantom", "phantoms"),
            ("spooky ghost", "spooky ghosts"),
            ("spectre", "spectres"),
            ("specter", "specters"),
        ],
        Subject::Monster => &[
            ("monster", "monsters"),
            ("creature", "creatures"),
            ("beast", "beasts"),
            ("big monster", "big monsters"),
        ],
        Subject::Car => &[
            ("car", "cars"),
            ("automobile", "automobiles"),
            ("motor car", "motor cars"),
        ],
        Subject::Bus => &[("bus", "buses"), ("coach", "coaches")],
        Subject::Boat => &[
            ("boat", "boats"),
            ("ship", "ships"),
            ("sailboat", "sailboats"),
            ("sailing boat", "sailing boats"),
            ("yacht", "yachts"),
        ],
        Subject::Airplane => &[
            ("airplane", "airplanes"),
            ("plane", "planes"),
            ("aeroplane", "aeroplanes"),
            ("aircraft", "aircraft"),
            ("propeller plane", "propeller planes"),
        ],
        Subject::Rocket => &[
            ("rocket", "rockets"),
            ("rocket ship", "rocket ships"),
            ("spaceship", "spaceships"),
            ("space rocket", "space rockets"),
            ("spacecraft", "spacecraft"),
        ],
        Subject::Candle => &[
            ("candle", "candles"),
            ("burning candle", "burning candles"),
            ("lit candle", "lit candles"),
            ("wax candle", "wax candles"),
        ],
        Subject::Snowman => &[("snowman", "snowmen")],
        Subject::Balloon => &[
            ("hot-air balloon", "hot-air balloons"),
            ("balloon", "balloons"),
            ("hot air balloon", "hot air balloons"),
        ],
    }
}

/// The words for a colour, the plainest first.
pub(super) fn colours(colour: Colour) -> &'static [&'static str] {
    match colour {
        Colour::Red => &["red", "bright red", "scarlet", "crimson", "deep red"],
        Colour::Orange => &["orange", "bright orange"],
        Colour::Yellow => &["yellow", "bright yellow", "golden", "golden yellow"],
        Colour::Green => &["green", "bright green", "emerald", "emerald green"],
        Colour::Teal => &["teal", "turquoise", "blue-green"],
        Colour::Blue => &["blue", "deep blue", "royal blue", "cobalt blue"],
        Colour::Purple => &["purple", "violet", "deep purple"],
        Colour::Pink => &["pink", "hot pink", "bright pink"],
        Colour::Brown => &["brown", "dark brown", "chestnut", "chocolate brown"],
        Colour::White => &["white", "pure white", "ivory"],
        Colour::Black => &["black", "jet black", "pitch black"],
        Colour::Gray => &["gray", "grey", "silver gray", "silvery grey"],
    }
}

/// What carries the subject's colour, one and several, with `{}` for the colour.
fn wears(subject: Subject) -> &'static [Noun] {
    match subject {
        Subject::Woman => &[
            ("in a {} dress", "in {} dresses"),
            ("wearing a {} dress", "wearing {} dresses"),
            ("dressed in {}", "dressed in {}"),
            ("in {}", "in {}"),
        ],
        Subject::Man => &[
            ("in a {} jacket", "in {} jackets"),
            ("wearing a {} jacket", "wearing {} jackets"),
            ("in a {} coat", "in {} coats"),
            ("dressed in {}", "dressed in {}"),
            ("in {}", "in {}"),
        ],
        Subject::Child => &[
            ("in a {} shirt", "in {} shirts"),
            ("in a {} cap and shirt", "in {} caps and shirts"),
            ("wearing a {} top", "wearing {} tops"),
            ("dressed in {}", "dressed in {}"),
            ("in {}", "in {}"),
        ],
        Subject::Astronaut => &[
            ("in a {} spacesuit", "in {} spacesuits"),
            ("wearing a {} spacesuit", "wearing {} spacesuits"),
            ("in a {} space suit", "in {} space suits"),
            ("in {}", "in {}"),
        ],
        Subject::Knight => &[
            ("in {} armour", "in {} armour"),
            ("in {} armor", "in {} armor"),
            ("wearing {} armour", "wearing {} armour"),
            ("clad in {} armor", "clad in {} armor"),
        ],
        Subject::Chef => &[
            ("in a {} uniform", "in {} uniforms"),
            ("in a {} jacket", "in {} jackets"),
            ("dressed in {}", "dressed in {}"),
            ("in {}", "in {}"),
        ],
        Subject::Wizard => &[
            ("in a {} robe", "in {} robes"),
            ("wearing a {} robe", "wearing {} robes"),
            ("in {} robes", "in {} robes"),
            ("dressed in {}", "dressed in {}"),
        ],
        Subject::Dog | Subject::Cat | Subject::Fox => &[
            ("with {} fur", "with {} fur"),
            ("with a {} coat", "with {} coats"),
        ],
        Subject::Horse => &[("with a {} coat", "with {} coats")],
        Subject::Elephant => &[("with {} skin", "with {} skin")],
        Subject::Bird => &[
            ("with {} feathers", "with {} feathers"),
            ("with {} plumage", "with {} plumage"),
        ],
        Subject::Fish | Subject::Dragon => &[("with {} scales", "with {} scales")],
        Subject::Car | Subject::Bus | Subject::Airplane | Subject::Boat | Subject::Rocket => {
            &[("painted {}", "painted {}")]
        }
        Subject::Snowman => &[
            ("in a {} jumper", "in {} jumpers"),
            ("in a {} sweater", "in {} sweaters"),
            ("with a {} hat", "with {} hats"),
            ("wearing a {} hat and jumper", "wearing {} hats and jumpers"),
        ],
        Subject::Monster => &[("with {} skin", "with {} skin")],
        Subject::Robot | Subject::Ghost | Subject::Candle | Subject::Balloon => &[],
    }
}

/// How often the colour is told by what carries it instead of by an adjective: nobody speaks of "a red woman".
fn wears_share(subject: Subject) -> f64 {
    match subject {
        Subject::Woman | Subject::Man | Subject::Child | Subject::Chef => 1.0,
        Subject::Astronaut | Subject::Knight | Subject::Wizard | Subject::Snowman => 0.7,
        _ if wears(subject).is_empty() => 0.0,
        _ => 0.12,
    }
}

pub(super) fn moods(emotion: Emotion) -> &'static [&'static str] {
    match emotion {
        Emotion::Neutral => &[],
        Emotion::Happy => &["happy", "smiling", "cheerful", "joyful", "grinning"],
        Emotion::Sad => &["sad", "unhappy", "tearful", "sorrowful", "crying"],
        Emotion::Angry => &["angry", "furious", "enraged"],
        Emotion::Surprised => &["surprised", "astonished", "amazed", "startled"],
        Emotion::Afraid => &["frightened", "scared", "terrified", "fearful", "nervous"],
    }
}

/// The mood as what someone looks: "scared".
pub(super) fn mood_complements(emotion: Emotion) -> &'static [&'static str] {
    match emotion {
        Emotion::Neutral => &["calm", "composed"],
        Emotion::Happy => &["happy", "cheerful", "joyful", "delighted"],
        Emotion::Sad => &["sad", "unhappy", "sorrowful"],
        Emotion::Angry => &["angry", "furious", "enraged"],
        Emotion::Surprised => &["surprised", "astonished", "amazed", "shocked"],
        Emotion::Afraid => &["afraid", "frightened", "scared", "terrified"],
    }
}

/// Whether the mood can be made out.
pub(super) fn mood_shows(scene: &Scene) -> bool {
    scene.shot.size != ShotSize::ExtremeWide
}

/// Whether the colour can be made out: black and white film keeps only these three.
pub(super) fn colour_shows(colour: Colour, look: Look) -> bool {
    look.keeps_hue() || matches!(colour, Colour::White | Colour::Black | Colour::Gray)
}

/// A subject in the plainest words: "a red fox", "a woman in a red dress".
pub(super) fn plainly(subject: Subject, colour: Colour) -> String {
    let (noun, hue) = (names(subject)[0].0, colours(colour)[0]);
    if wears_share(subject) < 0.5 {
        return format!("a {hue} {noun}");
    }
    format!("a {noun} {}", wears(subject)[0].0.replace("{}", hue))
}

/// What is told of a subject besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    pub colour: bool,
    pub mood: bool,
}

/// A subject as a caption speaks of it, with the name chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub actor: Actor,
    noun: Noun,
}

impl Named {
    pub fn new(actor: Actor, pen: &mut Pen) -> Self {
        Self {
            actor,
            noun: pen.favour(names(actor.subject)),
        }
    }

    /// Another actor of the same kind keeps the noun: two names for it would read as two kinds.
    pub fn like(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// "the fox"
    pub fn definite(self) -> String {
        format!("the {}", self.noun.0)
    }

    /// Whether a phrase begins with a word of the name's own: "a burning candle burning" says it twice.
    pub fn repeats(self, phrase: &str) -> bool {
        phrase
            .get(..4)
            .is_some_and(|start| self.noun.0.split(' ').any(|word| word.starts_with(start)))
    }

    /// "the foxes"
    pub fn definite_plural(self) -> String {
        format!("the {}", self.noun.1)
    }

    /// "a sad woman in a red dress"
    pub fn indefinite(self, look: Look, detail: Detail, pen: &mut Pen) -> String {
        format!(
            "a {}",
            self.described(Number::Singular, &[self.actor.colour], look, detail, pen)
        )
    }

    /// "three red and blue foxes"
    pub fn counted(
        self,
        number_word: &str,
        colours: &[Colour],
        look: Look,
        detail: Detail,
        pen: &mut Pen,
    ) -> String {
        format!(
            "{number_word} {}",
            self.described(Number::Plural, colours, look, detail, pen)
        )
    }

    fn described(
        self,
        number: Number,
        all: &[Colour],
        look: Look,
        detail: Detail,
        pen: &mut Pen,
    ) -> String {
        let subject = self.actor.subject;
        let noun = if number == Number::Singular {
            self.noun.0
        } else {
            self.noun.1
        };
        let mood = moods(self.actor.emotion);
        let mood = if detail.mood && !mood.is_empty() {
            format!("{} ", pen.favour(mood))
        } else {
            String::new()
        };
        if !detail.colour || !all.iter().all(|&colour| colour_shows(colour, look)) {
            return format!("{mood}{noun}");
        }
        let hue: Vec<&str> = all
            .iter()
            .map(|&colour| pen.favour(colours(colour)))
            .collect();
        let hue = list(&hue);
        if pen.chance(wears_share(subject)) {
            let wear = pen.favour(wears(subject));
            let wear = if number == Number::Singular {
                wear.0
            } else {
                wear.1
            };
            // One is dressed in gold, not in golden.
            let hue = if wear.ends_with("in {}") {
                hue.replace("golden", "gold")
            } else {
                hue
            };
            return format!("{mood}{noun} {}", wear.replace("{}", &hue));
        }
        // English puts size, age and state before colour: "a little red fox".
        match noun.split_once(' ') {
            Some((
                state @ ("spooky" | "little" | "small" | "cute" | "big" | "giant" | "huge" | "old"
                | "young" | "burning" | "lit"),
                name,
            )) => {
                format!("{mood}{state} {hue} {name}")
            }
            _ => format!("{mood}{hue} {noun}"),
        }
    }

    /// What a later clause calls it: "she", "it", or "the knight" where no pronoun is known to be true.
    pub fn pronoun(self) -> String {
        match self.actor.subject {
            Subject::Woman => "she".to_owned(),
            Subject::Man => "he".to_owned(),
            subject if subject.kind() == Kind::Person && subject != Subject::Robot => {
                self.definite()
            }
            _ => "it".to_owned(),
        }
    }

    /// The same after a preposition: "her".
    pub fn object(self) -> String {
        match self.actor.subject {
            Subject::Woman => "her".to_owned(),
            Subject::Man => "him".to_owned(),
            _ => self.pronoun(),
        }
    }
}
