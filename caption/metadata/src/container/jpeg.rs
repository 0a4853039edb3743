//! JPEG files: metadata in application segments (EXIF 3.0; XMP specification part 3; CIPA DC-007 for several pictures in
//! one file).

use img_parts::Bytes;
use img_parts::jpeg::{Jpeg, JpegSegment, markers};

use super::{Embedded, description, with_description};
use crate::ifd::Tiff;
use crate::{Error, Result, photoshop};

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// The index of several pictures in one file.
const MPF: &[u8] = b"MPF\0";
/// The tag of its entries, and the bytes of one.
const MP_ENTRIES: u16 = 0xB002;
const MP_ENTRY: usize = 16;
/// The beginning of a part of signed provenance, and its label.
const JUMBF: &[u8] = b"JP";
const C2PA: &[u8] = b"c2pa";
/// The most bytes of a segment: its length has two bytes and counts them.
const MAX_SEGMENT: usize = 65_533;

pub(super) fn read(bytes: Bytes) -> Result<Embedded> {
    let jpeg = Jpeg::from_bytes(bytes).map_err(Error::damaged)?;
    let segments = jpeg.segments();
    if !segments.iter().any(JpegSegment::has_entropy) {
        return Err(Error::Damaged("it has no image".to_owned()));
    }
    let exif = content(segments, EXIF)?;
    let resources = resources(segments);
    let iptc = resources.as_deref().map(photoshop::iptc).transpose()?.flatten();
    let is_c2pa = |segment: &JpegSegment| {
        let contents = segment.contents();
        segment.marker() == markers::APP11
            && contents.starts_with(JUMBF)
            && contents.windows(C2PA.len()).any(|part| part == C2PA)
    };
    Ok(Embedded {
        xmp: content(segments, XMP)?.map(<[u8]>::to_vec),
        description: description(exif)?,
        iptc: iptc.map(<[u8]>::to_vec),
        is_signed: segments.iter().any(is_c2pa),
        is_raw: false,
    })
}

pub(super) fn write(bytes: Bytes, embedded: &Embedded) -> Result<Vec<u8>> {
    let mut jpeg = Jpeg::from_bytes(bytes).map_err(Error::damaged)?;
    let segments = jpeg.segments_mut();
    let before = Sizes::from_segments(segments);
    if let (Some(resources), Some(iptc)) = (resources(segments), &embedded.iptc) {
        set_resources(segments, &photoshop::with_iptc(&resources, iptc)?);
    }
    let exif = with_description(content(segments, EXIF)?, embedded.description.as_deref())?;
    // In front of the others: a new EXIF segment comes before a new XMP one.
    set(segments, XMP, embedded.xmp.as_deref())?;
    set(segments, EXIF, exif.as_deref())?;
    if let (Some(before), Some(after)) = (before, Sizes::from_segments(segments)) {
        after.correct_index(segments, &before)?;
    }
    Ok(jpeg.encoder().bytes().to_vec())
}

/// The bytes of the segments before and after the index of pictures.
struct Sizes {
    /// The position of the index.
    index: usize,
    before: usize,
    after: usize,
}

impl Sizes {
    fn from_segments(segments: &[JpegSegment]) -> Option<Self> {
        let index = segments.iter().position(|segment| has(segment, MPF))?;
        let sum = |segments: &[JpegSegment]| segments.iter().map(JpegSegment::len).sum();
        Some(Self { index, before: sum(&segments[..index]), after: sum(&segments[index + 1..]) })
    }

