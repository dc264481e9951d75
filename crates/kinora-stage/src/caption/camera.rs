//! How captions speak of the shot and of the finish of the picture.

use super::grammar::{Form, Number, Pen, inflect};
use crate::scene::Scene;
use crate::vocabulary::{Angle, CameraMove, Kind, Look, ShotSize, Subject};

/// The shot size as a noun: "wide shot".
pub(super) fn size(scene: &Scene, pen: &mut Pen) -> &'static str {
    pen.favour(sizes(scene.shot.size, scene.cast[0].subject))
}

/// The names of a shot size, for a shot of `subject`.
pub(super) fn sizes(size: ShotSize, subject: Subject) -> &'static [&'static str] {
    let has_body =
        !matches!(subject.kind(), Kind::Vehicle | Kind::Object) || subject == Subject::Snowman;
    match size {
        ShotSize::ExtremeWide => &[
            "extreme wide shot",
            "very wide shot",
            "extreme long shot",
            "distant view",
        ],
        ShotSize::Wide => &["wide shot", "long shot", "wide view"],
        ShotSize::Full if has_body => &["full shot", "full-body shot", "full-length shot"],
        ShotSize::Full => &["full shot", "full view"],
        ShotSize::Medium if subject.kind() == Kind::Person => {
            &["medium shot", "mid shot", "waist-up shot"]
        }
        ShotSize::Medium => &["medium shot", "mid shot"],
        ShotSize::CloseUp => &["close-up", "close-up shot", "closeup", "tight close-up"],
    }
}

/// The angle as an adjective before a shot: "low-angle".
pub(super) fn angle_adjective(angle: Angle, pen: &mut Pen) -> &'static str {
    pen.favour(angle_adjectives(angle))
}

pub(super) fn angle_adjectives(angle: Angle) -> &'static [&'static str] {
    match angle {
        Angle::EyeLevel => &["eye-level"],
        Angle::Low => &["low-angle"],
        Angle::High => &["high-angle"],
        Angle::Overhead => &["overhead", "top-down"],
        Angle::Dutch => &["Dutch-angle", "canted"],
    }
}

/// The angle as what follows a shot: "from below".
pub(super) fn angle_after(angle: Angle, pen: &mut Pen) -> &'static str {
    pen.favour(angles_after(angle))
}

pub(super) fn angles_after(angle: Angle) -> &'static [&'static str] {
    match angle {
        Angle::EyeLevel => &["at eye level", "from eye level"],
        Angle::Low => &["from a low angle", "from below"],
        Angle::High => &["from a high angle", "from above"],
        Angle::Overhead => &["from directly above", "from straight overhead"],
        Angle::Dutch => &[
            "at a Dutch angle",
            "with a tilted horizon",
            "with a canted frame",
        ],
    }
}

/// The angle as a tag at the end: "low angle".
pub(super) fn angle_tag(angle: Angle, pen: &mut Pen) -> &'static str {
    pen.favour(angle_tags(angle))
}

pub(super) fn angle_tags(angle: Angle) -> &'static [&'static str] {
    match angle {
        Angle::EyeLevel => &["eye level", "at eye level", "eye-level view"],
        Angle::Low => &[
            "low angle",
            "low-angle shot",
            "seen from below",
            "from a low angle",
        ],
        Angle::High => &[
            "high angle",
            "high-angle shot",
            "seen from above",
            "from a high angle",
        ],
        Angle::Overhead => &[
            "overhead shot",
            "overhead view",
            "top-down view",
            "seen from directly above",
            "bird's-eye view",
            "aerial view",
        ],
        Angle::Dutch => &[
            "Dutch angle",
            "tilted frame",
            "at a Dutch angle",
            "canted angle",
        ],
    }
}

/// The camera's move as a noun: "slow push-in".
pub(super) fn move_noun(camera_move: CameraMove, pen: &mut Pen) -> &'static str {
    pen.favour(move_nouns(camera_move))
}

