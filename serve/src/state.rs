//! Health and readiness.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::{Error, Shared};

/// Draining: the server is about to stop and should get no new clients, but still answers all requests.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Starts draining: `/ready` answers 503, and connections end with their next response.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends the connection after this response if the server is draining.
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

/// `GET /health`: the model's thread is alive.
pub(crate) async fn health(State(shared): State<Arc<Shared>>) -> Result<&'static str, Error> {
    if shared.backend.is_alive() { Ok("ok\n") } else { Err(Error::NotReady) }
}

/// `GET /ready`: the model's thread is alive, and the server is not draining. The server listens only after the model has
/// captioned once.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, Error> {
    let ready = shared.backend.is_alive() && !shared.draining.has_begun();
    if ready { Ok("ready\n") } else { Err(Error::NotReady) }
}
