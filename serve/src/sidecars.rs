//! XMP sidecars of captions, as one ZIP archive. Captions may have been edited; photos are not needed.

use std::collections::HashSet;
use std::io::{Cursor, Write as _};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use metadata::Sidecar;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::json::Parsed;
use crate::memory::hold_until_sent;
use crate::{Error, Shared};

/// The most bytes of a sidecar and its entry in the archive, without caption and name.
const FIXED: usize = 2048;
/// How often a sidecar may have a caption, which may be longer once its characters are escaped.
const COPIES: usize = 12;
/// The most bytes of a file's name.
const MAX_NAME: usize = 200;
/// The name of a photo without one.
const UNNAMED: &str = "photo";

/// The captions of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SidecarsRequest {
    photos: Vec<CaptionedPhoto>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptionedPhoto {
    /// The file name of the photo.
    name: String,
    caption: String,
    /// Whether the caption is no longer that of the model.
    #[serde(default)]
    edited: bool,
}

/// `POST /api/sidecars`.
pub(crate) async fn zip(
    State(shared): State<Arc<Shared>>,
    request: Parsed<SidecarsRequest>,
) -> Result<Response, Error> {
    let photos = &request.value.photos;
    let texts = photos.iter().map(|photo| photo.caption.len() * COPIES + 2 * photo.name.len());
    let bytes = FIXED * (photos.len() + 1) + texts.sum::<usize>();
    let memory = shared.backend.memory.uploads.try_reserve(bytes as u64);
    let memory = memory.ok_or(Error::MemoryFull)?;
    let model = shared.backend.info().record_name.clone();
    let archive = spawn_blocking(move || archive(&request.value.photos, &model));
    let archive = archive.await.map_err(|_| Error::Server)??;
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"sidecars.zip\""),
    ];
    Ok(hold_until_sent((headers, archive).into_response(), vec![memory]))
}

/// The archive with a sidecar for each photo, named as its photo with `.xmp` at the end.
fn archive(photos: &[CaptionedPhoto], model: &str) -> Result<Bytes, Error> {
    let mut names = HashSet::new();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let failed = |error: &dyn std::error::Error| {
        tracing::error!("sidecars: the archive cannot be made: {error}");
        Error::Server
    };
    for photo in photos {
        let model = (!photo.edited).then_some(model);
        // XML does not allow control characters.
        let caption = photo.caption.split(char::is_control).collect::<Vec<_>>().join(" ");
        let sidecar = Sidecar::create(&caption, model);
        let sidecar = sidecar.map_err(|error| Error::BadBody(format!("a caption: {error}")))?;
        let name = unique(&file_name(&photo.name), &mut names);
        zip.start_file(format!("{name}.xmp"), options).map_err(|error| failed(&error))?;
        zip.write_all(&sidecar).map_err(|error| failed(&error))?;
    }
    let archive = zip.finish().map_err(|error| failed(&error))?;
    Ok(archive.into_inner().into())
}

/// A file name without folders and control characters, so that the archive is unpacked in one folder.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = last.chars().map(|of| if of.is_control() || of == ':' { '_' } else { of });
    let mut plain = plain.collect::<String>();
    plain.truncate(plain.floor_char_boundary(MAX_NAME));
    match plain.trim_matches('.').trim() {
        "" => UNNAMED.to_owned(),
        _ => plain,
    }
}

/// The name, with a number before its extension if another photo has it.
fn unique(name: &str, names: &mut HashSet<String>) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let dot = if extension.is_empty() { "" } else { "." };
    let numbered = (2..).map(|number| format!("{stem} ({number}){dot}{extension}"));
    let mut free = std::iter::once(name.to_owned()).chain(numbered);
    // Windows does not tell capital letters from small ones.
    free.find(|name| names.insert(name.to_lowercase())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_one_folder() {
        for (name, expected) in [
            ("a.jpg", "a.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\photos\\b.png", "b.png"),
            ("a\nb:c.jpg", "a_b_c.jpg"),
            ("..", UNNAMED),
            ("folder/", UNNAMED),
            ("", UNNAMED),
        ] {
            assert_eq!(file_name(name), expected);
        }
        assert_eq!(file_name(&"é".repeat(300)).len(), MAX_NAME);
    }

    #[test]
    fn names_are_unique() {
        let mut names = HashSet::new();
        let given = ["a.jpg", "A.JPG", "a.jpg", "b", "b", "a (2).jpg"];
        let found = given.map(|name| unique(name, &mut names));
        assert_eq!(found, ["a.jpg", "A (2).JPG", "a (3).jpg", "b", "b (2)", "a (2) (2).jpg"]);
    }
}
