//! The page with many photos: order, progress, views, editing, further tries.

use image::ImageFormat;
use serde_json::{Value, json};

use crate::driver::{Browser, DESKTOP, Server, Window};
use crate::{captioned, drawn, photo};

/// Formats of photos. Chromium does not show the last one.
const FORMATS: [(ImageFormat, &str); 6] = [
    (ImageFormat::Png, "png"),
    (ImageFormat::Jpeg, "jpg"),
    (ImageFormat::Bmp, "bmp"),
    (ImageFormat::Gif, "gif"),
    (ImageFormat::WebP, "webp"),
    (ImageFormat::Tiff, "tif"),
];

/// The position of the file that is not a photo.
const NOTES: usize = 5;

/// The names and contents of 24 files: photos of several sizes and formats, and one file that is not a photo.
pub(crate) fn many_files() -> Vec<(String, Vec<u8>)> {
    let file = |at: usize| {
        if at == NOTES {
            return ("notes.txt".to_owned(), b"not a photo".to_vec());
        }
        let (format, extension) = FORMATS[at % FORMATS.len()];
        let (width, height) = (200 + 40 * at as u32, 700 - 20 * at as u32);
        (format!("photo-{at:02}.{extension}"), drawn(width, height, format))
    };
    (0..24).map(file).collect()
}

/// JavaScript that records the requests at a time, the titles and the announcements.
const RECORD: &str = "
    let now = 0;
    Object.assign(window, { most: 0, titles: [], said: [] });
    const sent = window.fetch;
    window.fetch = async (...request) => {
        now += 1;
        window.most = Math.max(window.most, now);
        try { return await sent(...request); } finally { now -= 1; }
    };
    const watch = (selector, list) => {
        const element = document.querySelector(selector);
        new MutationObserver(() => list.push(element.textContent)).observe(element, { childList: true });
    };
    watch('title', window.titles);
    watch('#announcement', window.said);";

/// A served page with 24 files, all of them captioned or failed.
pub(crate) async fn choose_many(window: Window) -> Option<(Server, Browser)> {
    let browser = Browser::open(window).await?;
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    browser.run(RECORD).await;
    let files = many_files();
    let paths = files.iter().map(|(name, bytes)| server.file(name, bytes));
    browser.choose(&paths.collect::<Vec<_>>().join("\n")).await;
    browser.until_text(".counts", "23 of 24 captioned, 1 failed").await;
    Some((server, browser))
}

#[tokio::test]
async fn many_photos_are_captioned_in_their_order() {
    let Some((server, browser)) = choose_many(DESKTOP).await else { return };
    let names = many_files().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let shown =
        "return [...document.querySelectorAll('tbody .file')].map((name) => name.textContent)";
    assert_eq!(browser.run(shown).await, json!(names));
    let most = browser.run("return most").await.as_u64().unwrap();
    assert!((2..=4).contains(&most), "{most} requests at a time");
    let said = ["notes.txt: This file is not a photo.", "Finished: 23 of 24 captioned, 1 failed."];
    assert_eq!(browser.run("return said").await, json!(said));
    let follow = "return titles.length > 2 && titles.every((title) => /^([0-9]+[/]24 · )?Showtell$/.test(title))";
    assert_eq!(browser.run(follow).await, true);
    assert_eq!(browser.run("return document.title").await, "Showtell");
    let progress = "const { value, max, labels } = document.querySelector('progress');
        return [value, max, labels[0].textContent]";
    assert_eq!(browser.run(progress).await, json!([24, 24, "23 of 24 captioned, 1 failed"]));
    // The table has a text area where there is a caption, and a picture where the browser supports the format.
    assert_eq!(browser.count("tbody textarea:not([hidden])").await, 23);
    let unseen =
        1 + (0..24).filter(|at| at % FORMATS.len() == FORMATS.len() - 1 && *at != NOTES).count();
    assert_eq!(browser.count("tbody img[hidden]").await, unseen as u64);
    let alike = "return [...document.querySelectorAll('tbody tr:has(textarea:not([hidden]))')]
        .every((row) => row.querySelector('img').alt === row.querySelector('textarea').value)";
    assert_eq!(browser.run(alike).await, true);

    browser.choose(&server.file("later.png", &photo())).await;
    browser.until_text(".counts", "24 of 25 captioned, 1 failed").await;
    assert_eq!(
        browser.run("return document.querySelector('tbody tr:last-child .file').textContent").await,
        "later.png"
    );
    let visible =
        "const { top } = document.querySelector('tbody tr:last-child').getBoundingClientRect();
        return top >= -1 && top < innerHeight";
    assert_eq!(browser.run(visible).await, true);
    browser.close().await;
}

