//! Digests of a part of a data set, by which a later run recognizes it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::names::normal;
use crate::{Captions, Split, Splits};

/// The images of a split that have captions, and these captions, as digests. Neither the order of the entries in
/// their files nor the Unicode form in which they were typed changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDigest {
    /// The number of images.
    pub images: usize,
    /// The SHA-256 of their names.
    pub names_sha256: String,
    /// The SHA-256 of their names and captions.
    pub captions_sha256: String,
}

/// The digest of one part of `captions`: of the images that `splits` assigns to `split`.
///
/// Both digests take the images in the order of their names, and before each text its length in bytes as eight bytes,
/// lowest first: for `names_sha256` the names, for `captions_sha256` each name, then the number of its captions in the
/// same form, then the captions in byte order. All texts are in Unicode normal form C.
#[must_use]
pub fn digest_of_part(captions: &Captions, splits: &Splits, split: Split) -> PartDigest {
    let of_split = captions.iter().filter(|of| splits.of(&of.image) == Some(split));
    let mut images = of_split.map(|of| (normal(&of.image), &of.captions)).collect::<Vec<_>>();
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
