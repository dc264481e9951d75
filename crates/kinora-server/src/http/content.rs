//! The files of a result: the video, a thumbnail, a sheet of its frames; whole or a range of bytes.

use super::Refusals;
use crate::app::{App, Caller};
use crate::store::{Asset, Status};
use crate::wire::ApiError;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::ops::Range;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which file.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Variant {
    /// MP4.
    #[default]
    Video,
    /// WebP.
    Thumbnail,
    /// JPEG.
    Spritesheet,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ContentQuery {
    /// Which file: the video if not given.
    #[serde(default)]
    #[param(inline)]
    variant: Variant,
}

/// A file of a completed video
#[utoipa::path(get, path = "/v1/videos/{id}/content", tag = "videos",
    params(("id" = String, Path), ContentQuery),
    responses(
        (status = 200, description = "The file", content((Vec<u8> = "video/mp4"), (Vec<u8> = "image/webp"), (Vec<u8> = "image/jpeg"))),
        (status = 206, description = "A range of it", content((Vec<u8> = "video/mp4"), (Vec<u8> = "image/webp"), (Vec<u8> = "image/jpeg"))),
        (status = 304, description = "It is what the client has"),
        (status = 416, description = "No such bytes", body = crate::wire::ErrorBody),
        Refusals))]
pub(super) async fn content(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<ContentQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|_| {
        let message = "the variant can be video, thumbnail or spritesheet";
        ApiError::invalid(Some("variant"), message)
    })?;
    let job = app.store.video(&id, caller.owner()).await?;
    let job = job.ok_or_else(|| ApiError::not_found("video", &id))?;
    let outcome = match (job.status, job.outcome) {
        (Status::Completed, Some(outcome)) => outcome,
        (Status::Failed, _) => {
            return Err(ApiError::not_found("content", &id).with_code("video_failed"));
        }
        _ => {
            return Err(ApiError::not_found("content yet", &id).with_code("video_not_ready"));
        }
    };
    let (asset, kind, ending) = match query.variant {
        Variant::Video => (outcome.video, "video/mp4", "mp4"),
        Variant::Thumbnail => (outcome.thumbnail, "image/webp", "webp"),
        Variant::Spritesheet => (outcome.spritesheet, "image/jpeg", "jpg"),
    };
    send(
        &app,
        &id,
        &asset,
        (kind, &format!("{id}.{ending}")),
        &headers,
    )
    .await
}

/// The answer with a file, or the range of it that the headers ask for.
pub(super) async fn send(
    app: &App,
    owner: &str,
    asset: &Asset,
    (kind, name): (&str, &str),
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let etag = format!("\"{}\"", asset.sha256);
    let mut answer = HeaderMap::new();
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = value.parse() {
            answer.insert(name, value);
        }
    };
    set(ETAG, etag.clone());
    set(CACHE_CONTROL, "private, no-cache".into());
    let same = |tags: &str| {
        let weak = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
        tags.trim() == "*" || tags.split(',').any(weak)
    };
    if text(IF_NONE_MATCH).is_some_and(same) {
        return Ok((StatusCode::NOT_MODIFIED, answer).into_response());
    }
    set(ACCEPT_RANGES, "bytes".into());
    set(CONTENT_TYPE, kind.into());
    set(
        CONTENT_DISPOSITION,
        format!("attachment; filename=\"{name}\""),
    );
    let wanted = text(RANGE).filter(|_| text(IF_RANGE).is_none_or(|tag| tag == etag));
    let range = match wanted.map(|wanted| range(wanted, asset.bytes)) {
        Some(Asked::Part(range)) => Some(range),
        Some(Asked::Outside) => return Err(ApiError::no_range(asset.bytes)),
        Some(Asked::Whole) | None => None,
    };
    let (status, bytes) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.end - range.start),
        None => (StatusCode::OK, asset.bytes),
    };
    set(CONTENT_LENGTH, bytes.to_string());
    if let Some(range) = &range {
        let last = range.end - 1;
        set(
            CONTENT_RANGE,
            format!("bytes {}-{last}/{}", range.start, asset.bytes),
        );
    }
    let stream = app.assets.read(owner, asset, range).await?;
    Ok((status, answer, Body::from_stream(stream)).into_response())
}

/// What a range header asks for.
#[derive(Debug, PartialEq)]
enum Asked {
    Part(Range<u64>),
    /// Something that is answered with the whole file.
    Whole,
    Outside,
}

/// Reads a range header, of one range (RFC 9110, 14.2).
fn range(header: &str, bytes: u64) -> Asked {
    let Some((from, to)) = header
        .strip_prefix("bytes=")
        .and_then(|ranges| ranges.trim().split_once('-'))
    else {
        return Asked::Whole;
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(bytes),
        (Ok(from), Err(_)) if to.is_empty() => from..bytes,
        (Err(_), Ok(last)) if from.is_empty() => bytes.saturating_sub(last)..bytes,
        _ => return Asked::Whole,
    };
    if range.is_empty() {
        Asked::Outside
    } else {
        Asked::Part(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        let check =
            |header: &str, expected: Asked| assert_eq!(range(header, 10), expected, "{header}");
        check("bytes=0-3", Asked::Part(0..4));
        check("bytes=4-", Asked::Part(4..10));
        check("bytes=-3", Asked::Part(7..10));
        check("bytes=-30", Asked::Part(0..10));
        check("bytes=2-99", Asked::Part(2..10));
        check("bytes=10-", Asked::Outside);
        check("bytes=-0", Asked::Outside);
        for whole in [
            "bytes=3-1",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=",
            "bytes=a-b",
        ] {
            check(whole, Asked::Whole);
        }
    }
}
