//! The panel about the model and the API, and the reference of the API.

use fantoccini::key::Key;
use serde_json::json;

use crate::access::{assert_fits, serious, tab_to, windows};
use crate::driver::{Browser, DESKTOP, Server, Window};

/// JavaScript that returns the texts of the examples.
const EXAMPLES: &str =
    "return [...document.querySelectorAll('.about code')].map((code) => code.textContent)";

async fn examples(browser: &Browser) -> Vec<String> {
    serde_json::from_value(browser.run(EXAMPLES).await).unwrap()
}

#[tokio::test]
async fn the_panel_opens_with_the_keyboard_and_has_the_address_of_the_server() {
    let Some(browser) = Browser::open(DESKTOP).await else { return };
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    tab_to(&browser, "summary").await;
    browser.press(Key::Enter).await;
    browser.until("return document.querySelector('.about').open").await;
    let address = format!("\"{}api/caption\"", server.address);
    let examples = examples(&browser).await;
    assert_eq!(examples.len(), 3);
    assert!(examples.iter().all(|example| example.contains(&address)), "{examples:?}");
    let hint = "return document.querySelector('.address-hint').checkVisibility()";
    assert_eq!(browser.run(hint).await, false);
    browser.picture("about").await;

    // The clipboard of a window that is not in front is closed.
    browser.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }").await;
    tab_to(&browser, ".copy-example").await;
    browser.press(Key::Enter).await;
    browser.until_text(".copy-example", "Copied").await;
    assert_eq!(browser.run("return copied").await, examples[0].as_str());
    browser.close().await;
}

/// Without JavaScript the reader writes the address.
#[tokio::test]
async fn the_panel_works_without_javascript() {
    let window = Window { javascript: false, ..DESKTOP };
    let Some(browser) = Browser::open(window).await else { return };
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    browser.click("summary").await;
    assert!(browser.text(".address-hint").await.contains("in place of ADDRESS"));
    let examples = examples(&browser).await;
    assert!(examples[0].ends_with("\"ADDRESS/api/caption\""), "{examples:?}");
    assert_eq!(browser.count(".copy-example:not([hidden])").await, 0);
    browser.close().await;
}

#[tokio::test]
async fn the_panel_and_the_reference_are_accessible() {
    let Some(axe) = tests::axe() else { return };
    let axe = std::fs::read_to_string(axe).unwrap();
    for (name, window) in windows() {
        let Some(browser) = Browser::open(window).await else { return };
        let server = Server::start();
        browser.client.goto(&server.address).await.unwrap();
        browser.click("summary").await;
        assert_fits(&browser, &format!("{name}, the panel")).await;
        browser.picture(&format!("about-{name}")).await;
        assert_eq!(serious(&browser, &axe).await, json!([]), "{name}, the panel");

        browser.click(".about a").await;
        browser.text("body.reference h1").await;
        assert_fits(&browser, &format!("{name}, the reference")).await;
        browser.picture(&format!("reference-{name}")).await;
        assert_eq!(serious(&browser, &axe).await, json!([]), "{name}, the reference");
        browser.close().await;
    }
}
