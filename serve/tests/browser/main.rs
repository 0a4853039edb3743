//! The page in use: with a mouse, with the keyboard, without JavaScript, in both languages.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod driver;

use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _};
use fantoccini::Locator;
use fantoccini::key::Key;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use self::driver::{Browser, DESKTOP, Server, Window};

const PHONE: Window = Window { width: 390, height: 844, ..DESKTOP };

/// A photo of two halves, with little blue, so that its caption has several words.
fn photo() -> Vec<u8> {
    let half = |x, _| if x < 320 { image::Rgb([255, 255, 0]) } else { image::Rgb([255, 255, 60]) };
    let image = image::RgbImage::from_fn(640, 480, half);
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A served page with one photo captioned.
async fn captioned(window: Window) -> Option<(Server, Browser)> {
    let browser = Browser::open(window).await?;
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.text(".word").await;
    Some((server, browser))
}

/// JavaScript that returns the state of the overlay.
const OVERLAY: &str = "return document.querySelector('canvas').toDataURL()";
#[tokio::test]
async fn a_photo_gets_a_caption_and_words_show_their_attention() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let caption = browser.text(".caption").await;
    assert!(caption.ends_with('.') && caption.chars().next().unwrap().is_uppercase(), "{caption}");
    assert_eq!(browser.text("#announcement").await, caption);
    assert!(
        !browser.client.find(Locator::Css("canvas")).await.unwrap().is_displayed().await.unwrap()
    );

    let words = browser.client.find_all(Locator::Css(".word")).await.unwrap();
    let mut overlays = Vec::new();
    for word in &words {
        word.click().await.unwrap();
        overlays.push(browser.run(OVERLAY).await);
        let about = browser.text(".about-word").await;
        let plain = word.text().await.unwrap().to_lowercase();
        assert!(about.starts_with(plain.trim_end_matches('.')) && about.contains('%'), "{about}");
    }
    overlays.dedup();
    assert_eq!(overlays.len(), words.len(), "attention does not move from word to word");
    browser.picture("attention").await;

    let weighed = browser.client.find_all(Locator::Css(".weighed li")).await.unwrap();
    assert!(weighed.len() > 1);
    let downloads = tempfile::tempdir().unwrap();
    browser.download_to(downloads.path()).await;
    browser.client.find(Locator::Css(".json-file")).await.unwrap().click().await.unwrap();
    let document = downloads.path().join("caption.json");
    let document = whole(&document, |text| serde_json::from_str::<Value>(text).ok()).await;
    assert_eq!(document["captions"].as_array().unwrap().len(), weighed.len());
    browser.client.find(Locator::Css(".text-file")).await.unwrap().click().await.unwrap();
    let expected = format!("{caption}\n");
    whole(&downloads.path().join("caption.txt"), |text| (text == expected).then_some(())).await;
    let hosts = "return performance.getEntriesByType('resource').every((entry) =>
        entry.name.startsWith(location.origin) || entry.name.startsWith('blob:'))";
    assert_eq!(browser.run(hosts).await, true, "the page asks another host");
    browser.close().await;
    drop(server);
}

