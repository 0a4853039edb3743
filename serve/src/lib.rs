//! The web server: a photo in, a caption out.
//!
//! [`app`] is the whole HTTP interface, apart from any socket. Requests never touch the model: they
//! hand the bytes of an image to the [`Backend`], whose one thread owns it.

mod api;
mod backend;
mod error;
mod model;
mod page;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};

pub use backend::{Backend, ModelInfo};
pub use error::Error;
pub use model::{ModelArgs, SearchArgs};
use page::Pages;

/// The largest request body in bytes.
pub const MAX_BODY: usize = 10 * 1024 * 1024;

/// What every handler sees.
#[derive(Debug)]
struct Shared {
    backend: Backend,
    pages: Pages,
}

/// All routes over a running backend.
pub fn app(backend: Backend) -> Result<Router, Error> {
    let shared = Arc::new(Shared { backend, pages: Pages::new()? });
    Ok(Router::new()
        .route("/", get(page::show).post(page::submit))
        .route("/style.css", get(page::style))
        .route("/api/caption", post(api::caption))
        .route("/health", get(api::health))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(with_security_headers))
        .with_state(shared))
}

async fn with_security_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; img-src 'self' data:; style-src 'self'; \
                 form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    response.headers_mut().extend(HEADERS);
    response
}
