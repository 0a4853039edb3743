//! Access control by the key of `--api-key`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::{Error, Shared};

/// Refuses requests without the key, if one is set. Programs send it as a bearer token (RFC 6750); browsers ask for a
/// user name, which is ignored, and a password, which is the key (RFC 7617).
pub(crate) async fn check_key(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let Some(key) = &shared.options.api_key else { return Ok(next.run(request).await) };
    let sent = request.headers().get(header::AUTHORIZATION).and_then(parse_key);
    // Constant time: an early end would reveal how much of a guess is right.
    let is_valid = sent.is_some_and(|sent| sent.ct_eq(key.as_bytes()).into());
    if is_valid { Ok(next.run(request).await) } else { Err(Error::NoKey) }
}

fn parse_key(header: &HeaderValue) -> Option<Vec<u8>> {
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
