//! Text to tokens: lower case, split at white space, punctuation at the ends of a word dropped.

/// Punctuation that is never part of a word's beginning or end.
const PUNCTUATION: &[char] =
    &['.', ',', '!', '?', ';', ':', '"', '`', '“', '”', '‘', '’', '(', ')', '[', ']', '{', '}'];

/// The tokens of a caption.
///
/// ```
/// let tokens = data::tokens::tokenize("A man 's dog , \"Rex\" , can't swim .");
/// assert_eq!(tokens, ["a", "man", "'s", "dog", "rex", "can't", "swim"]);
/// ```
#[must_use]
pub fn tokenize(caption: &str) -> Vec<String> {
    caption
        .to_lowercase()
        .split_whitespace()
        .map(|word| word.trim_matches(PUNCTUATION))
        .filter(|word| word.chars().any(char::is_alphanumeric) || matches!(*word, "&" | "#" | "%"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_is_dropped_and_words_are_kept() {
        assert_eq!(tokenize("Two dogs -- one brown , one white -- play !").join(" "), {
            "two dogs one brown one white play"
        });
        assert_eq!(tokenize("A T-shirt ; 3 o'clock.").join(" "), "a t-shirt 3 o'clock");
        assert_eq!(tokenize("Chú chó chạy.").join(" "), "chú chó chạy");
        assert!(tokenize(" . ' - \"\" ").is_empty());
    }
}
