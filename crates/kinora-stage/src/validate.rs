//! Whether a scene is coherent: what its captions and the renderer may take for granted.

use crate::scene::Scene;
use crate::vocabulary::{
    Action, CameraMove, Emotion, Light, Relation, Setting, ShotSize, Subject, Weather,
};
use thiserror::Error;

/// Why a scene is not coherent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the messages say what the fields are
pub enum SceneError {
    #[error(
        "the relation {relation:?} can't hold for {count} subjects: Alone takes 1, Crowd 3 or 4, any other 2"
    )]
    Count { relation: Relation, count: usize },
    #[error("{subject:?} can't {action:?}; it can {:?}", subject.actions())]
    Action { subject: Subject, action: Action },
    #[error("{subject:?} can't show {emotion:?}; make it Neutral")]
    Emotion { subject: Subject, emotion: Emotion },
    #[error("{subject:?} can't swim in {setting:?}; only a fish swims outside Sea and Underwater")]
    Dry { subject: Subject, setting: Setting },
    #[error("{setting:?} has no light {light:?}; it has {:?}", setting.lights())]
    Light { setting: Setting, light: Light },
    #[error("{setting:?} has no weather {weather:?}; it has {:?}", setting.weathers())]
    Weather { setting: Setting, weather: Weather },
    #[error("a Crowd is of one subject with one action and one emotion")]
    Crowd,
    #[error(
        "{relation:?} can't hold while the first subject does {first:?} and the second {second:?}"
    )]
    Relation {
        relation: Relation,
        first: Action,
        second: Action,
    },
    #[error("a shot of size {size:?} can't hold {count} subjects; take Full, Wide or ExtremeWide")]
    Crowded { size: ShotSize, count: usize },
    #[error("{camera_move:?} needs a first subject that moves along, not one that does {action:?}")]
    Move {
        camera_move: CameraMove,
        action: Action,
    },
}

impl Scene {
    /// Says whether the scene is coherent: each actor can do what it does where it does it, the light and the weather
    /// belong to the setting, the relation holds all through the clip and everyone fits in the shot.
    ///
    /// # Errors
    /// The first reason found why it is not.
    pub fn validate(&self) -> Result<(), SceneError> {
        self.validate_place()?;
        self.cast.iter().try_for_each(|actor| {
            let (subject, action) = (actor.subject, actor.action);
            if !subject.can(action) {
                return Err(SceneError::Action { subject, action });
            }
            if action == Action::Swim && !can_swim(subject, self.setting) {
                return Err(SceneError::Dry {
                    subject,
                    setting: self.setting,
                });
            }
            if actor.emotion != Emotion::Neutral && !subject.shows_emotion() {
                return Err(SceneError::Emotion {
                    subject,
                    emotion: actor.emotion,
                });
            }
            Ok(())
        })?;
        self.validate_relation()?;
        self.validate_shot()
    }

    fn validate_place(&self) -> Result<(), SceneError> {
        let setting = self.setting;
        if !setting.lights().contains(&self.light) {
            return Err(SceneError::Light {
                setting,
                light: self.light,
            });
        }
        if !setting.weathers().contains(&self.weather) {
            return Err(SceneError::Weather {
                setting,
                weather: self.weather,
            });
        }
        Ok(())
    }

    fn validate_relation(&self) -> Result<(), SceneError> {
        let (relation, count) = (self.relation, self.cast.len());
        match (relation, self.cast.as_slice()) {
            (Relation::Alone, [_]) => Ok(()),
            (Relation::Crowd, [first, rest @ ..]) if (3..=4).contains(&count) => {
                let alike = rest.iter().all(|other| {
                    (other.subject, other.action, other.emotion)
                        == (first.subject, first.action, first.emotion)
                });
                if alike {
                    Ok(())
                } else {
                    Err(SceneError::Crowd)
                }
            }
            (Relation::Alone | Relation::Crowd, _) => Err(SceneError::Count { relation, count }),
            (_, [first, second]) => {
                let (first, second) = (first.action, second.action);
                if relation_holds(relation, first, second) {
                    Ok(())
                } else {
                    Err(SceneError::Relation {
                        relation,
                        first,
                        second,
                    })
                }
            }
            _ => Err(SceneError::Count { relation, count }),
        }
    }

    fn validate_shot(&self) -> Result<(), SceneError> {
        let (size, count) = (self.shot.size, self.cast.len());
        if count > 1 && matches!(size, ShotSize::Medium | ShotSize::CloseUp) {
            return Err(SceneError::Crowded { size, count });
        }
        match self.cast.first() {
            Some(first)
                if self.shot.camera_move == CameraMove::Track && !first.action.locomotes() =>
            {
                Err(SceneError::Move {
                    camera_move: CameraMove::Track,
                    action: first.action,
                })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a subject can swim there: a fish swims through any air, as in a dream.
pub(crate) fn can_swim(subject: Subject, setting: Setting) -> bool {
    subject == Subject::Fish || setting.is_water()
}

/// Whether a relation of two lasts through the clip. Who passes or follows must move along; who is passed stays;
/// and beside each other two stay only if both stay put or both go the same way.
pub(crate) fn relation_holds(relation: Relation, first: Action, second: Action) -> bool {
    match relation {
        Relation::Follows => first.locomotes() && second.locomotes(),
        Relation::PassesBehind => first.locomotes() && !second.locomotes(),
        _ => first == second || (!first.locomotes() && !second.locomotes()),
    }
}
