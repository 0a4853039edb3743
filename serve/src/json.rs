//! JSON bodies with photos in base64. All photos of a body together may have as many bytes as one photo.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::memory::{RESPONSE, Reservation};
use crate::reader::{Photo, read_body};
use crate::{Error, Shared, Size};

/// The most lists, objects and members of a body together. Photos and texts of a chat have far fewer.
const MAX_PARTS: usize = 10_000;
/// The memory that a part may take in addition to its text, in bytes.
const PART: usize = 128;
/// The memory that the parts of a body may take.
pub(crate) const PARTS: Size = Size::new((PART * MAX_PARTS) as u64);
/// The beginning of a photo within its own address.
const DATA: &str = "data:";
/// The end of the head of such an address.
const BASE64: &str = ";base64";

/// A JSON body.
pub(crate) struct Parsed<T> {
    pub(crate) value: T,
    /// The memory of its texts.
    _memory: Reservation,
}

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Parsed<T> {
    type Rejection = Error;

    /// Reads the body of a request, whatever its `Content-Type` is.
    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Error> {
        let (body, _held) = read_body(request, shared, shared.options.max_json()).await?;
        let parts = count_parts(&body);
        if parts > MAX_PARTS {
            return Err(Error::BadBody(format!("its JSON has more than {MAX_PARTS} parts")));
        }
        let share = &shared.backend.memory.uploads;
        let memory = share.try_reserve((body.len() + PART * parts) as u64);
        let memory = memory.ok_or(Error::MemoryFull)?;
        let value = serde_json::from_slice(&body);
        let value = value.map_err(|error| Error::BadBody(format!("its JSON: {error}")))?;
        Ok(Self { value, _memory: memory })
    }
}

/// The lists, objects and members of JSON: its brackets and commas outside texts.
fn count_parts(json: &[u8]) -> usize {
    let (mut parts, mut is_text, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' | b',' if !is_text => parts += 1,
            _ => {}
        }
    }
    parts
}

/// Decodes the photos of a body, each in base64 or as a data URL.
///
/// # Errors
/// [`Error::NoImage`] if there are none, [`Error::TooManyPhotos`], [`Error::RemotePhoto`] for an address,
/// [`Error::BadBody`] for something else, [`Error::PhotoTooLarge`], [`Error::MemoryFull`].
pub(crate) fn decode_photos(shared: &Shared, photos: &[&str]) -> Result<Vec<Photo>, Error> {
    let limit = shared.options.max_photos;
    if photos.len() > limit {
        return Err(Error::TooManyPhotos { limit });
    }
    let photos = photos.iter().map(|photo| decode(shared, photo)).collect::<Result<Vec<_>, _>>()?;
    if photos.iter().all(|photo| photo.bytes.is_empty()) { Err(Error::NoImage) } else { Ok(photos) }
}

/// Decodes a photo. Its memory is reserved before.
fn decode(shared: &Shared, text: &str) -> Result<Photo, Error> {
    let encoded = base64_of(text)?;
    let (share, limit) = (&shared.backend.memory.uploads, shared.options.max_upload);
    let reserve = |bytes| share.try_reserve(bytes).ok_or(Error::MemoryFull);
    let upload = reserve(encoded.len().div_ceil(4) as u64 * 3)?;
    let response = reserve(RESPONSE.bytes())?;
    let has_space = encoded.contains(char::is_whitespace);
    let is_copied = has_space || matches!(encoded, Cow::Owned(_));
    let _copy = if is_copied { Some(reserve(encoded.len() as u64)?) } else { None };
    let is_url_safe = encoded.contains(['-', '_']);
    let engine = engine(if is_url_safe { &URL_SAFE } else { &STANDARD });
    let bytes = if has_space {
        engine.decode(encoded.split_whitespace().collect::<String>())
    } else {
        engine.decode(encoded.as_bytes())
    };
    let bytes = bytes.map_err(|error| Error::BadBody(format!("a photo is not base64: {error}")))?;
    if bytes.len() as u64 > limit.bytes() {
        return Err(Error::PhotoTooLarge { limit });
    }
    Ok(Photo { bytes: bytes.into(), response, upload })
}

fn engine(alphabet: &Alphabet) -> GeneralPurpose {
    let padding = DecodePaddingMode::Indifferent;
    GeneralPurpose::new(alphabet, GeneralPurposeConfig::new().with_decode_padding_mode(padding))
}

/// The base64 of a photo: the whole text, or what follows the head of a data URL (RFC 2397).
fn base64_of(text: &str) -> Result<Cow<'_, str>, Error> {
    let text = text.trim();
    match text
        .split_once(',')
        .map(|(head, rest)| (head.to_ascii_lowercase().replace(' ', ""), rest))
    {
        Some((head, rest)) if head.starts_with(DATA) => {
            let is_base64 = head.ends_with(BASE64);
            if !is_base64 {
                return Err(Error::BadBody("a data URL without base64".into()));
            }
            let decoded = percent_decode_str(rest).decode_utf8();
            decoded.map_err(|_| Error::BadBody("a data URL that is not text".into()))
        }
        _ if text.contains("://") => Err(Error::RemotePhoto),
        _ => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_outside_texts() {
        assert_eq!(count_parts(br#"{"a": "[,\", {", "b": [1, 2]}"#), 4);
        assert_eq!(count_parts(br#""\\", {}"#), 2);
        assert_eq!(count_parts(b""), 0);
    }

    #[test]
    fn photos_are_base64_or_data_urls_and_never_addresses() {
        for text in [
            "YWI=",
            " YWI=\n",
            "data:image/jpeg;base64,YWI=",
            "DATA:;BASE64,YWI=",
            "data:;base64,YWI%3D",
        ] {
            assert_eq!(base64_of(text).unwrap(), "YWI=");
        }
        assert!(matches!(base64_of("data:text/plain,ab"), Err(Error::BadBody(_))));
        for address in ["http://example.org/a.jpg", "file:///etc/passwd", "HTTPS://a"] {
            assert!(matches!(base64_of(address), Err(Error::RemotePhoto)), "{address}");
        }
    }
}
