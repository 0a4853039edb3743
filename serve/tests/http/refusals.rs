//! Every error: its status, its code, what it tells people.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use models::ImageError;
use serve::{Error, Options, Size};

use crate::{app, app_with, ask, form, get, header_of, json, photo, png, raw};

/// Each variant with its status and code. A new one does not compile before it is here.
fn all() -> Vec<(Error, u16, &'static str)> {
    use Error::*;
    let image = |error: ImageError| Image(error);
    let drawing = || minijinja::Error::new(minijinja::ErrorKind::BadSerialization, "x");
    let known = |error: &Error| match error {
        NoImage | PhotoTooLarge { .. } | PhotosTooLarge { .. } | TooManyPhotos { .. }
        | ImageNeedsTooMuchMemory { .. } | BadBody(_) | SlowBody | Image(_) | NoKey | NotFound
        | WrongMethod | QueueFull | MemoryFull | Deadline | NotReady | Model | Server | Page(_) => {}
    };
    let all = vec![
        (NoImage, 400, "no_image"),
        (PhotoTooLarge { limit: Size::mib(3) }, 413, "body_too_large"),
        (PhotosTooLarge { limit: Size::mib(7) }, 413, "photos_too_large"),
        (TooManyPhotos { limit: 5 }, 413, "too_many_photos"),
        (
            ImageNeedsTooMuchMemory { need: Size::mib(500), share: Size::mib(288) },
            413,
            "image_needs_too_much_memory",
        ),
        (BadBody("broken".into()), 400, "bad_body"),
        (SlowBody, 408, "slow_body"),
        (image(ImageError::NotAnImage), 400, "not_an_image"),
        (image(ImageError::Unsupported("x".into())), 415, "unsupported_image"),
        (image(ImageError::Truncated), 422, "truncated_image"),
        (
            image(ImageError::TooLarge { width: 1, height: 1, max_pixels: 0 }),
            413,
            "too_many_pixels",
        ),
        (image(ImageError::Damaged("x".into())), 422, "damaged_image"),
        (NoKey, 401, "no_key"),
        (NotFound, 404, "not_found"),
        (WrongMethod, 405, "wrong_method"),
        (QueueFull, 429, "queue_full"),
        (MemoryFull, 429, "memory_full"),
        (Deadline, 504, "deadline_passed"),
        (NotReady, 503, "not_ready"),
        (Model, 500, "model_failed"),
        (Server, 500, "server_failed"),
        (Page(drawing()), 500, "page_failed"),
    ];
    for (error, ..) in &all {
        known(error);
    }
    all
}

#[tokio::test]
async fn every_error_has_its_status_its_code_and_its_texts() {
    let app = app();
    let pages = [
        crate::text(ask(&app, get("/?language=en")).await).await,
        crate::text(ask(&app, get("/?language=vi")).await).await,
    ];
    for (error, status, code) in all() {
        let message = error.to_string();
        assert_eq!((error.status().as_u16(), error.code()), (status, code));
        let response = axum::response::IntoResponse::into_response(error);
        assert_eq!(response.status(), status);
        let body = json(response).await;
        assert_eq!(body, serde_json::json!({ "error": { "code": code, "message": message } }));
        for page in &pages {
            assert!(page.contains(&format!("data-code=\"{code}\"")), "{code} is told to no one");
        }
    }
}

