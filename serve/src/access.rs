//! Who may ask: the key of `--api-key`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::{Error, Shared};

/// Refuses requests without the key, if there is one. Programs send it as a bearer token; browsers ask
/// their user for a name, which does not matter, and a password, which is the key (RFC 6750 and 7617).
pub(crate) async fn check_key(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let Some(key) = &shared.options.api_key else { return Ok(next.run(request).await) };
    let sent = request.headers().get(header::AUTHORIZATION).and_then(key_in);
    // In constant time: an early end would tell how much of a guess is right.
    let fits = sent.is_some_and(|sent| sent.ct_eq(key.as_bytes()).into());
    if fits { Ok(next.run(request).await) } else { Err(Error::NoKey) }
}

fn key_in(header: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, rest) = header.to_str().ok()?.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().as_bytes().to_vec()),
        "basic" => {
            let pair = STANDARD.decode(rest.trim()).ok()?;
            let colon = pair.iter().position(|byte| *byte == b':')?;
            Some(pair[colon + 1..].to_vec())
        }
        _ => None,
    }
}
