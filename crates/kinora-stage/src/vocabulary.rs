//! The stage's closed vocabulary: what a scene can be made of, as enums that the captions, the facts and the
//! renderer share.

use serde::{Deserialize, Serialize};

/// Declares an enum of the vocabulary with the list of all its values.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($value:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)] // the names say what they are
        pub enum $name { $($value),+ }

        impl $name {
            /// Every value, in declaration order; `value as usize` is its index here.
            pub const ALL: &'static [$name] = &[$($name::$value),+];
        }
    };
}

vocabulary! {
    /// Who or what is filmed.
    Subject {
        Woman, Man, Child, Astronaut, Knight, Chef, Wizard, Robot,
        Dog, Cat, Fox, Horse, Elephant, Bird, Fish,
        Dragon, Ghost, Monster,
        Car, Bus, Boat, Airplane, Rocket,
        Candle, Snowman, Balloon,
    }
}
vocabulary! {
    /// What a subject does during the clip.
    Action {
        Stand, Walk, Run, Jump, Turn, Wave, Dance, Kneel, Sit, Bow, LookAround,
        Fly, Swim, Drive, Float, Spin, Melt, Flicker,
    }
}
vocabulary! {
    /// Where the scene plays.
    Setting {
        NeonStreet, Forest, MountainRoad, Desert, Sea, Snowfield, Room, Stage, Space, Beach, Meadow, Underwater, Cave,
    }
}
vocabulary! {
    /// The main colour of a subject (dress, fur, paint).
    Colour { Red, Orange, Yellow, Green, Teal, Blue, Purple, Pink, Brown, White, Black, Gray }
}
vocabulary! {
    /// What a face and a posture show; subjects without either are `Neutral`.
    Emotion { Neutral, Happy, Sad, Angry, Surprised, Afraid }
}
vocabulary! {
    /// Where the light comes from, and when.
    Light { Day, Night, GoldenHour, BlueHour, Neon, CandleLight }
}
vocabulary! {
    /// What the air carries. `Snow` also whitens the ground.
    Weather { Clear, Fog, Rain, Snow }
}
vocabulary! {
    /// How the picture is finished.
    Look { Plain, Film35, Film16, Noir, Watercolor, Clay, Cel }
}
vocabulary! {
    /// Shot size: how much of the first subject fills the frame.
    ShotSize { ExtremeWide, Wide, Full, Medium, CloseUp }
}
vocabulary! {
    /// Where the camera looks from.
    Angle { EyeLevel, Low, High, Overhead, Dutch }
}
vocabulary! {
    /// How the camera moves. Pan and tilt turn it; truck, boom, push and pull move it; zoom changes the lens only;
    /// track follows the first subject.
    CameraMove {
        Static, PanLeft, PanRight, TiltUp, TiltDown, PushIn, PullOut, TruckLeft, TruckRight, BoomUp, BoomDown,
        OrbitLeft, OrbitRight, Track, ZoomIn, ZoomOut, Handheld,
    }
}
vocabulary! {
    /// How the subjects stand to each other, as the camera sees it; the first subject is the one that is
    /// `LeftOf` (and so on) the second.
    Relation { Alone, LeftOf, RightOf, Behind, InFrontOf, PassesBehind, Follows, Crowd }
}

/// The families of subjects: they share how they move and how they are spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Walks on two legs and has hands.
    Person,
    /// An animal of the real world.
    Animal,
    /// A creature of fantasy.
    Creature,
    /// Carries people.
    Vehicle,
    /// Anything else.
    Object,
}

impl Subject {
    /// The family that the subject belongs to.
    pub fn kind(self) -> Kind {
        use Subject::*;
        match self {
            Woman | Man | Child | Astronaut | Knight | Chef | Wizard | Robot => Kind::Person,
            Dog | Cat | Fox | Horse | Elephant | Bird | Fish => Kind::Animal,
            Dragon | Ghost | Monster => Kind::Creature,
            Car | Bus | Boat | Airplane | Rocket => Kind::Vehicle,
            Candle | Snowman | Balloon => Kind::Object,
        }
    }

