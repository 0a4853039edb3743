//! Styles of a caption as a sentence.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Caption;

/// The most characters of an alt text: some screen readers pause after that many.
const MOST: usize = 125;
/// Words for pictures: "a photo of a dog" says no more than "a dog" of a photo.
const PICTURES: [&str; 4] = ["image", "photo", "photograph", "picture"];
/// The words at the beginning among which a word for a picture is looked for.
const BEGINNING: usize = 6;
/// Words for people that name a gender, and neutral ones.
const NEUTRAL: [(&[&str], &str); 14] = [
    (&["man", "woman", "guy", "lady", "gentleman", "gal", "lad"], "person"),
    (&["men", "women", "guys", "ladies", "gentlemen", "gals", "lads"], "people"),
    (&["boy", "girl", "son", "daughter"], "child"),
    (&["boys", "girls", "sons", "daughters"], "children"),
    (&["father", "mother", "dad", "mom"], "parent"),
    (&["fathers", "mothers", "dads", "moms"], "parents"),
    (&["brother", "sister"], "sibling"),
    (&["brothers", "sisters"], "siblings"),
    (&["fireman"], "firefighter"),
    (&["policeman", "policewoman"], "officer"),
    (&["he", "she"], "they"),
    (&["him"], "them"),
    (&["his", "her"], "their"),
    (&["himself", "herself"], "themselves"),
];
/// Words that say the same of two people as of one and another.
const PAIRS: [(&str, &str); 2] = [("person", "people"), ("child", "children")];

/// The style of a sentence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// The words of the network.
    #[default]
    Plain,
    // Without quotes: clap's script for fish does not escape them.
    /// An alt text: at most 125 characters, neutral words for people, and no words such as photo of.
    Alt,
}

impl Style {
    /// A caption as a sentence of this style: with a capital letter and a full stop.
    ///
    /// ```
    /// use models::{Caption, Style};
    ///
    /// let caption = Caption { text: "a photo of a woman with her dog".to_owned(), ..Caption::default() };
    /// assert_eq!(Style::Alt.sentence(&caption), "A person with their dog.");
    /// assert_eq!(Style::Plain.sentence(&caption), "A photo of a woman with her dog.");
    /// ```
    #[must_use]
    pub fn sentence(self, caption: &Caption) -> String {
        let text = match self {
            Self::Plain => caption.text.clone(),
            Self::Alt => alt_text(&caption.text),
        };
        let mut letters = text.chars();
        let Some(first) = letters.next() else { return String::new() };
        first.to_uppercase().chain(letters).chain(['.']).collect()
    }
}

/// The words of an alt text.
fn alt_text(text: &str) -> String {
    let words = text.split(' ').collect::<Vec<_>>();
    let words = words[after_picture(&words)..].iter().copied().map(neutral).collect::<Vec<_>>();
    let words = join_pairs(&words);
    let mut alt = String::new();
    for word in words {
        // The full stop counts as well.
        if alt.chars().count() + word.chars().count() + 2 > MOST {
            break;
        }
        if !alt.is_empty() {
            alt.push(' ');
        }
        alt.push_str(word);
    }
    alt
}

/// The first word after "a photo of", if a text begins like that and goes on.
fn after_picture(words: &[&str]) -> usize {
    let pairs = words.windows(2).take(BEGINNING);
    let picture = pairs.into_iter().position(|pair| PICTURES.contains(&pair[0]) && pair[1] == "of");
    picture.map(|at| at + 2).filter(|&at| at < words.len()).unwrap_or_default()
}

fn neutral(word: &str) -> &str {
    let entry = NEUTRAL.iter().find(|(words, _)| words.contains(&word));
    entry.map_or(word, |(_, neutral)| neutral)
}

/// "A person and a person" becomes "two people", "they is" becomes "they are".
fn join_pairs<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut joined = Vec::new();
    let mut rest = words;
    while let [word, after @ ..] = rest {
        let plural = |one: &str| PAIRS.iter().find(|pair| pair.0 == one).map(|pair| pair.1);
        match rest {
            ["a", one, "and", "a", other, others @ ..] if one == other && plural(one).is_some() => {
                joined.extend(["two", plural(one).unwrap_or_default()]);
                rest = verb_of_many(others, &mut joined);
            }
            ["they", others @ ..] => {
                joined.push("they");
                rest = verb_of_many(others, &mut joined);
            }
            _ => {
                joined.push(word);
                rest = after;
            }
        }
    }
    joined
}

/// Adds "are" in place of "is" at the beginning of `words`; returns the words after it.
fn verb_of_many<'a, 'b>(words: &'b [&'a str], joined: &mut Vec<&'a str>) -> &'b [&'a str] {
    let ["is", after @ ..] = words else { return words };
    joined.push("are");
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alt(text: &str) -> String {
        Style::Alt.sentence(&Caption { text: text.to_owned(), ..Caption::default() })
    }

    #[test]
    fn words_for_people_are_neutral() {
        assert_eq!(alt("a man and a woman are kissing"), "Two people are kissing.");
        assert_eq!(alt("a boy and a girl play"), "Two children play.");
        assert_eq!(alt("a man and a boy fish"), "A person and a child fish.");
        assert_eq!(
            alt("a young girl in her pool as she is wet"),
            "A young child in their pool as they are wet."
        );
        assert_eq!(alt("a manhole near a woman"), "A manhole near a person.");
    }

    #[test]
    fn an_alt_text_is_short_and_says_nothing_of_the_picture() {
        assert_eq!(alt("a black and white photo of a train"), "A train.");
        assert_eq!(alt("a picture of"), "A picture of.");
        assert_eq!(alt("a dog next to a picture"), "A dog next to a picture.");
        assert_eq!(alt(""), "");
        let long = alt(&"a dog runs ".repeat(20));
        assert!(long.len() <= MOST && long.len() > MOST - 6 && long.ends_with('.'), "{long}");
    }
}
