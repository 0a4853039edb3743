use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use models::ImageError;
use serde::Serialize;

use crate::Size;

/// Why a request gets no caption. Each has a status, a code for programs and a message for people.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The form or body holds no image.
    #[error("No photo was sent. Choose one first (field `image`).")]
    NoImage,
    /// A photo is larger than allowed.
    #[error("The photo is larger than {limit}. A smaller copy will do: it is scaled down anyway.")]
    PhotoTooLarge {
        /// The most bytes of a photo.
        limit: Size,
    },
    /// The photos of a request are larger together than allowed.
    #[error("The photos are larger than {limit} together. Send them in several requests.")]
    PhotosTooLarge {
        /// The most bytes of a request.
        limit: Size,
    },
    /// More photos in one request than allowed.
    #[error("More than {limit} photos were sent at once. Send them in several requests.")]
    TooManyPhotos {
        /// The most photos of a request.
        limit: usize,
    },
    /// The image needs more memory than the server gives to decoding.
    #[error(
        "The image needs {need} of memory to be decoded, and this server has {share} for that, three quarters of its \
         --memory. Scale the image down first."
    )]
    ImageNeedsTooMuchMemory {
        /// What it needs.
        need: Size,
        /// What there is for all images in work.
        share: Size,
    },
    /// The body cannot be read.
    #[error("The upload cannot be read: {0}")]
    BadBody(String),
    /// The body did not come in time.
    #[error("The upload took too long.")]
    SlowBody,
    /// The bytes are of no image, or of one that cannot be used.
    #[error("The upload cannot be captioned: {0}.")]
    Image(#[from] ImageError),
    /// The request lacks the server's key, or has another.
    #[error("This server wants a key: `Authorization: Bearer KEY`.")]
    NoKey,
    /// Nothing is at this address.
    #[error("There is nothing at this address; /api/openapi.json lists what there is.")]
    NotFound,
    /// What is there takes other methods.
    #[error("This address takes another method; /api/openapi.json says which.")]
    WrongMethod,
    /// The head of the request is none of HTTP.
    #[error("The request is not HTTP/1.1.")]
    BadRequest,
    /// The address is longer than allowed.
    #[error("The address is too long.")]
    UriTooLong,
    /// The head is larger than allowed, or has too many headers.
    #[error("The headers of the request are too large or too many.")]
    HeadTooLarge,
    /// Too many requests wait already.
    #[error("Too many photos are waiting. Try again in a second.")]
    QueueFull,
    /// The memory for uploads is taken.
    #[error("Too many photos are being sent. Try again in a second.")]
    MemoryFull,
    /// The caption did not come in time.
    #[error("The caption took too long. Try again later.")]
    Deadline,
    /// The model does not answer any more.
    #[error("The model is not ready.")]
    NotReady,
    /// The model failed; the log says how.
    #[error("The model failed on this photo.")]
    Model,
    /// A part of the server failed; the log says how.
    #[error("The server failed on this request.")]
    Server,
    /// The page cannot be drawn.
    #[error("The page cannot be drawn: {0}")]
    Page(#[from] minijinja::Error),
}

/// An error as programs see it.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    code: &'static str,
    message: String,
}

impl Error {
    /// The error of a photo that the model or its decoder refused.
    pub(crate) fn of_model(error: models::Error) -> Self {
        match error {
            models::Error::Image(error) => Self::Image(error),
            error => {
                tracing::error!("{error}");
                Self::Model
            }
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoImage
            | Self::BadBody(_)
            | Self::BadRequest
            | Self::Image(ImageError::NotAnImage) => StatusCode::BAD_REQUEST,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NoKey => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::PhotoTooLarge { .. }
            | Self::PhotosTooLarge { .. }
            | Self::TooManyPhotos { .. }
            | Self::ImageNeedsTooMuchMemory { .. }
            | Self::Image(ImageError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Image(ImageError::Unsupported(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Image(ImageError::Truncated | ImageError::Damaged(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::QueueFull | Self::MemoryFull => StatusCode::TOO_MANY_REQUESTS,
            Self::Model | Self::Server | Self::Page(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::Deadline => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoImage => "no_image",
            Self::PhotoTooLarge { .. } => "body_too_large",
            Self::PhotosTooLarge { .. } => "photos_too_large",
            Self::TooManyPhotos { .. } => "too_many_photos",
            Self::ImageNeedsTooMuchMemory { .. } => "image_needs_too_much_memory",
            Self::BadBody(_) => "bad_body",
            Self::SlowBody => "slow_body",
            Self::Image(ImageError::NotAnImage) => "not_an_image",
            Self::Image(ImageError::Unsupported(_)) => "unsupported_image",
            Self::Image(ImageError::Truncated) => "truncated_image",
            Self::Image(ImageError::TooLarge { .. }) => "too_many_pixels",
            Self::Image(ImageError::Damaged(_)) => "damaged_image",
            Self::NoKey => "no_key",
            Self::NotFound => "not_found",
            Self::WrongMethod => "wrong_method",
            Self::BadRequest => "bad_request",
            Self::UriTooLong => "uri_too_long",
            Self::HeadTooLarge => "head_too_large",
            Self::QueueFull => "queue_full",
            Self::MemoryFull => "memory_full",
            Self::Deadline => "deadline_passed",
            Self::NotReady => "not_ready",
            Self::Model => "model_failed",
            Self::Server => "server_failed",
            Self::Page(_) => "page_failed",
        }
    }

    /// The same for programs.
    pub(crate) fn problem(&self) -> Problem {
        Problem { code: self.code(), message: self.to_string() }
    }

    /// The header that tells the client what to do next, if there is one.
    fn advice(&self) -> Option<(header::HeaderName, &'static str)> {
        match self {
            Self::QueueFull | Self::MemoryFull | Self::NotReady => Some((header::RETRY_AFTER, "1")),
            Self::NoKey => Some((header::WWW_AUTHENTICATE, "Basic realm=\"Showtell\"")),
            _ => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.problem() });
        let mut response = (self.status(), Json(body)).into_response();
        if let Some((name, value)) = self.advice() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
