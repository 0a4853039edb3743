//! The page and the API behind proxies, from other sites, and without a server.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _};
use fantoccini::Locator;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

use crate::driver::{Browser, DESKTOP, Server};
use crate::{captioned, photo};

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
            "window.sent ??= window.fetch;
             window.fetch = async () => new Response(arguments[0], {{ status: {status} }})"
        );
        browser.client.execute(&answer, vec![body.into()]).await.unwrap();
        browser.choose(photo).await;
        let text = browser.text(".result:last-child .state.problem").await;
        assert!(text.starts_with(problem), "{status}: {text}");
        let offered =
            "return document.querySelector('.result:last-child .again').checkVisibility()";
        assert_eq!(browser.run(offered).await, again, "{status}");
        browser.click(".sidecars").await;
        browser.until_text(".message", &format!("{elsewhere} (status {status})")).await;
    }
    browser.run("window.fetch = window.sent").await;
    drop(server);
    let gone = "The server does not answer. Is it still running?";
    browser.choose(photo).await;
    assert_eq!(browser.text(".result:last-child .state.problem").await, gone);
    browser.click(".sidecars").await;
    browser.until_text(".message", gone).await;
    // With a seventh photo the page shows its table.
    browser.click("[data-sample]").await;
    assert_eq!(browser.text("tbody tr:last-child .state.problem").await, gone);
    browser.close().await;
}

#[tokio::test]
async fn a_failed_photo_can_be_tried_again() {
    let Some((server, browser)) = captioned(DESKTOP).await else { return };
    let fail = "window.sent = window.fetch; window.fetch = async () => { throw new TypeError('offline'); }";
    browser.run(fail).await;
    browser.choose(&server.file("late.png", &photo())).await;
    browser.text(".result:last-child .state.problem").await;
    browser.run("window.fetch = window.sent").await;
    browser.click(".result:last-child .again button").await;
    assert!(browser.is_active(".result:last-child").await, "the focus is lost");
    browser.until("return document.querySelectorAll('.result:has(.word)').length === 2").await;
    let left = "return document.querySelector('.result:last-child .problem, .again:not([hidden])') === null";
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
    browser.click("[data-sample]").await;
    browser.until("return document.querySelectorAll('.result:has(.word)').length === 2").await;
    browser.client.find(Locator::LinkText("Tiếng Việt")).await.unwrap().click().await.unwrap();
    assert_eq!(browser.run("return document.documentElement.lang").await, "vi");
    let pictures = "return [...document.images].filter((image) => image.src).every((image) => image.complete && image.naturalWidth > 0)";
    browser.until(pictures).await;
    let address = browser.client.current_url().await.unwrap();
    assert_eq!(address.as_str(), format!("{below}?language=vi"));
    let example = browser.run("return document.querySelector('.about code').textContent").await;
    assert!(example.as_str().unwrap().contains(&format!("{below}api/caption")), "{example}");
    browser.click("summary").await;
    browser.click(".about a").await;
    browser.text("body.reference h1").await;
    let styled = "return getComputedStyle(document.body).getPropertyValue('--paper') !== ''";
    browser.until(styled).await;
    assert_eq!(browser.client.current_url().await.unwrap().as_str(), format!("{below}docs"));
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
