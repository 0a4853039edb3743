//! The web sites whose pages may use the interface.

use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::{ParseError, Url};

use crate::requests::ID;

/// How long browsers may remember what is allowed; none does for longer.
const MAX_AGE: Duration = Duration::from_hours(2);

/// A web site as browsers name it in the header `Origin`, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Allowed);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    All,
    Site(HeaderValue),
}

impl FromStr for Origin {
    type Err = String;

    /// Takes only what browsers send: anything else would never match.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self(Allowed::All));
        }
        if text.eq_ignore_ascii_case("null") {
            return Err(
                "pages without a site of their own cannot be told apart; write * to allow all"
                    .into(),
            );
        }
        if !text.contains("://") {
            let meant = spelling(&format!("https://{text}"));
            return Err(match meant {
                Ok(meant) => format!("the scheme is missing; write {meant}"),
                Err(_) => "a site such as https://example.org is expected".into(),
            });
        }
        let right = spelling(text)?;
        if right != text {
            return Err(format!("browsers name this site {right}; write it so"));
        }
        let value = HeaderValue::from_str(&right).map_err(|error| error.to_string())?;
        Ok(Self(Allowed::Site(value)))
    }
}

/// How browsers name the site of an address: scheme, host and, unless it is the scheme's own, port.
fn spelling(address: &str) -> Result<String, String> {
    let url = Url::parse(address).map_err(|error| match error {
        ParseError::InvalidPort => "the port is not a number up to 65535".to_owned(),
        error => format!("this is not the address of a site: {error}"),
    })?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
    if host.contains('*') {
        return Err("patterns are not known; name each site, or write * to allow all".into());
    }
    let origin = url.origin();
    if origin.is_tuple() {
        return Ok(origin.ascii_serialization());
    }
    // Of other schemes, such as those of browsers' extensions and of apps.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{}://{host}{port}", url.scheme()))
}

/// Answers browsers that ask whether a page of another site may use the interface, and marks all answers for the pages
/// that may.
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
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static(ID)])
        .max_age(MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_taken_as_browsers_name_them() {
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
    fn what_never_matches_is_refused_with_the_right_spelling() {
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
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("app://Host/path", "app://Host"),
        ] {
            let error = site.parse::<Origin>().unwrap_err();
            assert!(error.split([' ', ';']).any(|word| word == right), "{site}: {error}");
        }
        for site in
            ["", "null", "https://", "https://*.example.org", "http://a:99999", "http://a b"]
        {
            assert!(site.parse::<Origin>().is_err(), "{site}");
        }
    }
}
