//! The interface for programs, as `openapi.json` describes it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use models::Caption;
use models::preprocess::Region;
use serde::Serialize;

use crate::backend::{Answer, rooms_of};
use crate::error::Problem;
use crate::memory::until_sent;
use crate::stages::Stages;
use crate::upload::{Upload, Uploads};
use crate::{Error, ModelInfo, Shared};

const OPENAPI: &str = include_str!("openapi.json");

/// What is said about one photo.
#[derive(Serialize)]
struct Told<'a> {
    caption: &'a str,
    captions: &'a [Caption],
    /// The part of the photo that attention is about: left, top, width, height, as shares of its sides.
    seen: Region,
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

/// What is said about one of several photos.
#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Told(Told<'a>),
    Refused { error: Problem },
}

#[derive(Serialize)]
struct Several<'a> {
    results: Vec<Item<'a>>,
}

impl<'a> Told<'a> {
    fn of(answer: &'a Answer, model: &'a ModelInfo) -> Self {
        let captions = &answer.found.captions;
        Self {
            caption: captions.first().map_or("", |best| &best.text),
            captions,
            seen: answer.found.seen,
            cached: answer.cached,
            encoder: &model.encoder,
            model: &model.name,
            timings_ms: Timings::of(&answer.stages),
        }
    }
}

impl Timings {
    fn of(stages: &Stages) -> Self {
        let [queue, decode, encode, search] =
            stages.named().map(|(_, took)| took.as_secs_f64() * 1000.0);
        Self { queue, decode, encode, search }
    }
}

/// `POST /api/caption`.
pub(crate) async fn caption(
    State(shared): State<Arc<Shared>>,
    Upload(photo): Upload,
) -> Result<Response, Error> {
    let answer = shared.backend.caption(photo).await?;
    let told = Json(Told::of(&answer, shared.backend.info()));
    let response = (AppendHeaders([(SERVER_TIMING, server_timing(&answer))]), told).into_response();
    Ok(until_sent(response, vec![answer.room]))
}

/// `POST /api/captions`: what cannot be captioned has an error in its place. Where no photo finds a place, the
/// request is refused as a whole.
pub(crate) async fn captions(
    State(shared): State<Arc<Shared>>,
    Uploads(photos): Uploads,
) -> Result<Response, Error> {
    let answers = shared.backend.caption_all(photos).await;
    if answers.iter().all(|answer| matches!(answer, Err(Error::QueueFull))) {
        return Err(Error::QueueFull);
    }
    let item = |answer| match answer {
        Ok(answer) => Item::Told(Told::of(answer, shared.backend.info())),
        Err(error) => Item::Refused { error: Error::problem(error) },
    };
    let results = answers.iter().map(|answer| item(answer.as_ref())).collect();
    let response = Json(Several { results }).into_response();
    Ok(until_sent(response, rooms_of(answers)))
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

const SERVER_TIMING: header::HeaderName = header::HeaderName::from_static("server-timing");

/// The parts of the work for the developer tools of browsers.
fn server_timing(answer: &Answer) -> HeaderValue {
    let part = |(name, took): (&str, std::time::Duration)| {
        format!("{name};dur={:.1}", took.as_secs_f64() * 1000.0)
    };
    let text = if answer.cached {
        "cache;desc=hit".to_owned()
    } else {
        answer.stages.named().map(part).join(", ")
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
