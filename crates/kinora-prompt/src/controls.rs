//! The film's own words for a shot, as typed values.

use std::fmt;

/// No control has such a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} called {found:?}; known are {choices}")]
pub struct UnknownTerm {
    /// Of which control.
    pub what: &'static str,
    /// What was asked.
    pub found: String,
    /// The names of all values.
    pub choices: String,
}

/// Declares a control: each value with its names, the usual one first. Behind the bar stand the names that mean it only
/// where nothing but the control is spoken of, for in a sentence they may mean something else ("a wide river").
macro_rules! control {
    ($(#[$doc:meta])* $name:ident $what:literal { $($value:ident: $($prose:literal),+ $(| $($short:literal),+)?;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // the names say what they are
        pub enum $name { $($value),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$value),+];
            /// What the control is called.
            pub const WHAT: &'static str = $what;

            /// What it is called in a sentence, the usual name first.
            pub fn names(self) -> &'static [&'static str] {
                match self { $($name::$value => &[$($prose),+]),+ }
            }

            /// What it is also called where nothing but the control is spoken of.
            pub fn short_names(self) -> &'static [&'static str] {
                match self { $($name::$value => &[$($($short),+)?]),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.names()[0])
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownTerm;
            fn from_str(text: &str) -> Result<Self, UnknownTerm> {
                let asked = plain(text);
                let called = |value: &Self| {
                    value.names().iter().chain(value.short_names()).any(|name| plain(name) == asked)
                };
                Self::ALL.iter().copied().find(called).ok_or_else(|| UnknownTerm {
                    what: Self::WHAT,
                    found: text.to_owned(),
                    choices: Self::ALL.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl From<$name> for Term {
            fn from(value: $name) -> Self {
                Term::$name(value)
            }
        }
    };
}

/// In lower case, with hyphens and runs of blanks as one blank.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase().replace('-', " ");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

control! {
    /// How much of the subject fills the frame.
    Size "shot size" {
        ExtremeWide: "extreme wide shot", "extreme long shot" | "EWS", "XWS", "extreme wide";
        Wide: "wide shot", "long shot" | "WS", "LS", "wide";
        Full: "full shot", "full-length shot" | "FS", "full";
        MediumWide: "medium wide shot", "medium long shot", "cowboy shot", "American shot" | "MWS", "MLS", "medium wide", "cowboy";
        Medium: "medium shot", "mid shot", "waist-up shot" | "MS", "medium";
        MediumCloseUp: "medium close-up", "medium closeup" | "MCU";
        CloseUp: "close-up", "closeup" | "CU", "close";
        ExtremeCloseUp: "extreme close-up", "extreme closeup" | "ECU", "XCU";
        Insert: "insert shot" | "insert";
    }
}

control! {
    /// Who is in the frame, and through whose eyes.
    Framing "framing" {
        Single: "clean single" | "single";
        TwoShot: "two-shot" | "2S";
        Group: "group shot" | "group";
        OverShoulder: "over-the-shoulder shot", "over-the-shoulder" | "OTS";
        PointOfView: "point-of-view shot", "POV shot" | "POV", "point of view";
        Establishing: "establishing shot" | "establishing";
    }
}

control! {
    /// Where the camera looks from.
    Angle "angle" {
        EyeLevel: "eye level" | "eye";
        Low: "low angle" | "low";
        High: "high angle" | "high";
        Overhead: "overhead view", "overhead shot" | "overhead", "top-down", "bird's eye";
        Aerial: "aerial shot", "drone shot" | "aerial", "drone";
        Dutch: "Dutch angle" | "Dutch", "canted";
        Ground: "ground-level shot", "worm's-eye view" | "ground", "ground level", "worm's eye";
    }
}

control! {
    /// How the camera moves: a zoom changes the lens only, a pan turns the camera, a truck takes it sideways.
    Move "camera move" {
        Static: "static shot", "static camera", "locked-off shot" | "static", "locked-off", "still", "fixed";
        PanLeft: "pan left";
        PanRight: "pan right";
        TiltUp: "tilt up";
        TiltDown: "tilt down";
        RollLeft: "roll left", "camera roll to the left";
        RollRight: "roll right", "camera roll to the right";
        PushIn: "push-in", "dolly in" | "push";
        PullOut: "pull-out", "dolly out" | "pull";
        TruckLeft: "truck left";
        TruckRight: "truck right";
        BoomUp: "boom up", "pedestal up";
        BoomDown: "boom down", "pedestal down";
        CraneUp: "crane up", "rising crane shot";
        CraneDown: "crane down", "sinking crane shot";
        OrbitLeft: "orbit left", "arc left";
        OrbitRight: "orbit right", "arc right";
        Track: "tracking shot", "follow shot" | "track", "follow", "tracking";
        ZoomIn: "zoom in";
        ZoomOut: "zoom out";
        DollyZoom: "dolly zoom", "vertigo effect";
        Handheld: "handheld camera", "handheld shot" | "handheld", "hand-held";
        Steadicam: "Steadicam shot" | "Steadicam";
        WhipPan: "whip pan", "swish pan";
        RackFocus: "rack focus", "focus pull";
    }
}

control! {
    /// The lens.
    Lens "lens" {
        UltraWide: "ultra-wide lens" | "ultra-wide", "14mm", "16mm", "18mm", "20mm";
        Wide: "wide-angle lens" | "wide", "wide-angle", "24mm", "28mm", "35mm";
        Normal: "normal lens", "50mm lens" | "normal", "40mm", "50mm", "58mm";
        Telephoto: "telephoto lens", "85mm lens" | "tele", "telephoto", "85mm", "100mm", "135mm";
        LongTelephoto: "long telephoto lens" | "long", "200mm", "300mm", "400mm";
        Macro: "macro lens" | "macro";
        Anamorphic: "anamorphic lens" | "anamorphic";
        Fisheye: "fisheye lens" | "fisheye";
    }
}

control! {
    /// The light.
    Light "light" {
        Day: "in daylight" | "day", "daylight";
        Night: "at night" | "night";
        GoldenHour: "golden hour" | "golden", "sunset", "magic hour";
        BlueHour: "blue hour" | "blue", "dusk", "twilight";
        Neon: "under neon lights", "neon lighting" | "neon", "neon light";
        Candle: "by candlelight", "candlelight" | "candle";
        Rembrandt: "Rembrandt lighting" | "Rembrandt";
        Rim: "rim lighting", "rim light" | "rim", "backlight", "backlit";
        Silhouette: "in silhouette" | "silhouette";
        HighKey: "high-key lighting" | "high-key";
        LowKey: "low-key lighting" | "low-key";
        Hard: "hard light" | "hard";
        Soft: "soft light" | "soft";
        Practical: "practical lights", "practical lighting" | "practical", "practicals";
    }
}

control! {
    /// The finish of the picture: kinds of film stock and animation, never a living artist.
    Look "look" {
        Film35: "35mm film", "35 mm film" | "35mm", "35 mm";
        Film16: "16mm film", "16 mm film" | "16mm", "16 mm";
        Reversal: "reversal film" | "reversal", "slide film";
        BlackAndWhite: "black and white" | "b&w", "bw", "noir", "monochrome";
        Watercolor: "watercolor", "watercolour";
        Clay: "claymation" | "clay", "stop motion";
        Cel: "cel animation" | "cel", "anime", "cartoon";
        Plain: "plain digital video" | "plain", "digital";
    }
}

control! {
    /// What faces and bearing show.
    Emotion "emotion" {
        Calm: "looking calm" | "calm", "neutral", "composed";
        Happy: "happy" | "joy", "joyful";
        Sad: "sad" | "sadness", "sorrow";
        Angry: "angry" | "anger", "rage";
        Surprised: "surprised" | "surprise";
        Afraid: "afraid" | "fear", "frightened", "scared";
    }
}

/// A value of any control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each holds what it is named after
pub enum Term {
    Size(Size),
    Framing(Framing),
    Angle(Angle),
    Move(Move),
    Lens(Lens),
    Light(Light),
    Look(Look),
    Emotion(Emotion),
}

/// Applies the same expression to whatever a term holds.
macro_rules! each {
    ($term:expr, $value:ident => $body:expr) => {
        match $term {
            Term::Size($value) => $body,
            Term::Framing($value) => $body,
            Term::Angle($value) => $body,
            Term::Move($value) => $body,
            Term::Lens($value) => $body,
            Term::Light($value) => $body,
            Term::Look($value) => $body,
            Term::Emotion($value) => $body,
        }
    };
}

impl Term {
    /// Every value of every control.
    pub fn all() -> Vec<Term> {
        fn of<T: Copy + Into<Term>>(values: &[T]) -> Vec<Term> {
            values.iter().map(|&value| value.into()).collect()
        }
        [
            of(Size::ALL),
            of(Framing::ALL),
            of(Angle::ALL),
            of(Move::ALL),
            of(Lens::ALL),
            of(Light::ALL),
            of(Look::ALL),
            of(Emotion::ALL),
        ]
        .concat()
    }

    /// What it is called in a sentence, the usual name first.
    pub fn names(self) -> &'static [&'static str] {
        each!(self, value => value.names())
    }

    /// What its control is called.
    pub fn what(self) -> &'static str {
        match self {
            Term::Size(_) => Size::WHAT,
            Term::Framing(_) => Framing::WHAT,
            Term::Angle(_) => Angle::WHAT,
            Term::Move(_) => Move::WHAT,
            Term::Lens(_) => Lens::WHAT,
            Term::Light(_) => Light::WHAT,
            Term::Look(_) => Look::WHAT,
            Term::Emotion(_) => Emotion::WHAT,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names()[0])
    }
}

