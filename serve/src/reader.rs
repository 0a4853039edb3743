//! Bodies of requests as they arrive. Their bytes are reserved from the share of uploads of `--memory`; a body for which there
//! is no memory is refused before it is read.

use std::error::Error as StdError;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures_util::{Stream, StreamExt as _};
use multer::{Field, Multipart};
use tokio::time::timeout;

use crate::form::{Consumed, FormStream, MAX_BUFFERED};
use crate::memory::{RESPONSE, Reservation, Share};
use crate::{Error, Options, Shared, Size};

/// Bytes that a form may have in addition to one photo.
const FORM_OVERHEAD: u64 = 64 * 1024;
/// The first allocation for a photo, in bytes.
const FIRST_CAPACITY: usize = 64 * 1024;

/// The names of fields with photos.
const FIELDS: [&str; 4] = ["image", "images", "file", "files"];

/// A photo that has arrived, with its reserved memory.
#[derive(Debug)]
pub(crate) struct Photo {
    pub(crate) bytes: Bytes,
    /// The memory of the response about it.
    pub(crate) response: Reservation,
    /// The memory of the bytes.
    pub(crate) upload: Reservation,
}

/// Whether a body is JSON, by its `Content-Type`.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let kind = header_text(headers, header::CONTENT_TYPE).trim_start().to_ascii_lowercase();
    kind.starts_with("application/json")
}

/// Reads a body of up to `limit` as a whole; returns it with its reserved memory.
///
/// # Errors
/// [`Error::PhotoTooLarge`], [`Error::SlowBody`], [`Error::MemoryFull`], [`Error::NotReady`].
pub(crate) async fn read_body(
    request: Request,
    shared: &Shared,
    limit: Size,
) -> Result<(Bytes, [Reservation; 2]), Error> {
    let reader = Reader { limit, ..Reader::new(&request, shared, Wanted::First) };
    let body = reader.in_time(request, async |_, body| reader.read_whole(body).await).await?;
    let Photo { bytes, response, upload } = body;
    Ok((bytes, [response, upload]))
}

/// The photos that are read from a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The first photo.
    First,
    /// All photos.
    All,
}

/// Reads the photos of a body.
pub(crate) struct Reader<'a> {
    shared: &'a Shared,
    wanted: Wanted,
    is_form: bool,
    /// The most bytes of a photo, or of a body that is read as a whole.
    limit: Size,
    /// The declared length of the body in bytes.
    length: Option<u64>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(request: &Request, shared: &'a Shared, wanted: Wanted) -> Self {
        let kind = header_text(request.headers(), header::CONTENT_TYPE);
        let is_form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
        let length = header_text(request.headers(), header::CONTENT_LENGTH).parse().ok();
        Self { shared, wanted, is_form, limit: shared.options.max_upload, length }
    }

    fn options(&self) -> &Options {
        &self.shared.options
    }

    fn share(&self) -> &'a Share {
        &self.shared.backend.memory.uploads
    }

    /// Reads at least one photo. File names are ignored.
    pub(crate) async fn photos(
        &self,
        request: Request,
    ) -> Result<Vec<Result<Photo, Error>>, Error> {
        let read = async |headers: HeaderMap, body| {
            if self.is_form {
                self.read_form(&headers, body).await
            } else {
                let photo = self.read_whole(body).await?;
                // curl sends JSON as a form, unless it is told otherwise.
                if photo.bytes.first() == Some(&b'{') {
                    let hint = "JSON needs the header Content-Type: application/json";
                    return Err(Error::BadBody(hint.to_owned()));
                }
                Ok(vec![Ok(photo)])
            }
        };
        let photos = self.in_time(request, read).await?;
        let is_empty =
            |photo: &Result<Photo, _>| photo.as_ref().is_ok_and(|photo| photo.bytes.is_empty());
        if photos.iter().all(is_empty) { Err(Error::NoImage) } else { Ok(photos) }
    }

    /// Reads a body within the time limit, unless it cannot be read completely.
    async fn in_time<T>(
        &self,
        request: Request,
        read: impl AsyncFnOnce(HeaderMap, Body) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.check_admission()?;
        let (head, body) = request.into_parts();
        let read = timeout(self.options().body_time.into(), read(head.headers, body)).await;
        read.map_err(|_| Error::SlowBody)?
    }

    /// Refuses a request that cannot be read completely.
    fn check_admission(&self) -> Result<(), Error> {
        if !self.shared.backend.is_alive() {
            return Err(Error::NotReady);
        }
        let length = self.length.unwrap_or_default();
        self.check_length(length)?;
        if length > self.share().free().bytes() { Err(Error::MemoryFull) } else { Ok(()) }
    }

    /// Checks the number of bytes of a body.
    fn check_length(&self, bytes: u64) -> Result<(), Error> {
        let (photo, total) = (self.limit, self.options().max_total());
        if self.wanted == Wanted::First || !self.is_form {
            let overhead = if self.is_form { FORM_OVERHEAD } else { 0 };
            let fits = bytes <= photo.bytes() + overhead;
            if fits {
                Ok(())
            } else {
                Err(Error::PhotoTooLarge { limit: self.options().max_upload })
            }
        } else {
            let fits = bytes <= total.bytes();
            if fits { Ok(()) } else { Err(Error::PhotosTooLarge { limit: total }) }
        }
    }

    /// The parts of a body as they arrive, with a check of its length.
    fn parts(&self, body: Body) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        let mut arrived = 0;
        body.into_data_stream().map(move |part| {
            let part = part.map_err(|error| Error::BadBody(error.to_string()))?;
            arrived += part.len() as u64;
            self.check_length(arrived).map(|()| part)
        })
    }

    async fn read_whole(&self, body: Body) -> Result<Photo, Error> {
        let mut photo = Incoming::new(self)?;
        let mut parts = std::pin::pin!(self.parts(body));
        while let Some(part) = parts.next().await {
            photo.add(&part?)?;
        }
        Ok(photo.finish())
    }

    async fn read_form(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Vec<Result<Photo, Error>>, Error> {
        let boundary = multer::parse_boundary(header_text(headers, header::CONTENT_TYPE))?;
        let _buffer = self.share().try_reserve(MAX_BUFFERED).ok_or(Error::MemoryFull)?;
        let consumed = Consumed::default();
        let stream = FormStream::new(Box::pin(self.parts(body)), consumed.clone());
        let mut form = Multipart::new(stream, boundary);
        let mut photos = Vec::new();
        while let Some(mut field) = form.next_field().await? {
            consumed.add_head();
            if !field.name().is_some_and(|name| FIELDS.contains(&name)) {
                skip(&mut field, &consumed).await?;
                continue;
            }
            match self.wanted {
                Wanted::First if photos.len() == 1 => return Ok(photos),
                Wanted::All if photos.len() == self.options().max_photos => {
                    let limit = self.options().max_photos;
                    return Err(Error::TooManyPhotos { limit });
                }
                _ => {}
            }
            photos.push(match self.read_field(&mut field, &consumed).await {
                Ok(photo) => Ok(photo),
                Err(error @ Error::PhotoTooLarge { .. }) if self.wanted == Wanted::All => {
                    skip(&mut field, &consumed).await?;
                    Err(error)
                }
                Err(error) => return Err(error),
            });
        }
        Ok(photos)
    }

    async fn read_field(&self, field: &mut Field<'_>, consumed: &Consumed) -> Result<Photo, Error> {
        let mut photo = Incoming::new(self)?;
        while let Some(part) = field.chunk().await? {
            consumed.add(part.len());
            photo.add(&part)?;
        }
        Ok(photo.finish())
    }
}

