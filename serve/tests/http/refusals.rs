//! Every error: its status, its code, its texts.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::Value;
use serve::{Draining, Options, Size};

use crate::sockets::Listening;
use crate::{app, app_with, ask, drained_app, form, get, header_of, json, photo, png, raw, text};

/// Errors that no request can cause: a part of the server has to fail.
const OF_FAILURES: [&str; 3] = ["model_failed", "server_failed", "page_failed"];
const API: &str = include_str!("../../../docs/api.md");

/// The codes of refused requests, each checked against the documentation.
#[derive(Default)]
struct Met(BTreeSet<String>);

impl Met {
    async fn add(&mut self, app: &Router, request: Request<Body>, status: u16, code: &str) {
        let response = ask(app, request).await;
        let found = response.status().as_u16();
        self.check(found, &text(response).await, status, code);
    }

    fn check(&mut self, found: u16, body: &str, status: u16, code: &str) {
        let error = serde_json::from_str::<Value>(body).unwrap_or_default()["error"].clone();
        assert_eq!((found, &error["code"]), (status, &code.into()), "{body}");
        assert_eq!(error.as_object().unwrap().len(), 2, "{body}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        let row = |line: &&str| line.starts_with(&format!("| {status} |"));
        let rows = API.lines().filter(row).collect::<String>();
        assert!(
            rows.contains(&format!("`{code}`")),
            "{status} {code} is not in docs/api.md: {rows}"
        );
        self.0.insert(code.to_owned());
    }
}

/// Causes each error that a request can cause, and checks that all are documented and have a text on the page.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
async fn every_error_has_its_status_its_code_and_its_texts() {
    let app = app();
    let mut met = Met::default();
    for (request, status, code) in bad_requests() {
        met.add(&app, request, status, code).await;
    }
    let api_key = Some("s3cret".parse().unwrap());
    let locked = app_with(Options { api_key, ..Options::default() });
    met.add(&locked, raw(photo()), 401, "no_key").await;

    let full = app_with(Options { queue: 1, ..Options::default() });
    let large = || raw(png(900, 900, [1, 2, 3]));
    let refused = met.add(&full, raw(png(900, 900, [4, 5, 6])), 429, "queue_full");
    let (first, ()) = tokio::join!(ask(&full, large()), refused);
    assert_eq!(first.status(), StatusCode::OK);

    let small = app_with(Options { memory: Size::mib(4), ..Options::default() });
    met.add(&small, raw(png(1200, 1000, [1, 2, 3])), 413, "image_needs_too_much_memory").await;
    // Less memory than one upload needs, as if other uploads had the rest.
    let busy = app_with(Options { memory: Size::new(1 << 17), ..Options::default() });
    met.add(&busy, raw(photo()), 429, "memory_full").await;

    let at_once = Duration::from_micros(1).into();
    let hasty = app_with(Options { deadline: at_once, ..Options::default() });
    met.add(&hasty, raw(png(3000, 3000, [1, 2, 3])), 504, "deadline_passed").await;
    let body_time = Duration::from_millis(20).into();
    let impatient = app_with(Options { body_time, ..Options::default() });
    met.add(&impatient, Request::post("/api/caption").body(never()).unwrap(), 408, "slow_body")
        .await;
    let draining = Draining::default();
    draining.begin();
    met.add(&drained_app(Options::default(), draining), get("/ready"), 503, "not_ready").await;

    let server = Listening::start(Options::default()).await;
    // Too long an address is distinguished from too large a head as long as it fits into the head.
    let (long, larger) = ("x".repeat(70_000), "x".repeat(1_000_000));
    for (head, status, code) in [
        ("GET / HTTP/9.9".to_owned(), 400, "bad_request"),
        (format!("GET /{long} HTTP/1.1"), 414, "uri_too_long"),
        (format!("GET / HTTP/1.1\r\nA: {larger}"), 431, "head_too_large"),
    ] {
        let answer = server.send((head + "\r\n\r\n").as_bytes()).await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        met.check(answer[9..12].parse().unwrap(), body, status, code);
    }

    let document = json(ask(&app, get("/api/openapi.json")).await).await;
    let error = &document["components"]["schemas"]["Refused"]["properties"]["error"];
    let codes = error["properties"]["code"]["enum"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    let of_failures = OF_FAILURES.map(str::to_owned);
    assert_eq!(met.0.into_iter().chain(of_failures).collect::<BTreeSet<_>>(), codes);
    for language in ["en", "vi"] {
        let page = text(ask(&app, get(&format!("/?language={language}"))).await).await;
        for code in &codes {
            let tag = format!("data-code=\"{code}\">");
            let text = page.split(&tag).nth(1).and_then(|rest| rest.split('<').next());
            assert!(text.is_some_and(|text| !text.is_empty()), "{code} has no text in {language}");
        }
    }
}

fn never() -> Body {
    let first =
        stream::iter([Ok::<_, axum::Error>(Frame::data(Bytes::from_static(b"--frontier\r\n")))]);
    Body::new(StreamBody::new(futures_util::StreamExt::chain(first, stream::pending())))
}

#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn bad_requests() -> Vec<(Request<Body>, u16, &'static str)> {
    let api = |fields: &[(&str, &[u8])]| form("/api/caption", fields);
    let mut bomb = photo();
    bomb[16..24].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]);
    let checksum = crc32fast::hash(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&checksum);
    let mut damaged = photo();
    // The first block of the compressed pixels has an unknown type.
    damaged[43] = 0xff;
    let whole = photo();
    let truncated = whole[..whole.len() / 2].to_vec();
    let broken = |body: &'static str| {
        Request::post("/api/caption")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=frontier")
            .body(Body::from(body))
            .unwrap()
    };
    let no_boundary = Request::post("/api/caption")
        .header(header::CONTENT_TYPE, "multipart/form-data")
        .body(Body::from(photo()))
        .unwrap();
    // A header of the QOI format, which is not supported.
    let qoi = b"qoif\0\0\0\x08\0\0\0\x08\x03\0".to_vec();
    let limits = Options::default();
    let many = vec![("image", b"x".as_slice()); limits.max_photos + 1];
    let large = vec![0; limits.max_upload.bytes() as usize + 1];
    let of_form = |body: &[u8]| {
        Request::post("/api/captions")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=frontier")
            .body(Body::from(body.to_vec()))
            .unwrap()
    };
    let of_json = |body: &'static str| {
        let request =
            Request::post("/api/caption").header(header::CONTENT_TYPE, "application/json");
        request.body(Body::from(body)).unwrap()
    };
    let method = |method: &str, path: &str| {
        Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
    };
    vec![
        (raw(Vec::new()), 400, "no_image"),
        (api(&[("other", &photo())]), 400, "no_image"),
        (api(&[("image", b"")]), 400, "no_image"),
        (form("/api/captions", &[]), 400, "no_image"),
        (form("/api/captions", &many), 413, "too_many_photos"),
        (raw(b"plain text".to_vec()), 400, "not_an_image"),
        (broken("--frontier\r\nno end"), 400, "bad_body"),
        (broken("no frontier at all"), 400, "bad_body"),
        (Request::post("/api/caption?m=1").body(Body::from(photo())).unwrap(), 400, "bad_query"),
        (of_json("{\"image\": \"http://example.org/a.jpg\"}"), 400, "remote_photo"),
        (no_boundary, 400, "bad_body"),
        (raw(qoi), 415, "unsupported_image"),
        (raw(bomb), 413, "too_many_pixels"),
        (raw(truncated), 422, "truncated_image"),
        (raw(damaged), 422, "damaged_image"),
        (raw(large.clone()), 413, "body_too_large"),
        (api(&[("image", &large)]), 413, "body_too_large"),
        (
            form("/api/captions", &[("image", &vec![0; limits.max_total().bytes() as usize])]),
            413,
            "photos_too_large",
        ),
        (
            of_form(b"--frontier\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\nx"),
            400,
            "bad_body",
        ),
        (of_form(b"--frontier\r\n\xff\xfe\r\n\r\nx\r\n--frontier--\r\n"), 400, "bad_body"),
        (get("/nothing"), 404, "not_found"),
        (get("/%ff"), 404, "not_found"),
        (get("/assets/%ff"), 404, "not_found"),
        (get("/assets/%f0%28%8c%28?x=%ff"), 404, "not_found"),
        (get("/assets/%"), 404, "not_found"),
        (get("/assets/page.js/"), 404, "not_found"),
        (get("//api/caption"), 404, "not_found"),
        (method("OPTIONS", "*"), 404, "not_found"),
        (get("/api/caption"), 405, "wrong_method"),
        (method("OPTIONS", "/api/caption"), 405, "wrong_method"),
        (method("TRACE", "/health"), 405, "wrong_method"),
        (method("DELETE", "/assets/page.js"), 405, "wrong_method"),
        (method("BREW", "/"), 405, "wrong_method"),
    ]
}

