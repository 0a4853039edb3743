//! `PhotoPrism`'s vision service (internal/ai/vision of its repository): a photo as a data URL, its caption with the confidence.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::Sentences;
use crate::json::{Parsed, decode_photos};
use crate::memory::hold_until_sent;
use crate::{Error, Shared};

/// The request of a caption; the first photo is captioned.
#[derive(Deserialize)]
pub(crate) struct VisionRequest {
    id: Option<String>,
    images: Option<Vec<String>>,
    /// The address of a photo, which is refused.
    url: Option<String>,
}

/// The `id` of a request, which its error has as well.
#[derive(Debug, Clone)]
pub(crate) struct VisionId(pub(crate) String);

/// `POST /api/v1/vision/caption`. The confidence is there only where the model is calibrated.
pub(crate) async fn caption(
    State(shared): State<Arc<Shared>>,
    request: Parsed<VisionRequest>,
) -> Response {
    let id = request.value.id.as_ref();
    answer(&shared, &request.value).await.unwrap_or_else(|error| {
        let mut response = error.into_response();
        response.extensions_mut().insert(VisionId(id.cloned().unwrap_or_default()));
        response
    })
}

async fn answer(shared: &Shared, request: &VisionRequest) -> Result<Response, Error> {
    let VisionRequest { id, images, url } = request;
    let photo = images.iter().flatten().next().or(url.as_ref()).map(String::as_str);
    let sentences = Sentences::caption(shared, decode_photos(shared, photo.as_slice())?).await?;
    let mut caption = json!({ "text": sentences.text, "source": "image" });
    let best = sentences.answers.first().and_then(|of| of.captions.description.captions.first());
    if let Some(confidence) = best.and_then(|best| best.confidence) {
        caption["confidence"] = json!(confidence);
    }
    let model = json!({ "type": "caption", "name": shared.backend.info().name });
    let body = json!({ "id": id, "code": 200, "model": model, "result": { "caption": caption } });
    Ok(hold_until_sent(Json(body).into_response(), sentences.into_memory()))
}
