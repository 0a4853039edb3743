//! Where the text of an `<img>` belongs.

use std::ops::Range;

use super::tags::{Attribute, Tag};
use crate::escape::Syntax;
use crate::image::Place;

/// The place of a text in an `<img>` without one: in `alt`, or behind `src`, or behind the name of the tag.
///
/// The bytes of a tag come from the tokenizer; what is written at them is looked at, and `None` if it is something else.
pub(super) fn place(text: &str, tag: &Tag) -> Option<Place> {
    if let Some(alt) = tag.attribute("alt") {
        return in_attribute(text, tag, alt);
    }
    let behind_source = tag.attribute("src").and_then(|source| end(text, source));
    let at = match behind_source {
        Some(at) => at,
        None => name_end(text, tag)?,
    };
    Some(Place { range: at..at, around: (" alt=\"", "\""), syntax: Syntax::DoubleQuoted })
}

/// The place in an attribute that is empty, blank, or a name alone.
fn in_attribute(text: &str, tag: &Tag, alt: &Attribute) -> Option<Place> {
    let written = text.get(alt.name_end.checked_sub("alt".len())?..alt.name_end)?;
    if !written.eq_ignore_ascii_case("alt") {
        return None;
    }
    let Some(range) = alt.value_range.clone() else {
        return after_name(text, tag, alt.name_end);
    };
    let (around, syntax) = match quote(text, &range) {
        Some('"') => (("", ""), Syntax::DoubleQuoted),
        Some(_) => (("", ""), Syntax::SingleQuoted),
        None if is_unquoted(text, &range) => (("\"", "\""), Syntax::DoubleQuoted),
        None => return None,
    };
    Some(Place { range, around, syntax })
}

/// The place in `alt` or `alt=` without a value.
fn after_name(text: &str, tag: &Tag, name_end: usize) -> Option<Place> {
    let rest = text.get(name_end..tag.range.end)?;
    let (at, around) = match rest.trim_ascii_start().strip_prefix('=') {
        Some(after) => (tag.range.end - after.len(), ("\"", "\"")),
        None => (name_end, ("=\"", "\"")),
    };
    Some(Place { range: at..at, around, syntax: Syntax::DoubleQuoted })
}

/// The end of an attribute with its value.
fn end(text: &str, attribute: &Attribute) -> Option<usize> {
    let range = attribute.value_range.as_ref()?;
    match quote(text, range) {
        Some(_) => Some(range.end + 1),
        None => is_unquoted(text, range).then_some(range.end),
    }
}

/// The quote on both sides of a value.
fn quote(text: &str, value: &Range<usize>) -> Option<char> {
    let before = text.get(..value.start)?.chars().next_back()?;
    let is_quote = matches!(before, '"' | '\'');
    let is_closed = text.get(value.end..)?.starts_with(before);
    let is_whole = !text.get(value.clone())?.contains(before);
    (is_quote && is_closed && is_whole).then_some(before)
}

/// Whether a value without quotes ends where its bytes end.
fn is_unquoted(text: &str, value: &Range<usize>) -> bool {
    let is_end = |c: char| c.is_ascii_whitespace() || c == '>';
    let has_start = text.get(..value.start).is_some_and(|before| !before.ends_with(['"', '\'']));
    let has_end = text.get(value.end..).is_some_and(|after| after.starts_with(is_end));
    let is_whole = text.get(value.clone()).is_some_and(|value| !value.contains(is_end));
    has_start && has_end && is_whole
}

/// The end of the name of a tag.
fn name_end(text: &str, tag: &Tag) -> Option<usize> {
    let written = text.get(tag.range.clone())?.strip_prefix('<')?;
    let is_name = written.get(..tag.name.len())?.as_bytes().eq_ignore_ascii_case(&tag.name);
    is_name.then_some(tag.range.start + 1 + tag.name.len())
}
