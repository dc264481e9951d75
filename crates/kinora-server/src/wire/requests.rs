//! Requests as clients write them. Numbers may be text, as multipart has nothing else.

use crate::render::Shot;
use serde::Deserialize;
use serde_aux::field_attributes::deserialize_option_number_from_string as number;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// What every request for a video may say beyond the original API.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct Options {
    /// Decides all that the prompt leaves open; random if not given.
    #[serde(default, deserialize_with = "number")]
    #[schema(maximum = 9007199254740991_u64)]
    pub seed: Option<u64>,
    /// What to keep away from.
    pub negative_prompt: Option<String>,
    /// Sampler steps.
    #[serde(default, deserialize_with = "number")]
    pub steps: Option<u32>,
    /// How strongly to insist on the prompt.
    #[serde(default, deserialize_with = "number")]
    pub guidance: Option<f64>,
    /// A style by its name.
    pub style: Option<String>,
    /// Shot size, as `MCU`.
    pub shot: Option<String>,
    /// Framing, as `two-shot`.
    pub framing: Option<String>,
    /// Angle, as `low`.
    pub angle: Option<String>,
    /// Camera move, as `push-in`.
    pub r#move: Option<String>,
    /// Lens, as `wide`.
    pub lens: Option<String>,
    /// Light, as `golden hour`.
    pub light: Option<String>,
    /// Finish, as `35mm`.
    pub look: Option<String>,
    /// What faces show, as `happy`.
    pub emotion: Option<String>,
}

impl Options {
    /// How the shot is filmed.
    pub fn film(&self) -> Shot {
        let all = [
            ("shot", &self.shot),
            ("framing", &self.framing),
            ("angle", &self.angle),
            ("move", &self.r#move),
            ("lens", &self.lens),
            ("light", &self.light),
            ("look", &self.look),
            ("emotion", &self.emotion),
        ];
        let given = all
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        Shot {
            controls: given.collect::<BTreeMap<_, _>>(),
            style: self.style.clone(),
        }
    }
}

/// A picture that is not in the request itself.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// An `https:` or `data:` URL of a JPEG, PNG or WebP picture.
    pub image_url: Option<String>,
    /// A file that was uploaded before.
    pub file_id: Option<String>,
}

/// A character by its id.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CharacterRef {
    /// The id.
    pub id: String,
}

/// A video of this server by its id.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoRef {
    /// The id.
    pub id: String,
}

/// `POST /v1/videos`
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct CreateRequest {
    /// What the video shows, in 1 to 32,000 characters.
    #[schema(
        min_length = 1,
        max_length = 32000,
        example = "A red fox runs through a snowy forest at dusk"
    )]
    pub prompt: String,
    /// A model of `GET /v1/models`.
    pub model: Option<String>,
    /// Its length in seconds, as text or number.
    #[serde(default, deserialize_with = "number")]
    #[schema(value_type = Option<String>, example = "2")]
    pub seconds: Option<f64>,
    /// Width and height in pixels.
    #[schema(example = "192x128")]
    pub size: Option<String>,
    /// The first frame.
    pub input_reference: Option<Reference>,
    /// The last frame.
    pub last_frame: Option<Reference>,
    /// At most two characters that the prompt names.
    #[serde(default)]
    pub characters: Vec<CharacterRef>,
    /// Frames a second, as `12` or `24000/1001`.
    #[serde(default, deserialize_with = "text")]
    #[schema(value_type = Option<String>, example = "12")]
    pub fps: Option<String>,
}

/// `POST /v1/videos/{id}/remix`
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct RemixRequest {
    /// What the new video shows.
    #[schema(min_length = 1, max_length = 32000)]
    pub prompt: String,
    /// A model of `GET /v1/models`; the source's if not given.
    pub model: Option<String>,
    /// 0 leaves the video as it is, 1 keeps nothing of it.
    #[serde(default, deserialize_with = "number")]
    #[schema(minimum = 0, maximum = 1)]
    pub strength: Option<f64>,
}

/// `POST /v1/videos/edits`
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct EditRequest {
    /// What the new video shows.
    #[schema(min_length = 1, max_length = 32000)]
    pub prompt: String,
    /// The video: an id here, or a file in its part.
    pub video: Option<VideoRef>,
    /// A model of `GET /v1/models`; the source's if not given.
    pub model: Option<String>,
    /// 0 leaves what may be painted as it is, 1 keeps nothing of it.
    #[serde(default, deserialize_with = "number")]
    #[schema(minimum = 0, maximum = 1)]
    pub strength: Option<f64>,
    /// A picture of the video's size, white where to paint; without one, everywhere.
    pub mask: Option<Reference>,
}

/// `POST /v1/videos/extensions`
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ExtendRequest {
    /// What the video goes on to show.
    #[schema(min_length = 1, max_length = 32000)]
    pub prompt: String,
    /// How many seconds are added, as text or number.
    #[serde(default, deserialize_with = "number")]
    #[schema(value_type = String, required, example = "1")]
    pub seconds: Option<f64>,
    /// The video: an id here, or a file in its part.
    pub video: Option<VideoRef>,
    /// A model of `GET /v1/models`; the source's if not given.
    pub model: Option<String>,
}

/// `POST /v1/videos/characters`
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct CharacterRequest {
    /// What prompts will call it, in 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// What models are told in its place; without it, who the recogniser takes it for.
    pub description: Option<String>,
}

/// `POST /v1/files`
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct FileRequest {
    /// What it is for, as `batch` or `vision`.
    #[schema(example = "vision")]
    pub purpose: String,
}

/// `POST /v1/batches`
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct BatchRequest {
    /// A file of JSON lines: `custom_id`, `method`, `url`, `body`.
    pub input_file_id: String,
    /// `/v1/videos`
    #[schema(example = "/v1/videos")]
    pub endpoint: String,
    /// `24h`; the batch goes on after that, too.
    #[schema(example = "24h")]
    pub completion_window: String,
    /// What to remember with it.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<serde_json::Value>,
}

/// The query of a list that is newest first.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// At most so many, up to 100; 20 if not given.
    pub limit: Option<u32>,
    /// The last id of the page before.
    pub after: Option<String>,
}

/// The query of a list of files.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FilesQuery {
    /// Files for this alone.
    pub purpose: Option<String>,
    /// At most so many, up to 10,000; 100 if not given.
    pub limit: Option<u32>,
    /// `asc` or `desc`, by time; `desc` if not given.
    pub order: Option<String>,
    /// The last id of the page before.
    pub after: Option<String>,
}

/// The query of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// At most so many, 0 to 100; 20 if not given.
    #[param(minimum = 0, maximum = 100)]
    pub limit: Option<u32>,
    /// `asc` or `desc`, by time; `desc` if not given.
    #[param(value_type = Option<String>)]
    pub order: Option<String>,
    /// The last id of the page before.
    pub after: Option<String>,
}

/// A number or a text, as text.
fn text<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(serde_json::Number),
    }
    Ok(
        Option::<Either>::deserialize(d)?.map(|either| match either {
            Either::Text(text) => text,
            Either::Number(number) => number.to_string(),
        }),
    )
}
