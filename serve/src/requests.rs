//! Request ids and the request log.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::Body as _;
use tokio::time::Instant;
use tracing::{Instrument as _, Level, Span, debug, error, info};

/// The header that carries a request's id.
pub(crate) const ID: &str = "x-request-id";
/// Maximum number of characters of an id that a client sends.
const MAX_ID_LENGTH: usize = 128;

/// Cleans a client's id for the log: keeps printable ASCII, up to the maximum length.
pub(crate) async fn clean_id(mut request: Request) -> Request {
    const NAME: HeaderName = HeaderName::from_static(ID);
    if let Some(given) = request.headers_mut().remove(NAME) {
        let printable = given.as_bytes().iter().copied().filter(u8::is_ascii_graphic);
        let id = printable.take(MAX_ID_LENGTH).collect::<Vec<_>>();
        // An empty id is replaced by a generated one.
        if let (false, Ok(id)) = (id.is_empty(), HeaderValue::from_bytes(&id)) {
            request.headers_mut().insert(NAME, id);
        }
    }
    request
}

/// Logs one line for each request.
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

/// The fields that identify a request in log lines. They contain neither keys nor file names.
fn span(request: &Request) -> Span {
    let id = request.headers().get(ID).and_then(|id| id.to_str().ok());
    tracing::info_span!("request", id, method = %request.method(), route = route(request))
}

fn route(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str)
}

/// Whether the route is polled by machines.
fn is_probe(route: &str) -> bool {
    matches!(route, "/health" | "/ready" | "/metrics")
}
