//! The photos of a request.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use serde::Deserialize;

use crate::json::{Parsed, decode_photos};
use crate::reader::{Photo, Reader, Wanted, is_json};
use crate::{Error, Shared};

/// One photo: the first field `image` or `file` of a multipart body, `image` of JSON in base64, or the whole of any other
/// body.
pub(crate) struct Upload(pub(crate) Photo);

/// Several photos: the fields `image`, `file`, `images` or `files` of a multipart body, `images` of JSON in base64, or the
/// whole of any other body. A photo that is too large is an error in the list.
pub(crate) struct Uploads(pub(crate) Vec<Result<Photo, Error>>);

/// The photos of a JSON body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonPhotos {
    image: Option<String>,
    images: Option<Vec<String>>,
}

/// The photos of a JSON body.
async fn read_json(request: Request, shared: &Arc<Shared>) -> Result<Vec<Photo>, Error> {
    let parsed = Parsed::<JsonPhotos>::from_request(request, shared).await?;
    let JsonPhotos { image, images } = &parsed.value;
    let photos =
        image.iter().chain(images.iter().flatten()).map(String::as_str).collect::<Vec<_>>();
    decode_photos(shared, &photos)
}

impl FromRequest<Arc<Shared>> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Error> {
        if is_json(request.headers()) {
            let photos = read_json(request, shared).await?;
            return photos.into_iter().next().ok_or(Error::NoImage).map(Self);
        }
        let photos = Reader::new(&request, shared, Wanted::First).photos(request).await?;
        photos.into_iter().next().ok_or(Error::NoImage)?.map(Self)
    }
}

impl FromRequest<Arc<Shared>> for Uploads {
    type Rejection = Error;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Error> {
        if is_json(request.headers()) {
            let photos = read_json(request, shared).await?;
            return Ok(Self(photos.into_iter().map(Ok).collect()));
        }
        Reader::new(&request, shared, Wanted::All).photos(request).await.map(Self)
    }
}
