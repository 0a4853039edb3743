//! Names of images. The same name may be typed, or stored by a file system, in several Unicode forms; names are
//! compared in normal form C (NFC).

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// `name` in Unicode normal form C.
#[must_use]
pub fn normal(name: &str) -> Cow<'_, str> {
    // The first check is the faster one.
    if name.is_ascii() || is_nfc(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.nfc().collect())
    }
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

/// A note for captions and images that do not match because one side names files with their folders: an example of each,
/// and the next step. `captioned` are the names of captions without an image, `images` those of all images.
#[must_use]
pub fn note_on_folders<'a>(
    captioned: impl IntoIterator<Item = &'a str>,
    images: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let mut captioned = captioned.into_iter().peekable();
    captioned.peek()?;
    let by_file = images.into_iter().filter_map(|image| Some((file_name(image)?, image)));
    let by_file = by_file.collect::<HashMap<_, _>>();
    let pair = |name| Some((name, *by_file.get(file_name(name)?)?));
    let (name, image) = captioned.find_map(pair)?;
    let (name, image) = (one_line(name), one_line(image));
    Some(format!(
        "the captions name {name}, the images {image}: names must be the same\n  \
         Extract from the folder that the captions name images in (--images DIR), or from a CSV list with the columns \
         image (the name in the captions) and path."
    ))
}

fn file_name(name: &str) -> Option<&str> {
    Path::new(name).file_name()?.to_str()
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

    #[test]
    fn names_that_differ_in_their_folders_are_explained() {
        let note = super::note_on_folders(["c.jpg", "a.jpg"], ["b.jpg", "Images/a.jpg"]).unwrap();
        assert!(note.starts_with("the captions name a.jpg, the images Images/a.jpg: "), "{note}");
        assert_eq!(super::note_on_folders(["c.jpg"], ["Images/a.jpg"]), None);
        assert_eq!(super::note_on_folders([], ["Images/a.jpg"]), None);
    }
}