#[tokio::test]
async fn a_bad_upload_does_not_affect_others() {
    let app = app();
    let large = vec![0; Options::default().max_upload.bytes() as usize + 1];
    // One photo that is too large does not affect the others.
    let both = ask(&app, form("/api/captions", &[("image", &large), ("image", &photo())])).await;
    let both = json(both).await["results"].clone();
    assert_eq!(both[0]["error"]["code"], "body_too_large");
    assert!(both[1]["caption"].is_string());
    // The model still answers.
    assert_eq!(ask(&app, raw(photo())).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_empties() {
    let app = app_with(Options { queue: 1, ..Options::default() });
    // On a busy machine the first photo may be done before the second one arrives.
    for attempt in 0..50 {
        let [one, other] = [1, 2].map(|shade| png(900, 900, [attempt, shade, 3]));
        let (first, second) =
            tokio::join!(ask(&app, raw(one.clone())), ask(&app, raw(other.clone())));
        assert_eq!(first.status(), StatusCode::OK);
        if second.status() == StatusCode::OK {
            continue;
        }
        assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(header_of(&second, "retry-after"), "1");
        assert_eq!(json(second).await["error"]["code"], "queue_full");
        // What is known is answered however full it is, and the permit was given back.
        let (again, other) = tokio::join!(ask(&app, raw(one)), ask(&app, raw(other)));
        assert_eq!([again.status(), other.status()], [StatusCode::OK; 2]);
        return;
    }
    panic!("a queue of one photo is never full");
}

#[tokio::test]
async fn a_caption_after_the_deadline_is_an_error() {
    let deadline = Duration::from_micros(1).into();
    let app = app_with(Options { deadline, ..Options::default() });
    let late = ask(&app, raw(png(3000, 3000, [1, 2, 3]))).await;
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(json(late).await["error"]["code"], "deadline_passed");
}

#[tokio::test]
async fn each_limit_is_named_in_its_error() {
    let app = app_with(Options {
        max_upload: Size::new(2000),
        max_photos: 6,
        memory: Size::mib(8),
        ..Options::default()
    });
    let padded = |bytes: usize| {
        let mut photo = photo();
        photo.resize(bytes, 0);
        photo
    };
    let (fits, large) = (padded(1900), padded(2001));
    let several = |photos: usize| form("/api/captions", &vec![("image", fits.as_slice()); photos]);
    let cases = [
        (raw(large.clone()), "2 kB"),
        (form("/api/caption", &[("image", &large)]), "2 kB"),
        (several(5), "8 kB in total"),
        (form("/api/captions", &vec![("image", b"x".as_slice()); 7]), "6 photos"),
    ];
    for (request, limit) in cases {
        let response = ask(&app, request).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let message = json(response).await["error"]["message"].clone();
        assert!(message.as_str().unwrap().contains(limit), "{message} does not name {limit}");
    }
    let fit = ask(&app, several(3)).await;
    assert_eq!(fit.status(), StatusCode::OK);
    // The form around a photo does not count as the photo.
    assert_eq!(ask(&app, form("/api/caption", &[("image", &padded(2000))])).await.status(), 200);
    let item = json(ask(&app, form("/api/captions", &[("image", &large)])).await).await;
    let message = &item["results"][0]["error"]["message"];
    assert!(message.as_str().unwrap().contains("larger than 2 kB"), "{item}");
}

#[tokio::test]
async fn an_image_larger_than_the_memory_is_refused() {
    let app = app_with(Options { memory: Size::mib(4), ..Options::default() });
    let response = ask(&app, raw(png(1100, 1000, [1, 2, 3]))).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let error = json(response).await["error"].clone();
    assert_eq!(error["code"], "image_needs_too_much_memory");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("3 MiB") && message.contains("--memory"), "{message}");
    assert_eq!(ask(&app, raw(png(300, 300, [1, 2, 3]))).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_may_have_more_photos_than_permits() {
    let app = app_with(Options { queue: 3, ..Options::default() });
    let photos = (0..12).map(|at| png(40, 30, [250 - 20 * at, 90, 20 * at])).collect::<Vec<_>>();
    let fields = photos.iter().map(|photo| ("image", photo.as_slice())).collect::<Vec<_>>();
    for path in ["/api/captions", "/"] {
        assert_eq!(ask(&app, form(path, &fields)).await.status(), StatusCode::OK, "{path}");
    }
    let results = json(ask(&app, form("/api/captions", &fields)).await).await["results"].clone();
    for (photo, result) in photos.iter().zip(results.as_array().unwrap()) {
        let alone = json(ask(&app, raw(photo.clone())).await).await;
        assert_eq!(alone["captions"], result["captions"]);
        assert!(alone["caption"].is_string(), "{alone}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_refused() {
    let body_time = Duration::from_millis(20).into();
    let app = app_with(Options { body_time, ..Options::default() });
    let slow = Request::post("/api/caption").body(never()).unwrap();
    let slow_form = Request::post("/api/captions")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=frontier")
        .body(never())
        .unwrap();
    for request in [slow, slow_form] {
        let response = ask(&app, request).await;
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(json(response).await["error"]["code"], "slow_body");
    }
}
