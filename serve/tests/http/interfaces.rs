//! Interfaces of other servers, by their requests and by their clients.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use serve::{Options, Size};
use tests::{clients, node};

use crate::process::Process;
use crate::{app, app_with, ask, form, header_of, json as body_of, photo, png, raw, text};

fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

fn in_base64() -> String {
    STANDARD.encode(photo())
}

/// The requests of each interface for photos, each in base64 or as a data URL.
fn requests(photos: &[String]) -> Vec<Request<Body>> {
    let url = |photo: &String| json!({ "type": "image_url", "image_url": { "url": photo } });
    let parts = photos.iter().map(url).collect::<Vec<_>>();
    let first = photos.first().cloned().unwrap_or_default();
    vec![
        post(
            "/api/generate",
            &json!({ "prompt": "?", "images": photos, "stream": false, "options": {} }),
        ),
        post(
            "/api/chat",
            &json!({ "messages": [{ "role": "user", "images": photos }], "stream": false }),
        ),
        post(
            "/v1/chat/completions",
            &json!({ "messages": [{ "content": parts }], "temperature": 0 }),
        ),
        post("/hf/image-to-text", &json!({ "inputs": first, "parameters": {} })),
        post("/api/v1/vision/caption", &json!({ "id": "1", "images": [first] })),
        post("/api/caption", &json!({ "image": first })),
        post("/api/captions", &json!({ "images": [first] })),
    ]
}

/// The place of the sentence in the answer of each interface.
const SENTENCES: [&str; 7] = [
    "/response",
    "/message/content",
    "/choices/0/message/content",
    "/0/generated_text",
    "/result/caption/text",
    "/sentence",
    "/results/0/sentence",
];
/// The place of the message in the errors of each interface.
const MESSAGES: [&str; 7] =
    ["/error", "/error", "/error/message", "/error", "/error", "/error/message", "/error/message"];

async fn at(response: Response<Body>, pointer: &str) -> String {
    let body = body_of(response).await;
    let found = body.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{pointer} is not in {body}")).to_owned()
}

#[tokio::test]
async fn each_interface_answers_with_the_same_sentence() {
    let app = app();
    let own = body_of(ask(&app, raw(photo())).await).await;
    let sentence = own["sentence"].as_str().unwrap();
    let url_safe = in_base64().replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned();
    let forms = [in_base64(), format!("data:image/png;base64,{}", in_base64()), url_safe];
    for form in forms {
        for (request, pointer) in requests(&[form]).into_iter().zip(SENTENCES) {
            let path = request.uri().to_string();
            let response = ask(&app, request).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(at(response, pointer).await, sentence, "{path}");
        }
    }
    let both = vec![in_base64(), STANDARD.encode(png(20, 20, [10, 20, 200]))];
    for (request, pointer) in requests(&both).into_iter().zip(SENTENCES).take(3) {
        let sentences = at(ask(&app, request).await, pointer).await;
        assert_eq!(sentences.lines().count(), 2, "{sentences}");
    }
}

#[tokio::test]
async fn each_interface_has_errors_of_its_own_form() {
    let app = app();
    let api_key = Some("s3cret".parse().unwrap());
    let locked = app_with(Options { api_key, ..Options::default() });
    let small = app_with(Options { max_upload: Size::new(100), ..Options::default() });
    let text_of = |text: &str| STANDARD.encode(text);
    for (app, photo, status) in [
        (&app, text_of("text"), 400),
        (&app, "http://127.0.0.1/a.jpg".to_owned(), 400),
        (&app, "data:image/png,abc".to_owned(), 400),
        (&app, "no base64!".to_owned(), 400),
        (&locked, in_base64(), 401),
        (&small, text_of(&"x".repeat(101)), 413),
        (&small, text_of(&"x".repeat(200_000)), 413),
    ] {
        for (request, pointer) in requests(&[photo]).into_iter().zip(MESSAGES).take(6) {
            let path = request.uri().to_string();
            let response = ask(app, request).await;
            assert_eq!(response.status(), status, "{path}");
            assert!(!at(response, pointer).await.is_empty());
        }
    }
    for path in ["/api/generate", "/v1/chat/completions", "/hf/image-to-text"] {
        let damaged = ask(&app, Request::post(path).body(Body::from("{")).unwrap()).await;
        assert_eq!(damaged.status(), StatusCode::BAD_REQUEST, "{path}");
        let wrong = Request::delete(path).body(Body::empty()).unwrap();
        assert!(
            body_of(ask(&app, wrong).await).await["error"].is_string() || path.starts_with("/v1")
        );
    }
    let many = format!("{{\"images\": [{}\"\"]}}", "\"\",".repeat(12_000));
    let many = Request::post("/api/generate").body(Body::from(many)).unwrap();
    assert!(at(ask(&app, many).await, "/error").await.contains("more than 10000 parts"));
    let without =
        ask(&app, post("/api/chat", &json!({ "messages": [{ "content": "hello" }] }))).await;
    assert!(at(without, "/error").await.contains("No photo"));
}

