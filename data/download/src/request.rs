//! One HTTP request for a file, or for its rest.

use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::Problem;

/// The connection counts as lost after this time without a byte.
const SILENCE: Duration = Duration::from_secs(30);

/// A request that failed.
pub(crate) enum Failure {
    /// A request for the rest may succeed.
    Retryable(String),
    /// Another request would fail as well.
    Permanent(Problem),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Permanent(error.into())
    }
}

/// Requests the file at `address` from byte `from` on. The answer holds the rest, or the whole file if the server does
/// not support ranges.
pub(crate) fn send(address: &str, from: u64) -> Result<Response<Body>, Failure> {
    let mut request = agent().get(address);
    if from > 0 {
        request = request.header(header::RANGE, format!("bytes={from}-"));
    }
    let response = request.call().map_err(|error| Failure::Retryable(error.to_string()))?;
    let status = response.status();
    let is_usable = status == StatusCode::OK
        || status == StatusCode::PARTIAL_CONTENT && starts_at(&response, from)
        || is_at_end(&response);
    if is_usable { Ok(response) } else { Err(Failure::Permanent(Problem::Refused { status })) }
}

/// Whether the file has no byte at the requested offset or after it.
pub(crate) fn is_at_end(response: &Response<Body>) -> bool {
    response.status() == StatusCode::RANGE_NOT_SATISFIABLE
}

/// Whether the response holds the bytes from the requested offset on, not the whole file.
pub(crate) fn is_rest(response: &Response<Body>) -> bool {
    response.status() == StatusCode::PARTIAL_CONTENT
}

/// The length of the whole file in bytes, if the server states it.
pub(crate) fn total_length(response: &Response<Body>) -> Option<u64> {
    let text = if is_rest(response) {
        header_text(response, &header::CONTENT_RANGE)?.rsplit('/').next()
    } else {
        header_text(response, &header::CONTENT_LENGTH)
    };
    text?.parse().ok()
}

fn starts_at(response: &Response<Body>, from: u64) -> bool {
    header_text(response, &header::CONTENT_RANGE)
        .is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

fn header_text<'a>(response: &'a Response<Body>, name: &header::HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .tls_config(tls);
    config.build().into()
}