/// The result of `read` once the browser has written the whole file.
async fn whole<T>(path: &Path, read: impl Fn(&str) -> Option<T>) -> T {
    let mut text = String::new();
    for _ in 0..200 {
        text = std::fs::read_to_string(path).unwrap_or_default();
        if let Some(found) = read(&text) {
            return found;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{} was not written: {text:?}", path.display());
}

/// The weights on the page: they are the same with and without JavaScript, and fall from caption to caption.
async fn weights(browser: &Browser) -> Vec<(String, String)> {
    let script = "return [...document.querySelectorAll('.weighed:not([hidden]) li')].map((item) =>
        [item.querySelector('span').textContent, item.querySelector('data').textContent,
         Number(item.querySelector('data').value)])";
    let items = browser.run(script).await;
    let items = serde_json::from_value::<Vec<(String, String, f64)>>(items).unwrap();
    assert!(items.len() > 1 && items.is_sorted_by(|one, next| one.2 >= next.2), "{items:?}");
    items.into_iter().map(|(text, percent, _)| (text, percent)).collect()
}

#[tokio::test]
async fn weights_are_equal_with_and_without_javascript() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    browser.client.goto(&format!("{}?language=vi", server.address)).await.unwrap();
    let photo = server.file("same.png", &photo());
    browser.choose(&photo).await;
    browser.text(".word").await;
    let scripted = weights(&browser).await;
    assert!(scripted[0].1.contains(','), "{scripted:?}");
    browser.close().await;
    let plain = Browser::open(Window { javascript: false, ..DESKTOP }).await.unwrap();
    plain.client.goto(&format!("{}?language=vi", server.address)).await.unwrap();
    plain.choose(&photo).await;
    plain.client.find(Locator::Css("[type=submit]")).await.unwrap().click().await.unwrap();
    plain.text(".weighed li").await;
    assert_eq!(weights(&plain).await, scripted);
    plain.close().await;
}

#[tokio::test]
async fn several_photos_and_one_file_that_is_not_a_photo() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let text = server.file("notes.txt", b"not a photo");
    let files = format!("{}\n{text}", server.file("second.png", &photo()));
    browser.choose(&files).await;
    assert_eq!(browser.text(".state.problem").await, "This file is not a photo.");
    let children = "return [...document.querySelectorAll('.result:has(.problem) > *, .result:has(.problem) figure > *')]
        .filter((element) => element.checkVisibility() && element.textContent.trim() !== '')
        .map((element) => element.className).join()";
    browser.until(&format!("return (() => {{ {children} }})() === 'file,state problem'")).await;
    assert_eq!(browser.text(".result:has(.problem) .file").await, "notes.txt");
    let two = "return document.querySelectorAll('.result:has(.word)').length === 2";
    browser.until(two).await;
    assert_eq!(browser.run("return document.querySelectorAll('.result').length").await, 3);

    browser.client.find(Locator::LinkText("Tiếng Việt")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.run("return document.documentElement.lang").await, "vi");
    browser.choose(&text).await;
    assert_eq!(browser.text(".state.problem").await, "Tệp này không phải là ảnh.");
    browser.close().await;
}

/// Responses of a proxy, and no response.
#[tokio::test]
async fn responses_of_others_are_distinguished() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let kept = tempfile::tempdir().unwrap();
    let photo = kept.path().join("again.png");
    std::fs::copy(server.file("again.png", &crate::photo()), &photo).unwrap();
    let photo = photo.to_str().unwrap();
    let elsewhere = "Something between this page and Showtell answered instead of it";
    for (status, body, problem, again) in [
        (413, "<html>413 Request Entity Too Large</html>", "A proxy in front of Showtell", false),
        (502, "<html>502 Bad Gateway</html>", elsewhere, true),
        (200, "<html>Please log in</html>", elsewhere, false),
        (403, "{\"message\": \"Forbidden\"}", elsewhere, false),
    ] {
        // A page of the server whose requests a proxy answers.
        let answer = format!(
            "window.fetch = async () => new Response(arguments[0], {{ status: {status} }})"
        );
        browser.client.execute(&answer, vec![body.into()]).await.unwrap();
        browser.choose(photo).await;
        let text = browser.text(".result:first-child .state.problem").await;
        assert!(text.starts_with(problem), "{status}: {text}");
        let offered = "return document.querySelector('.result .again').checkVisibility()";
        assert_eq!(browser.run(offered).await, again, "{status}");
    }
    browser.client.refresh().await.unwrap();
    drop(server);
    let gone = "The server does not answer. Is it still running?";
    browser.choose(photo).await;
    assert_eq!(browser.text(".state.problem").await, gone);
    browser.client.find(Locator::Css("[data-sample]")).await.unwrap().click().await.unwrap();
    browser.until("return document.querySelectorAll('.result .state.problem').length === 2").await;
    assert_eq!(browser.text(".result:first-child .state.problem").await, gone);
    browser.close().await;
}

