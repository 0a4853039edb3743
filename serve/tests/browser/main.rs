//! The page as people use it: with a mouse, with keys alone, without JavaScript, in both languages.
#![allow(clippy::unwrap_used)]

mod driver;

use std::path::Path;
use std::time::Duration;

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::driver::{Browser, DESKTOP, Server, Window};

const PHONE: Window = Window { width: 390, height: 844, ..DESKTOP };

/// A photo of two halves, with so little blue that there is a caption of several words.
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

/// Says how the overlay is painted now.
const OVERLAY: &str = "return document.querySelector('canvas').toDataURL()";
#[tokio::test]
async fn a_photo_gets_a_caption_and_words_show_where_the_network_looked() {
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
    let document = downloaded(&downloads.path().join("caption.json")).await;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["captions"].as_array().unwrap().len(), weighed.len());
    browser.client.find(Locator::Css(".text-file")).await.unwrap().click().await.unwrap();
    assert_eq!(downloaded(&downloads.path().join("caption.txt")).await, format!("{caption}\n"));
    let hosts = "return performance.getEntriesByType('resource').every((entry) =>
        entry.name.startsWith(location.origin) || entry.name.startsWith('blob:'))";
    assert_eq!(browser.run(hosts).await, true, "the page asks another host");
    browser.close().await;
    drop(server);
}

/// The text of a file that the browser is about to write.
async fn downloaded(path: &Path) -> String {
    for _ in 0..100 {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{} was not written", path.display());
}

#[tokio::test]
async fn several_photos_and_one_that_is_none() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let text = server.file("notes.txt", b"not a photo");
    let files = format!("{}\n{text}", server.file("second.png", &photo()));
    browser.choose(&files).await;
    assert_eq!(browser.text(".state.problem").await, "This file is not a photo.");
    let two = "return document.querySelectorAll('.result:has(.word)').length === 2";
    browser.until(two).await;
    assert_eq!(browser.run("return document.querySelectorAll('.result').length").await, 3);

    browser.client.find(Locator::LinkText("Tiếng Việt")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.run("return document.documentElement.lang").await, "vi");
    browser.choose(&text).await;
    assert_eq!(browser.text(".state.problem").await, "Tệp này không phải là ảnh.");
    browser.close().await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_told() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let again = server.file("again.png", &photo());
    let kept = tempfile::tempdir().unwrap();
    let copy = kept.path().join("again.png");
    std::fs::copy(again, &copy).unwrap();
    drop(server);
    browser.choose(copy.to_str().unwrap()).await;
    let problem = browser.text(".state.problem").await;
    assert_eq!(problem, "The server does not answer. Is it still running?");
    browser.close().await;
}

#[tokio::test]
async fn it_works_without_javascript() {
    let window = Window { javascript: false, ..DESKTOP };
    let Some(browser) = Browser::open(window).await else { return };
    let server = Server::start();
    browser.client.goto(&format!("{}?language=vi", server.address)).await.unwrap();
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.picture("plain-form").await;
    browser.client.find(Locator::Css("[type=submit]")).await.unwrap().click().await.unwrap();
    assert!(browser.text("figcaption").await.ends_with('.'));
    assert!(!browser.text(".weighed li").await.is_empty());
    assert!(browser.text(".claim").await.starts_with("Đưa"));
    browser.picture("plain-answer").await;
    browser.choose(&server.file("notes.txt", b"not a photo")).await;
    browser.client.find(Locator::Css("[type=submit]")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.text(".problem").await, "Tệp này không phải là ảnh.");
    browser.close().await;
}

#[tokio::test]
async fn keys_alone_are_enough() {
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
    for _ in 0..4 {
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
async fn nothing_hinders_people_who_see_or_hear_it_otherwise() {
    let Some(axe) = tests::axe() else { return };
    let axe = std::fs::read_to_string(axe).unwrap();
    let looks = [("desktop", DESKTOP), ("phone", PHONE)];
    let looks = looks.iter().flat_map(|(name, window)| {
        [("light", false), ("dark", true)]
            .map(|(scheme, dark)| (format!("{name}-{scheme}"), Window { dark, ..*window }))
    });
    for (name, window) in looks {
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
