//! Health, readiness, metrics and request ids.

use axum::http::StatusCode;

use serve::{Draining, Options};

use crate::{app, ask, drained_app, get, header_of, photo, raw, text};

#[tokio::test]
async fn health_and_readiness_are_reported() {
    let app = app();
    for (path, answer) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let response = ask(&app, get(path)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(response).await, answer);
    }
}

#[tokio::test]
async fn a_draining_server_answers_and_is_not_ready() {
    let draining = Draining::default();
    let app = drained_app(Options::default(), draining.clone());
    let response = ask(&app, raw(photo())).await;
    assert_eq!((response.status(), header_of(&response, "connection")), (StatusCode::OK, ""));
    draining.begin();
    let response = ask(&app, get("/ready")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    for request in [get("/health"), raw(photo())] {
        let response = ask(&app, request).await;
        assert_eq!(
            (response.status(), header_of(&response, "connection")),
            (StatusCode::OK, "close")
        );
    }
}

#[tokio::test]
async fn requests_and_photos_are_counted() {
    let app = app();
    for bytes in [photo(), photo(), b"text".to_vec()] {
        ask(&app, raw(bytes)).await;
    }
    ask(&app, get("/no/such/path")).await;
    let page = ask(&app, get("/metrics")).await;
    assert!(header_of(&page, "content-type").starts_with("application/openmetrics-text"));
    let page = text(page).await;
    for line in [
        r#"showtell_requests_total{route="/api/caption",method="POST",status="200"} 2"#,
        r#"showtell_requests_total{route="/api/caption",method="POST",status="400"} 1"#,
        r#"showtell_requests_total{route="none",method="GET",status="404"} 1"#,
        r#"showtell_cache_lookups_total{result="hit"} 1"#,
        r#"showtell_cache_lookups_total{result="miss"} 1"#,
        r#"showtell_stage_seconds_count{stage="search"} 1"#,
        r#"showtell_stage_seconds_count{stage="queue"} 1"#,
        "showtell_batch_photos_count 1",
        "showtell_free_places 64",
        "showtell_photos_in_work 0",
        "# EOF",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}

#[tokio::test]
async fn every_response_has_an_id_or_that_of_the_client() {
    let app = app();
    let id = header_of(&ask(&app, get("/health")).await, "x-request-id").to_owned();
    assert_eq!(id.len(), 36, "{id}");
    let mut request = get("/nothing");
    request.headers_mut().insert("x-request-id", "mine".parse().unwrap());
    assert_eq!(header_of(&ask(&app, request).await, "x-request-id"), "mine");
}

#[tokio::test]
async fn ids_of_clients_are_short_and_printable() {
    let app = app();
    let long = "a".repeat(5000);
    for (given, kept) in [
        (long.as_bytes(), &long[..128]),
        (b"a b\tc\xffd \x80", "abcd"),
        (b"req-1/\xc3\xa9.2", "req-1/.2"),
    ] {
        let mut request = get("/health");
        let given = axum::http::HeaderValue::from_bytes(given).unwrap();
        request.headers_mut().insert("x-request-id", given);
        assert_eq!(header_of(&ask(&app, request).await, "x-request-id"), kept);
    }
    // Nothing printable: like no id.
    let mut request = get("/health");
    let blank = axum::http::HeaderValue::from_bytes(b" \xff\xfe").unwrap();
    request.headers_mut().insert("x-request-id", blank);
    assert_eq!(header_of(&ask(&app, request).await, "x-request-id").len(), 36);
}