/// What is asked of a shot; what is `None` is left to the prompt and the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each is named after its type
pub struct Controls {
    pub size: Option<Size>,
    pub framing: Option<Framing>,
    pub angle: Option<Angle>,
    pub camera_move: Option<Move>,
    pub lens: Option<Lens>,
    pub light: Option<Light>,
    pub look: Option<Look>,
    pub emotion: Option<Emotion>,
}

impl Controls {
    /// What is set, in the order in which a shot is spoken of: who it shows and how lit, then the camera, then the finish.
    pub fn terms(&self) -> Vec<Term> {
        [
            self.emotion.map(Term::from),
            self.light.map(Term::from),
            self.size.map(Term::from),
            self.framing.map(Term::from),
            self.angle.map(Term::from),
            self.camera_move.map(Term::from),
            self.lens.map(Term::from),
            self.look.map(Term::from),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Sets what `term` is a value of.
    pub fn set(&mut self, term: Term) {
        match term {
            Term::Size(value) => self.size = Some(value),
            Term::Framing(value) => self.framing = Some(value),
            Term::Angle(value) => self.angle = Some(value),
            Term::Move(value) => self.camera_move = Some(value),
            Term::Lens(value) => self.lens = Some(value),
            Term::Light(value) => self.light = Some(value),
            Term::Look(value) => self.look = Some(value),
            Term::Emotion(value) => self.emotion = Some(value),
        }
    }

    /// The value of the control that `term` is a value of.
    pub fn like(&self, term: Term) -> Option<Term> {
        self.terms()
            .into_iter()
            .find(|other| other.what() == term.what())
    }

    /// These, and from `other` what is not set here.
    #[must_use]
    pub fn or(&self, other: &Controls) -> Controls {
        let mut both = *other;
        for term in self.terms() {
            both.set(term);
        }
        both
    }
}

impl FromIterator<Term> for Controls {
    fn from_iter<I: IntoIterator<Item = Term>>(terms: I) -> Self {
        let mut controls = Self::default();
        for term in terms {
            controls.set(term);
        }
        controls
    }
}
