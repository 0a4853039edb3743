//! Penn Treebank tokens, equal to those of the reference scorer.

mod classes;
mod lexer;
mod rules;
mod spelling;

use common::names::normal;

/// Punctuation that is removed. Brackets are kept: the reference compares lower-case tokens with an upper-case list.
const PUNCTUATION: &[&str] =
    &["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"];

/// Line ends, which are spaces in a caption.
const NEWLINES: &[char] = &['\n', '\r', '\x0B', '\x0C', '\u{85}', '\u{2028}', '\u{2029}'];

/// Tokenizes a caption. Tokens are in Unicode normal form C, so a word does not depend on how its marks were typed. A token of more
/// than 1,024 characters is split.
///
/// ```
/// let tokens = data::tokens::tokenize("A man's dog can't swim (at 5 p.m.) .");
/// assert_eq!(tokens.join(" "), "a man 's dog ca n't swim -lrb- at 5 p.m. -rrb-");
/// ```
#[must_use]
pub fn tokenize(caption: &str) -> Vec<String> {
    let mut tokens = Vec::with_capacity(16);
    for_each_token(caption, |token| tokens.push(token.to_owned()));
    tokens
}

/// Calls `emit` with each token of a caption.
pub(crate) fn for_each_token(caption: &str, mut emit: impl FnMut(&str)) {
    let line = normal(caption).replace(NEWLINES, " ") + "\n";
    lexer::scan(&line, |action, text| {
        let token = spelling::spell(action, text);
        if !token.is_empty() && !PUNCTUATION.contains(&&*token) {
            emit(&token);
        }
    });
}

/// Whether a caption has no word: it is empty or has only punctuation.
#[must_use]
pub fn is_wordless(caption: &str) -> bool {
    !caption.chars().any(char::is_alphanumeric) && tokenize(caption).is_empty()
}

#[cfg(test)]
mod tests {
    use super::{is_wordless, tokenize};

    #[test]
    fn punctuation_is_not_a_word() {
        for caption in ["", "  ", ".", " ... ", "? !", "-"] {
            assert!(is_wordless(caption), "{caption:?}");
        }
        for caption in ["a", "7", "$", "ảnh", "?!"] {
            assert_eq!(is_wordless(caption), tokenize(caption).is_empty(), "{caption:?}");
        }
    }

    /// Each of these once took time by the square of its length.
    #[test]
    fn long_texts_without_spaces_are_tokens_as_well() {
        for part in ["&amp", "$1.", "a'", "&", "1/"] {
            let few = tokenize(&part.repeat(40)).len();
            let many = tokenize(&part.repeat(40_000)).len();
            assert!(many >= few * 100, "{part}: {few} and {many}");
        }
        let word = "x".repeat(1000);
        assert_eq!(tokenize(&format!("a {word} b")), ["a", &word, "b"]);
    }

    #[test]
    fn a_word_does_not_depend_on_how_its_marks_were_typed() {
        let composed = tokenize("Hai đứa trẻ");
        assert_eq!(composed, ["hai", "đứa", "trẻ"]);
        assert_eq!(tokenize("Hai đu\u{31b}\u{301}a tre\u{309}"), composed);
    }
}
