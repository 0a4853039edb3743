//! Web sites whose pages may use the API (CORS).

use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::requests::ID;

/// The cache time of preflight responses; browsers have no longer one.
const MAX_AGE: Duration = Duration::from_hours(2);

/// A web site as in the header `Origin`, or all sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Allowed);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    All,
    Site(HeaderValue),
}

/// A text that is not an [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// `null`, the origin of pages without a site.
    #[error("pages without a site cannot be distinguished: write * to allow all")]
    Null,
    /// There is no scheme such as `https`.
    #[error(
        "the scheme is missing{}",
        suggestion.as_ref().map(|right| format!(": write {right}")).unwrap_or_default()
    )]
    NoScheme {
        /// The origin with a scheme, if that is valid.
        suggestion: Option<String>,
    },
    /// There is no host.
    #[error("the host is missing")]
    NoHost,
    /// The host is not ASCII; browsers send the encoded form.
    #[error("the host is not ASCII: write it as browsers send it (xn--…)")]
    NotAscii,
    /// The host is a pattern.
    #[error("patterns are not supported: name each site, or write * to allow all")]
    Pattern,
    /// The port is not a number up to 65535.
    #[error("the port is not a number up to 65535")]
    Port,
    /// The text is not an address.
    #[error("not the address of a site such as https://example.org")]
    Address,
    /// Browsers send this origin in another form.
    #[error("browsers send this origin as {right}: write it so")]
    Spelling {
        /// The form that browsers send.
        right: String,
    },
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Accepts only the exact form that browsers send, because other forms never match.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self(Allowed::All));
        }
        if text.eq_ignore_ascii_case("null") {
            return Err(OriginError::Null);
        }
        if !text.contains("://") {
            let suggestion = normalize(&format!("https://{text}")).ok();
            return Err(OriginError::NoScheme { suggestion });
        }
        let right = normalize(text)?;
        if right != text {
            return Err(OriginError::Spelling { right });
        }
        let value = HeaderValue::from_str(&right).map_err(|_| OriginError::Address)?;
        Ok(Self(Allowed::Site(value)))
    }
}

/// The origin of an address as browsers send it: scheme, host and, unless it is the default of the scheme, port.
fn normalize(address: &str) -> Result<String, OriginError> {
    if !address.is_ascii() {
        return Err(OriginError::NotAscii);
    }
    // A URI has no fragment.
    let address = address.split('#').next().unwrap_or_default();
    let uri = address.parse::<Uri>().map_err(|_| match address.split_once("://") {
        Some((_, "")) => OriginError::NoHost,
        _ => OriginError::Address,
    })?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(OriginError::NoHost);
    };
    let (scheme, host) = (scheme.to_ascii_lowercase(), authority.host());
    if host.is_empty() {
        return Err(OriginError::NoHost);
    }
    if host.contains('*') {
        return Err(OriginError::Pattern);
    }
    let after_host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let has_port = after_host.len() > host.len() + 1;
    let port = authority.port_u16();
    if has_port && port.is_none() {
        return Err(OriginError::Port);
    }
    let is_web = matches!(&*scheme, "http" | "https");
    let default_port = if scheme == "http" { 80 } else { 443 };
    // Only web addresses have hosts without case and a default port; others are those of extensions and apps.
    let host = if is_web { host.to_ascii_lowercase() } else { host.to_owned() };
    let port = port.filter(|port| !is_web || *port != default_port);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{scheme}://{host}{port}"))
}

/// Answers preflight requests, and marks all responses for pages of allowed sites.
pub(crate) fn cors(origins: &[Origin]) -> CorsLayer {
    let sites = origins.iter().map(|Origin(allowed)| match allowed {
        Allowed::All => None,
        Allowed::Site(site) => Some(site.clone()),
    });
    let allowed = match sites.collect::<Option<Vec<_>>>() {
        Some(sites) => AllowOrigin::list(sites),
        None => AllowOrigin::any(),
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static(ID)])
        .max_age(MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_accepted_as_browsers_send_them() {
        for site in [
            "*",
            "https://example.org",
            "http://example.org",
            "http://localhost:3000",
            "https://example.org:8443",
            "http://192.168.0.7:80".trim_end_matches(":80"),
            "http://[::1]:8080",
            "https://xn--bcher-kva.example",
            "chrome-extension://abcdefghijklmnop",
            " https://example.org ",
        ] {
            assert!(site.parse::<Origin>().is_ok(), "{site}: {:?}", site.parse::<Origin>());
        }
    }

    #[test]
    fn other_forms_are_refused_with_the_right_one() {
        for (site, right) in [
            ("example.org", "https://example.org"),
            ("example.org:8080/x", "https://example.org:8080"),
            ("localhost:3000", "https://localhost:3000"),
            ("https://example.org/", "https://example.org"),
            ("https://example.org/page?x#y", "https://example.org"),
            ("https://Example.ORG", "https://example.org"),
            ("HTTPS://example.org", "https://example.org"),
            ("https://me:secret@example.org", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("http://example.org:80", "http://example.org"),
            ("http://example.org:08080", "http://example.org:8080"),
            ("app://Host/path", "app://Host"),
        ] {
            let suggestion = match site.parse::<Origin>().unwrap_err() {
                OriginError::Spelling { right } => Some(right),
                OriginError::NoScheme { suggestion } => suggestion,
                _ => None,
            };
            assert_eq!(suggestion.as_deref(), Some(right), "{site}");
        }
        for (site, error) in [
            ("", OriginError::NoScheme { suggestion: None }),
            ("null", OriginError::Null),
            ("https://", OriginError::NoHost),
            ("https://*.example.org", OriginError::Pattern),
            ("http://a:99999", OriginError::Port),
            ("http://a b", OriginError::Address),
            ("https://bücher.example", OriginError::NotAscii),
        ] {
            assert_eq!(site.parse::<Origin>(), Err(error), "{site}");
        }
    }
}
