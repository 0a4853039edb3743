//! Spelling of tokens: lower case, with the names and the ASCII forms of the Penn Treebank.

use std::borrow::Cow;

use super::rules::Action;

/// The token of a match; empty for space.
pub(super) fn spell(action: Action, text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Cow::Borrowed(text);
    }
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let spelt = match action {
        Action::Skip => return Cow::Borrowed(""),
        Action::Become(token) => return Cow::Borrowed(token),
        Action::Spell => in_ascii(text),
        Action::Join => join(text),
        Action::Bind => join(text).replace('(', "-lrb-").replace(')', "-rrb-"),
        Action::Keep | Action::Split(_) | Action::Abbreviation | Action::Acronym => text.to_owned(),
    };
    Cow::Owned(spelt.to_lowercase())
}

fn join(text: &str) -> String {
    text.replace(' ', "\u{A0}")
}

/// Quotes, fractions and currencies in ASCII, without soft hyphens.
fn in_ascii(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{AD}' => {}
            '\u{91}' | '‘' | '‛' | '‹' => spelt.push('`'),
            '\u{92}' | '’' | '›' => spelt.push('\''),
            '\u{93}' | '“' | '«' => spelt.push_str("``"),
            '"' | '\u{94}' | '”' | '»' => spelt.push_str("''"),
            '¼' => spelt.push_str("1/4"),
            '½' => spelt.push_str("1/2"),
            '¾' => spelt.push_str("3/4"),
            '⅓' => spelt.push_str("1/3"),
            '⅔' => spelt.push_str("2/3"),
            '¢' => spelt.push_str("cents"),
            '£' => spelt.push('#'),
            '\u{80}' | '¤' | '₠' | '€' => spelt.push('$'),
            other => spelt.push(other),
        }
    }
    if spelt.contains('&') { without_entities(&spelt) } else { spelt }
}

/// The reference decodes `&amp;` in any case, but quotes only in lower case.
fn without_entities(text: &str) -> String {
    let text = text.replace("&apos;", "'").replace("&quot;", "''");
    let mut rest = text.as_str();
    let mut spelt = String::with_capacity(text.len());
    while let Some(at) = rest.find('&') {
        let entity =
            rest.get(at..at + 5).is_some_and(|entity| entity.eq_ignore_ascii_case("&amp;"));
        spelt.push_str(&rest[..=at]);
        rest = &rest[if entity { at + 5 } else { at + 1 }..];
    }
    spelt + rest
}
