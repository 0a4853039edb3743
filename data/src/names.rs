//! Names of images. The same name may be typed, or stored by a file system, in several Unicode forms; names are
//! compared in normal form C.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// `name` in Unicode normal form C.
#[must_use]
pub fn normal(name: &str) -> Cow<'_, str> {
    if is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_forms_of_a_letter_are_one_name() {
        assert_eq!(super::normal("cafe\u{301}.jpg"), "caf\u{e9}.jpg");
        assert_eq!(super::normal("a.jpg"), "a.jpg");
    }
}
