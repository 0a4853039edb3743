//! The page in use: with a mouse, with the keyboard, without JavaScript, in both languages, with many photos.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod about;
mod access;
mod demo;
mod downloads;
mod driver;
mod many;
mod network;

use std::path::Path;
use std::time::Duration;

use fantoccini::Locator;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::driver::{Browser, DESKTOP, Server, Window};

pub(crate) const PHONE: Window = Window { width: 390, height: 844, ..DESKTOP };

/// A photo of two halves, with little blue, so that its caption has several words.
pub(crate) fn photo() -> Vec<u8> {
    drawn(640, 480, image::ImageFormat::Png)
}

/// The same with a size, as a file of a format.
pub(crate) fn drawn(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let half =
        |x, _| if x < width / 2 { image::Rgb([255, 255, 0]) } else { image::Rgb([255, 255, 60]) };
    let image = image::RgbImage::from_fn(width, height, half);
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A served page with one photo captioned.
pub(crate) async fn captioned(window: Window) -> Option<(Server, Browser)> {
    let browser = Browser::open(window).await?;
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.text(".word").await;
    Some((server, browser))
}

/// JavaScript that returns the state of the overlay.
pub(crate) const OVERLAY: &str = "return document.querySelector('canvas').toDataURL()";

#[tokio::test]
async fn a_photo_gets_a_caption_and_words_show_their_attention() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let caption = browser.text(".caption").await;
    assert!(caption.ends_with('.') && caption.chars().next().unwrap().is_uppercase(), "{caption}");
    assert_eq!(
        browser.run("return document.querySelector('#announcement').textContent").await,
        caption
    );
    assert_eq!(browser.run("return document.querySelector('.photo img').alt").await, caption);
    assert_eq!(
        browser.run("return document.querySelector('.result').ariaLabel").await,
        "photo.png"
    );
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
    browser.click(".json-file").await;
    let document = downloads.path().join("photo.json");
    let document = whole(&document, |text| serde_json::from_str::<Value>(text).ok()).await;
    assert_eq!(document["captions"].as_array().unwrap().len(), weighed.len());
    browser.click(".text-file").await;
    let expected = format!("{caption}\n");
    whole(&downloads.path().join("photo.txt"), |text| (text == expected).then_some(())).await;
    let hosts = "return performance.getEntriesByType('resource').every((entry) =>
        entry.name.startsWith(location.origin) || entry.name.startsWith('blob:'))";
    assert_eq!(browser.run(hosts).await, true, "the page asks another host");
    browser.close().await;
    drop(server);
}

/// The result of `read` once the browser has written the whole file.
pub(crate) async fn whole<T>(path: &Path, read: impl Fn(&str) -> Option<T>) -> T {
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
    plain.click("[type=submit]").await;
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
    let children = "return [...document.querySelectorAll('.result:has(.problem) .file, .result:has(.problem) .details > *')]
        .filter((element) => element.checkVisibility() && element.textContent.trim() !== '')
        .map((element) => element.className).join()";
    browser.until(&format!("return (() => {{ {children} }})() === 'file,state problem'")).await;
    assert_eq!(browser.text(".result:has(.problem) .file").await, "notes.txt");
    let two = "return document.querySelectorAll('.result:has(.word)').length === 2";
    browser.until(two).await;
    let order =
        "return [...document.querySelectorAll('.result .file')].map((name) => name.textContent)";
    assert_eq!(browser.run(order).await, json!(["photo.png", "second.png", "notes.txt"]));

    browser.client.find(Locator::LinkText("Tiếng Việt")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.run("return document.documentElement.lang").await, "vi");
    browser.choose(&text).await;
    assert_eq!(browser.text(".state.problem").await, "Tệp này không phải là ảnh.");
    browser.choose(&server.file("third.png", &photo())).await;
    browser.text(".word").await;
    assert_eq!(
        browser.run("return document.querySelector('.caption:not([hidden])').lang").await,
        "en"
    );
    browser.close().await;
}

/// An edited caption is plain text. The best caption returns with its words.
#[tokio::test]
async fn a_caption_is_edited_in_its_card() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let best = browser.text(".caption").await;
    browser.click(".edit").await;
    assert!(browser.is_active("textarea").await);
    browser.type_text(" And more.").await;
    let edited = format!("{best} And more.");
    browser.click(".done").await;
    assert!(browser.is_active(".edit").await, "the focus is lost");
    assert_eq!(browser.text(".caption").await, edited);
    assert_eq!(browser.count(".word").await, 0);
    let alt = "return document.querySelector('.photo img').alt";
    assert_eq!(browser.run(alt).await, edited.as_str());
    browser.picture("edited").await;
    let downloads = tempfile::tempdir().unwrap();
    browser.download_to(downloads.path()).await;
    browser.click(".text-file").await;
    let expected = format!("{edited}\n");
    whole(&downloads.path().join("photo.txt"), |text| (text == expected).then_some(())).await;
    browser.click(".json-file").await;
    let document = downloads.path().join("photo.json");
    let document = whole(&document, |text| serde_json::from_str::<Value>(text).ok()).await;
    assert_eq!(document["sentence"], edited);
    assert_eq!(document["captions"][0]["sentence"], best);

    let other = browser.text("li:nth-child(2) span").await;
    browser.click("li:nth-child(2) .use").await;
    assert_eq!(browser.text(".caption").await, other);
    let name = "return document.querySelector('.use[aria-pressed=true]').ariaLabel";
    assert_eq!(browser.run(name).await, format!("In use: {other}"));
    // The network's own candidate has its words, and is not an edit.
    browser.text(".word").await;
    assert_eq!(browser.count(".edited:not([hidden])").await, 0);
    browser.click("li:first-child .use").await;
    browser.text(".word").await;
    assert_eq!(browser.text(".caption").await, best);
    browser.close().await;
    drop(server);
}

#[tokio::test]
async fn the_page_works_without_javascript() {
    let window = Window { javascript: false, ..DESKTOP };
    let Some(browser) = Browser::open(window).await else { return };
    let server = Server::start();
    browser.client.goto(&format!("{}?language=vi", server.address)).await.unwrap();
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.picture("plain-form").await;
    browser.click("[type=submit]").await;
    assert!(browser.text("p.caption").await.ends_with('.'));
    assert!(!browser.text(".weighed li").await.is_empty());
    assert!(browser.text(".claim").await.starts_with("Đưa"));
    browser.picture("plain-answer").await;
    browser.choose(&server.file("notes.txt", b"not a photo")).await;
    browser.click("[type=submit]").await;
    assert_eq!(browser.text(".problem").await, "Tệp này không phải là ảnh.");
    browser.close().await;
}
