//! Names of images. The same name may be stored in several Unicode forms, so names are compared in normal form C.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The most bytes of a name.
pub const MAX_NAME_BYTES: usize = 1 << 16;

/// `name` in Unicode normal form C.
pub(crate) fn normal(name: &str) -> Cow<'_, str> {
    if name.is_ascii() || is_nfc(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.nfc().collect())
    }
}