#[tokio::test]
async fn a_failed_photo_can_be_tried_again() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let fail = "window.sent = window.fetch; window.fetch = async () => { throw new TypeError('offline'); }";
    browser.run(fail).await;
    browser.choose(&server.file("late.png", &photo())).await;
    browser.text(".result:first-child .state.problem").await;
    browser.run("window.fetch = window.sent").await;
    browser.client.find(Locator::Css(".again button")).await.unwrap().click().await.unwrap();
    browser.until("return document.querySelectorAll('.result:has(.word)').length === 2").await;
    let left = "return document.querySelector('.result:first-child .problem, .again:not([hidden])') === null";
    assert_eq!(browser.run(left).await, true);
    browser.close().await;
}

/// A page of another site sends a photo with a key, after a preflight request.
#[tokio::test]
async fn a_page_of_an_allowed_site_may_use_the_api() {
    let Some(browser) = Browser::open(DESKTOP).await else { return };
    let site = site().await;
    let named = Server::start_with(&["--api-key", "s3cret", "--cors-origin", &site]);
    let all = Server::start_with(&["--cors-origin", "*"]);
    let none = Server::start_with(&["--cors-origin", "https://example.org"]);
    browser.client.goto(&site).await.unwrap();
    let script = "
        const [address, key, length, done] = arguments;
        const size = Number(length);
        const canvas = new OffscreenCanvas(40, 30);
        canvas.getContext('2d').fillRect(0, 0, 40, 30);
        const photo = async () => size ? new Blob([new Uint8Array(size)], { type: 'image/jpeg' })
            : canvas.convertToBlob({ type: 'image/png' });
        photo().then((body) => fetch(`${address}api/caption`, { method: 'POST', body, headers: { Authorization: `Bearer ${key}` } }))
            .then((answer) => answer.json()).then((answer) => done(answer.error?.code ?? typeof answer.caption), (error) => done(error.name))";
    for (server, key, length, expected) in [
        (&named, "s3cret", 0, "string"),
        (&named, "wrong", 0, "no_key"),
        (&named, "s3cret", 12_000_000, "body_too_large"),
        (&all, "none", 0, "string"),
        (&none, "none", 0, "TypeError"),
    ] {
        let arguments = vec![server.address.clone().into(), key.into(), length.into()];
        let text = browser.client.execute_async(script, arguments).await.unwrap();
        assert_eq!(text, expected, "{key} {length}");
    }
    browser.close().await;
}

/// Starts a site with one empty page; returns its origin.
async fn site() -> String {
    let app = axum::Router::new().route("/", axum::routing::get(async || Html("<!doctype html>")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    site
}

/// The page works at a path of a proxy.
#[tokio::test]
async fn the_page_works_below_a_path_of_a_proxy() {
    let Some(browser) = Browser::open(DESKTOP).await else { return };
    let server = Server::start();
    let below = format!("{}/cap/", proxy(server.address.clone()).await);
    browser.client.goto(&below).await.unwrap();
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.text(".word").await;
    browser.client.find(Locator::Css("[data-sample]")).await.unwrap().click().await.unwrap();
    browser.until("return document.querySelectorAll('.result:has(.word)').length === 2").await;
    browser.client.find(Locator::LinkText("Tiếng Việt")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.run("return document.documentElement.lang").await, "vi");
    let pictures = "return [...document.images].filter((image) => image.src).every((image) => image.complete && image.naturalWidth > 0)";
    browser.until(pictures).await;
    let address = browser.client.current_url().await.unwrap();
    assert_eq!(address.as_str(), format!("{below}?language=vi"));
    browser.close().await;
}

/// Starts a proxy that removes the path `/cap/`; returns its address.
async fn proxy(server: String) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let forward = async move |mut request: Request| {
        let path = request.uri().path_and_query().map_or("", |path| path.as_str());
        let Some(path) = path.strip_prefix("/cap/") else {
            return StatusCode::NOT_FOUND.into_response();
        };
        *request.uri_mut() = format!("{server}{path}").parse().unwrap();
        client.request(request).await.unwrap().into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(forward)).await });
    address
}

