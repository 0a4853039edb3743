//! XMP sidecars of captions, as one ZIP archive. Captions may have been edited; photos are not needed.

use std::collections::{HashMap, HashSet};
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
/// The most bytes of a caption.
const MAX_CAPTION: usize = 10_000;
/// The most bytes of a photo's name, so that its sidecar's name is one of a file.
const MAX_NAME: usize = 255 - ".xmp".len();
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
    let _permit = shared.archives.try_acquire().map_err(|_| Error::QueueFull)?;
    let photos = &request.value.photos;
    if photos.iter().any(|photo| photo.caption.len() > MAX_CAPTION) {
        return Err(Error::BadBody(format!("a caption is longer than {MAX_CAPTION} bytes")));
    }
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
    let mut names = Names::default();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let failed = |error: &dyn std::error::Error| {
        tracing::error!("sidecars: the archive cannot be made: {error}");
        Error::Server
    };
    for photo in photos {
        let model = (!photo.edited).then_some(model);
        let sidecar = Sidecar::create(&photo.caption, model);
        let sidecar = sidecar.map_err(|error| Error::BadBody(format!("a caption: {error}")))?;
        let name = names.take(&file_name(&photo.name));
        zip.start_file(format!("{name}.xmp"), options).map_err(|error| failed(&error))?;
        zip.write_all(&sidecar).map_err(|error| failed(&error))?;
    }
    let archive = zip.finish().map_err(|error| failed(&error))?;
    Ok(archive.into_inner().into())
}

/// A file name without folders and characters that a system does not allow, so that the archive is unpacked in one folder.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_allowed = |of: char| !of.is_control() && !r#"<>:"|?*"#.contains(of);
    let plain = last.chars().map(|of| if is_allowed(of) { of } else { '_' }).collect::<String>();
    let plain = plain.trim_end_matches(['.', ' ']);
    if plain.trim_matches(['.', ' ']).is_empty() {
        UNNAMED.to_owned()
    } else {
        shortened(plain, "")
    }
}

/// The name with `addition` before its extension, and its stem shortened so that it is not too long.
fn shortened(name: &str, addition: &str) -> String {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() < MAX_NAME / 4 => {
            (stem, format!(".{extension}"))
        }
        _ => (name, String::new()),
    };
    let room = MAX_NAME - extension.len() - addition.len();
    format!("{}{addition}{extension}", &stem[..stem.floor_char_boundary(room)])
}

/// The names in an archive. Windows does not tell capital letters from small ones.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// The last number of each name that was given more than once.
    numbers: HashMap<String, usize>,
}

impl Names {
    /// The name, with a number before its extension if another photo has it.
    fn take(&mut self, name: &str) -> String {
        if self.taken.insert(name.to_lowercase()) {
            return name.to_owned();
        }
        loop {
            let number = self.numbers.entry(name.to_lowercase()).or_insert(1);
            *number += 1;
            let numbered = shortened(name, &format!(" ({number})"));
            if self.taken.insert(numbered.to_lowercase()) {
                return numbered;
            }
        }
    }
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
            ("a\nb:c.jpg. ", "a_b_c.jpg"),
            ("..", UNNAMED),
            ("folder/", UNNAMED),
            ("", UNNAMED),
        ] {
            assert_eq!(file_name(name), expected);
        }
        let long = file_name(&("é".repeat(300) + ".jpg"));
        assert!(long.ends_with("é.jpg") && (MAX_NAME - 1..=MAX_NAME).contains(&long.len()));
    }

    #[test]
    fn names_are_unique() {
        let mut names = Names::default();
        let given = ["a.jpg", "A.JPG", "a.jpg", "b", "b", "a (2).jpg"];
        let found = given.map(|name| names.take(name));
        assert_eq!(found, ["a.jpg", "A (2).JPG", "a (3).jpg", "b", "b (2)", "a (2) (2).jpg"]);
    }
}
