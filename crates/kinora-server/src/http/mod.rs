//! Addresses, and what every request goes through.

mod batches;
mod characters;
mod content;
mod derived;
mod drain;
mod events;
mod files;
mod forms;
mod health;
mod models;
mod parts;
mod videos;
mod watch;

use crate::app::{App, Caller};
use crate::store::{Scope, Store};
use crate::wire::{ApiError, ErrorBody, Options};
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, Response};
use axum::{Router, body::Bytes, routing::get};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, Content, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use watch::Watch;

/// Statuses that any request may be answered with.
const REFUSALS: [(&str, &str); 9] = [
    ("400", "The request can't be carried out as it stands"),
    ("401", "No key, or one that is not known"),
    ("403", "The key may not do this"),
    ("404", "There is no such thing"),
    ("409", "Its state does not allow this"),
    ("413", "More bytes than are taken"),
    ("429", "A limit of the key is reached; see retry-after"),
    ("500", "The server's fault"),
    ("503", "Not now; see retry-after"),
];

/// The document's answers that are errors.
pub(crate) struct Refusals;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kinora",
        description = "The Videos API on your own machine: what OpenAI's clients speak, and a little more."
    ),
    components(schemas(ErrorBody, Options)),
    modifiers(&Bearer),
    security(("key" = []))
)]
struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let answer = |(status, words): (&str, &str)| {
            let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
            let response = ResponseBuilder::new()
                .description(words)
                .content("application/json", body)
                .build();
            (status.to_owned(), RefOr::T(response))
        };
        REFUSALS.into_iter().map(answer).collect()
    }
}

/// All addresses, and the document that describes them.
pub fn router(app: Arc<App>) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(videos::create, videos::list))
        .routes(routes!(videos::retrieve, videos::delete))
        .routes(routes!(videos::cancel))
        .routes(routes!(content::content))
        .routes(routes!(events::events))
        .routes(routes!(derived::remix))
        .routes(routes!(derived::edit))
        .routes(routes!(derived::extend))
        .routes(routes!(characters::create))
        .routes(routes!(characters::retrieve))
        .routes(routes!(files::create, files::list))
        .routes(routes!(files::retrieve, files::delete))
        .routes(routes!(files::content))
        .routes(routes!(batches::create, batches::list))
        .routes(routes!(batches::retrieve))
        .routes(routes!(batches::cancel))
        .routes(routes!(models::list))
        .routes(routes!(models::retrieve))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .split_for_parts();
    // As text: the document's objects would take some megabytes for as long as the server runs.
    let document = Bytes::from(forms::complete(&document).to_string());
    let described = async move || ([(CONTENT_TYPE, "application/json")], document.clone());
    router
        .route("/openapi.json", get(described))
        .route("/", get(async || Html(include_str!("page.html"))))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(
            app.settings.limits.text + app.settings.limits.file as usize,
        ))
        .layer(from_fn(drain::read_on))
        .layer(from_fn_with_state(Arc::clone(&app), watched))
        .with_state(app)
}

async fn no_route(method: Method, uri: Uri) -> ApiError {
    ApiError::no_route(method.as_str(), uri.path())
}

async fn no_method(method: Method, uri: Uri) -> ApiError {
    ApiError::no_method(method.as_str(), uri.path())
}

/// Counts and logs each answer.
async fn watched(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    app.metrics.answer(method.as_str(), &route, status);
    let seconds = began.elapsed().as_secs_f64();
    tracing::debug!(%method, route, status, seconds, "answered");
    response
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        Self::admit(parts, &app.store, &app.keyed).await
    }
}

impl Caller {
    /// Who asks, if they may. `keyed` remembers that there are keys.
    async fn admit(parts: &Parts, store: &Store, keyed: &AtomicBool) -> Result<Self, ApiError> {
        if !keyed.load(Ordering::Relaxed) {
            if !store.has_keys().await? {
                return local(&parts.headers);
            }
            keyed.store(true, Ordering::Relaxed);
        }
        let header = parts.headers.get(AUTHORIZATION);
        let secret = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, secret)| secret.trim());
        let Some(secret) = secret else {
            return Err(ApiError::unauthorised(
                "send your API key as Authorization: Bearer KEY",
            ));
        };
        let key = store.key(secret).await?;
        let key = key.ok_or_else(|| {
            ApiError::unauthorised("this API key is not known or was revoked; ask the operator")
        })?;
        let needed = match (parts.uri.path(), &parts.method) {
            ("/metrics", _) => Scope::Metrics,
            (_, &Method::GET | &Method::HEAD) => Scope::Read,
            _ => Scope::Write,
        };
        if !key.scopes.contains(&needed) {
            return Err(ApiError::forbidden(format!(
                "this API key may not {needed}; ask the operator for one with that scope"
            )));
        }
        Ok(Self { key: Some(key) })
    }
}

/// Without keys, all who reach this machine's own address may ask, but no web page of elsewhere that a browser here shows.
fn local(headers: &HeaderMap) -> Result<Caller, ApiError> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let here = host.is_none_or(is_loopback);
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str());
    let own = match origin {
        None => true,
        Some(origin) => origin
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, host)| is_loopback(host)),
    };
    if here && own {
        return Ok(Caller { key: None });
    }
    Err(ApiError::forbidden(
        "a server without keys answers its own machine alone; make a key with `kinora keys add`",
    ))
}

/// Whether `host:port` names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
