//! WebP files: EXIF and XMP in chunks of their own (WebP container specification).

use img_parts::riff::{RiffChunk, RiffContent};
use img_parts::webp::{CHUNK_VP8X, CHUNK_XMP, WebP};
use img_parts::{Bytes, ImageEXIF as _};

use super::{Embedded, description, trailer, with_description};
use crate::{Error, Result};

/// Signed provenance.
const C2PA: [u8; 4] = *b"C2PA";
/// The flag of the file header that says that there is XMP.
const HAS_XMP: u8 = 0b0000_0100;

pub(super) fn read(bytes: Bytes) -> Result<Embedded> {
    let webp = WebP::from_bytes(bytes).map_err(Error::damaged)?;
    let exif = webp.exif();
    let xmp = webp.chunk_by_id(CHUNK_XMP).and_then(|chunk| chunk.content().data());
    Ok(Embedded {
        xmp: xmp.map(|xmp| xmp.to_vec()),
        description: description(exif.as_deref())?,
        iptc: None,
        is_signed: webp.has_chunk(C2PA),
        is_raw: false,
    })
}

pub(super) fn write(bytes: &Bytes, embedded: &Embedded) -> Result<Vec<u8>> {
    let mut webp = WebP::from_bytes(bytes.clone()).map_err(Error::damaged)?;
    let trailer = trailer(bytes, webp.len() as usize);
    let exif = webp.exif();
    let exif = with_description(exif.as_deref(), embedded.description.as_deref())?;
    webp.remove_chunks_by_id(CHUNK_XMP);
    if let Some(xmp) = &embedded.xmp {
        let content = RiffContent::Data(Bytes::copy_from_slice(xmp));
        webp.chunks_mut().push(RiffChunk::new(CHUNK_XMP, content));
    }
    // Makes the file an extended one as well, if it has to be.
    webp.set_exif(exif.map(Bytes::from));
    let header = webp.chunks_mut().iter_mut().find(|chunk| chunk.id() == CHUNK_VP8X);
    match header.map(RiffChunk::content_mut) {
        Some(RiffContent::Data(flags)) => *flags = with_xmp_flag(flags, embedded.xmp.is_some()),
        _ if embedded.xmp.is_some() => {
            return Err(Error::Damaged("no size in its image".to_owned()));
        }
        _ => {}
    }
    Ok([webp.encoder().bytes(), trailer].concat())
}

fn with_xmp_flag(header: &Bytes, has_xmp: bool) -> Bytes {
    let mut header = header.to_vec();
    if let Some(flags) = header.first_mut() {
        *flags = (*flags & !HAS_XMP) | if has_xmp { HAS_XMP } else { 0 };
    }
    header.into()
}
