//! Prompt expansion by a chat service that speaks OpenAI's protocol.

use crate::failure::BadInput;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// The environment variable with the service's key, if it wants one.
const KEY: &str = "KINORA_CHAT_KEY";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

const TASK: &str = "You write prompts for a text-to-video model. Rewrite the user's prompt as one dense paragraph of two \
to four plain sentences in English: who does what where, then light and weather, then shot size, angle and camera move, \
then the finish of the picture. Keep everything that the prompt says. Add no gender, age, ethnicity or name that it does \
not give. Answer with the paragraph alone.";

#[derive(Debug, Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: String,
}

/// `prompt` as the `model` of the service at `url` (its `/v1`, or the whole address of its chat completions) writes it
/// out.
///
/// # Errors
/// When the service can't be reached, refuses, or answers with something else than a text.
pub fn expand(url: &str, model: &str, prompt: &str) -> Result<String> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        bail!(BadInput(format!(
            "{url:?} is no address of a chat service; it begins with http:// or https://"
        )));
    }
    let mut address = url.trim_end_matches('/').to_owned();
    if !address.ends_with("/chat/completions") {
        address.push_str("/chat/completions");
    }
    let body = json!({
        "model": model,
        "temperature": 0,
        "seed": 0,
        "messages": [
            { "role": "system", "content": TASK },
            { "role": "user", "content": prompt },
        ],
    });
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = agent.post(&address);
    if let Some(key) = std::env::var_os(KEY).and_then(|key| key.into_string().ok()) {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    let mut response = request.send_json(body).with_context(|| {
        format!("the chat service at {address} can't be reached; --expand alone needs none")
    })?;
    let status = response.status();
    let text = response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_to_string()
        .with_context(|| format!("the answer of {address} broke off"))?;
    if !status.is_success() {
        let start: String = text.chars().take(200).collect();
        bail!(
            "the chat service at {address} answered {status}: {}",
            start.trim()
        );
    }
    let answer: Answer = serde_json::from_str(&text).with_context(|| {
        format!("{address} answered with something else than a chat completion")
    })?;
    let content = answer.choices.into_iter().next().map(|c| c.message.content);
    let content = content.map(|content| content.trim().to_owned());
    match content.filter(|content| !content.is_empty()) {
        Some(content) => Ok(content),
        None => bail!("the chat service at {address} answered with an empty text"),
    }
}
