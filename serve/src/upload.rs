//! The photos of a request.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use tokio::time::timeout;

use crate::{Error, MAX_PHOTOS, Shared};

/// One photo: the first field `image` of a multipart body, or the whole of any other body.
pub(crate) struct Upload(pub(crate) Bytes);

/// Several photos: the fields `image` of a multipart body, or the whole of any other body.
pub(crate) struct Uploads(pub(crate) Vec<Bytes>);

impl FromRequest<Arc<Shared>> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Error> {
        let photos = photos(request, shared, 1).await?;
        photos.into_iter().next().map(Self).ok_or(Error::NoImage)
    }
}

impl FromRequest<Arc<Shared>> for Uploads {
    type Rejection = Error;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Error> {
        photos(request, shared, MAX_PHOTOS).await.map(Self)
    }
}

/// At least one photo. Names of files are not looked at.
async fn photos(request: Request, shared: &Arc<Shared>, most: usize) -> Result<Vec<Bytes>, Error> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
    let read = async {
        if is_form { from_form(request, shared, most).await } else { whole(request, shared).await }
    };
    let photos = timeout(shared.options.body_time.into(), read).await;
    let photos = photos.map_err(|_| Error::SlowBody)??;
    if photos.iter().all(Bytes::is_empty) { Err(Error::NoImage) } else { Ok(photos) }
}

async fn whole(request: Request, shared: &Arc<Shared>) -> Result<Vec<Bytes>, Error> {
    let body = Bytes::from_request(request, shared).await;
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::BodyTooLarge,
        _ => Error::BadBody(error.body_text()),
    })?;
    Ok(vec![body])
}

async fn from_form(
    request: Request,
    shared: &Arc<Shared>,
    most: usize,
) -> Result<Vec<Bytes>, Error> {
    let form = Multipart::from_request(request, shared).await;
    let mut form = form.map_err(|error| Error::BadBody(error.body_text()))?;
    let mut photos = Vec::new();
    while let Some(field) = form.next_field().await? {
        if field.name() != Some("image") {
            continue;
        }
        if photos.len() == most {
            // One photo is wanted: the first. Of several none is left out in silence.
            return if most == 1 { Ok(photos) } else { Err(Error::TooManyPhotos) };
        }
        photos.push(field.bytes().await?);
    }
    Ok(photos)
}