#[tokio::test]
async fn every_bad_upload_is_refused_for_what_it_is() {
    let app = app();
    let api = |fields: &[(&str, &[u8])]| form("/api/caption", fields);
    let mut bomb = photo();
    bomb[16..24].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]);
    let checksum = crc32fast::hash(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&checksum);
    let cut = photo();
    let cut = cut[..cut.len() / 2].to_vec();
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
    // A header of the QOI format: an image, but of a kind that is not read.
    let qoi = b"qoif\0\0\0\x08\0\0\0\x08\x03\0".to_vec();
    let limits = Options::default();
    let many = vec![("image", b"x".as_slice()); limits.max_photos + 1];
    let large = vec![0; limits.max_upload.bytes() as usize + 1];
    let cases = [
        (raw(Vec::new()), 400, "no_image"),
        (api(&[("other", &photo())]), 400, "no_image"),
        (api(&[("image", b"")]), 400, "no_image"),
        (form("/api/captions", &[]), 400, "no_image"),
        (form("/api/captions", &many), 413, "too_many_photos"),
        (raw(b"plain text".to_vec()), 400, "not_an_image"),
        (broken("--frontier\r\nno end"), 400, "bad_body"),
        (broken("no frontier at all"), 400, "bad_body"),
        (no_boundary, 400, "bad_body"),
        (raw(qoi), 415, "unsupported_image"),
        (raw(bomb), 413, "too_many_pixels"),
        (raw(cut), 422, "truncated_image"),
        (raw(large.clone()), 413, "body_too_large"),
        (api(&[("image", &large)]), 413, "body_too_large"),
        (
            form("/api/captions", &[("image", &vec![0; limits.max_together().bytes() as usize])]),
            413,
            "photos_too_large",
        ),
        (get("/nothing"), 404, "not_found"),
        (get("/api/caption"), 405, "wrong_method"),
    ];
    for (request, status, code) in cases {
        let response = ask(&app, request).await;
        let found = response.status().as_u16();
        let body = json(response).await;
        assert_eq!((found, &body["error"]["code"]), (status, &code.into()), "{body}");
    }
    // One that is too large among several does not hinder the others.
    let both = ask(&app, form("/api/captions", &[("image", &large), ("image", &photo())])).await;
    let both = json(both).await["results"].clone();
    assert_eq!(both[0]["error"]["code"], "body_too_large");
    assert!(both[1]["caption"].is_string());
    // The model still answers.
    assert_eq!(ask(&app, raw(photo())).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_full_queue_is_told_at_once_and_empties() {
    let app = app_with(Options { queue: 1, ..Options::default() });
    let (first, second) = tokio::join!(
        ask(&app, raw(png(900, 900, [1, 2, 3]))),
        ask(&app, raw(png(900, 900, [4, 5, 6]))),
    );
    assert_eq!([first.status().as_u16(), second.status().as_u16()], [200, 429]);
    assert_eq!(header_of(&second, "retry-after"), "1");
    assert_eq!(json(second).await["error"]["code"], "queue_full");
    // What is known is answered however full it is, and the place was given back.
    let (again, other) = tokio::join!(
        ask(&app, raw(png(900, 900, [1, 2, 3]))),
        ask(&app, raw(png(900, 900, [4, 5, 6]))),
    );
    assert_eq!([again.status().as_u16(), other.status().as_u16()], [200, 200]);
}

#[tokio::test]
async fn a_caption_that_takes_too_long_is_given_up() {
    let deadline = Duration::from_micros(1).into();
    let app = app_with(Options { deadline, ..Options::default() });
    let late = ask(&app, raw(png(3000, 3000, [1, 2, 3]))).await;
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(json(late).await["error"]["code"], "deadline_passed");
}

#[tokio::test]
async fn each_limit_is_named_where_it_is_hit() {
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
        (several(5), "8 kB together"),
        (form("/api/captions", &vec![("image", b"x".as_slice()); 7]), "6 photos"),
    ];
    for (request, limit) in cases {
        let response = ask(&app, request).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let message = json(response).await["error"]["message"].clone();
        assert!(message.as_str().unwrap().contains(limit), "{message} does not name {limit}");
    }
    let fit = ask(&app, several(4)).await;
    assert_eq!(fit.status(), StatusCode::OK);
    // The form around a photo is not counted as the photo.
    assert_eq!(ask(&app, form("/api/caption", &[("image", &padded(2000))])).await.status(), 200);
    let item = json(ask(&app, form("/api/captions", &[("image", &large)])).await).await;
    let message = &item["results"][0]["error"]["message"];
    assert!(message.as_str().unwrap().contains("larger than 2 kB"), "{item}");
}

#[tokio::test]
async fn an_image_that_never_finds_memory_is_refused_for_good() {
    let memory = Size::mib(4);
    let app = app_with(Options { memory, max_upload: Size::new(4000), max_photos: 1, ..Options::default() });
    let response = ask(&app, raw(png(1100, 1000, [1, 2, 3]))).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let error = json(response).await["error"].clone();
    assert_eq!(error["code"], "image_needs_too_much_memory");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("3 MiB") && message.contains("--memory"), "{message}");
    assert_eq!(ask(&app, raw(png(300, 300, [1, 2, 3]))).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_may_have_more_photos_than_there_are_places() {
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
async fn a_body_that_does_not_end_is_given_up() {
    let body_time = Duration::from_millis(20).into();
    let app = app_with(Options { body_time, ..Options::default() });
    let never = || {
        let first = stream::iter([Ok::<_, axum::Error>(Frame::data(Bytes::from_static(
            b"--frontier\r\n",
        )))]);
        Body::new(StreamBody::new(futures_util::StreamExt::chain(first, stream::pending())))
    };
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
