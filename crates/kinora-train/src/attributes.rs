//! The attributes of a scene as classes: what the text encoder learns to name early, and what evaluation measures.

use kinora_stage::{
    Action, Angle, CameraMove, Colour, Emotion, Light, Look, Relation, Scene, Setting, ShotSize,
    Subject, Weather,
};
use serde::{Deserialize, Serialize};

/// One attribute. Subject, colour, action and emotion are the first actor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names say what they are
pub enum Attribute {
    Subject,
    Count,
    Colour,
    Setting,
    Action,
    Relation,
    Light,
    Look,
    Weather,
    Emotion,
    ShotSize,
    Angle,
    CameraMove,
}

/// Most actors of a scene.
const MOST: usize = 4;

impl Attribute {
    /// All attributes.
    pub const ALL: [Self; 13] = [
        Self::Subject,
        Self::Count,
        Self::Colour,
        Self::Setting,
        Self::Action,
        Self::Relation,
        Self::Light,
        Self::Look,
        Self::Weather,
        Self::Emotion,
        Self::ShotSize,
        Self::Angle,
        Self::CameraMove,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Count => "count",
            Self::Colour => "colour",
            Self::Setting => "setting",
            Self::Action => "action",
            Self::Relation => "relation",
            Self::Light => "light",
            Self::Look => "look",
            Self::Weather => "weather",
            Self::Emotion => "emotion",
            Self::ShotSize => "shot size",
            Self::Angle => "angle",
            Self::CameraMove => "camera move",
        }
    }

    /// How many classes it has.
    pub fn classes(self) -> usize {
        match self {
            Self::Subject => Subject::ALL.len(),
            Self::Count => MOST,
            Self::Colour => Colour::ALL.len(),
            Self::Setting => Setting::ALL.len(),
            Self::Action => Action::ALL.len(),
            Self::Relation => Relation::ALL.len(),
            Self::Light => Light::ALL.len(),
            Self::Look => Look::ALL.len(),
            Self::Weather => Weather::ALL.len(),
            Self::Emotion => Emotion::ALL.len(),
            Self::ShotSize => ShotSize::ALL.len(),
            Self::Angle => Angle::ALL.len(),
            Self::CameraMove => CameraMove::ALL.len(),
        }
    }

    /// The class of a scene with one to four actors, below [`Self::classes`].
    pub fn of(self, scene: &Scene) -> usize {
        let first = &scene.cast[0];
        match self {
            Self::Subject => first.subject as usize,
            Self::Count => scene.cast.len().min(MOST) - 1,
            Self::Colour => first.colour as usize,
            Self::Setting => scene.setting as usize,
            Self::Action => first.action as usize,
            Self::Relation => scene.relation as usize,
            Self::Light => scene.light as usize,
            Self::Look => scene.look as usize,
            Self::Weather => scene.weather as usize,
            Self::Emotion => first.emotion as usize,
            Self::ShotSize => scene.shot.size as usize,
            Self::Angle => scene.shot.angle as usize,
            Self::CameraMove => scene.shot.camera_move as usize,
        }
    }
}
