//! The web server: a photo in, a caption out.
//!
//! [`app`] is the HTTP interface without a socket; [`listen`] serves it on a socket. Requests have no access to the model:
//! they send the bytes of an image to the [`Backend`], whose thread owns the model.

mod access;
mod api;
mod backend;
mod body;
mod clock;
mod connection;
mod error;
mod form;
mod interfaces;
mod json;
mod listen;
mod memory;
mod metrics;
mod options;
mod origin;
mod page;
mod reader;
mod requests;
mod run;
mod sidecars;
mod stages;
mod state;
mod upload;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state, map_request, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

pub use backend::{Backend, ModelInfo};
pub use common::Size;
pub use error::Error;
pub use listen::listen;

use interfaces::{hugging_face, ollama, openai, photoprism};
pub use options::{ApiKey, Options, ParseApiKeyError, ParseSecondsError, Seconds};
pub use origin::{Origin, OriginError};
use page::Pages;
pub use run::{StopError, run};
pub use state::Draining;

/// The state of all handlers.
#[derive(Debug)]
struct Shared {
    backend: Backend,
    pages: Pages,
    options: Options,
    draining: Draining,
    /// One archive is made at a time: photos come first.
    archives: Semaphore,
}

/// The routes that `openapi.json` describes.
fn routes() -> [(&'static str, MethodRouter<Arc<Shared>>); 20] {
    [
        ("/", get(page::show).post(page::submit)),
        ("/docs", get(page::reference)),
        ("/api/caption", post(api::caption)),
        ("/api/captions", post(api::captions)),
        ("/api/sidecars", post(sidecars::zip)),
        ("/api/openapi.json", get(api::openapi)),
        ("/api/generate", post(ollama::generate)),
        ("/api/chat", post(ollama::chat)),
        ("/api/tags", get(ollama::tags)),
        ("/api/ps", get(ollama::running)),
        ("/api/show", post(ollama::show)),
        ("/api/version", get(ollama::version)),
        ("/v1/chat/completions", post(openai::chat)),
        ("/v1/models", get(openai::models)),
        ("/v1/models/{name}", get(openai::named_model)),
        ("/hf/image-to-text", post(hugging_face::image_to_text)),
        ("/api/v1/vision/caption", post(photoprism::caption)),
        ("/metrics", get(metrics::show)),
        ("/health", get(state::health)),
        ("/ready", get(state::ready)),
    ]
}

/// The paths of [`app`], without the files of the page.
pub fn paths() -> impl Iterator<Item = &'static str> {
    routes().into_iter().map(|(path, _)| path)
}

/// Builds all routes on a running backend.
///
/// # Errors
/// [`Error::Page`] if the template or the texts of the page are invalid.
pub fn app(backend: Backend, options: Options, draining: Draining) -> Result<Router, Error> {
    let pages = Pages::new(&options)?;
    let shared =
        Arc::new(Shared { backend, pages, options, draining, archives: Semaphore::new(1) });
    let is_open = |path: &str| path == "/health" || path == "/ready";
    let (open, closed): (Vec<_>, Vec<_>) =
        routes().into_iter().partition(|(path, _)| is_open(path));
    let add = |router: Router<_>, (path, route)| router.route(path, route);
    let closed = closed
        .into_iter()
        .fold(Router::new(), add)
        .route("/assets/{name}", get(page::asset))
        .layer(from_fn_with_state(Arc::clone(&shared), access::check_key));
    let mut app = open
        .into_iter()
        .fold(closed, add)
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::WrongMethod)
        .layer(CatchPanicLayer::custom(handle_panic))
        .layer(from_fn(interfaces::errors::give_form));
    if !shared.options.cors_origin.is_empty() {
        // For all responses: pages may read errors as well, and preflight requests have no key.
        app = app.layer(origin::cors(&shared.options.cors_origin));
    }
    Ok(app
        .layer(from_fn_with_state(Arc::clone(&shared), metrics::measure))
        .layer(from_fn_with_state(Arc::clone(&shared), state::end_connections))
        .layer(map_response(add_security_headers))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(from_fn(requests::log))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(map_request(requests::clean_id))
        .with_state(shared))
}

fn handle_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!("a request panicked: {}", text.unwrap_or("no message"));
    Error::Server.into_response()
}

async fn add_security_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                 img-src 'self' blob:; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'",
            ),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("geolocation=(), microphone=(), camera=(self)"),
        ),
    ];
    response.headers_mut().extend(HEADERS);
    response
}
