//! The JSON API, described by `openapi.json`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use clap::ValueEnum as _;
use common::Rect;
use models::{CaptionSummary, Description, Style, Tag};
use serde::Serialize;

use crate::backend::{Answer, into_memory};
use crate::error::Problem;
use crate::memory::hold_until_sent;
use crate::stages::Stages;
use crate::upload::{Upload, Uploads};
use crate::{Error, ModelInfo, Shared};

/// The `OpenAPI` document.
pub(crate) const OPENAPI: &str = include_str!("openapi.json");

/// The captions of a response, unless the query says otherwise.
const CAPTIONS: usize = 3;
/// The most letters of an unknown parameter that its error repeats.
const MAX_NAME: usize = 40;
/// The widest beam that a query may ask for.
const MAX_BEAM: usize = 20;

/// The query parameters of our own interface.
#[derive(Debug, Default)]
pub(crate) struct CaptionQuery {
    /// The number of captions of the response, the best first.
    n: Option<usize>,
    /// The beam of the search.
    beam: Option<usize>,
    /// Whether captions have their words, with probability and attention.
    attention: bool,
    /// The style of sentences.
    style: Style,
}

impl<S: Sync> FromRequestParts<S> for CaptionQuery {
    type Rejection = Error;

    /// Reads the query before the body, so that a wrong one is refused at once.
    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Error> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&head.uri);
        let Query(pairs) = pairs.map_err(|_| Error::BadQuery("not NAME=VALUE".to_owned()))?;
        let mut query = Self::default();
        for (name, value) in &pairs {
            query.set(name, value).map_err(Error::BadQuery)?;
        }
        Ok(query)
    }
}

impl CaptionQuery {
    /// Sets a parameter.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = |most: usize, range: &str| {
            let number = value.parse().ok().filter(|number| (1..=most).contains(number));
            number.map(Some).ok_or_else(|| format!("{name} must be a number {range}"))
        };
        match name {
            "n" => self.n = number(usize::MAX, "from 1 on")?,
            "beam" => self.beam = number(MAX_BEAM, &format!("from 1 to {MAX_BEAM}"))?,
            "attention" => {
                let is_wanted = value.parse();
                self.attention =
                    is_wanted.map_err(|_| "attention must be true or false".to_owned())?;
            }
            "style" => {
                let style = Style::from_str(value, false);
                self.style = style.map_err(|_| "style must be plain or alt".to_owned())?;
            }
            _ => {
                let name = name.chars().take(MAX_NAME).collect::<String>();
                return Err(format!("{name} is unknown; n, beam, attention and style are known"));
            }
        }
        Ok(())
    }
}

/// The response about one photo.
#[derive(Serialize)]
struct PhotoResponse<'a> {
    caption: &'a str,
    sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
    /// Whether nothing like the photo was in the training photos.
    unfamiliar: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Tag]>,
    captions: Vec<CaptionSummary<'a>>,
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
    fn new(answer: &'a Answer, query: &CaptionQuery, model: &'a ModelInfo) -> Self {
        let Description { captions, tags, unfamiliar } = &answer.captions.description;
        let wanted = captions.iter().take(query.n.unwrap_or(CAPTIONS));
        Self {
            caption: captions.first().map_or("", |best| &best.text),
            sentence: captions.first().map(|best| query.style.sentence(best)).unwrap_or_default(),
            confidence: captions.first().and_then(|best| best.confidence),
            unfamiliar: *unfamiliar,
            tags: tags.as_deref(),
            captions: wanted
                .map(|of| CaptionSummary::new(of, query.style, query.attention))
                .collect(),
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
    query: CaptionQuery,
    Upload(photo): Upload,
) -> Result<Response, Error> {
    let answer = shared.backend.caption(photo, shared.backend.search(query.beam)).await?;
    let body = Json(PhotoResponse::new(&answer, &query, shared.backend.info()));
    let response = (AppendHeaders([(SERVER_TIMING, server_timing(&answer))]), body).into_response();
    Ok(hold_until_sent(response, vec![answer.memory]))
}

/// `POST /api/captions`: a photo that cannot be captioned has an error instead. If no photo gets a queue permit, the whole
/// request is refused.
pub(crate) async fn captions(
    State(shared): State<Arc<Shared>>,
    query: CaptionQuery,
    Uploads(photos): Uploads,
) -> Result<Response, Error> {
    let answers = shared.backend.caption_all(photos, shared.backend.search(query.beam)).await;
    if answers.iter().all(|answer| matches!(answer, Err(Error::QueueFull))) {
        return Err(Error::QueueFull);
    }
    let result = |answer| match answer {
        Ok(answer) => {
            PhotoResult::Captioned(PhotoResponse::new(answer, &query, shared.backend.info()))
        }
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
