//! Errors in the form that the clients of each interface understand.

use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::photoprism::VisionId;
use crate::error::Problem;

/// The interface that an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interface {
    Ours,
    /// Ollama and Hugging Face: the error is a text.
    Text,
    OpenAi,
    PhotoPrism,
}

impl Interface {
    fn from_path(path: &str) -> Self {
        match path {
            "/api/caption" | "/api/captions" | "/api/sidecars" | "/api/openapi.json" => Self::Ours,
            _ if path.starts_with("/api/v1/vision/") => Self::PhotoPrism,
            _ if path.starts_with("/api/") || path.starts_with("/hf/") => Self::Text,
            _ if path.starts_with("/v1/") => Self::OpenAi,
            _ => Self::Ours,
        }
    }

    fn body(self, status: StatusCode, problem: &Problem, id: &str) -> Value {
        let Problem { code, message } = problem;
        match self {
            Self::Ours => json!({ "error": problem }),
            Self::Text => json!({ "error": message }),
            Self::OpenAi => json!({
                "error": { "message": message, "type": kind(status), "param": null, "code": code }
            }),
            Self::PhotoPrism => json!({ "id": id, "code": status.as_u16(), "error": message }),
        }
    }
}

/// The kind of an error, as `OpenAI` names them.
fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::UNAUTHORIZED => "authentication_error",
        _ if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

/// Gives errors the form of the interface that the address belongs to.
pub(crate) async fn give_form(request: Request, next: Next) -> Response {
    let interface = Interface::from_path(request.uri().path());
    let response = next.run(request).await;
    if interface == Interface::Ours {
        return response;
    }
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let id = response.extensions().get::<VisionId>().map_or("", |VisionId(id)| id);
    let body = Json(interface.body(response.status(), problem, id)).into_response().into_body();
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, body)
}
