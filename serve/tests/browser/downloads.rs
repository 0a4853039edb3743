//! What leaves the page with many photos: files, and text in the clipboard.

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::driver::{Browser, DESKTOP, Server};
use crate::many::{choose_many, many_files};

/// An edit that a spreadsheet would compute, with characters that CSV and HTML escape.
const EDITED: &str = "=1+1, \"two\" <b>&";

/// The name of each photo, and its caption unless it failed.
type Captions = Vec<(String, Option<String>)>;

/// The page with many photos, the first of them edited, and the captions in their order.
async fn edited() -> Option<(Server, Browser, Captions)> {
    let (server, browser) = choose_many(DESKTOP).await?;
    let edit = "const area = document.querySelector('tbody textarea');
        area.value = arguments[0];
        for (const kind of ['input', 'change']) area.dispatchEvent(new Event(kind));";
    browser.client.execute(edit, vec![EDITED.into()]).await.unwrap();
    let captions = "return [...document.querySelectorAll('tbody tr')].map((row) => {
        const area = row.querySelector('textarea');
        return [row.querySelector('.file').textContent, area.hidden ? null : area.value];
    })";
    let captions = serde_json::from_value(browser.run(captions).await).unwrap();
    Some((server, browser, captions))
}

/// Clicks a button of the toolbar; returns the bytes of the file that appears in a folder.
async fn download(browser: &Browser, button: &str, folder: &Path, name: &str) -> Vec<u8> {
    browser.download_to(folder).await;
    browser.click(button).await;
    let path = folder.join(name);
    for _ in 0..200 {
        // Chromium renames a file once it is complete.
        if let Some(bytes) = std::fs::read(&path).ok().filter(|bytes| !bytes.is_empty()) {
            return bytes;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{name} was not written");
}

#[tokio::test]
async fn captions_are_saved_as_csv() {
    let Some((_server, browser, captions)) = edited().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let bytes = download(&browser, ".csv", folder.path(), "captions.csv").await;
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = ["file", "rank", "caption", "sentence", "confidence", "tags", "error"];
    assert_eq!(reader.headers().unwrap(), &csv::StringRecord::from(head.to_vec()));
    let rows = reader.records().map(Result::unwrap).collect::<Vec<_>>();
    let first = rows.iter().filter(|row| matches!(&row[1], "" | "1")).collect::<Vec<_>>();
    assert_eq!(first.len(), captions.len());
    for (at, (row, (name, caption))) in first.iter().zip(&captions).enumerate() {
        assert_eq!(&row[0], name);
        match caption {
            Some(_) if at == 0 => {
                let guarded = format!("'{EDITED}");
                assert_eq!([&row[2], &row[3], &row[4]], [&*guarded, &*guarded, ""]);
            }
            Some(caption) => assert_eq!(&row[3], caption),
            None => assert_eq!(&row[6], "This file is not a photo."),
        }
    }
    let others = rows.iter().filter(|row| &row[0] == "photo-00.png" && &row[1] == "2").count();
    assert_eq!(others, 1, "the alternatives of an edited caption remain");
    browser.close().await;
}

#[tokio::test]
async fn captions_are_saved_as_a_web_page() {
    let Some((server, browser, captions)) = edited().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let bytes = download(&browser, ".web-page", folder.path(), "captions.html").await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("<b>") && text.contains("&lt;b&gt;"), "the caption is not escaped");
    assert!(!text.contains("src=\"http") && !text.contains("<script"), "the page needs more");
    drop(server);
    let page = folder.path().join("captions.html");
    browser.client.goto(&format!("file://{}", page.display())).await.unwrap();
    let headings = "return [...document.querySelectorAll('article')].map((article) =>
        [article.querySelector('p:last-child').textContent, article.querySelector('h2')?.textContent ?? null])";
    let headings = serde_json::from_value::<Captions>(browser.run(headings).await).unwrap();
    assert_eq!(headings, captions);
    let pictures =
        "return [...document.images].every((image) => image.src.startsWith('data:image/jpeg')
        && image.alt === image.closest('article').querySelector('h2').textContent)";
    assert_eq!(browser.run(pictures).await, true);
    let sizes = "return Promise.all([...document.images].map(async (image) => {
        image.loading = 'eager';
        await image.decode();
        return Math.max(image.naturalWidth, image.naturalHeight);
    })).then((sizes) => sizes.every((size) => size === 320))";
    assert_eq!(browser.run(sizes).await, true);
    browser.picture("saved-page").await;
    browser.close().await;
}

#[tokio::test]
async fn sidecars_are_saved_as_zip() {
    let Some((_server, browser, captions)) = edited().await else { return };
    let record = "const sent = window.fetch;
        window.fetch = (address, options) => { window.body = JSON.parse(options.body); return sent(address, options); }";
    browser.run(record).await;
    let folder = tempfile::tempdir().unwrap();
    let bytes = download(&browser, ".sidecars", folder.path(), "sidecars.zip").await;
    let left_out = "Photos left out because they have no caption: 1.";
    browser.until_text(".message", left_out).await;
    let body = browser.run("return body").await;
    let photo = |(at, (name, caption)): (usize, &(String, Option<String>))| {
        let caption = caption.as_ref()?;
        Some(serde_json::json!({ "name": name, "caption": caption, "edited": at == 0 }))
    };
    let expected = captions.iter().enumerate().filter_map(photo).collect::<Vec<_>>();
    assert_eq!(body["photos"], Value::from(expected));
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    assert_eq!(archive.len(), captions.iter().filter(|(_, caption)| caption.is_some()).count());
    for (name, _) in many_files().iter().filter(|(name, _)| name != "notes.txt") {
        let stem = name.split('.').next().unwrap();
        let has_sidecar = archive.file_names().any(|entry| entry.unwrap().contains(stem));
        assert!(has_sidecar, "{name} has no sidecar");
    }
    browser.close().await;
}

#[tokio::test]
async fn all_captions_are_copied() {
    let Some((_server, browser, captions)) = edited().await else { return };
    // The clipboard of a window that is not in front is closed.
    browser.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }").await;
    browser.click(".copy-all").await;
    let lines = captions
        .iter()
        .filter_map(|(name, caption)| Some(format!("{name}\t{}\n", caption.as_ref()?)));
    browser
        .until_text(".message", "Copied. Photos left out because they have no caption: 1.")
        .await;
    assert_eq!(browser.run("return copied").await, lines.collect::<String>());
    browser.close().await;
}

/// Without a caption there is nothing to send.
#[tokio::test]
async fn photos_without_a_caption_have_no_sidecars() {
    let Some(browser) = Browser::open(DESKTOP).await else { return };
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    let paths = ["a.txt", "b.txt"].map(|name| server.file(name, b"not a photo"));
    browser.choose(&paths.join("\n")).await;
    browser.until_text(".counts", "0 of 2 captioned, 2 failed").await;
    browser.click(".sidecars").await;
    browser.until_text(".message", "No photo has a caption yet.").await;
    browser.close().await;
}