#[tokio::test]
async fn the_page_works_without_javascript() {
    let window = Window { javascript: false, ..DESKTOP };
    let Some(browser) = Browser::open(window).await else { return };
    let server = Server::start();
    browser.client.goto(&format!("{}?language=vi", server.address)).await.unwrap();
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.picture("plain-form").await;
    browser.client.find(Locator::Css("[type=submit]")).await.unwrap().click().await.unwrap();
    assert!(browser.text("p.caption").await.ends_with('.'));
    assert!(!browser.text(".weighed li").await.is_empty());
    assert!(browser.text(".claim").await.starts_with("Đưa"));
    browser.picture("plain-answer").await;
    browser.choose(&server.file("notes.txt", b"not a photo")).await;
    browser.client.find(Locator::Css("[type=submit]")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.text(".problem").await, "Tệp này không phải là ảnh.");
    browser.close().await;
}

#[tokio::test]
async fn the_page_works_with_the_keyboard() {
    let Some(browser) = Browser::open(DESKTOP).await else { return };
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    let on = |selector: &str| format!("return document.activeElement.matches('{selector}')");
    let mut reached = Vec::new();
    for stop in [".skip", "h1 a", "nav a", "nav a", "#image", "[data-sample]"] {
        browser.press(Key::Tab).await;
        assert_eq!(browser.run(&on(stop)).await, true, "{stop} after {reached:?}");
        reached.push(stop);
    }
    browser.press(Key::Enter).await;
    browser.text(".word").await;
    // A file is chosen in a dialog of the browser's own; then come the other samples and the first word.
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.until("return document.querySelectorAll('.result:has(.word)').length === 2").await;
    for _ in 0..5 {
        browser.press(Key::Tab).await;
    }
    assert_eq!(browser.run(&on(".word:first-child")).await, true);
    let first = browser.run(OVERLAY).await;
    browser.press(Key::Right).await;
    assert_eq!(browser.run(&on(".word:nth-child(2)")).await, true);
    assert_ne!(browser.run(OVERLAY).await, first);
    browser.press(Key::Tab).await;
    assert_eq!(browser.run(&on(".copy")).await, true);
    browser.close().await;
}

#[tokio::test]
async fn the_page_is_accessible() {
    let Some(axe) = tests::axe() else { return };
    let axe = std::fs::read_to_string(axe).unwrap();
    let windows = [("desktop", DESKTOP), ("phone", PHONE)];
    let windows = windows.iter().flat_map(|(name, window)| {
        [("light", false), ("dark", true)]
            .map(|(scheme, dark)| (format!("{name}-{scheme}"), Window { dark, ..*window }))
    });
    for (name, window) in windows {
        let Some((server, browser)) = captioned(window).await else { return };
        let wide = "return document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.run(wide).await, true, "{name} scrolls sideways");
        browser.picture(&name).await;
        assert_eq!(serious(&browser, &axe).await, json!([]), "{name}");
        browser.client.find(Locator::Css(".word")).await.unwrap().click().await.unwrap();
        browser.choose(&server.file("notes.txt", b"not a photo")).await;
        browser.text(".state.problem").await;
        assert_eq!(serious(&browser, &axe).await, json!([]), "{name}, a word and a problem");
        browser.close().await;
    }
}

/// The serious findings of axe-core, by rule and element.
async fn serious(browser: &Browser, axe: &str) -> Value {
    browser.run(axe).await;
    let script = "
        const done = arguments[0];
        axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((found) => done(
            found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => [one.id, one.nodes.map((node) => node.html)])))";
    browser.client.execute_async(script, Vec::new()).await.unwrap()
}
