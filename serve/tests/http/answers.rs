//! Responses about photos, in the API and on the page.

use axum::http::{StatusCode, header};
use serve::Options;

use crate::{app, app_with, ask, form, get, header_of, json, photo, png, raw, text};

#[tokio::test]
async fn raw_bodies_and_forms_get_the_same_caption() {
    let app = app();
    let from_raw = ask(&app, raw(photo())).await;
    assert_eq!(from_raw.status(), StatusCode::OK);
    let timing = header_of(&from_raw, "server-timing").to_owned();
    let from_raw = json(from_raw).await;
    let from_form = ask(&app, form("/api/caption", &[("image", &photo())])).await;
    assert_eq!(header_of(&from_form, "server-timing"), "cache;desc=hit");
    let from_form = json(from_form).await;
    assert_eq!(from_raw["captions"], from_form["captions"]);
    assert_eq!([&from_raw["cached"], &from_form["cached"]], [false, true]);
    assert_eq!(from_raw["caption"], from_raw["captions"][0]["text"]);
    assert_eq!(from_raw["model"], "small");
    assert_eq!(from_raw["encoder"], "small.onnx");
    for part in ["queue", "decode", "encode", "search"] {
        assert!(from_raw["timings_ms"][part].as_f64().unwrap() >= 0.0);
        assert!(timing.contains(&format!("{part};dur=")), "{timing}");
    }
}

/// The encoder's head names the probable classes, for programs and on the page.
#[tokio::test]
async fn tags_are_the_probable_classes() {
    let app = app();
    let answer = json(ask(&app, raw(photo())).await).await;
    let tags = answer["tags"].as_array().unwrap();
    assert_eq!(tags[0]["name"], "red", "{tags:?}");
    assert!(tags[0]["probability"].as_f64().unwrap() > 0.5, "{tags:?}");
    assert_eq!(answer["unfamiliar"], false);
    let page = text(ask(&app, form("/", &[("image", &photo())])).await).await;
    assert!(page.contains("Probably shows: <span lang=\"en\">red "), "{page}");
}

