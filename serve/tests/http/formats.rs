//! Formats beyond those that browsers send, and sidecars.

use std::io::{Cursor, Read as _};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use serve::Options;

use crate::{app, app_with, ask, header_of, json as body_of, photo, raw};

/// HEIC and AVIF are read where the server may use libheif, and named where it may not.
#[tokio::test]
async fn heic_and_avif_need_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("photo.png");
    common::files::replace(&picture, &photo()).unwrap();
    let plain = body_of(ask(&app(), raw(photo())).await).await;
    for (name, flags) in [("HEIC", &["-q", "95"][..]), ("AVIF", &["-A", "-q", "95"])] {
        let Some(bytes) = tests::encode_heif(&picture, flags) else { return };
        let refused = ask(&app(), raw(bytes.clone())).await;
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let message = body_of(refused).await["error"]["message"].to_string();
        assert!(message.contains(&format!("{name}, which is turned off here")), "{message}");
        let with_heif = app_with(Options { heif: true, ..Options::default() });
        let answer = ask(&with_heif, raw(bytes)).await;
        assert_eq!(body_of(answer).await["caption"], plain["caption"], "{name}");
    }
}

/// A raw photo with a JPEG in it is captioned by that.
#[tokio::test]
async fn a_raw_photo_is_captioned_by_its_preview() {
    let preview = image::load_from_memory(&photo()).unwrap().resize_exact(
        640,
        520,
        image::imageops::FilterType::Nearest,
    );
    let mut jpeg = Cursor::new(Vec::new());
    preview.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let answer = body_of(ask(&app(), raw(tests::raw_photo(&jpeg))).await).await;
    assert_eq!(answer["caption"], body_of(ask(&app(), raw(jpeg)).await).await["caption"]);
    let without = ask(&app(), raw(tests::raw_photo(b""))).await;
    assert_eq!(without.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let message = body_of(without).await["error"]["message"].to_string();
    assert!(message.contains("DNG raw photo without a JPEG preview"), "{message}");
}

fn sidecars(photos: &Value) -> Request<Body> {
    let body = json!({ "photos": photos }).to_string();
    Request::post("/api/sidecars").body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn sidecars_come_as_an_archive() {
    let photos = json!([
        { "name": "a.jpg", "caption": "A dog & a cat." },
        { "name": "folder/a.jpg", "caption": "My <dog>.\u{0}\u{FFFF}", "edited": true },
    ]);
    let answer = ask(&app(), sidecars(&photos)).await;
    assert_eq!(header_of(&answer, "content-type"), "application/zip");
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut read = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let (own, edited) = (read("a.jpg.xmp"), read("a (2).jpg.xmp"));
    assert!(own.contains("A dog &amp; a cat.") && own.contains("showtell:TextHash"), "{own}");
    assert!(edited.contains("My &lt;dog>.  ") || edited.contains("My &lt;dog&gt;.  "), "{edited}");
    assert!(!edited.contains("TextHash"), "{edited}");
    assert_eq!(archive.len(), 2);

    for (wrong, status) in [
        (json!([{ "name": "a.jpg" }]), StatusCode::BAD_REQUEST),
        (json!([{ "name": "a.jpg", "caption": "x", "more": 1 }]), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(ask(&app(), sidecars(&wrong)).await.status(), status);
    }
    let many = vec![json!({ "name": "a.jpg", "caption": "x".repeat(1000) }); 1000];
    let small = app_with(Options { memory: "64MiB".parse().unwrap(), ..Options::default() });
    let refused = ask(&small, sidecars(&Value::from(many))).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
}