/// Skips the rest of a field.
async fn skip(field: &mut Field<'_>, consumed: &Consumed) -> Result<(), Error> {
    while let Some(part) = field.chunk().await? {
        consumed.add(part.len());
    }
    Ok(())
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A photo that is arriving. Memory is reserved before its buffer grows.
struct Incoming<'a> {
    share: &'a Share,
    limit: Size,
    /// Maximum bytes that can arrive.
    expected: usize,
    bytes: Vec<u8>,
    response: Reservation,
    upload: Reservation,
}

impl<'a> Incoming<'a> {
    fn new(reader: &Reader<'a>) -> Result<Self, Error> {
        let (share, limit) = (reader.share(), reader.limit);
        let reserve = |bytes| share.try_reserve(bytes).ok_or(Error::MemoryFull);
        let expected = reader.length.unwrap_or(u64::MAX).min(limit.bytes()) as usize;
        let first = expected.min(FIRST_CAPACITY);
        let (response, upload) = (reserve(RESPONSE.bytes())?, reserve(first as u64)?);
        Ok(Self { share, limit, expected, bytes: Vec::with_capacity(first), response, upload })
    }

    fn add(&mut self, part: &[u8]) -> Result<(), Error> {
        let length = self.bytes.len() + part.len();
        if length as u64 > self.limit.bytes() {
            return Err(Error::PhotoTooLarge { limit: self.limit });
        }
        if length > self.bytes.capacity() {
            let capacity = (2 * self.bytes.capacity()).min(self.expected).max(length);
            let larger = self.share.try_reserve(capacity as u64).ok_or(Error::MemoryFull)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
            // Both buffers existed until here; the smaller reservation is released.
            self.upload = larger;
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn finish(self) -> Photo {
        Photo { bytes: self.bytes.into(), response: self.response, upload: self.upload }
    }
}

impl From<multer::Error> for Error {
    fn from(error: multer::Error) -> Self {
        let text = error.to_string();
        match error {
            // An error of `parts`.
            multer::Error::StreamReadFailed(cause) => {
                let cause: Box<dyn StdError> = cause;
                cause.downcast::<Self>().map_or(Self::BadBody(text), |error| *error)
            }
            _ => Self::BadBody(text),
        }
    }
}
