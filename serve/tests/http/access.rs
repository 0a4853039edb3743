//! The key, and the pages of other sites.

use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serve::Options;

use crate::{app, app_with, ask, get, header_of, photo, raw};

fn with(
    mut request: Request<axum::body::Body>,
    name: header::HeaderName,
    value: &str,
) -> Request<axum::body::Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

#[tokio::test]
async fn a_server_with_a_key_answers_only_who_has_it() {
    let options = Options { api_key: Some("s3cret".parse().unwrap()), ..Options::default() };
    assert!(!format!("{options:?}").contains("s3cret"), "the key is in the log");
    let app = app_with(options);
    for path in ["/health", "/ready"] {
        assert_eq!(ask(&app, get(path)).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/", "/assets/page.js", "/metrics", "/api/openapi.json"] {
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

#[tokio::test]
async fn other_sites_are_let_in_only_where_they_are_named() {
    let from = |request| with(request, header::ORIGIN, "https://a.example");
    let allowed = |response: &axum::response::Response| {
        header_of(response, "access-control-allow-origin").to_owned()
    };
    assert_eq!(allowed(&ask(&app(), from(raw(photo()))).await), "");
    let options =
        Options { cors_origin: vec!["https://a.example".parse().unwrap()], ..Options::default() };
    let app = app_with(options);
    assert_eq!(allowed(&ask(&app, from(raw(photo()))).await), "https://a.example");
    let other = with(raw(photo()), header::ORIGIN, "https://b.example");
    assert_eq!(allowed(&ask(&app, other).await), "");
}