/// The least memory that the options allow is enough for the largest photo in JSON.
#[tokio::test]
async fn the_largest_photo_in_json_fits_into_the_least_memory() {
    let limits =
        |mib| Options { memory: Size::mib(mib), max_upload: Size::mib(2), ..Options::default() };
    let least = (1..200).find(|&mib| limits(mib).check().is_ok()).unwrap();
    let app = app_with(limits(least));
    let largest = STANDARD.encode(vec![7; 2 << 20]);
    for (request, pointer) in requests(&[largest]).into_iter().zip(MESSAGES).take(6) {
        let path = request.uri().to_string();
        let response = ask(&app, request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        assert!(at(response, pointer).await.contains("not an image"), "{path}");
    }
}

#[tokio::test]
async fn our_own_interface_takes_parameters_and_refuses_unknown_ones() {
    let app = app();
    let asked = |query: &str| {
        let request = Request::post(format!("/api/caption{query}"));
        ask(&app, request.body(Body::from(photo())).unwrap())
    };
    let plain = asked("").await;
    let plain = text(plain).await;
    assert!(plain.len() < 2000, "{} bytes", plain.len());
    let plain = serde_json::from_str::<Value>(&plain).unwrap();
    assert!(plain["captions"][0]["words"].is_null());
    assert_eq!(body_of(asked("?n=1").await).await["captions"].as_array().unwrap().len(), 1);
    let whole = body_of(asked("?n=9&attention=true&beam=2").await).await;
    assert_eq!(whole["captions"].as_array().unwrap().len(), 2);
    assert!(whole["captions"][0]["words"][0]["attention"].is_array());
    assert_eq!(whole["cached"], false, "another beam is another search");
    let alt = body_of(asked("?style=alt").await).await;
    assert!(alt["sentence"].as_str().unwrap().ends_with('.'), "{alt}");
    for wrong in ["?style=x", "?m=1", "?n=0", "?n=x", "?beam=0", "?beam=21", "?attention=2"] {
        let refused = asked(wrong).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(body_of(refused).await["error"]["code"], "bad_query", "{wrong}");
    }
    for field in ["file", "files", "image", "images"] {
        let answer = ask(&app, form("/api/caption", &[(field, &photo())])).await;
        assert_eq!(body_of(answer).await["caption"], plain["caption"], "{field}");
    }
    let unknown = ask(&app, post("/api/caption", &json!({ "image": in_base64(), "m": 1 }))).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn streams_have_the_form_that_clients_read() {
    let app = app();
    let stream = json!({ "images": [in_base64()], "messages": [] });
    let lines = ask(&app, post("/api/generate", &stream)).await;
    assert_eq!(header_of(&lines, "content-type"), "application/x-ndjson");
    let lines = text(lines).await;
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let done = lines.map(|line| line["done"].as_bool().unwrap()).collect::<Vec<_>>();
    assert_eq!(done, [false, true]);
    let part = json!({ "type": "image_url", "image_url": format!("data:;base64,{}", in_base64()) });
    let chat =
        json!({ "messages": [{ "content": [part] }, { "content": "and?" }], "stream": true });
    let odd = json!({
        "messages": [{ "content": ["text", { "type": "text" }, chat["messages"][0]["content"][0]] }, { "content": {} }, {}],
        "stream": null, "stream_options": { "include_usage": null },
    });
    assert_eq!(ask(&app, post("/v1/chat/completions", &odd)).await.status(), StatusCode::OK);
    let events = ask(&app, post("/v1/chat/completions", &chat)).await;
    assert_eq!(header_of(&events, "content-type"), "text/event-stream");
    let events = text(events).await;
    assert!(events.starts_with("data: {") && events.ends_with("data: [DONE]\n\n"), "{events}");
}

/// Runs a program on a script that talks to the server; returns what it prints.
fn run(program: &Path, arguments: &[&OsStr]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("HTTP_PROXY").env_remove("http_proxy").env("NO_PROXY", "*");
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A photo in a folder of its own.
fn photo_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.png");
    common::files::replace(&path, &photo()).unwrap();
    (folder, path)
}

/// The sentence of the photo by the server's own interface.
fn sentence(server: &Process, key: &str) -> String {
    let request = ureq::post(format!("{}api/caption", server.address));
    let request = request.header("authorization", format!("Bearer {key}"));
    let answer = request.send(&photo()[..]).unwrap().body_mut().read_to_string().unwrap();
    let answer = serde_json::from_str::<Value>(&answer).unwrap();
    answer["sentence"].as_str().unwrap().to_owned()
}

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/clients.py");

/// `openai`, `ollama` and `huggingface_hub` caption a photo, streaming and not, and understand errors.
#[test]
fn clients_in_python_caption_a_photo() {
    let Some(python) = clients() else { return };
    let (_folder, path) = photo_file();
    let server = Process::start(&["--api-key", "s3cret"], Stdio::null());
    let sentence = sentence(&server, "s3cret");
    run(&python, &[CLIENTS.as_ref(), server.address.as_ref(), path.as_ref(), sentence.as_ref()]);
}

#[test]
fn clients_in_python_understand_a_full_queue() {
    let Some(python) = clients() else { return };
    let (_folder, path) = photo_file();
    let server = Process::start(&["--queue", "1", "--cache", "0"], Stdio::null());
    run(&python, &[CLIENTS.as_ref(), server.address.as_ref(), path.as_ref()]);
}

/// The examples of docs/api.md print the sentence.
#[test]
fn examples_of_the_documentation_caption_a_photo() {
    let (Some(python), Some(node)) = (clients(), node()) else { return };
    let (folder, path) = photo_file();
    let server = Process::start(&[], Stdio::null());
    let sentence = sentence(&server, "");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, page) = page.split_once("## Interfaces of other servers").unwrap();
    for (program, language, file, lines) in
        [(python, "```python\n", "example.py", 3), (node, "```js\n", "example.mjs", 1)]
    {
        let (_, example) = page.split_once(language).unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let example =
            example.replace("http://127.0.0.1:5000", server.address.trim_end_matches('/'));
        let script = folder.path().join(file);
        let example = example.replace("photo.jpg", path.to_str().unwrap());
        common::files::replace(&script, example.as_bytes()).unwrap();
        let printed = run(&program, &[script.as_ref()]);
        assert_eq!(printed, format!("{sentence}\n").repeat(lines), "{file}");
    }
}
