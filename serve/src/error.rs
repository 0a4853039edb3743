use axum::Json;
use axum::extract::multipart::MultipartError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use models::ImageError;
use serde_json::json;

use crate::MAX_BODY;

/// Why a request gets no caption. Each has a status, a code for programs and a message for people.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The form or body holds no image.
    #[error("No photo was sent. Choose one first (field `image`).")]
    NoImage,
    /// The body is larger than allowed.
    #[error("The upload is larger than {} MB.", MAX_BODY / 1024 / 1024)]
    BodyTooLarge,
    /// The body cannot be read.
    #[error("The upload cannot be read: {0}")]
    BadBody(String),
    /// The bytes are of no image, or of one that cannot be used.
    #[error("The upload cannot be captioned: {0}.")]
    Image(#[from] ImageError),
    /// Too many requests wait already.
    #[error("Too many photos are waiting. Try again in a second.")]
    QueueFull,
    /// The model failed; the log says how.
    #[error("The model failed on this photo.")]
    Model,
    /// The page cannot be drawn.
    #[error("The page cannot be drawn: {0}")]
    Page(#[from] minijinja::Error),
}

impl Error {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoImage | Self::BadBody(_) | Self::Image(ImageError::NotAnImage) => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyTooLarge | Self::Image(ImageError::TooLarge { .. }) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Image(ImageError::Unsupported(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Image(ImageError::Truncated | ImageError::Damaged(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::QueueFull => StatusCode::TOO_MANY_REQUESTS,
            Self::Model | Self::Page(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoImage => "no_image",
            Self::BodyTooLarge => "body_too_large",
            Self::BadBody(_) => "bad_body",
            Self::Image(ImageError::NotAnImage) => "not_an_image",
            Self::Image(ImageError::Unsupported(_)) => "unsupported_image",
            Self::Image(ImageError::Truncated) => "truncated_image",
            Self::Image(ImageError::TooLarge { .. }) => "too_many_pixels",
            Self::Image(ImageError::Damaged(_)) => "damaged_image",
            Self::QueueFull => "queue_full",
            Self::Model => "model_failed",
            Self::Page(_) => "page_failed",
        }
    }
}

impl From<MultipartError> for Error {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            _ => Self::BadBody(error.body_text()),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code(), "message": self.to_string() } });
        let mut response = (self.status(), Json(body)).into_response();
        if matches!(self, Self::QueueFull) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
