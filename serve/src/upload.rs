//! The image of a request.

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};

use crate::Error;

/// The bytes of the field `image` of a multipart body, or the whole of any other body.
pub(crate) struct Upload(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let bytes = if kind.starts_with("multipart/form-data") {
            from_form(request, state).await?
        } else {
            Bytes::from_request(request, state).await.map_err(|error| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Error::BodyTooLarge,
                _ => Error::BadBody(error.body_text()),
            })?
        };
        if bytes.is_empty() { Err(Error::NoImage) } else { Ok(Self(bytes)) }
    }
}

async fn from_form<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    let mut form = Multipart::from_request(request, state)
        .await
        .map_err(|error| Error::BadBody(error.body_text()))?;
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("image") {
            return Ok(field.bytes().await?);
        }
    }
    Err(Error::NoImage)
}