#[tokio::test]
async fn a_photo_among_several_that_cannot_be_captioned_has_its_own_error() {
    let app = app();
    let other = png(20, 20, [10, 20, 200]);
    let fields: [(&str, &[u8]); 4] =
        [("image", &photo()), ("note", b"x"), ("image", b"text"), ("image", &other)];
    let response = ask(&app, form("/api/captions", &fields)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let results = json(response).await["results"].clone();
    assert_eq!(results.as_array().unwrap().len(), 3);
    assert_eq!(results[1]["error"]["code"], "not_an_image");
    for (at, bytes) in [(0, photo()), (2, other)] {
        let alone = json(ask(&app, raw(bytes)).await).await;
        assert_eq!(alone["captions"], results[at]["captions"]);
    }
}

#[tokio::test]
async fn captions_are_cached_only_if_enabled() {
    let forgetful = app_with(Options { cache: 0, ..Options::default() });
    for _ in 0..2 {
        assert_eq!(json(ask(&forgetful, raw(photo())).await).await["cached"], false);
    }
}

/// Concurrent requests for one photo are captioned once.
#[tokio::test]
async fn concurrent_requests_share_the_work_on_a_photo() {
    let app = app();
    let answers = [0; 4].map(|_| ask(&app, raw(png(900, 900, [5, 6, 7]))));
    let mut worked = 0;
    for answer in futures_util::future::join_all(answers).await {
        worked += usize::from(json(answer).await["cached"] == false);
    }
    assert_eq!(worked, 1);
}

#[tokio::test]
async fn the_page_shows_captions_without_the_photo() {
    let app = app();
    let empty = ask(&app, get("/")).await;
    assert_eq!(empty.status(), StatusCode::OK);
    assert!(header_of(&empty, "content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(header_of(&empty, "x-content-type-options"), "nosniff");
    let empty = text(empty).await;
    assert!(empty.contains("CIDEr 12.3") && empty.contains("type=\"file\""), "{empty}");
    assert!(empty.contains("made by the tests"), "the licence is not on the page");

    let caption = json(ask(&app, raw(photo())).await).await["caption"].clone();
    let page = text(ask(&app, form("/", &[("image", &photo())])).await).await;
    let sentence = page.split("class=\"caption\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(sentence.to_lowercase(), format!("{}.", caption.as_str().unwrap()));
    assert!(page.contains(&format!("<title>{sentence} · Showtell</title>")), "{page}");
    assert!(!page.contains("data:image/"), "{page}");
    assert!(!page.contains("x.png"), "the client's file name is on the page");

    let refused = ask(&app, form("/", &[("image", b"<script>alert(1)</script>")])).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused = text(refused).await;
    assert!(refused.contains("role=\"alert\"") && !refused.contains("alert(1)"), "{refused}");

    let both = ask(&app, form("/", &[("image", b"text"), ("image", &photo())])).await;
    assert_eq!(both.status(), StatusCode::OK);
    let both = text(both).await;
    let at = |text: &str| both.find(text).unwrap_or_else(|| panic!("{text} is not in {both}"));
    let order = [at("Photo 1<"), at("role=\"alert\""), at("Photo 2<"), at("class=\"caption\">")];
    assert!(order.is_sorted(), "{order:?}");
    assert!(both.contains("<title>This file is not a photo. · Showtell</title>"), "{both}");
}

/// The response is small for large photos.
#[tokio::test]
async fn the_page_with_many_photos_stays_small() {
    let noise = |seed: u32| {
        let mut state = seed;
        let image = image::RgbImage::from_fn(300, 300, |_, _| {
            image::Rgb([0; 3].map(|_: u8| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }))
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let photos = (1..=8).map(noise).collect::<Vec<_>>();
    let sent = photos.iter().map(Vec::len).sum::<usize>();
    let fields = photos.iter().map(|photo| ("image", photo.as_slice())).collect::<Vec<_>>();
    let app = app();
    let empty = text(ask(&app, get("/")).await).await;
    let page = text(ask(&app, form("/", &fields)).await).await;
    assert!(sent > 1_000_000 && page.len() < empty.len() + 8 * 2000, "{} bytes", page.len());
}

/// Captions are in the order of their weights, in the API and on the page.
#[tokio::test]
async fn captions_are_in_the_order_of_their_weights() {
    let app = app();
    for colour in [[140, 90, 20], [200, 90, 60], [0, 0, 0], [10, 20, 200]] {
        let answer = json(ask(&app, raw(png(40, 30, colour))).await).await;
        let captions = answer["captions"].as_array().unwrap();
        let best = &captions[0];
        assert_eq!(answer["caption"], best["text"]);
        let alike = captions.iter().filter(|caption| caption["finished"] == best["finished"]);
        let scores = alike.map(|caption| caption["score"].as_f64().unwrap()).collect::<Vec<_>>();
        assert!(scores.is_sorted_by(|one, next| one >= next), "{scores:?}");

        let page = text(ask(&app, form("/", &[("image", &png(40, 30, colour))])).await).await;
        let main = page.split("<template").next().unwrap();
        let shares = main.split("<data value=\"").skip(1);
        let shares = shares.map(|rest| rest.split('"').next().unwrap().parse::<f64>().unwrap());
        let shares = shares.collect::<Vec<_>>();
        assert_eq!(shares.len(), scores.len());
        let sum = scores.iter().map(|score| score.exp()).sum::<f64>();
        for (share, score) in shares.iter().zip(&scores) {
            assert!((share - score.exp() / sum).abs() < 1e-6, "{shares:?} of {scores:?}");
        }
        assert!(shares.is_sorted_by(|one, next| one >= next), "{shares:?}");
    }
}

#[tokio::test]
async fn the_page_has_the_requested_language() {
    let app = app();
    let mut request = get("/");
    request.headers_mut().insert(header::ACCEPT_LANGUAGE, "vi-VN, en;q=0.3".parse().unwrap());
    let page = ask(&app, request).await;
    assert_eq!(header_of(&page, "content-language"), "vi");
    assert!(text(page).await.contains("Chọn ảnh"));
    let page = text(ask(&app, get("/?language=vi")).await).await;
    assert!(page.contains("action=\"?language=vi\""), "{page}");
    assert!(page.contains("CIDEr 12,3"), "{page}");
    assert!(page.contains("<span>Mô hình có sẵn mô tả sai ảnh này</span>"), "{page}");
    let refused = text(ask(&app, form("/?language=vi", &[("image", b"text")])).await).await;
    assert!(refused.contains("Tệp này không phải là ảnh."), "{refused}");
    for unknown in ["/?language=xx", "/?language=vi&language=en", "/?%"] {
        let page = ask(&app, get(unknown)).await;
        assert_eq!((page.status(), header_of(&page, "content-language")), (StatusCode::OK, "en"));
    }
}

#[tokio::test]
async fn the_files_of_the_page_are_served() {
    let app = app();
    let page = text(ask(&app, get("/")).await).await;
    let label = "<span>The bundled model gets this one wrong</span>";
    let labelled = page.split("<button").filter(|button| button.contains(label));
    assert!(labelled.eq(page.split("<button").filter(|button| button.contains("rocket.jpg"))));
    let parts = page.split("\"assets/").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut parts = parts.map(str::to_owned).collect::<Vec<_>>();
    let mut at = 0;
    while let Some(part) = parts.get(at).cloned() {
        let response = ask(&app, get(&format!("/assets/{part}"))).await;
        assert_eq!(response.status(), StatusCode::OK, "{part}");
        let kind = header_of(&response, "content-type").to_owned();
        assert!(!kind.is_empty());
        if kind.starts_with("text/javascript") {
            let module = text(response).await;
            let imported = module.split(" from \"./").skip(1);
            let imported = imported.map(|rest| rest.split('"').next().unwrap().to_owned());
            parts.extend(imported.filter(|name| !parts.contains(name)).collect::<Vec<_>>());
        }
        at += 1;
    }
    assert!(parts.iter().any(|part| part == "attention.js"), "{parts:?}");
    assert_eq!(ask(&app, get("/assets/..%2Fpage.html")).await.status(), StatusCode::NOT_FOUND);
}

/// A text that a module asks for is in the page, and is not empty.
#[tokio::test]
async fn the_texts_of_the_modules_are_on_the_page() {
    let page = text(ask(&app(), get("/")).await).await;
    let texts = page.split("<p data-key=\"").skip(1).collect::<Vec<_>>();
    assert!(texts.len() > 20, "{page}");
    assert!(texts.iter().all(|text| !text.contains("\"></p>")), "{texts:?}");
}

/// All addresses of the page are relative, so it works below a path of a proxy.
#[tokio::test]
async fn the_page_has_no_absolute_address() {
    let app = app();
    let mut request = get("/");
    request.headers_mut().insert("x-forwarded-prefix", "//evil.example".parse().unwrap());
    let page = text(ask(&app, request).await).await;
    assert!(!page.contains("evil"), "a header of the client is on the page");
    let submitted = text(ask(&app, form("/", &[("image", &photo())])).await).await;
    for page in [&page, &submitted] {
        for attribute in ["href=\"", "src=\"", "action=\"", "data-sample=\""] {
            for address in page.split(attribute).skip(1) {
                let address = address.split('"').next().unwrap();
                assert!(
                    !address.starts_with('/') && !address.contains(':'),
                    "{attribute}{address}"
                );
            }
        }
    }
    for script in ["page.js", "caption.js", "attention.js"] {
        let script = text(ask(&app, get(&format!("/assets/{script}"))).await).await;
        assert!(!script.contains("\"/") && !script.contains("`/"), "{script}");
    }
    let document = json(ask(&app, get("/api/openapi.json")).await).await;
    let base = url::Url::parse("https://example.org/cap/api/openapi.json").unwrap();
    let server = base.join(document["servers"][0]["url"].as_str().unwrap()).unwrap();
    assert_eq!(server.as_str(), "https://example.org/cap/");
}