pub(super) fn move_nouns(camera_move: CameraMove) -> &'static [&'static str] {
    match camera_move {
        CameraMove::Static => &[
            "static shot",
            "static camera",
            "locked-off shot",
            "fixed camera",
            "still camera",
        ],
        CameraMove::PanLeft => &["pan left", "camera pan to the left", "slow pan left"],
        CameraMove::PanRight => &["pan right", "camera pan to the right", "slow pan right"],
        CameraMove::TiltUp => &["tilt up", "camera tilt upward", "slow tilt up"],
        CameraMove::TiltDown => &["tilt down", "camera tilt downward", "slow tilt down"],
        CameraMove::PushIn => &["push-in", "slow push-in", "dolly in", "push in"],
        CameraMove::PullOut => &["pull-out", "slow pull-out", "dolly out", "pull back"],
        CameraMove::TruckLeft => &[
            "truck left",
            "sideways move to the left",
            "lateral dolly left",
        ],
        CameraMove::TruckRight => &[
            "truck right",
            "sideways move to the right",
            "lateral dolly right",
        ],
        CameraMove::BoomUp => &["boom up", "crane up", "rising crane shot", "pedestal up"],
        CameraMove::BoomDown => &[
            "boom down",
            "crane down",
            "sinking crane shot",
            "pedestal down",
        ],
        CameraMove::OrbitLeft => &["orbit left", "orbit to the left", "arc shot to the left"],
        CameraMove::OrbitRight => &["orbit right", "orbit to the right", "arc shot to the right"],
        CameraMove::Track => &["tracking shot", "follow shot", "tracking camera"],
        CameraMove::ZoomIn => &["zoom in", "slow zoom in", "zoom-in"],
        CameraMove::ZoomOut => &["zoom out", "slow zoom out", "zoom-out"],
        CameraMove::Handheld => &[
            "handheld camera",
            "handheld shot",
            "shaky handheld camera",
            "hand-held camera",
        ],
    }
}

/// What the camera does, as verb phrases in their base form; `{}` stands for what it films.
pub(super) fn move_verbs(camera_move: CameraMove) -> &'static [&'static str] {
    match camera_move {
        CameraMove::Static => &["stay still", "hold still", "stay fixed", "remain static"],
        CameraMove::PanLeft => &[
            "pan left",
            "pan to the left",
            "pan slowly left",
            "turn to the left",
        ],
        CameraMove::PanRight => &[
            "pan right",
            "pan to the right",
            "pan slowly right",
            "turn to the right",
        ],
        CameraMove::TiltUp => &["tilt up", "tilt upward", "tilt slowly up"],
        CameraMove::TiltDown => &["tilt down", "tilt downward", "tilt slowly down"],
        CameraMove::PushIn => &[
            "push in",
            "push in slowly",
            "dolly in",
            "move closer",
            "move in on {}",
            "move in",
        ],
        CameraMove::PullOut => &[
            "pull out",
            "pull back slowly",
            "dolly out",
            "move away",
            "pull back from {}",
            "pull back",
        ],
        CameraMove::TruckLeft => &[
            "truck left",
            "slide to the left",
            "move sideways to the left",
            "truck to the left",
        ],
        CameraMove::TruckRight => &[
            "truck right",
            "slide to the right",
            "move sideways to the right",
            "truck to the right",
        ],
        CameraMove::BoomUp => &["boom up", "crane up", "rise", "rise slowly"],
        CameraMove::BoomDown => &["boom down", "crane down", "sink", "descend slowly"],
        CameraMove::OrbitLeft => &[
            "orbit left",
            "circle {} to the left",
            "orbit left around {}",
            "arc to the left",
        ],
        CameraMove::OrbitRight => &[
            "orbit right",
            "circle {} to the right",
            "orbit right around {}",
            "arc to the right",
        ],
        CameraMove::Track => &[
            "track {}",
            "follow {}",
            "track along with {}",
            "keep pace with {}",
        ],
        CameraMove::ZoomIn => &["zoom in", "zoom in slowly", "zoom in on {}"],
        CameraMove::ZoomOut => &["zoom out", "zoom out slowly", "zoom out from {}"],
        CameraMove::Handheld => &[
            "sway as if handheld",
            "shake in the operator's hands",
            "wobble as if handheld",
        ],
    }
}

/// "the camera pans left"; `target` is what it films, as "the fox".
pub(super) fn move_clause(
    camera_move: CameraMove,
    target: &str,
    form: Form,
    pen: &mut Pen,
) -> String {
    let verb = pen.favour(move_verbs(camera_move)).replace("{}", target);
    format!("the camera {}", inflect(&verb, form, Number::Singular))
}

