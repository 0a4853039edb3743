//! The JSON interface.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use models::Caption;
use models::captioner::Captioned;
use serde::Serialize;

use crate::upload::Upload;
use crate::{Error, Shared};

/// The answer of `POST /api/caption`.
#[derive(Serialize)]
pub(crate) struct Answer {
    caption: String,
    captions: Vec<Caption>,
    encoder: String,
    model: String,
    timings_ms: Timings,
}

#[derive(Serialize)]
struct Timings {
    decode: f64,
    encode: f64,
    search: f64,
}

pub(crate) async fn caption(
    State(shared): State<Arc<Shared>>,
    Upload(image): Upload,
) -> Result<Json<Answer>, Error> {
    let Captioned { captions, decode, encode, search } = shared.backend.caption(image).await?;
    let info = shared.backend.info();
    let milliseconds = |part: Duration| part.as_secs_f64() * 1000.0;
    Ok(Json(Answer {
        caption: captions.first().map(|best| best.text.clone()).unwrap_or_default(),
        captions,
        encoder: info.encoder.clone(),
        model: info.name.clone(),
        timings_ms: Timings {
            decode: milliseconds(decode),
            encode: milliseconds(encode),
            search: milliseconds(search),
        },
    }))
}

pub(crate) async fn health() -> &'static str {
    "ok\n"
}
