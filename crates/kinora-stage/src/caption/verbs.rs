//! How captions speak of the actions.

use crate::vocabulary::{Action, Kind, Setting, Subject};

/// Verb phrases in their base form for what a subject does, the plainest first.
pub(super) fn verbs(subject: Subject, action: Action, setting: Setting) -> &'static [&'static str] {
    match action {
        Action::Stand => match subject {
            Subject::Car | Subject::Bus | Subject::Airplane => {
                &["be parked", "stand still", "be stopped"]
            }
            Subject::Candle => &["stand upright", "burn steadily", "stand still"],
            Subject::Rocket => &["stand upright", "stand still", "stand ready"],
            _ => &["stand", "stand still", "stay still"],
        },
        Action::Walk => match subject {
            Subject::Elephant | Subject::Monster => &["walk", "plod", "wander", "lumber"],
            Subject::Dog | Subject::Cat | Subject::Fox => {
                &["walk", "wander", "prowl", "walk slowly"]
            }
            Subject::Horse | Subject::Bird | Subject::Dragon => &["walk", "wander", "walk slowly"],
            _ => &["walk", "stroll", "wander", "walk slowly", "go for a walk"],
        },
        Action::Run => match subject {
            Subject::Horse => &["gallop", "run", "race", "run fast"],
            Subject::Elephant | Subject::Monster | Subject::Dragon => {
                &["run", "charge", "race", "run fast"]
            }
            Subject::Dog | Subject::Cat | Subject::Fox => {
                &["run", "dash", "race", "sprint", "run fast"]
            }
            _ => &["run", "sprint", "jog", "dash", "race", "run fast"],
        },
        Action::Jump => match subject {
            Subject::Balloon => &["bounce", "bob up and down", "bounce up and down"],
            Subject::Bird => &["hop", "jump", "hop up and down"],
            _ => &["jump", "leap", "hop", "jump up and down"],
        },
        Action::Turn => &[
            "turn around",
            "turn round",
            "turn slowly",
            "turn on the spot",
        ],
        Action::Wave => &[
            "wave",
            "wave hello",
            "wave an arm",
            "wave goodbye",
            "wave at the camera",
        ],
        Action::Dance => &["dance", "dance around", "do a dance", "dance to music"],
        Action::Kneel => &[
            "kneel",
            "kneel down",
            "drop to one knee",
            "get down on one knee",
        ],
        Action::Sit => &["sit", "sit down", "be seated"],
        Action::Bow => &["bow", "take a bow", "bow down", "bow politely"],
        Action::LookAround => &[
            "look around",
            "glance around",
            "look about",
            "look all around",
        ],
        // There is no air to fly through in space or under water.
        Action::Fly => match (subject, setting) {
            (Subject::Airplane, _) => &["fly", "soar", "cruise"],
            (Subject::Balloon, _) => &["fly", "sail", "soar"],
            (Subject::Rocket, Setting::Space | Setting::Underwater) => &["fly", "speed", "race"],
            (Subject::Rocket, _) => &["fly", "shoot through the air", "speed"],
            (_, Setting::Space | Setting::Underwater) => &["fly", "soar", "glide"],
            _ => &["fly", "soar", "glide", "fly through the air"],
        },
        Action::Swim if subject == Subject::Fish => &["swim", "swim about"],
        Action::Swim => &["swim", "paddle"],
        Action::Drive => match subject {
            Subject::Boat => &["sail", "cruise"],
            Subject::Airplane => &["taxi", "roll"],
            Subject::Car | Subject::Bus => &["drive", "roll", "cruise", "drive fast"],
            _ => &["drive a go-kart", "drive a kart", "ride in a go-kart"],
        },
        Action::Float => match (subject.kind(), setting) {
            (_, Setting::Sea | Setting::Underwater | Setting::Space) => {
                &["float", "drift", "float slowly"]
            }
            (Kind::Person, _) => &["float", "hover", "levitate", "float in the air"],
            (_, _) if subject == Subject::Boat => &["float", "drift"],
            _ => &["float", "hover", "drift", "float in the air"],
        },
        Action::Spin => &["spin", "spin around", "whirl around", "twirl"],
        Action::Melt => &["melt", "melt away", "melt slowly"],
        Action::Flicker => match subject {
            Subject::Candle => &[
                "flicker",
                "burn with a flickering flame",
                "flicker and glow",
            ],
            _ => &["flicker", "flicker in and out"],
        },
    }
}
