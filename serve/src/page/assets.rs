//! The files of the page, compiled into the program.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header;
use axum::response::IntoResponse;

use crate::Error;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JPEG: &str = "image/jpeg";

const SVG: &str = "image/svg+xml";

const ASSETS: [(&str, &str, &[u8]); 25] = [
    ("icon.svg", SVG, include_bytes!("icon.svg")),
    ("reference.css", CSS, include_bytes!("reference.css")),
    ("style.css", CSS, include_bytes!("style.css")),
    ("about.js", JAVASCRIPT, include_bytes!("about.js")),
    ("attention.js", JAVASCRIPT, include_bytes!("attention.js")),
    ("caption.js", JAVASCRIPT, include_bytes!("caption.js")),
    ("cards.js", JAVASCRIPT, include_bytes!("cards.js")),
    ("csv.js", JAVASCRIPT, include_bytes!("csv.js")),
    ("downloads.js", JAVASCRIPT, include_bytes!("downloads.js")),
    ("editor.js", JAVASCRIPT, include_bytes!("editor.js")),
    ("elements.js", JAVASCRIPT, include_bytes!("elements.js")),
    ("gallery.js", JAVASCRIPT, include_bytes!("gallery.js")),
    ("page.js", JAVASCRIPT, include_bytes!("page.js")),
    ("photos.js", JAVASCRIPT, include_bytes!("photos.js")),
    ("server.js", JAVASCRIPT, include_bytes!("server.js")),
    ("table.js", JAVASCRIPT, include_bytes!("table.js")),
    ("texts.js", JAVASCRIPT, include_bytes!("texts.js")),
    ("thumbnail.js", JAVASCRIPT, include_bytes!("thumbnail.js")),
    ("toolbar.js", JAVASCRIPT, include_bytes!("toolbar.js")),
    ("webpage.js", JAVASCRIPT, include_bytes!("webpage.js")),
    ("bird.jpg", JPEG, include_bytes!("samples/bird.jpg")),
    ("balloon.jpg", JPEG, include_bytes!("samples/balloon.jpg")),
    ("photographer.jpg", JPEG, include_bytes!("samples/photographer.jpg")),
    ("city.jpg", JPEG, include_bytes!("samples/city.jpg")),
    ("rocket.jpg", JPEG, include_bytes!("samples/rocket.jpg")),
];

/// `GET /assets/{name}`.
pub(crate) async fn asset(
    name: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Error> {
    let Path(requested) = name.map_err(|_| Error::NotFound)?;
    let asset = ASSETS.iter().find(|(name, ..)| *name == requested);
    let (_, kind, bytes) = asset.ok_or(Error::NotFound)?;
    // A newer program has newer files under the same names.
    Ok(([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *bytes))
}