    /// Corrects the size of the first picture and the offsets of the others, which are counted from the index.
    fn correct_index(&self, segments: &mut [JpegSegment], old: &Self) -> Result<()> {
        let moved = self.after as i64 - old.after as i64;
        let grown = moved + self.before as i64 - old.before as i64;
        if moved == 0 && grown == 0 {
            return Ok(());
        }
        let segment = &mut segments[self.index];
        let contents = segment.contents().clone();
        let mut index = Tiff::parse(&contents[MPF.len()..])?;
        let Some(mut entries) = index.value(MP_ENTRIES)?.map(<[u8]>::to_vec) else { return Ok(()) };
        for (at, entry) in entries.chunks_exact_mut(MP_ENTRY).enumerate() {
            let offset = index.number(&entry[8..12]);
            let (place, change) =
                if at == 0 && offset == 0 { (4..8, grown) } else { (8..12, moved) };
            let changed = i64::from(index.number(&entry[place.clone()])) + change;
            if let Ok(changed) = u32::try_from(changed)
                && (at == 0 || offset != 0)
            {
                entry[place].copy_from_slice(&index.number_bytes(changed));
            }
        }
        index.replace(MP_ENTRIES, &entries)?;
        let contents = [MPF, &index.into_bytes()].concat();
        *segment = JpegSegment::new_with_contents(markers::APP2, contents.into());
        Ok(())
    }
}

/// The marker of segments with this beginning.
fn marker(prefix: &[u8]) -> u8 {
    match prefix {
        MPF => markers::APP2,
        PHOTOSHOP => markers::APP13,
        _ => markers::APP1,
    }
}

fn has(segment: &JpegSegment, prefix: &[u8]) -> bool {
    segment.marker() == marker(prefix) && segment.contents().starts_with(prefix)
}

/// The content of the segment with this beginning.
fn content<'a>(segments: &'a [JpegSegment], prefix: &[u8]) -> Result<Option<&'a [u8]>> {
    let mut found = segments.iter().filter(|segment| has(segment, prefix));
    let content = found.next().map(|segment| &segment.contents()[prefix.len()..]);
    match found.next() {
        Some(_) => Err(Error::Damaged("several segments of the same metadata".to_owned())),
        None => Ok(content),
    }
}

/// The resources of Photoshop, which may be split over several segments.
fn resources(segments: &[JpegSegment]) -> Option<Vec<u8>> {
    let parts = segments.iter().filter(|segment| has(segment, PHOTOSHOP));
    let parts = parts.map(|segment| &segment.contents()[PHOTOSHOP.len()..]).collect::<Vec<_>>();
    (!parts.is_empty()).then(|| parts.concat())
}

/// Replaces the resources of Photoshop, at the place of their first segment.
fn set_resources(segments: &mut Vec<JpegSegment>, resources: &[u8]) {
    let Some(at) = segments.iter().position(|segment| has(segment, PHOTOSHOP)) else { return };
    segments.retain(|segment| !has(segment, PHOTOSHOP));
    let parts = resources.chunks(MAX_SEGMENT - PHOTOSHOP.len());
    let parts = parts.map(|part| {
        let contents = [PHOTOSHOP, part].concat();
        JpegSegment::new_with_contents(marker(PHOTOSHOP), contents.into())
    });
    segments.splice(at..at, parts);
}

/// Replaces, adds or removes the segment with this beginning. A new one follows the JFIF header and other pictures' EXIF.
fn set(segments: &mut Vec<JpegSegment>, prefix: &[u8], content: Option<&[u8]>) -> Result<()> {
    let found = segments.iter().position(|segment| has(segment, prefix));
    let Some(content) = content else {
        segments.retain(|segment| !has(segment, prefix));
        return Ok(());
    };
    let contents = [prefix, content].concat();
    if contents.len() > MAX_SEGMENT {
        return Err(Error::NoRoom);
    }
    let segment = JpegSegment::new_with_contents(marker(prefix), contents.into());
    if let Some(at) = found {
        segments[at] = segment;
        return Ok(());
    }
    let is_early = |segment: &JpegSegment| {
        segment.marker() == markers::APP0 || (prefix == XMP && has(segment, EXIF))
    };
    let at = segments.iter().take_while(|segment| is_early(segment)).count();
    segments.insert(at, segment);
    Ok(())
}
