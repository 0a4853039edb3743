//! Whether the server lives and whether it takes requests.

use std::sync::Arc;

use axum::extract::State;

use crate::{Error, Shared};

/// `GET /health`: the process answers.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /ready`: the model answers. The server does not listen before it has captioned once.
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, Error> {
    if shared.backend.is_alive() { Ok("ready\n") } else { Err(Error::NotReady) }
}
