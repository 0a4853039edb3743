//! PNG files: EXIF in a chunk of its own, XMP in an international text (PNG 3rd edition; XMP specification part 3).

use img_parts::png::{Png, PngChunk};
use img_parts::{Bytes, ImageEXIF as _};

use super::{Embedded, description, trailer, with_description};
use crate::{Error, Result};

const TEXT: [u8; 4] = *b"iTXt";
/// Signed provenance.
const C2PA: [u8; 4] = *b"caBX";
/// The keyword of XMP, and its end.
const KEYWORD: &[u8] = b"XML:com.adobe.xmp\0";
/// What follows the keyword: not compressed, no language, no translated keyword.
const PLAIN: [u8; 4] = [0; 4];

pub(super) fn read(bytes: Bytes) -> Result<Embedded> {
    let png = Png::from_bytes(bytes).map_err(Error::damaged)?;
    let exif = png.exif();
    let xmp = png.chunks().iter().find(|chunk| is_xmp(chunk)).map(xmp_of).transpose()?;
    Ok(Embedded {
        xmp,
        description: description(exif.as_deref())?,
        iptc: None,
        is_signed: png.chunk_by_type(C2PA).is_some(),
        is_raw: false,
    })
}

pub(super) fn write(bytes: &Bytes, embedded: &Embedded) -> Result<Vec<u8>> {
    let mut png = Png::from_bytes(bytes.clone()).map_err(Error::damaged)?;
    let trailer = trailer(bytes, png.len());
    let exif = png.exif();
    let new = with_description(exif.as_deref(), embedded.description.as_deref())?;
    if new.as_deref() != exif.as_deref() {
        png.set_exif(new.map(Bytes::from));
    }
    let chunks = png.chunks_mut();
    // The header is the first chunk.
    let at = chunks.iter().position(is_xmp).unwrap_or(chunks.len().min(1));
    chunks.retain(|chunk| !is_xmp(chunk));
    if let Some(xmp) = &embedded.xmp {
        let contents = [KEYWORD, &PLAIN, xmp].concat();
        chunks.insert(at.min(chunks.len()), PngChunk::new(TEXT, contents.into()));
    }
    Ok([png.encoder().bytes(), trailer].concat())
}

fn is_xmp(chunk: &PngChunk) -> bool {
    chunk.kind() == TEXT && chunk.contents().starts_with(KEYWORD)
}

/// The packet of a text, whose language and translated keyword end in a zero byte each.
fn xmp_of(chunk: &PngChunk) -> Result<Vec<u8>> {
    let rest = chunk.contents().get(KEYWORD.len()..).unwrap_or_default();
    let [0, _, rest @ ..] = rest else { return Err(Error::xmp("it is compressed")) };
    let mut parts = rest.splitn(3, |&byte| byte == 0);
    Ok(parts.nth(2).ok_or_else(|| Error::xmp("its text in the PNG file is cut off"))?.to_vec())
}
