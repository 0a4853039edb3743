//! Ollama's interface (docs/api.md of its repository): a photo in `images`, the sentence in `response` or `message`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sentences;
use crate::clock::now_in_text;
use crate::json::{Parsed, decode_photos};
use crate::memory::hold_until_sent;
use crate::{Error, ModelInfo, Shared};

/// The request of a text about photos.
#[derive(Deserialize)]
pub(crate) struct GenerateRequest {
    model: Option<String>,
    prompt: Option<String>,
    images: Option<Vec<String>>,
    stream: Option<bool>,
}

/// The request of the next message of a chat. The photos of the last message that has some are captioned.
#[derive(Deserialize)]
pub(crate) struct ChatRequest {
    model: Option<String>,
    messages: Vec<Message>,
    stream: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    images: Option<Vec<String>>,
}

/// The time at which the model is unloaded.
const FOREVER: &str = "9999-12-31T23:59:59Z";

/// The kind of a response: the member with its text.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Generate,
    Chat,
}

impl Kind {
    fn part(self, text: &str) -> (&'static str, Value) {
        match self {
            Self::Generate => ("response", json!(text)),
            Self::Chat => ("message", json!({ "role": "assistant", "content": text })),
        }
    }
}

/// `POST /api/generate`. Without a photo and a prompt it answers that the model is loaded, as Ollama does.
pub(crate) async fn generate(
    State(shared): State<Arc<Shared>>,
    request: Parsed<GenerateRequest>,
) -> Result<Response, Error> {
    let GenerateRequest { model, prompt, images, stream } = &request.value;
    let images = texts(images.as_ref());
    let model = named(model.as_ref(), &shared);
    if images.is_empty() && prompt.as_deref().unwrap_or_default().is_empty() {
        return Ok(Json(line(Kind::Generate, model, "", Some("load"))).into_response());
    }
    let sentences = Sentences::caption(&shared, decode_photos(&shared, &images)?).await?;
    Ok(respond(Kind::Generate, model, sentences, stream.unwrap_or(true)))
}

/// `POST /api/chat`.
pub(crate) async fn chat(
    State(shared): State<Arc<Shared>>,
    request: Parsed<ChatRequest>,
) -> Result<Response, Error> {
    let ChatRequest { model, messages, stream } = &request.value;
    let mut images = messages.iter().rev().map(|message| texts(message.images.as_ref()));
    let images = images.find(|images| !images.is_empty()).unwrap_or_default();
    let sentences = Sentences::caption(&shared, decode_photos(&shared, &images)?).await?;
    Ok(respond(Kind::Chat, named(model.as_ref(), &shared), sentences, stream.unwrap_or(true)))
}

/// `GET /api/tags`: the model.
pub(crate) async fn tags(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let info = shared.backend.info();
    let model = json!({
        "name": info.name, "model": info.name, "modified_at": now_in_text(), "size": 0, "digest": "",
        "details": details(info),
    });
    Json(json!({ "models": [model] }))
}

/// `GET /api/ps`: the model, which is loaded all the time.
pub(crate) async fn running(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let info = shared.backend.info();
    let model = json!({
        "name": info.name, "model": info.name, "size": 0, "size_vram": 0, "digest": "",
        "expires_at": FOREVER, "details": details(info),
    });
    Json(json!({ "models": [model] }))
}

/// `POST /api/show`: the model, whatever name is asked for.
pub(crate) async fn show(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let info = shared.backend.info();
    Json(json!({
        "license": info.data_licence, "modelfile": "", "parameters": "", "template": "",
        "modified_at": now_in_text(), "details": details(info), "model_info": {},
        "capabilities": ["completion", "vision"],
    }))
}

/// `GET /api/version`.
pub(crate) async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION") }))
}

fn details(info: &ModelInfo) -> Value {
    json!({
        "parent_model": "", "format": "onnx", "family": info.network, "families": [info.network],
        "parameter_size": "", "quantization_level": "",
    })
}

fn texts(images: Option<&Vec<String>>) -> Vec<&str> {
    images.map(|images| images.iter().map(String::as_str).collect()).unwrap_or_default()
}

/// The name of the model as the client gave it: there is one model.
fn named<'a>(model: Option<&'a String>, shared: &'a Shared) -> &'a str {
    model.map_or(&shared.backend.info().name, String::as_str)
}

/// A document of a response; the last one has the reason of its end.
fn line(kind: Kind, model: &str, text: &str, done_reason: Option<&str>) -> Value {
    let (member, part) = kind.part(text);
    let mut line =
        json!({ "model": model, "created_at": now_in_text(), "done": done_reason.is_some() });
    line[member] = part;
    if let Some(reason) = done_reason {
        line["done_reason"] = json!(reason);
    }
    line
}

/// The response: one document, or for a stream two in lines, the text and the end.
fn respond(kind: Kind, model: &str, sentences: Sentences, stream: bool) -> Response {
    let text = &sentences.text;
    let response = if stream {
        let lines = [line(kind, model, text, None), line(kind, model, "", Some("stop"))];
        let lines = lines.map(|line| format!("{line}\n")).concat();
        ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
    } else {
        Json(line(kind, model, text, Some("stop"))).into_response()
    };
    hold_until_sent(response, sentences.into_memory())
}
