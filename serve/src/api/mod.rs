//! The JSON API, described by `openapi.json`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use common::Rect;
use models::{Caption, Description, Tag};
use serde::Serialize;

use crate::backend::{Answer, into_memory};
use crate::error::Problem;
use crate::memory::hold_until_sent;
use crate::stages::Stages;
use crate::upload::{Upload, Uploads};
use crate::{Error, ModelInfo, Shared};

const OPENAPI: &str = include_str!("openapi.json");

/// The response about one photo.
#[derive(Serialize)]
struct PhotoResponse<'a> {
    caption: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
    /// Whether nothing like the photo was in the training photos.
    unfamiliar: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Tag]>,
    captions: &'a [Caption],
    /// The part of the photo that the attention covers: left, top, width, height, as shares of its sides.
    seen: Rect,
    cached: bool,
    encoder: &'a str,
    model: &'a str,
    timings_ms: Timings,
}

#[derive(Serialize)]
struct Timings {
    queue: f64,
    decode: f64,
    encode: f64,
    search: f64,
}

/// The result for one of several photos.
#[derive(Serialize)]
#[serde(untagged)]
enum PhotoResult<'a> {
    Captioned(PhotoResponse<'a>),
    Failed { error: Problem },
}

/// The response about several photos.
#[derive(Serialize)]
struct PhotosResponse<'a> {
    results: Vec<PhotoResult<'a>>,
}

impl<'a> PhotoResponse<'a> {
    fn new(answer: &'a Answer, model: &'a ModelInfo) -> Self {
        let Description { captions, tags, unfamiliar } = &answer.captions.description;
        Self {
            caption: captions.first().map_or("", |best| &best.text),
            confidence: captions.first().and_then(|best| best.confidence),
            unfamiliar: *unfamiliar,
            tags: tags.as_deref(),
            captions,
            seen: answer.captions.seen,
            cached: answer.is_cached,
            encoder: &model.encoder,
            model: &model.name,
            timings_ms: Timings::new(&answer.stages),
        }
    }
}

impl Timings {
    fn new(stages: &Stages) -> Self {
        let [queue, decode, encode, search] =
            stages.named().map(|(_, duration)| duration.as_secs_f64() * 1000.0);
        Self { queue, decode, encode, search }
    }
}

/// `POST /api/caption`.
pub(crate) async fn caption(
    State(shared): State<Arc<Shared>>,
    Upload(photo): Upload,
) -> Result<Response, Error> {
    let answer = shared.backend.caption(photo).await?;
    let body = Json(PhotoResponse::new(&answer, shared.backend.info()));
    let response = (AppendHeaders([(SERVER_TIMING, server_timing(&answer))]), body).into_response();
    Ok(hold_until_sent(response, vec![answer.memory]))
}

/// `POST /api/captions`: a photo that cannot be captioned has an error instead. If no photo gets a queue permit, the whole
/// request is refused.
pub(crate) async fn captions(
    State(shared): State<Arc<Shared>>,
    Uploads(photos): Uploads,
) -> Result<Response, Error> {
    let answers = shared.backend.caption_all(photos).await;
    if answers.iter().all(|answer| matches!(answer, Err(Error::QueueFull))) {
        return Err(Error::QueueFull);
    }
    let result = |answer| match answer {
        Ok(answer) => PhotoResult::Captioned(PhotoResponse::new(answer, shared.backend.info())),
        Err(error) => PhotoResult::Failed { error: Error::problem(error) },
    };
    let results = answers.iter().map(|answer| result(answer.as_ref())).collect();
    let response = Json(PhotosResponse { results }).into_response();
    Ok(hold_until_sent(response, into_memory(answers)))
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

const SERVER_TIMING: header::HeaderName = header::HeaderName::from_static("server-timing");

/// The stages of the work, for the developer tools of browsers.
fn server_timing(answer: &Answer) -> HeaderValue {
    let entry = |(name, duration): (&str, std::time::Duration)| {
        format!("{name};dur={:.1}", duration.as_secs_f64() * 1000.0)
    };
    let text = if answer.is_cached {
        "cache;desc=hit".to_owned()
    } else {
        answer.stages.named().map(entry).join(", ")
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
