//! Snapshots of the errors of requests and of options, as users read them.

use models::ImageError;
use serve::{Error, OriginError, Size};
use tests::messages;

fn size(text: &str) -> Size {
    text.parse().unwrap()
}

#[test]
fn every_error_of_a_request_says_what_to_do() {
    let errors = [
        Error::NoImage,
        Error::PhotoTooLarge { limit: size("10MiB") },
        Error::PhotosTooLarge { limit: size("64MiB") },
        Error::TooManyPhotos { limit: 32 },
        Error::ImageNeedsTooMuchMemory { need: size("2GiB"), share: size("768MiB") },
        Error::BadBody("the form is cut off".to_owned()),
        Error::BadQuery("n must be 1 or more".to_owned()),
        Error::RemotePhoto,
        Error::SlowBody,
        Error::Image(ImageError::Truncated),
        Error::NoKey,
        Error::NotFound,
        Error::WrongMethod,
        Error::BadRequest,
        Error::UriTooLong,
        Error::HeadTooLarge,
        Error::QueueFull,
        Error::MemoryFull,
        Error::Deadline,
        Error::NotReady,
        Error::Model,
        Error::Server,
        Error::Page(minijinja::Error::new(minijinja::ErrorKind::UndefinedError, "no `title`")),
    ];
    let source = include_str!("../../src/error.rs");
    let _ = messages(source, "Error", &errors);
    let shown = errors.map(|error| format!("{} {}: {error}", error.status(), error.code()));
    insta::assert_snapshot!("requests", shown.join("\n\n"));
}

#[test]
fn every_error_of_an_origin_says_what_to_write() {
    let example = || "https://example.org".to_owned();
    let errors = [
        OriginError::Null,
        OriginError::NoScheme { suggestion: Some(example()) },
        OriginError::NoScheme { suggestion: None },
        OriginError::NoHost,
        OriginError::NotAscii,
        OriginError::Pattern,
        OriginError::Port,
        OriginError::Address,
        OriginError::Spelling { right: example() },
    ];
    let source = include_str!("../../src/origin.rs");
    insta::assert_snapshot!("origins", messages(source, "OriginError", &errors));
}
