//! The photos of a request. What arrives is counted in bytes against the share of uploads of `--memory`, and a body
//! for which there is no room is refused before it is read.

use std::error::Error as StdError;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures_util::{Stream, StreamExt as _};
use multer::{Field, Multipart};
use tokio::time::timeout;

use crate::form::{MOST_KEPT, Parts, Used};
use crate::memory::{ANSWER, Room, Share};
use crate::{Error, Options, Shared};

/// What a form may hold beside one photo.
const FORM: u64 = 64 * 1024;
/// Bytes that are made room for at first.
const FIRST: usize = 64 * 1024;

/// A photo that has arrived, with what it takes of memory.
#[derive(Debug)]
pub(crate) struct Photo {
    pub(crate) bytes: Bytes,
    /// Taken for the answer about it.
    pub(crate) answer: Room,
    /// Taken for the bytes.
    pub(crate) room: Room,
}

/// One photo: the first field `image` of a multipart body, or the whole of any other body.
pub(crate) struct Upload(pub(crate) Photo);

/// Several photos: the fields `image` of a multipart body, or the whole of any other body. One that is too large is
/// an error in its place.
pub(crate) struct Uploads(pub(crate) Vec<Result<Photo, Error>>);

impl FromRequest<Arc<Shared>> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Error> {
        let photos = Reader::new(&request, shared, true).photos(request).await?;
        photos.into_iter().next().ok_or(Error::NoImage)?.map(Self)
    }
}

impl FromRequest<Arc<Shared>> for Uploads {
    type Rejection = Error;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Error> {
        Reader::new(&request, shared, false).photos(request).await.map(Self)
    }
}

/// Reads a body.
struct Reader<'a> {
    shared: &'a Shared,
    /// Whether one photo is wanted, the first.
    one: bool,
    is_form: bool,
    /// The body's length, if it is known.
    length: Option<u64>,
}

impl<'a> Reader<'a> {
    fn new(request: &Request, shared: &'a Shared, one: bool) -> Self {
        let kind = text_of(request.headers(), header::CONTENT_TYPE);
        let is_form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
        let length = text_of(request.headers(), header::CONTENT_LENGTH).parse().ok();
        Self { shared, one, is_form, length }
    }

    fn options(&self) -> &Options {
        &self.shared.options
    }

