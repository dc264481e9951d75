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
