//! Whether the server lives and whether it takes requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::{Error, Shared};

/// Whether a server is about to stop and wants no new clients, though it still answers all that come.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on `/ready` says no, and connections end with their next answer.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends the connection with this answer, if the server wants no new requests on it.
pub(crate) async fn end_connections(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if shared.draining.has_begun() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// `GET /health`: the process answers, and its model's thread lives.
pub(crate) async fn health(State(shared): State<Arc<Shared>>) -> Result<&'static str, Error> {
    if shared.backend.is_alive() { Ok("ok\n") } else { Err(Error::NotReady) }
}

/// `GET /ready`: the model answers, and new clients are welcome. The server does not listen before it has
/// captioned once.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, Error> {
    let ready = shared.backend.is_alive() && !shared.draining.has_begun();
    if ready { Ok("ready\n") } else { Err(Error::NotReady) }
}
