//! TIFF files: metadata are values of the first directory (XMP specification part 3; TIFF/EP).

use super::{Embedded, IMAGE_DESCRIPTION, set_description};
use crate::Result;
use crate::ifd::{BYTE, Tiff};

/// The tag of an XMP packet.
const XMP: u16 = 700;
/// The tag of IPTC records.
const IPTC: u16 = 33_723;
/// The tag of signed provenance (C2PA 2.1).
const C2PA: u16 = 0xCD41;

pub(super) fn read(bytes: &[u8]) -> Result<Embedded> {
    let tiff = Tiff::parse(bytes)?;
    Ok(Embedded {
        xmp: tiff.value(XMP)?.map(<[u8]>::to_vec),
        description: tiff.text(IMAGE_DESCRIPTION)?,
        iptc: tiff.value(IPTC)?.map(<[u8]>::to_vec),
        is_signed: tiff.value(C2PA)?.is_some(),
    })
}

pub(super) fn write(bytes: &[u8], embedded: &Embedded) -> Result<Vec<u8>> {
    let mut tiff = Tiff::parse(bytes)?;
    set_description(&mut tiff, embedded.description.as_deref())?;
    match &embedded.xmp {
        Some(xmp) => tiff.set(XMP, BYTE, xmp)?,
        None => tiff.remove(XMP)?,
    }
    if let Some(iptc) = &embedded.iptc {
        tiff.set(IPTC, BYTE, iptc)?;
    }
    Ok(tiff.into_bytes())
}
