//! The reference of the API, and the panel of the page about the model and the API.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serve::Options;

use crate::{app, app_with, ask, get, header_of, json, text};

/// The text of a page. Its template escapes slashes.
async fn page(app: &Router, request: Request<Body>) -> String {
    text(ask(app, request).await).await.replace("&#x2f;", "/")
}

/// A request for the page at `path`, with a key.
fn with_key(path: &str) -> Request<Body> {
    let request = Request::get(path).header(header::AUTHORIZATION, "Bearer s3cret");
    request.body(Body::empty()).unwrap()
}

fn locked() -> Router {
    app_with(Options { api_key: Some("s3cret".parse().unwrap()), ..Options::default() })
}

#[tokio::test]
async fn the_reference_has_every_operation_of_the_document() {
    let app = app();
    let document = json(ask(&app, get("/api/openapi.json")).await).await;
    let page = page(&app, get("/docs")).await;
    let sections = page.split("<section>").skip(1).collect::<Vec<_>>();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let title = format!("<span class=\"method\">{method}</span> <code>{path}</code>");
            let section = sections.iter().find(|section| section.contains(&title));
            let section = section.unwrap_or_else(|| panic!("{title} is not in {page}"));
            for status in operation["responses"].as_object().unwrap().keys() {
                assert!(section.contains(status), "{method} {path}: {status}");
            }
        }
    }
    let schemas = &document["components"]["schemas"];
    for name in schemas.as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
    }
    let codes = &schemas["Refused"]["properties"]["error"]["properties"]["code"]["enum"];
    for code in codes.as_array().unwrap() {
        let term = format!("<dt><code>{}</code></dt>", code.as_str().unwrap());
        assert!(page.contains(&term), "{term}");
    }
    assert!(page.contains("<code>beam</code> <span class=\"kind\">query, integer from 1 up to 20"));
    assert!(page.contains("query, boolean, default <code>false</code>"), "{page}");
    assert!(
        page.contains("<code>error.code</code>") && page.contains("<code>photos[].name</code>")
    );
}

/// Links of the reference are relative, so it works below a path of a proxy, and have a target.
#[tokio::test]
async fn the_reference_needs_no_other_host() {
    let app = app();
    let page = page(&app, get("/docs")).await;
    assert!(!page.contains("<script") && !page.contains(" style="), "{page}");
    for attribute in ["href=\"", "src=\""] {
        for rest in page.split(attribute).skip(1) {
            let address = rest.split('"').next().unwrap();
            assert!(!address.starts_with('/') && !address.contains(':'), "{attribute}{address}");
        }
    }
    for rest in page.split("href=\"#").skip(1) {
        let target = rest.split('"').next().unwrap();
        assert_eq!(page.matches(&format!("id=\"{target}\"")).count(), 1, "{target}");
    }
    for rest in page.split("\"assets/").skip(1) {
        let asset = format!("/assets/{}", rest.split('"').next().unwrap());
        assert_eq!(ask(&app, get(&asset)).await.status(), StatusCode::OK, "{asset}");
    }
}

#[tokio::test]
async fn the_reference_has_the_headers_and_the_key_of_the_page() {
    let app = app();
    let (reference, page) = (ask(&app, get("/docs")).await, ask(&app, get("/")).await);
    for name in [
        "content-type",
        "content-language",
        "cache-control",
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "cross-origin-opener-policy",
        "permissions-policy",
    ] {
        assert_eq!(header_of(&reference, name), header_of(&page, name), "{name}");
    }
    let head = ask(&app, Request::head("/docs").body(Body::empty()).unwrap()).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(header_of(&head, "content-type"), header_of(&page, "content-type"));
    assert_eq!(text(head).await, "");

    let locked = locked();
    assert_eq!(ask(&locked, get("/docs")).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&locked, with_key("/docs")).await.status(), StatusCode::OK);
}

/// The panel about the model and the API.
fn panel(page: &str) -> &str {
    let panel = page.split("<details class=\"about\">").nth(1).unwrap();
    panel.split("</details>").next().unwrap()
}

#[tokio::test]
async fn the_panel_has_the_model_and_examples() {
    let app = app();
    let english = page(&app, get("/?language=en")).await;
    for part in [
        "<dd>small.onnx</dd>",
        "Scores × 100 on the dev split",
        "CIDEr 12.3",
        "made by the tests",
        "curl --data-binary @photo.jpg \"<span class=\"address\">ADDRESS</span>/api/caption\"</code>",
        "{ method: \"POST\", body }",
        "urllib.request.Request(address, photo)",
        "href=\"docs\"",
        "href=\"api/openapi.json\"",
    ] {
        assert!(panel(&english).contains(part), "{part} is not in {english}");
    }
    assert!(!panel(&english).contains("KEY"), "{english}");
    let vietnamese = page(&app, get("/?language=vi")).await;
    for part in ["CIDEr 12,3", "trên tập kiểm định (dev)", "<dd lang=\"en\">made by the tests"]
    {
        assert!(panel(&vietnamese).contains(part), "{part} is not in {vietnamese}");
    }
}

#[tokio::test]
async fn the_examples_have_a_key_if_the_server_has_one() {
    let page = page(&locked(), with_key("/")).await;
    for part in [
        "This server requires a key",
        "curl --header \"Authorization: Bearer KEY\" --data-binary",
        "headers: { Authorization: \"Bearer KEY\" }, body }",
        "photo, {\"Authorization\": \"Bearer KEY\"})",
    ] {
        assert!(panel(&page).contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("s3cret"), "the key is on the page");
}
