//! Errors in the shape that clients know: an object of four keys.

use crate::assets::AssetError;
use crate::render::RenderError;
use crate::store::{QuotaError, StoreError};
use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Seconds after which a refused client may try again.
const RETRY_SECONDS: u32 = 5;

/// An answer that says why not.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
}

/// The body of an error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorObject,
}

/// An error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorObject {
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// The class of error.
    #[schema(example = "invalid_request_error")]
    pub r#type: String,
    /// The parameter at fault.
    #[schema(required)]
    pub param: Option<String>,
    /// A word for programs.
    #[schema(required)]
    pub code: Option<String>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            param: None,
            code: None,
        }
    }

    /// 400: the request can't be carried out.
    pub fn invalid(param: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            param: param.map(str::to_owned),
            code: Some("invalid_value"),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
        }
    }

    /// The same with another word for programs.
    pub fn with_code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// 404: there is no such thing, or it is another key's.
    pub fn not_found(what: &str, id: &str) -> Self {
        let id: String = id.chars().take(80).collect();
        let message = format!("there is no {what} with the id {id:?}");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message).with_code("not_found")
    }

    /// 404: no such address.
    pub fn no_route(method: &str, path: &str) -> Self {
        let message = format!("there is no {method} {path}; GET /openapi.json lists what there is");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message).with_code("unknown_url")
    }

    /// 405: an address that takes other methods.
    pub fn no_method(method: &str, path: &str) -> Self {
        let message =
            format!("{path} does not take {method}; GET /openapi.json lists what there is");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "invalid_request_error", message).with_code("method_not_allowed")
    }

    /// 401: no key, or none that is known.
    pub fn unauthorised(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
            .with_code("invalid_api_key")
    }

    /// 403: a key that may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "invalid_request_error", message)
            .with_code("insufficient_permissions")
    }

    /// 409: the state of a thing does not allow it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "invalid_request_error", message).with_code("conflict")
    }

    /// 413: more bytes than are taken.
    pub fn too_large(message: impl Into<String>) -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, "invalid_request_error", message).with_code("too_large")
    }

    /// 416: no such bytes.
    pub fn no_range(bytes: u64) -> Self {
        let message = format!("the range is outside the file's {bytes} bytes");
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        Self::new(status, "invalid_request_error", message).with_code("invalid_range")
    }

    /// 429: a limit is reached.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message)
            .with_code("rate_limit_exceeded")
    }

    /// 500: this server's fault.
    pub fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "server_error", message).with_code("internal")
    }

    /// 503: not now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "server_error", message).with_code("unavailable")
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The word for programs.
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The JSON.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorObject {
                message: self.message.clone(),
                r#type: self.kind.to_owned(),
                param: self.param.clone(),
                code: self.code.map(str::to_owned),
            },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        let later = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        if later.contains(&self.status) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        (self.status, headers, Json(self.body())).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the record fails");
        Self::unavailable("the server's database does not answer; try again in a moment")
    }
}

impl From<AssetError> for ApiError {
    fn from(error: AssetError) -> Self {
        tracing::error!(%error, "the store of files fails");
        Self::unavailable("the server's store of files does not answer; try again in a moment")
    }
}

impl From<QuotaError> for ApiError {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Store(error) => error.into(),
            limit => Self::too_many(limit.to_string()),
        }
    }
}

impl From<RenderError> for ApiError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Refused { param, message } => Self::invalid(param, message),
            RenderError::Failed(message) => {
                tracing::error!(message, "a request can't be planned");
                Self::internal(message)
            }
            RenderError::Cancelled => Self::unavailable("the server is stopping"),
        }
    }
}
