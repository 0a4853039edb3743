//! Every route and every error, on a small model.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a failed test panics")]

mod access;
mod answers;
mod early;
mod formats;
mod interfaces;
mod messages;
mod openapi;
mod operations;
mod process;
mod reference;
mod refusals;
mod sockets;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, header};
use http_body_util::BodyExt as _;
use models::{Captioner, CaptionerOptions, SearchOptions};
use serve::{Backend, Draining, Options};
use tests::small_model;
use tower::ServiceExt as _;

fn app() -> Router {
    app_with(Options::default())
}

fn app_with(options: Options) -> Router {
    drained_app(options, Draining::default())
}

fn drained_app(options: Options, draining: Draining) -> Router {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let limits = options.limits();
    let with_tags = CaptionerOptions { tags: true, limits, ..CaptionerOptions::default() };
    let captioner = Captioner::open(folder.path(), &with_tags).unwrap();
    let search = SearchOptions { n_best: 3, ..SearchOptions::default() };
    let backend = Backend::start("small", captioner, search, &options).unwrap();
    serve::app(backend, options, draining).unwrap()
}

fn photo() -> Vec<u8> {
    png(40, 30, [140, 90, 20])
}

fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(width, height, image::Rgb(colour));
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A form with these fields, as browsers send it.
fn form(path: &str, fields: &[(&str, &[u8])]) -> Request<Body> {
    let part = |(field, bytes): &(&str, &[u8])| {
        let head = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"../x.png\"\r\n\r\n"
        );
        [head.as_bytes(), bytes, b"\r\n"].concat()
    };
    let body = [fields.iter().map(part).collect::<Vec<_>>().concat(), b"--frontier--\r\n".to_vec()];
    Request::post(path)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=frontier")
        .body(Body::from(body.concat()))
        .unwrap()
}

fn raw(bytes: Vec<u8>) -> Request<Body> {
    Request::post("/api/caption").body(Body::from(bytes)).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn ask(app: &Router, request: Request<Body>) -> Response<Body> {
    app.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json(response: Response<Body>) -> serde_json::Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn header_of<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}
