//! Errors of requests.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use models::ImageError;
use serde::Serialize;

use crate::Size;

/// The reason why a request gets no caption, with an HTTP status, a code for programs and a message for users.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The form or body has no image.
    #[error("No photo was sent. Choose one first.")]
    NoImage,
    /// A photo is larger than allowed.
    #[error("The photo is larger than {limit}. A smaller copy will do: it is scaled down anyway.")]
    PhotoTooLarge {
        /// Maximum bytes of a photo.
        limit: Size,
    },
    /// All photos of a request are larger than allowed.
    #[error("The photos are larger than {limit} in total. Send them in several requests.")]
    PhotosTooLarge {
        /// Maximum bytes of a request.
        limit: Size,
    },
    /// A request has more photos than allowed.
    #[error("More than {limit} photos were sent at once. Send them in several requests.")]
    TooManyPhotos {
        /// Maximum number of photos of a request.
        limit: usize,
    },
    /// The image needs more memory than the server has for decoding.
    #[error(
        "The image needs {need} of memory for decoding, and this server has {share}, three quarters of its --memory. \
         Scale the image down first."
    )]
    ImageNeedsTooMuchMemory {
        /// The memory for this image.
        need: Size,
        /// The memory for all images in work.
        share: Size,
    },
    /// The body cannot be read.
    #[error("The upload cannot be read: {0}")]
    BadBody(String),
    /// The query of the address has an unknown or wrong parameter.
    #[error("The address has a wrong parameter: {0}")]
    BadQuery(String),
    /// A photo is given as an address.
    #[error(
        "Addresses of photos are not fetched. Send the photo itself, in base64 or as a data URL."
    )]
    RemotePhoto,
    /// The body did not arrive in time.
    #[error("The upload took too long.")]
    SlowBody,
    /// The bytes are not an image, or one that cannot be used.
    #[error("The upload cannot be captioned: {0}.")]
    Image(#[from] ImageError),
    /// The request has no API key, or a wrong one.
    #[error("API key required: send `Authorization: Bearer KEY`.")]
    NoKey,
    /// There is no route at this address.
    #[error("There is nothing at this address; /api/openapi.json lists all addresses.")]
    NotFound,
    /// The route has other methods.
    #[error("This address has other methods; /api/openapi.json lists them.")]
    WrongMethod,
    /// The head of the request is not HTTP.
    #[error("The request is not HTTP/1.1.")]
    BadRequest,
    /// The address is longer than allowed.
    #[error("The address is too long.")]
    UriTooLong,
    /// The head is larger than allowed, or has too many headers.
    #[error("The headers of the request are too large or too many.")]
    HeadTooLarge,
    /// All permits of the queue are taken.
    #[error("Too many photos are waiting. Try again in a second.")]
    QueueFull,
    /// All memory for uploads is reserved.
    #[error("Too many photos are being sent. Try again in a second.")]
    MemoryFull,
    /// The caption was not ready in time.
    #[error("The caption took too long. Try again later.")]
    Deadline,
    /// The model does not answer.
    #[error("The model is not ready.")]
    NotReady,
    /// The model failed; the log has the cause.
    #[error("The model failed on this photo.")]
    Model,
    /// The server failed; the log has the cause.
    #[error("The server failed on this request.")]
    Server,
    /// The page cannot be rendered.
    #[error("The page cannot be rendered: {0}")]
    Page(#[from] minijinja::Error),
}

/// An error in a JSON response. It is an extension of the response as well, for interfaces with another form.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Error {
    /// Converts an error of the model or of an image; an error of the model is logged.
    pub(crate) fn from_model(error: models::Error) -> Self {
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
            | Self::BadQuery(_)
            | Self::RemotePhoto
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
            Self::BadQuery(_) => "bad_query",
            Self::RemotePhoto => "remote_photo",
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

    /// The error in a JSON response.
    pub(crate) fn problem(&self) -> Problem {
        Problem { code: self.code(), message: self.to_string() }
    }

    /// The header with the client's next step, if there is one.
    fn next_step(&self) -> Option<(header::HeaderName, &'static str)> {
        match self {
            Self::QueueFull | Self::MemoryFull | Self::NotReady => Some((header::RETRY_AFTER, "1")),
            Self::NoKey => Some((header::WWW_AUTHENTICATE, "Basic realm=\"Showtell\"")),
            _ => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let body = serde_json::json!({ "error": problem });
        let mut response = (self.status(), Json(body)).into_response();
        response.extensions_mut().insert(problem);
        if let Some((name, value)) = self.next_step() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
