//! The ids of requests, and what the log says about each.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::Body as _;
use tokio::time::Instant;
use tracing::{Instrument as _, Level, Span, debug, error, info};

/// The header that carries a request's id.
pub(crate) const ID: &str = "x-request-id";
/// The most letters of an id that a client gives.
const LONGEST_ID: usize = 128;

/// Takes off a client's id what would not fit into a log: all but printable letters, and what is too long.
pub(crate) async fn clean_id(mut request: Request) -> Request {
    const NAME: HeaderName = HeaderName::from_static(ID);
    if let Some(given) = request.headers_mut().remove(NAME) {
        let printable = given.as_bytes().iter().copied().filter(u8::is_ascii_graphic);
        let id = printable.take(LONGEST_ID).collect::<Vec<_>>();
        // Without any the request gets one as if it had none.
        if let (false, Ok(id)) = (id.is_empty(), HeaderValue::from_bytes(&id)) {
            request.headers_mut().insert(NAME, id);
        }
    }
    request
}

/// Says in one line what became of a request.
pub(crate) async fn log(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let span = span(&request);
    let is_probe = is_probe(route(&request));
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    let bytes = response.body().size_hint().exact();
    let latency_ms = (start.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
    let level = match status.is_server_error() {
        _ if is_probe => Level::DEBUG,
        true => Level::ERROR,
        false => Level::INFO,
    };
    let status = status.as_u16();
    span.in_scope(|| match level {
        Level::ERROR => error!(status, latency_ms, bytes, "answered"),
        Level::INFO => info!(status, latency_ms, bytes, "answered"),
        _ => debug!(status, latency_ms, bytes, "answered"),
    });
    response
}

/// What each line of the log says about the request that it belongs to. Neither keys nor names of files
/// are among it.
fn span(request: &Request) -> Span {
    let id = request.headers().get(ID).and_then(|id| id.to_str().ok());
    tracing::info_span!("request", id, method = %request.method(), route = route(request))
}

fn route(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str)
}

/// Whether machines ask for it every few seconds.
fn is_probe(route: &str) -> bool {
    matches!(route, "/health" | "/ready" | "/metrics")
}
