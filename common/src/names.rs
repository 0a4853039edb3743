//! Names of images. The same name may be typed, or stored by a file system, in several Unicode forms; names are
//! compared in normal form C (NFC).

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// `name` in Unicode normal form C.
#[must_use]
pub fn normal(name: &str) -> Cow<'_, str> {
    if is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

/// `name` for output with one entry per line: control characters such as line ends and tabs are escaped as in Rust
/// (`\\n`, `\\t`, `\\u{1b}`), and backslashes are doubled, so that the name can be recovered.
#[must_use]
pub fn one_line(name: &str) -> Cow<'_, str> {
    let is_special = |letter: char| letter.is_control() || letter == '\\';
    if !name.contains(is_special) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len() + 8);
    for letter in name.chars() {
        if is_special(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_forms_of_a_letter_are_one_name() {
        assert_eq!(super::normal("cafe\u{301}.jpg"), "caf\u{e9}.jpg");
        assert_eq!(super::normal("a.jpg"), "a.jpg");
    }

    #[test]
    fn control_characters_do_not_reach_a_line() {
        assert_eq!(super::one_line("ngày hè.jpg"), "ngày hè.jpg");
        assert_eq!(super::one_line("a\nb\tc\r.jpg"), "a\\nb\\tc\\r.jpg");
        assert_eq!(super::one_line("a\\n\u{1b}[1m"), "a\\\\n\\u{1b}[1m");
        assert_eq!(super::one_line("a\u{85}b"), "a\\u{85}b");
    }
}
