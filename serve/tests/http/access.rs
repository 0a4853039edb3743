//! API keys, and pages of other sites (CORS).

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serve::Options;

use crate::{app, app_with, ask, get, header_of, photo, raw};

fn with(mut request: Request<Body>, name: header::HeaderName, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

#[tokio::test]
async fn requests_without_the_key_are_refused() {
    let options = Options { api_key: Some("s3cret".parse().unwrap()), ..Options::default() };
    assert!(!format!("{options:?}").contains("s3cret"), "the key is in the log");
    let app = app_with(options);
    for path in ["/health", "/ready"] {
        assert_eq!(ask(&app, get(path)).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/", "/docs", "/assets/page.js", "/metrics", "/api/openapi.json"] {
        let refused = ask(&app, get(path)).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(header_of(&refused, "www-authenticate").starts_with("Basic"));
    }
    let as_password = |key: &str| format!("Basic {}", STANDARD.encode(format!("me:{key}")));
    let cases = [
        ("Bearer s3cret".to_owned(), 200),
        ("bearer  s3cret".to_owned(), 200),
        (as_password("s3cret"), 200),
        ("Bearer s3cre".to_owned(), 401),
        ("Bearer s3crets".to_owned(), 401),
        (as_password("other"), 401),
        ("Basic ???".to_owned(), 401),
        ("s3cret".to_owned(), 401),
    ];
    for (authorization, status) in cases {
        let request = with(raw(photo()), header::AUTHORIZATION, &authorization);
        assert_eq!(ask(&app, request).await.status(), status, "{authorization}");
    }
}

const SITE: &str = "https://a.example";

fn from(site: &str, request: Request<Body>) -> Request<Body> {
    with(request, header::ORIGIN, site)
}

/// The preflight request of a browser for a photo and a key.
fn preflight(site: &str, path: &str) -> Request<Body> {
    Request::options(path)
        .header(header::ORIGIN, site)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .body(Body::empty())
        .unwrap()
}

fn allowed(response: &Response<Body>) -> &str {
    header_of(response, "access-control-allow-origin")
}

fn open_to(sites: &[&str]) -> Options {
    let cors_origin = sites.iter().map(|site| site.parse().unwrap()).collect();
    Options { cors_origin, ..Options::default() }
}

#[tokio::test]
async fn preflight_requests_are_answered_for_allowed_sites() {
    let key = Some("s3cret".parse().unwrap());
    for options in
        [open_to(&[SITE]), Options { api_key: key, ..open_to(&["https://b.example", SITE]) }]
    {
        let app = app_with(options);
        for path in ["/api/caption", "/api/captions", "/api/openapi.json", "/nothing"] {
            let response = ask(&app, preflight(SITE, path)).await;
            assert_eq!((response.status(), allowed(&response)), (StatusCode::OK, SITE), "{path}");
            let headers = header_of(&response, "access-control-allow-headers");
            assert!(headers.contains("authorization") && headers.contains("content-type"));
            assert!(header_of(&response, "access-control-allow-methods").contains("POST"));
            assert_eq!(header_of(&response, "access-control-max-age"), "7200");
            for other in ["https://c.example", "http://a.example", "https://a.example:8443"] {
                assert_eq!(allowed(&ask(&app, preflight(other, path)).await), "", "{other}");
            }
        }
    }
}

#[tokio::test]
async fn only_pages_of_allowed_sites_may_read_responses_and_errors() {
    let key = Some("s3cret".parse().unwrap());
    let named = app_with(Options { api_key: key, queue: 1, ..open_to(&[SITE]) });
    let with_key = |request| with(request, header::AUTHORIZATION, "Bearer s3cret");
    for (request, status) in [
        (raw(photo()), 401),
        (with_key(raw(photo())), 200),
        (with_key(raw(b"text".to_vec())), 400),
        (with_key(raw(vec![0; (10 << 20) + 1])), 413),
        (with_key(get("/api/caption")), 405),
        (get("/nothing"), 404),
    ] {
        let answer = ask(&named, from(SITE, request)).await;
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (status, SITE));
        assert!(header_of(&answer, "access-control-expose-headers").contains("retry-after"));
    }
    let answer = ask(&named, from("https://b.example", with_key(raw(photo())))).await;
    assert_eq!((answer.status().as_u16(), allowed(&answer)), (200, ""));

    let closed = app();
    assert_eq!(allowed(&ask(&closed, from(SITE, raw(photo()))).await), "");
    let refused = ask(&closed, preflight(SITE, "/api/caption")).await;
    assert_eq!((refused.status().as_u16(), allowed(&refused)), (405, ""));

    for sites in [&["*"][..], &[SITE, "*"]] {
        let open = app_with(open_to(sites));
        for request in [preflight(SITE, "/api/caption"), from(SITE, raw(photo()))] {
            assert_eq!(allowed(&ask(&open, request).await), "*");
        }
    }
}
