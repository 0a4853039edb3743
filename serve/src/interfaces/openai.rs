//! `OpenAI`'s chat completions: photos as data URLs in `image_url`, the sentence as the content of the answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sentences;
use crate::clock::now_in_seconds;
use crate::json::{Parsed, decode_photos};
use crate::memory::hold_until_sent;
use crate::requests::ID;
use crate::{Error, Shared};

/// The request of the next message. The photos of the last message that has some are captioned.
#[derive(Deserialize)]
pub(crate) struct ChatRequest {
    model: Option<String>,
    messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// A message. Its content is a text, or parts; everything but photos is ignored.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Value,
}

impl Message {
    /// The addresses of its photos: `image_url.url` of parts, or `image_url` itself, as some clients send it.
    fn photos(&self) -> Vec<&str> {
        let urls = self.content.as_array().into_iter().flatten().map(|part| &part["image_url"]);
        urls.filter_map(|url| url.as_str().or_else(|| url["url"].as_str())).collect()
    }
}

/// What all documents of a response share.
struct Completion<'a> {
    id: String,
    created: u64,
    model: &'a str,
}

impl Completion<'_> {
    fn document(&self, object: &str, choices: &Value) -> Value {
        let Self { id, created, model } = self;
        json!({ "id": id, "object": object, "created": created, "model": model, "choices": choices })
    }

    fn whole(&self, text: &str) -> Value {
        let message = json!({ "role": "assistant", "content": text, "refusal": null });
        let choice =
            json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" });
        let mut document = self.document("chat.completion", &json!([choice]));
        document["usage"] = usage();
        document
    }

    /// Server-sent events: the text, the end, on request the usage, and the mark of the end.
    fn events(&self, text: &str, include_usage: bool) -> String {
        let chunk = |delta: Value, finish_reason: Option<&str>| {
            let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason });
            self.document("chat.completion.chunk", &json!([choice]))
        };
        let text = chunk(json!({ "role": "assistant", "content": text }), None);
        let mut chunks = vec![text, chunk(json!({}), Some("stop"))];
        if include_usage {
            let mut last = self.document("chat.completion.chunk", &json!([]));
            last["usage"] = usage();
            chunks.push(last);
        }
        let data = chunks.iter().map(Value::to_string).chain(["[DONE]".to_owned()]);
        data.map(|data| ["data: ", &data, "\n\n"].concat()).collect()
    }
}

/// Tokens are not counted: a caption is not paid by them.
fn usage() -> Value {
    json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 })
}

/// `POST /v1/chat/completions`.
pub(crate) async fn chat(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    request: Parsed<ChatRequest>,
) -> Result<Response, Error> {
    let ChatRequest { model, messages, stream, stream_options } = &request.value;
    let mut photos = messages.iter().rev().map(Message::photos);
    let photos = photos.find(|photos| !photos.is_empty()).unwrap_or_default();
    let sentences = Sentences::caption(&shared, decode_photos(&shared, &photos)?).await?;
    let id = headers.get(ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let completion = Completion {
        id: format!("chatcmpl-{id}"),
        created: now_in_seconds(),
        model: model.as_deref().unwrap_or(&shared.backend.info().name),
    };
    let response = if stream.unwrap_or_default() {
        let include_usage = stream_options.as_ref().and_then(|options| options.include_usage);
        let include_usage = include_usage.unwrap_or_default();
        let events = completion.events(&sentences.text, include_usage);
        ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
    } else {
        Json(completion.whole(&sentences.text)).into_response()
    };
    Ok(hold_until_sent(response, sentences.into_memory()))
}

/// `GET /v1/models`: the model.
pub(crate) async fn models(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "object": "list", "data": [model(&shared.backend.info().name)] }))
}

/// `GET /v1/models/{name}`: the model, whatever name is asked for.
pub(crate) async fn named_model(
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Error> {
    let Path(name) = name.map_err(|_| Error::NotFound)?;
    Ok(Json(model(&name)))
}

fn model(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "showtell" })
}
