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

/// Whether a TIFF file is a raw photo, such as a DNG: its first directory is a thumbnail with the photo below it, or has the
/// values of a sensor.
fn is_raw(bytes: &[u8], tiff: &Tiff) -> Result<bool> {
    const SUBFILE_TYPE: u16 = 254;
    const PHOTOMETRIC: u16 = 262;
    const SUB_DIRECTORIES: u16 = 330;
    const DNG_VERSION: u16 = 50_706;
    let is_small = tiff.only_number(SUBFILE_TYPE)?.is_some_and(|kind| kind & 1 == 1);
    let is_sensor = matches!(tiff.only_number(PHOTOMETRIC)?, Some(32_803 | 34_892));
    Ok(bytes.get(8..10) == Some(b"CR")
        || tiff.value(DNG_VERSION)?.is_some()
        || is_sensor
        || (is_small && tiff.value(SUB_DIRECTORIES)?.is_some()))
}

pub(super) fn read(bytes: &[u8]) -> Result<Embedded> {
    let tiff = Tiff::parse(bytes)?;
    Ok(Embedded {
        xmp: tiff.value(XMP)?.map(<[u8]>::to_vec),
        description: tiff.text(IMAGE_DESCRIPTION)?,
        iptc: tiff.value(IPTC)?.map(<[u8]>::to_vec),
        is_signed: tiff.value(C2PA)?.is_some(),
        is_raw: is_raw(bytes, &tiff)?,
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
