//! Hugging Face's image-to-text: the bytes of a photo, or JSON with `inputs`; the sentence in `generated_text`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::Sentences;
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
    let photos = if is_json(request.headers()) {
        let request = Parsed::<Inputs>::from_request(request, &shared).await?;
        decode_photos(&shared, &[&request.value.inputs])?
    } else {
        vec![Upload::from_request(request, &shared).await?.0]
    };
    let sentences = Sentences::caption(&shared, photos).await?;
    let response = Json(json!([{ "generated_text": sentences.text }])).into_response();
    Ok(hold_until_sent(response, sentences.into_memory()))
}
