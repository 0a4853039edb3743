//! The page with the keyboard alone, and its accessibility.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::driver::{Browser, DESKTOP, Server, Window};
use crate::many::choose_many;
use crate::{OVERLAY, PHONE, captioned, photo};

#[tokio::test]
async fn the_page_works_with_the_keyboard() {
    let Some(browser) = Browser::open(DESKTOP).await else { return };
    let server = Server::start();
    browser.client.goto(&server.address).await.unwrap();
    tab_along(&browser, &[".skip", "h1 a", "nav a", "nav a", "#image", "[data-sample]"]).await;
    // A file is chosen in a dialog of the browser's own.
    browser.choose(&server.file("photo.png", &photo())).await;
    browser.text(".word").await;
    browser.press(Key::Enter).await;
    browser.until("return document.querySelectorAll('.result:has(.word)').length === 2").await;
    // Then come the other samples, the toolbar and the first caption.
    tab_along(&browser, &["[data-sample]"; 4]).await;
    let toolbar = ["[value=cards]", ".csv", ".web-page", ".sidecars", ".copy-all", ".clear"];
    tab_along(&browser, &toolbar).await;
    tab_along(&browser, &[".words"]).await;
    let selected = "return [...document.querySelectorAll('.word')].findIndex((word) => word.matches('[data-selected]'))";
    assert_eq!(browser.run(selected).await, 0);
    let first = browser.run(OVERLAY).await;
    browser.press(Key::Right).await;
    assert_eq!(browser.run(selected).await, 1);
    assert_ne!(browser.run(OVERLAY).await, first);
    browser.press(Key::Home).await;
    assert_eq!(browser.run(selected).await, 0);
    browser.press(Key::End).await;
    let last = "return document.querySelector('.words').lastChild.matches('[data-selected]')";
    assert_eq!(browser.run(last).await, true);
    browser.press(Key::Escape).await;
    assert_eq!(browser.run(selected).await, -1);
    tab_along(&browser, &[".copy", ".edit"]).await;
    browser.press(Key::Enter).await;
    assert!(browser.is_active("textarea").await);
    browser.press(Key::Escape).await;
    assert!(browser.is_active(".edit").await);
    browser.close().await;
}

/// Presses the tab key for each selector, and compares it with the focused element.
async fn tab_along(browser: &Browser, stops: &[&str]) {
    for (at, stop) in stops.iter().enumerate() {
        browser.press(Key::Tab).await;
        assert!(browser.is_active(stop).await, "{stop} after {:?}", &stops[..at]);
    }
}

/// Presses the tab key until an element is focused.
pub(crate) async fn tab_to(browser: &Browser, selector: &str) {
    for _ in 0..60 {
        browser.press(Key::Tab).await;
        if browser.is_active(selector).await {
            return;
        }
    }
    panic!("{selector} is not reached");
}

#[tokio::test]
async fn many_photos_work_with_the_keyboard() {
    let Some((_server, browser)) = choose_many(DESKTOP).await else { return };
    tab_to(&browser, "[value=table]").await;
    browser.press(Key::Left).await;
    assert!(browser.is_active("[value=cards]:checked").await);
    assert_eq!(browser.count(".result").await, 24);
    browser.press(Key::Right).await;
    assert!(browser.is_active("[value=table]:checked").await);
    tab_to(&browser, "tbody tr:nth-child(2) textarea").await;
    browser.press(Key::End).await;
    browser.type_text(" Edited.").await;
    browser.press(Key::Tab).await;
    assert!(browser.is_active("tbody tr:nth-child(3) textarea").await);
    browser.until_text("tbody tr:nth-child(2) .edited:not([hidden])", "Edited").await;
    // Clearing is declined, then confirmed.
    browser.run("document.querySelector('[name=view]:checked').focus()").await;
    tab_to(&browser, ".clear").await;
    browser.press(Key::Enter).await;
    let question = browser.client.get_alert_text().await.unwrap();
    assert!(question.contains("edited"), "{question}");
    browser.client.dismiss_alert().await.unwrap();
    assert_eq!(browser.count("tbody tr").await, 24);
    assert!(browser.is_active(".clear").await);
    browser.press(Key::Enter).await;
    browser.client.accept_alert().await.unwrap();
    browser.until("return document.querySelectorAll('tbody tr, .result').length === 0").await;
    assert!(browser.is_active("#image").await, "the focus is lost");
    browser.close().await;
}

/// The windows of the tests of accessibility, with their names.
pub(crate) fn windows() -> impl Iterator<Item = (String, Window)> {
    [("desktop", DESKTOP), ("phone", PHONE)].into_iter().flat_map(|(name, window)| {
        [("light", false), ("dark", true)]
            .map(|(scheme, dark)| (format!("{name}-{scheme}"), Window { dark, ..window }))
    })
}

#[tokio::test]
async fn the_page_is_accessible() {
    let Some(axe) = tests::axe() else { return };
    let axe = std::fs::read_to_string(axe).unwrap();
    for (name, window) in windows() {
        let Some((server, browser)) = captioned(window).await else { return };
        assert_fits(&browser, &name).await;
        browser.picture(&name).await;
        assert_eq!(serious(&browser, &axe).await, json!([]), "{name}");
        browser.click(".word").await;
        browser.choose(&server.file("notes.txt", b"not a photo")).await;
        browser.text(".state.problem").await;
        assert_eq!(serious(&browser, &axe).await, json!([]), "{name}, a word and a problem");
        browser.click(".edit").await;
        assert_fits(&browser, &name).await;
        assert_eq!(serious(&browser, &axe).await, json!([]), "{name}, a text area");
        browser.close().await;
    }
}

#[tokio::test]
async fn many_photos_are_accessible_in_both_views() {
    let Some(axe) = tests::axe() else { return };
    let axe = std::fs::read_to_string(axe).unwrap();
    for (name, window) in windows() {
        let Some((_server, browser)) = choose_many(window).await else { return };
        for view in ["table", "cards"] {
            browser.run(&format!("document.querySelector('[value={view}]').click()")).await;
            let name = format!("many-{view}-{name}");
            assert_fits(&browser, &name).await;
            assert_eq!(browser.run(SMALL_TARGETS).await, json!([]), "{name}");
            browser.picture(&name).await;
            assert_eq!(serious(&browser, &axe).await, json!([]), "{name}");
        }
        browser.close().await;
    }
}

/// JavaScript that returns the visible targets below 24 pixels. A hidden input has its label as the target.
const SMALL_TARGETS: &str = "
    return [...document.querySelectorAll('button, textarea, fieldset label')].filter((target) => target.checkVisibility({ contentVisibilityAuto: true }))
        .filter((target) => Math.min(target.offsetWidth, target.offsetHeight) < 24).map((target) => target.outerHTML)";

/// Asserts that nothing scrolls sideways.
pub(crate) async fn assert_fits(browser: &Browser, name: &str) {
    let fits = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(fits).await, true, "{name} scrolls sideways");
}

/// The serious findings of axe-core, by rule and element.
pub(crate) async fn serious(browser: &Browser, axe: &str) -> Value {
    browser.run(axe).await;
    let script = "
        const done = arguments[0];
        axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((found) => done(
            found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => [one.id, one.nodes.map((node) => node.html)])))";
    browser.client.execute_async(script, Vec::new()).await.unwrap()
}
