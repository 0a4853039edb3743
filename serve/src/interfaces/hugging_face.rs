//! Hugging Face's image-to-text: the bytes of a photo, or JSON with `inputs`; the sentence in `generated_text`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use models::Caption;
use serde::Deserialize;
use serde_json::json;

use crate::json::{Parsed, decode_photos};
use crate::memory::hold_until_sent;
use crate::reader::is_json;
use crate::upload::Upload;
use crate::{Error, Shared};

/// A photo in base64.
#[derive(Deserialize)]
struct Inputs {
    inputs: String,
}

/// `POST /hf/image-to-text`.
pub(crate) async fn image_to_text(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Error> {
    let photo = if is_json(request.headers()) {
        let request = Parsed::<Inputs>::read(request, &shared).await?;
        decode_photos(&shared, &[&request.value.inputs])?.pop().ok_or(Error::NoImage)?
    } else {
        Upload::from_request(request, &shared).await?.0
    };
    let answer = shared.backend.caption(photo, shared.backend.search(None)).await?;
    let best = answer.captions.description.captions.first();
    let text = best.map(Caption::sentence).unwrap_or_default();
    let response = Json(json!([{ "generated_text": text }])).into_response();
    Ok(hold_until_sent(response, vec![answer.memory]))
}