/// The look as a tag at the end: "35mm film".
pub(super) fn look_tag(look: Look, pen: &mut Pen) -> &'static str {
    pen.favour(look_tags(look))
}

pub(super) fn look_tags(look: Look) -> &'static [&'static str] {
    match look {
        Look::Plain => &[
            "plain digital video",
            "clean 3D render",
            "computer animation",
            "3D animation",
        ],
        Look::Film35 => &[
            "35mm film",
            "shot on 35mm film",
            "shot on 35mm",
            "35 mm film look",
            "cinematic 35mm film",
        ],
        Look::Film16 => &[
            "16mm film",
            "shot on 16mm",
            "shot on 16mm film",
            "16mm film grain",
            "grainy 16mm film",
            "vintage 16mm film",
        ],
        Look::Noir => &[
            "black and white",
            "film noir",
            "black-and-white film noir",
            "in black and white",
            "noir style",
            "classic film noir",
            "monochrome",
        ],
        Look::Watercolor => &[
            "watercolor",
            "watercolour painting",
            "watercolor style",
            "painted in watercolour",
            "in watercolour",
        ],
        Look::Clay => &[
            "claymation",
            "clay animation",
            "claymation style",
            "stop-motion clay",
            "made of clay",
            "plasticine animation",
            "stop motion",
        ],
        Look::Cel => &[
            "anime style",
            "cel-shaded cartoon",
            "cel animation",
            "cartoon style",
            "hand-drawn animation",
            "2D animation",
            "animated cartoon",
            "anime",
        ],
    }
}

/// The look as what opens a caption: "a watercolour painting of".
pub(super) fn look_lead(look: Look, pen: &mut Pen) -> &'static str {
    pen.favour(look_leads(look))
}

pub(super) fn look_leads(look: Look) -> &'static [&'static str] {
    match look {
        Look::Plain => &[
            "a 3D render of",
            "a clean 3D render of",
            "a computer animation of",
        ],
        Look::Film35 => &[
            "a 35mm film shot of",
            "35mm film footage of",
            "a cinematic 35mm shot of",
        ],
        Look::Film16 => &[
            "a 16mm film shot of",
            "16mm film footage of",
            "grainy 16mm footage of",
        ],
        Look::Noir => &[
            "a black and white film of",
            "a film noir shot of",
            "a black-and-white shot of",
            "a noir film of",
        ],
        Look::Watercolor => &[
            "a watercolor of",
            "a watercolour painting of",
            "a watercolor animation of",
            "a moving watercolour of",
        ],
        Look::Clay => &[
            "a claymation of",
            "a clay animation of",
            "a stop-motion clay animation of",
            "a claymation clip of",
        ],
        Look::Cel => &[
            "a cartoon of",
            "an anime of",
            "a cel animation of",
            "a hand-drawn cartoon of",
            "an anime clip of",
        ],
    }
}

/// An opening that says nothing of the look: "a video of".
pub(super) fn plain_lead(pen: &mut Pen) -> &'static str {
    pen.favour(&[
        "a video of",
        "a clip of",
        "a shot of",
        "a film of",
        "footage of",
        "a short film of",
        "a scene with",
    ])
}

/// The look as a sentence of its own, without a stop.
pub(super) fn look_sentence(look: Look, pen: &mut Pen) -> &'static str {
    pen.pick(look_sentences(look))
}

pub(super) fn look_sentences(look: Look) -> &'static [&'static str] {
    match look {
        Look::Plain => &[
            "the picture is clean and plain",
            "the picture looks like a clean 3D render",
        ],
        Look::Film35 => &[
            "the clip is shot on 35mm film",
            "the picture has the look of 35mm film",
        ],
        Look::Film16 => &[
            "the clip is shot on grainy 16mm film",
            "the picture has the grain of 16mm film",
        ],
        Look::Noir => &[
            "the clip is shot in black and white",
            "the picture is a high-contrast film noir",
        ],
        Look::Watercolor => &[
            "everything is painted in watercolour",
            "the picture looks like a watercolor painting",
        ],
        Look::Clay => &[
            "everything looks made of clay",
            "the clip is a claymation",
            "the look is that of stop-motion clay",
        ],
        Look::Cel => &[
            "the clip is drawn as cel animation",
            "the clip looks like an anime",
            "everything is drawn like a cartoon",
        ],
    }
}
