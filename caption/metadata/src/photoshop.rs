//! Image resources of Photoshop, in which JPEG files keep IPTC records (Photoshop File Formats Specification).

use md5::{Digest as _, Md5};

use crate::{Error, Result};

/// The first bytes of a resource.
const SIGNATURE: &[u8; 4] = b"8BIM";
/// The number of the resource with IPTC records.
const IPTC: u16 = 0x0404;
/// The number of the resource with their MD5, by which programs find that only the records were changed.
const IPTC_DIGEST: u16 = 0x0425;

/// A resource: its number, the bytes before its value, and its value.
struct Resource<'a> {
    number: u16,
    /// Signature, number and name.
    head: &'a [u8],
    value: &'a [u8],
}

/// The IPTC records among resources.
///
/// # Errors
/// [`Error::Iptc`] if the resources are damaged.
pub(crate) fn iptc(resources: &[u8]) -> Result<Option<&[u8]>> {
    let found = parse(resources)?.into_iter().find(|resource| resource.number == IPTC);
    Ok(found.map(|resource| resource.value))
}

/// The resources with other IPTC records, and their digest if there was a right one: a wrong one says that a program changed
/// the records without the XMP.
///
/// # Errors
/// [`Error::Iptc`] if the resources are damaged.
pub(crate) fn with_iptc(resources: &[u8], iptc: &[u8]) -> Result<Vec<u8>> {
    let digest = Md5::digest(iptc);
    let before = self::iptc(resources)?.map(Md5::digest).unwrap_or_default();
    let mut bytes = Vec::with_capacity(resources.len() + iptc.len());
    for Resource { number, head, value } in parse(resources)? {
        let value = match number {
            IPTC => iptc,
            IPTC_DIGEST if value == before.as_slice() => digest.as_slice(),
            _ => value,
        };
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len() + value.len() % 2, 0);
    }
    Ok(bytes)
}

fn parse(mut bytes: &[u8]) -> Result<Vec<Resource<'_>>> {
    let mut resources = Vec::new();
    while bytes.iter().any(|&byte| byte != 0) {
        let (resource, rest) =
            first(bytes).ok_or(Error::Iptc("its Photoshop resources are damaged"))?;
        resources.push(resource);
        bytes = rest;
    }
    Ok(resources)
}

/// The first resource and the bytes after it.
fn first(bytes: &[u8]) -> Option<(Resource<'_>, &[u8])> {
    let rest = bytes.strip_prefix(SIGNATURE)?;
    let number = u16::from_be_bytes(*rest.first_chunk()?);
    // The name has a length byte and is padded to an even size together with it.
    let name = (1 + usize::from(*rest.get(2)?)).next_multiple_of(2);
    let (head, rest) = bytes.split_at_checked(SIGNATURE.len() + 2 + name)?;
    let (size, rest) = rest.split_first_chunk()?;
    let size = u32::from_be_bytes(*size) as usize;
    let (value, rest) = rest.split_at_checked(size)?;
    Some((Resource { number, head, value }, rest.get(size % 2..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn resources(iptc: &[u8], digest: &[u8]) -> Vec<u8> {
        let size = |bytes: &[u8]| (bytes.len() as u32).to_be_bytes();
        let padding = |bytes: &[u8]| vec![0; bytes.len() % 2];
        [
            b"8BIM\x03\xED\x04name\0\0\0\0\x02hi".as_slice(),
            b"8BIM\x04\x04\0\0",
            &size(iptc),
            iptc,
            &padding(iptc),
            b"8BIM\x04\x25\0\0",
            &size(digest),
            digest,
        ]
        .concat()
    }

    #[test]
    fn records_are_replaced_with_their_digest_and_other_resources_stay() {
        let before = resources(b"one", &Md5::digest(b"one"));
        assert_eq!(iptc(&before).unwrap().unwrap(), b"one");
        let wrong = with_iptc(&resources(b"one", &[7; 16]), b"four").unwrap();
        assert_eq!(wrong, resources(b"four", &[7; 16]), "it stays wrong");
        let after = with_iptc(&before, b"four").unwrap();
        assert_eq!(after, resources(b"four", &Md5::digest(b"four")));
        assert_eq!(with_iptc(&after, b"one").unwrap(), resources(b"one", &Md5::digest(b"one")));
        assert!(iptc(&before[..20]).is_err());
        assert_eq!(iptc(&before[..18]).unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..60)) {
            let _ = with_iptc(&[b"8BIM".as_slice(), &bytes].concat(), b"iptc");
        }
    }
}
