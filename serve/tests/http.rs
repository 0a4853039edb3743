//! Every route and every refusal, on a small model.
#![allow(clippy::unwrap_used)]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use models::{Captioner, CaptionerOptions, SearchOptions};
use serve::{Backend, MAX_BODY};
use tests::small_model;
use tower::ServiceExt as _;

fn app() -> Router {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let captioner = Captioner::open(folder.path(), &CaptionerOptions::default()).unwrap();
    let options = SearchOptions { n_best: 3, ..SearchOptions::default() };
    serve::app(Backend::start("small", captioner, options)).unwrap()
}

fn photo() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(40, 30, image::Rgb([140, 90, 20]));
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn form(field: &str, bytes: &[u8]) -> Request<Body> {
    let head = format!(
        "--frontier\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"../x.png\"\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--frontier--\r\n"].concat();
    Request::post("/")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=frontier")
        .body(Body::from(body))
        .unwrap()
}

fn to_api(mut request: Request<Body>) -> Request<Body> {
    *request.uri_mut() = "/api/caption".parse().unwrap();
    request
}

fn raw(bytes: Vec<u8>) -> Request<Body> {
    Request::post("/api/caption").body(Body::from(bytes)).unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json(response: Response<Body>) -> serde_json::Value {
    serde_json::from_str(&text(response).await).unwrap()
}

#[tokio::test]
async fn raw_bodies_and_forms_get_the_same_caption() {
    let app = app();
    let from_raw = app.clone().oneshot(raw(photo())).await.unwrap();
    assert_eq!(from_raw.status(), StatusCode::OK);
    let from_raw = json(from_raw).await;
    let from_form = json(app.oneshot(to_api(form("image", &photo()))).await.unwrap()).await;
    assert_eq!(from_raw["captions"], from_form["captions"]);
    assert_eq!(from_raw["caption"], from_raw["captions"][0]["text"]);
    assert_eq!(from_raw["model"], "small");
    assert_eq!(from_raw["encoder"], "small.onnx");
    assert_eq!(from_raw["captions"][0]["words"][0]["attention"].as_array().unwrap().len(), 7);
    for part in ["decode", "encode", "search"] {
        assert!(from_raw["timings_ms"][part].as_f64().unwrap() >= 0.0);
    }
}

#[tokio::test]
async fn the_page_shows_the_photo_and_its_caption() {
    let app = app();
    let empty = app.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(empty.status(), StatusCode::OK);
    let policy = empty.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let empty = text(empty).await;
    assert!(empty.contains("CIDEr 12.3") && empty.contains("type=\"file\""), "{empty}");

    let caption = json(app.clone().oneshot(raw(photo())).await.unwrap()).await["caption"].clone();
    let shown = text(app.clone().oneshot(form("image", &photo())).await.unwrap()).await;
    let sentence = shown.split("<figcaption>").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(sentence.to_lowercase(), format!("{}.", caption.as_str().unwrap()));
    assert!(shown.contains("src=\"data:image/"), "{shown}");
    assert!(!shown.contains("x.png"), "the client's file name is on the page");

    let refused = app.clone().oneshot(form("image", b"<script>alert(1)</script>")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused = text(refused).await;
    assert!(refused.contains("role=\"alert\"") && !refused.contains("<script>"), "{refused}");
    let style = app.oneshot(Request::get("/style.css").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(style.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
}

#[tokio::test]
async fn every_refusal_has_its_status_and_code() {
    let app = app();
    let mut bomb = photo();
    bomb[16..24].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]);
    let checksum = crc32fast::hash(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&checksum);
    let cut = photo();
    let cut = cut[..cut.len() / 2].to_vec();
    let broken = Request::post("/api/caption")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=frontier")
        .body(Body::from("--frontier\r\nno end"))
        .unwrap();
    // A header of the QOI format: an image, but of a kind that is not read.
    let qoi = b"qoif\0\0\0\x08\0\0\0\x08\x03\0".to_vec();
    let cases = [
        (raw(Vec::new()), 400, "no_image"),
        (to_api(form("other", &photo())), 400, "no_image"),
        (to_api(form("image", b"")), 400, "no_image"),
        (raw(b"plain text".to_vec()), 400, "not_an_image"),
        (broken, 400, "bad_body"),
        (raw(qoi), 415, "unsupported_image"),
        (raw(bomb), 413, "too_many_pixels"),
        (raw(cut), 422, "truncated_image"),
        (raw(vec![0; MAX_BODY + 1]), 413, "body_too_large"),
        (to_api(form("image", &vec![0; MAX_BODY + 1])), 413, "body_too_large"),
    ];
    for (request, status, code) in cases {
        let response = app.clone().oneshot(request).await.unwrap();
        let found = response.status().as_u16();
        let body = json(response).await;
        assert_eq!((found, &body["error"]["code"]), (status, &code.into()), "{body}");
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    }
    // The model still answers.
    assert_eq!(app.oneshot(raw(photo())).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn health_and_unknown_paths() {
    let app = app();
    let get = |path: &str| app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(get("/health").await.unwrap().status(), StatusCode::OK);
    assert_eq!(get("/nothing").await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(get("/api/caption").await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_serve"))
        .args(["--model", "nowhere", "--port", &port])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
}
