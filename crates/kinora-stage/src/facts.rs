//! What is true of a clip, as structured attributes: the answer key to its caption.

use crate::scene::{Actor, Scene};
use crate::vocabulary::{Angle, CameraMove, Light, Look, Relation, Setting, ShotSize, Weather};
use serde::{Deserialize, Serialize};

/// The attributes of a scene that a caption can speak of; a [`Scene`] without its seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Who is seen, with colour, action and emotion; the first is the one that `relation` speaks of.
    pub subjects: Vec<Actor>,
    /// How many are seen.
    pub count: usize,
    /// How they stand to each other.
    pub relation: Relation,
    /// Where it plays.
    pub setting: Setting,
    /// The light.
    pub light: Light,
    /// The weather.
    pub weather: Weather,
    /// The finish of the picture.
    pub look: Look,
    /// How much of the first subject fills the frame.
    pub shot_size: ShotSize,
    /// Where the camera looks from.
    pub angle: Angle,
    /// How the camera moves.
    pub camera_move: CameraMove,
}

impl From<&Scene> for Facts {
    fn from(scene: &Scene) -> Self {
        Self {
            subjects: scene.cast.clone(),
            count: scene.cast.len(),
            relation: scene.relation,
            setting: scene.setting,
            light: scene.light,
            weather: scene.weather,
            look: scene.look,
            shot_size: scene.shot.size,
            angle: scene.shot.angle,
            camera_move: scene.shot.camera_move,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_readable_json_and_come_back() {
        let facts = Facts::from(&Scene::sample(7));
        let json = serde_json::to_value(&facts).unwrap();
        assert_eq!(json["count"], facts.subjects.len());
        assert!(json["subjects"][0]["colour"].is_string() && json["shot_size"].is_string());
        assert_eq!(serde_json::from_value::<Facts>(json).unwrap(), facts);
    }
}