    fn share(&self) -> &'a Share {
        &self.shared.backend.memory.uploads
    }

    /// At least one photo. Names of files are not looked at.
    async fn photos(&self, request: Request) -> Result<Vec<Result<Photo, Error>>, Error> {
        self.admit()?;
        let headers = request.headers().clone();
        let body = request.into_body();
        let read = async {
            if self.is_form { self.form(&headers, body).await } else { self.whole(body).await }
        };
        let photos = timeout(self.options().body_time.into(), read).await;
        let photos = photos.map_err(|_| Error::SlowBody)??;
        let is_empty =
            |photo: &Result<Photo, _>| photo.as_ref().is_ok_and(|photo| photo.bytes.is_empty());
        if photos.iter().all(is_empty) { Err(Error::NoImage) } else { Ok(photos) }
    }

    /// Refuses at once what could not be taken in whole.
    fn admit(&self) -> Result<(), Error> {
        if !self.shared.backend.is_alive() {
            return Err(Error::NotReady);
        }
        let length = self.length.unwrap_or_default();
        self.check_all(length)?;
        if length > self.share().free().bytes() { Err(Error::MemoryFull) } else { Ok(()) }
    }

    /// Whether a body may have so many bytes.
    fn check_all(&self, bytes: u64) -> Result<(), Error> {
        let (photo, together) = (self.options().max_upload, self.options().max_together());
        if self.one || !self.is_form {
            let beside = if self.is_form { FORM } else { 0 };
            let fits = bytes <= photo.bytes() + beside;
            if fits { Ok(()) } else { Err(Error::PhotoTooLarge { limit: photo }) }
        } else {
            let fits = bytes <= together.bytes();
            if fits { Ok(()) } else { Err(Error::PhotosTooLarge { limit: together }) }
        }
    }

    /// The parts of a body as they arrive, up to the most that it may have.
    fn parts(&self, body: Body) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        let mut arrived = 0;
        body.into_data_stream().map(move |part| {
            let part = part.map_err(|error| Error::BadBody(error.to_string()))?;
            arrived += part.len() as u64;
            self.check_all(arrived).map(|()| part)
        })
    }

    async fn whole(&self, body: Body) -> Result<Vec<Result<Photo, Error>>, Error> {
        let mut photo = Arriving::new(self)?;
        let mut parts = std::pin::pin!(self.parts(body));
        while let Some(part) = parts.next().await {
            photo.add(&part?)?;
        }
        Ok(vec![Ok(photo.arrived())])
    }

    async fn form(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Vec<Result<Photo, Error>>, Error> {
        let boundary = multer::parse_boundary(text_of(headers, header::CONTENT_TYPE))?;
        let _kept = self.share().try_take(MOST_KEPT).ok_or(Error::MemoryFull)?;
        let used = Used::default();
        let parts = Parts::new(Box::pin(self.parts(body)), used.clone());
        let mut form = Multipart::new(parts, boundary);
        let mut photos = Vec::new();
        while let Some(mut field) = form.next_field().await? {
            used.add_head();
            if field.name() != Some("image") {
                skip(&mut field, &used).await?;
                continue;
            }
            if photos.len() == if self.one { 1 } else { self.options().max_photos } {
                // One photo is wanted: the first. Of several none is left out in silence.
                let limit = self.options().max_photos;
                return if self.one { Ok(photos) } else { Err(Error::TooManyPhotos { limit }) };
            }
            photos.push(match self.field(&mut field, &used).await {
                Ok(photo) => Ok(photo),
                Err(error @ Error::PhotoTooLarge { .. }) if !self.one => {
                    skip(&mut field, &used).await?;
                    Err(error)
                }
                Err(error) => return Err(error),
            });
        }
        Ok(photos)
    }

    async fn field(&self, field: &mut Field<'_>, used: &Used) -> Result<Photo, Error> {
        let mut photo = Arriving::new(self)?;
        while let Some(part) = field.chunk().await? {
            used.add(part.len());
            photo.add(&part)?;
        }
        Ok(photo.arrived())
    }
}

/// Passes over the rest of a field.
async fn skip(field: &mut Field<'_>, used: &Used) -> Result<(), Error> {
    while let Some(part) = field.chunk().await? {
        used.add(part.len());
    }
    Ok(())
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A photo of which bytes arrive. They lie in one piece, which is counted before it grows.
struct Arriving<'a> {
    share: &'a Share,
    limit: crate::Size,
    /// The most bytes that are to come.
    expected: usize,
    bytes: Vec<u8>,
    answer: Room,
    room: Room,
}

impl<'a> Arriving<'a> {
    fn new(reader: &Reader<'a>) -> Result<Self, Error> {
        let (share, limit) = (reader.share(), reader.options().max_upload);
        let take = |bytes| share.try_take(bytes).ok_or(Error::MemoryFull);
        let expected = reader.length.unwrap_or(u64::MAX).min(limit.bytes()) as usize;
        let first = expected.min(FIRST);
        let (answer, room) = (take(ANSWER.bytes())?, take(first as u64)?);
        Ok(Self { share, limit, expected, bytes: Vec::with_capacity(first), answer, room })
    }

    fn add(&mut self, part: &[u8]) -> Result<(), Error> {
        let length = self.bytes.len() + part.len();
        if length as u64 > self.limit.bytes() {
            return Err(Error::PhotoTooLarge { limit: self.limit });
        }
        if length > self.bytes.capacity() {
            let capacity = (2 * self.bytes.capacity()).min(self.expected).max(length);
            let larger = self.share.try_take(capacity as u64).ok_or(Error::MemoryFull)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
            // Until here there may have been two copies; the smaller one goes.
            self.room = larger;
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn arrived(self) -> Photo {
        Photo { bytes: self.bytes.into(), answer: self.answer, room: self.room }
    }
}

impl From<multer::Error> for Error {
    fn from(error: multer::Error) -> Self {
        let text = error.to_string();
        match error {
            // What `parts` found wrong.
            multer::Error::StreamReadFailed(cause) => {
                let cause: Box<dyn StdError> = cause;
                cause.downcast::<Self>().map_or(Self::BadBody(text), |error| *error)
            }
            _ => Self::BadBody(text),
        }
    }
}
