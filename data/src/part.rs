//! Digests of one split of a data set, by which a later run recognizes it.

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::thread;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Captions, Split, Splits};
use common::names::normal;

/// Digests of the images of a split that have captions, and of these captions. They do not depend on the order of the
/// entries in their files, nor on their Unicode form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDigest {
    /// The number of images.
    pub images: usize,
    /// The SHA-256 of their names.
    pub names_sha256: String,
    /// The SHA-256 of their names and captions.
    pub captions_sha256: String,
}

/// Computes the digests of all splits, on a thread each, and finds the split of each image.
pub(crate) fn digests_of_parts(
    captions: &Captions,
    splits: &Splits,
) -> (Vec<Option<Split>>, [PartDigest; 3]) {
    let mut parts = Split::ALL.map(|_| Vec::new());
    let split_of_each = captions.iter().map(|image| {
        let name = normal(&image.image);
        let split = splits.split_of_normal(&name);
        split.inspect(|split| parts[*split as usize].push((name, image.captions.as_slice())))
    });
    let split_of_each = split_of_each.collect();
    let digests = thread::scope(|scope| {
        let threads = parts.map(|part| scope.spawn(|| digest(part)));
        threads.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    (split_of_each, digests)
}

/// Computes the digests of images by their names in normal form C, and of their captions.
///
/// Images are in the order of their names. Each text follows its length in bytes, as eight bytes in little-endian order.
/// `names_sha256` is over the names; `captions_sha256` is over each name, the number of its captions (eight bytes), and
/// the captions in byte order. All texts are in Unicode normal form C.
fn digest(mut images: Vec<(Cow<str>, &[String])>) -> PartDigest {
    images.sort_unstable();
    let (mut names_hash, mut captions_hash) = (Sha256::new(), Sha256::new());
    for (name, captions) in &images {
        let mut captions = captions.iter().map(|caption| normal(caption)).collect::<Vec<_>>();
        captions.sort_unstable();
        add(&mut names_hash, name);
        add(&mut captions_hash, name);
        captions_hash.update((captions.len() as u64).to_le_bytes());
        for caption in &captions {
            add(&mut captions_hash, caption);
        }
    }
    PartDigest {
        images: images.len(),
        names_sha256: hex::encode(names_hash.finalize()),
        captions_sha256: hex::encode(captions_hash.finalize()),
    }
}

fn add(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

/// The digests of one split.
#[cfg(test)]
pub(crate) fn digest_of_part(captions: &Captions, splits: &Splits, split: Split) -> PartDigest {
    digests_of_parts(captions, splits).1[split as usize].clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(entries: &[(&str, &str)]) -> PartDigest {
        let mut captions = Captions::default();
        for (image, caption) in entries {
            captions.add(image, caption);
        }
        digest_of_part(&captions, &Splits::Hashed, Split::Train)
    }

    #[test]
    fn order_and_unicode_form_do_not_matter() {
        let one = digest(&[("a.jpg", "one"), ("a.jpg", "two"), ("ca\u{301}.jpg", "xe\u{301}")]);
        assert_eq!(one.images, 2);
        let other = [("c\u{e1}.jpg", "x\u{e9}"), ("a.jpg", "two"), ("a.jpg", "one")];
        assert_eq!(digest(&other), one);
        // Of Python's hashlib.
        assert_eq!(
            one.names_sha256,
            "12fe367dd868217aa063c8ba36406726aa0ed75f8732faf1825f7feeb2f314a2"
        );
        assert_eq!(
            one.captions_sha256,
            "017f7dab7115edf8a6810b86f78bdf335f56851dc6df47e8aa281e3ab6115fff"
        );
    }

    #[test]
    fn names_and_captions_are_told_apart() {
        let one = digest(&[("a.jpg", "one"), ("b.jpg", "two")]);
        let changed = digest(&[("a.jpg", "one"), ("b.jpg", "two!")]);
        assert_eq!(one.names_sha256, changed.names_sha256);
        assert_ne!(one.captions_sha256, changed.captions_sha256);
        let moved = digest(&[("a.jpg", "one"), ("a.jpg", "two"), ("b.jpg", "two")]);
        assert_eq!(one.names_sha256, moved.names_sha256);
        assert_ne!(one.captions_sha256, moved.captions_sha256);
        // `f.jpg` is in the test split.
        assert_eq!(digest(&[("a.jpg", "one"), ("b.jpg", "two"), ("f.jpg", "three")]), one);
        assert_ne!(digest(&[("a.jpg", "one"), ("c.jpg", "two")]).names_sha256, one.names_sha256);
    }

    #[test]
    fn separators_in_names_and_captions_do_not_confuse() {
        let one = digest(&[("a.jpg", "one\nb.jpg\ntwo")]);
        let other = digest(&[("a.jpg", "one"), ("a.jpg", "b.jpg"), ("a.jpg", "two")]);
        assert_ne!(one.captions_sha256, other.captions_sha256);
        assert_eq!(digest(&[]).images, 0);
    }
}