/// The table comes with the seventh photo, unless the user has chosen a view.
#[tokio::test]
async fn the_view_follows_the_number_of_photos_and_the_user() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    assert_eq!(browser.run("return document.querySelector('.toolbar').hidden").await, true);
    let files = |names: &[&str]| {
        names.iter().map(|name| server.file(name, &photo())).collect::<Vec<_>>().join("\n")
    };
    browser.choose(&files(&["2.png", "3.png", "4.png", "5.png", "6.png"])).await;
    browser.until_text(".counts", "6 of 6 captioned").await;
    assert_eq!([browser.count(".result").await, browser.count("tbody tr").await], [6, 0]);
    browser.choose(&files(&["7.png"])).await;
    browser.until_text(".counts", "7 of 7 captioned").await;
    assert_eq!([browser.count(".result").await, browser.count("tbody tr").await], [0, 7]);
    browser.click("fieldset label:has([value=cards])").await;
    browser.choose(&files(&["8.png"])).await;
    browser.until_text(".counts", "8 of 8 captioned").await;
    assert_eq!([browser.count(".result").await, browser.count("tbody tr").await], [8, 0]);
    browser.close().await;
}

/// Cards and rows show the same captions.
#[tokio::test]
async fn a_caption_is_edited_in_its_row() {
    let Some((_server, browser)) = choose_many(DESKTOP).await else { return };
    let value = "return document.querySelector('tbody textarea').value";
    let best = browser.run(value).await;
    browser.click("tbody textarea").await;
    // A line break is a space.
    browser.type_text("\n One\n two").await;
    browser.click("tbody tr:nth-child(2) textarea").await;
    let edited = browser.run(value).await;
    assert_eq!(edited.as_str().unwrap().matches(" One two").count(), 1, "{edited}");
    browser.until_text("tbody tr:first-child .edited:not([hidden])", "Edited").await;
    browser.click("fieldset label:has([value=cards])").await;
    let caption = "return document.querySelector('.caption').textContent";
    assert_eq!(browser.run(caption).await, edited);
    assert_eq!(browser.count(".result:first-child .word").await, 0);
    assert!(browser.count(".result:first-child .use").await > 1);
    browser.click(".result:first-child li:first-child .use").await;
    assert_eq!(browser.run(caption).await, best);
    browser.click("fieldset label:has([value=table])").await;
    assert_eq!(browser.run(value).await, best);
    // Without text the best caption returns.
    let empty = "const area = document.querySelector('tbody textarea');
        area.value = '';
        for (const kind of ['input', 'change']) area.dispatchEvent(new Event(kind));";
    browser.run(empty).await;
    assert_eq!(browser.run(value).await, best);
    browser.close().await;
}

#[tokio::test]
async fn all_failed_photos_are_tried_again() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let fail = "window.sent = window.fetch; window.fetch = async () => { throw new TypeError('offline'); }";
    browser.run(fail).await;
    let paths = ["a.png", "b.png"].map(|name| server.file(name, &photo()));
    browser.choose(&paths.join("\n")).await;
    browser.until_text(".counts", "1 of 3 captioned, 2 failed").await;
    browser.run("window.fetch = window.sent").await;
    browser.choose(&server.file("notes.txt", b"not a photo")).await;
    browser.until_text(".counts", "1 of 4 captioned, 3 failed").await;
    browser.click(".retry-all").await;
    browser.until_text(".counts", "3 of 4 captioned, 1 failed").await;
    // The file that is not a photo never succeeds.
    assert_eq!(browser.run("return document.querySelector('.retry-all').hidden").await, true);
    assert!(browser.is_active("[name=view]:checked").await, "the focus is lost");
    browser.close().await;
}

/// Photos are removed while they are captioned, and new ones begin anew.
#[tokio::test]
async fn all_photos_are_removed() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let record = "window.kept = new Set();
        const [make, free] = [URL.createObjectURL, URL.revokeObjectURL];
        URL.createObjectURL = (blob) => { const url = make(blob); kept.add(url); return url; };
        URL.revokeObjectURL = (url) => { kept.delete(url); free(url); };
        window.sent = window.fetch;
        window.fetch = (address, options) => new Promise((_, fail) =>
            options.signal.addEventListener('abort', () => fail(options.signal.reason)));";
    browser.run(record).await;
    let names = ["1", "2", "3", "4", "5", "6"].map(|name| format!("{name}.png"));
    let paths = names.map(|name| server.file(&name, &photo()));
    browser.choose(&paths.join("\n")).await;
    browser.until("return kept.size > 0 && document.title === '1/7 · Showtell'").await;
    browser.click(".clear").await;
    browser.until("return kept.size === 0 && document.title === 'Showtell'").await;
    assert_eq!(browser.count("tbody tr, .result").await, 0);
    assert_eq!(browser.run("return document.querySelector('.toolbar').hidden").await, true);
    browser.run("window.fetch = window.sent").await;
    browser.choose(&server.file("new.png", &photo())).await;
    browser.text(".word").await;
    assert_eq!(
        browser.run("return document.querySelectorAll('.result').length").await,
        Value::from(1)
    );
    browser.close().await;
}