    /// What the subject can do, at least four actions.
    pub fn actions(self) -> &'static [Action] {
        use Action::*;
        match self {
            Subject::Woman | Subject::Man | Subject::Child | Subject::Knight | Subject::Chef => &[
                Stand, Walk, Run, Jump, Turn, Wave, Dance, Kneel, Sit, Bow, LookAround, Swim,
                Float, Spin, Drive,
            ],
            Subject::Astronaut | Subject::Wizard => &[
                Stand, Walk, Run, Jump, Turn, Wave, Dance, Kneel, Sit, Bow, LookAround, Swim,
                Float, Spin, Drive, Fly,
            ],
            Subject::Robot => &[
                Stand, Walk, Run, Jump, Turn, Wave, Dance, Kneel, Sit, Bow, LookAround, Float,
                Spin, Drive, Fly, Melt,
            ],
            Subject::Dog | Subject::Cat | Subject::Fox | Subject::Horse | Subject::Elephant => {
                &[Stand, Walk, Run, Jump, Turn, Sit, LookAround, Swim, Dance]
            }
            Subject::Bird => &[Stand, Walk, Jump, Turn, LookAround, Fly],
            Subject::Fish => &[Swim, Turn, Jump, Float, Spin],
            Subject::Dragon => &[Stand, Walk, Run, Turn, Sit, LookAround, Fly],
            Subject::Ghost => &[
                Float, Fly, Turn, Wave, Dance, Bow, LookAround, Spin, Flicker, Melt,
            ],
            Subject::Monster => &[
                Stand, Walk, Run, Jump, Turn, Wave, Dance, Sit, LookAround, Swim, Melt,
            ],
            Subject::Car | Subject::Bus => &[Drive, Stand, Turn, Spin],
            Subject::Boat => &[Drive, Float, Turn, Spin],
            Subject::Airplane => &[Fly, Drive, Stand, Turn, Spin],
            Subject::Rocket => &[Fly, Stand, Float, Spin],
            Subject::Candle => &[Flicker, Melt, Stand, Float, Spin],
            Subject::Snowman => &[Stand, Melt, Wave, Turn, Dance, Jump, Bow, LookAround],
            Subject::Balloon => &[Float, Fly, Jump, Spin],
        }
    }

    /// Whether the subject can do `action`.
    pub fn can(self, action: Action) -> bool {
        self.actions().contains(&action)
    }

    /// Whether the subject stands upright with a face on top, so that a closer shot shows the face.
    pub fn has_face(self) -> bool {
        self.kind() == Kind::Person
            || matches!(self, Subject::Ghost | Subject::Monster | Subject::Snowman)
    }

    /// Whether the subject can show an emotion, by its face, or as beasts do by eyes, mouth and bearing.
    pub fn shows_emotion(self) -> bool {
        let beast = matches!(self.kind(), Kind::Animal | Kind::Creature)
            && !matches!(self, Subject::Bird | Subject::Fish);
        self.has_face() || beast
    }
}

impl Action {
    /// Whether the action takes the subject from one place to another.
    pub fn locomotes(self) -> bool {
        matches!(
            self,
            Action::Walk | Action::Run | Action::Fly | Action::Swim | Action::Drive
        )
    }
}

impl Setting {
    /// Whether the setting has a roof.
    pub fn is_indoor(self) -> bool {
        matches!(self, Setting::Room | Setting::Stage)
    }

    /// Whether the setting is in or on the water.
    pub fn is_water(self) -> bool {
        matches!(self, Setting::Sea | Setting::Underwater)
    }

    /// Whether the setting lies under the sky.
    pub fn is_open(self) -> bool {
        !self.is_indoor() && !matches!(self, Setting::Space | Setting::Underwater | Setting::Cave)
    }

    /// The lights that the setting can have, the usual first.
    pub fn lights(self) -> &'static [Light] {
        use Light::*;
        match self {
            Setting::NeonStreet => &[Neon, Night, BlueHour, GoldenHour],
            Setting::Forest => &[Day, GoldenHour, BlueHour, Night, CandleLight, Neon],
            Setting::Meadow | Setting::Beach => &[Day, GoldenHour, BlueHour, Night, CandleLight],
            Setting::MountainRoad | Setting::Desert | Setting::Snowfield => {
                &[Day, GoldenHour, BlueHour, Night, Neon]
            }
            Setting::Sea => &[Day, GoldenHour, BlueHour, Night],
            Setting::Room => &[Day, CandleLight, GoldenHour, Night, Neon, BlueHour],
            Setting::Stage => &[Day, Neon, CandleLight, Night, GoldenHour],
            Setting::Space => &[Day, Night, Neon],
            Setting::Underwater => &[Day, Night, BlueHour, Neon],
            Setting::Cave => &[CandleLight, Night, Day, Neon],
        }
    }

    /// The weathers that the setting can have, the usual first.
    pub fn weathers(self) -> &'static [Weather] {
        use Weather::*;
        match self {
            Setting::NeonStreet
            | Setting::Forest
            | Setting::MountainRoad
            | Setting::Sea
            | Setting::Beach
            | Setting::Meadow => &[Clear, Fog, Rain, Snow],
            Setting::Snowfield => &[Clear, Snow, Fog],
            Setting::Desert => &[Clear, Fog, Rain],
            Setting::Stage | Setting::Cave => &[Clear, Fog],
            Setting::Room | Setting::Space | Setting::Underwater => &[Clear],
        }
    }
}

impl Look {
    /// Whether the look keeps the hues; without them only white, black and gray can be told apart.
    pub fn keeps_hue(self) -> bool {
        self != Look::Noir
    }
}
