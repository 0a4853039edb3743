//! Who wrote a text, and which text takes its place.

use clap::ValueEnum;
use common::digest;

/// Texts that cameras write into the description of every photo.
const OF_CAMERAS: [&str; 9] = [
    "DCF 1.0",
    "DIGITAL CAMERA",
    "Digital StillCamera",
    "KONICA MINOLTA DIGITAL CAMERA",
    "MINOLTA DIGITAL CAMERA",
    "Minolta DSC",
    "OLYMPUS DIGITAL CAMERA",
    "SAMSUNG",
    "SONY DSC",
];

/// How texts that are there already are handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Existing {
    /// Leave a photo with any text as it is.
    #[default]
    Skip,
    /// Replace what Showtell wrote, and leave a photo with your own text as it is.
    Machine,
    /// Replace what Showtell wrote, and append to your own text.
    Append,
    /// Replace every text, your own as well: it is lost.
    Overwrite,
}

/// What Showtell wrote into a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The model.
    pub(crate) model: String,
    /// The SHA-256 of the text.
    pub(crate) text_hash: String,
}

impl Record {
    pub(crate) fn new(model: &str, text: &str) -> Self {
        Self { model: model.to_owned(), text_hash: digest::of_bytes(text.as_bytes()) }
    }

    fn is_of(&self, text: &str) -> bool {
        digest::of_bytes(text.as_bytes()) == self.text_hash
    }
}

/// Who wrote a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author<'a> {
    /// There is no text, or the one of a camera.
    Nobody,
    /// Showtell.
    Showtell,
    /// A person this text, and Showtell what follows it.
    Both(&'a str),
    /// A person.
    Person(&'a str),
}

impl<'a> Author<'a> {
    /// The author of a text by the record of what Showtell wrote.
    pub(crate) fn from_text(text: Option<&'a str>, record: Option<&Record>) -> Self {
        let text = text.map_or("", str::trim_end);
        if text.trim().is_empty() || OF_CAMERAS.contains(&text.trim()) {
            return Self::Nobody;
        }
        let Some(record) = record else { return Self::Person(text) };
        if record.is_of(text) {
            return Self::Showtell;
        }
        let mut ends = text.match_indices(' ').map(|(at, _)| at);
        let end = ends.find(|&end| record.is_of(&text[end + 1..]));
        end.map_or(Self::Person(text), |end| Self::Both(&text[..end]))
    }

    /// Whether the place of such a text is left as it is.
    pub(crate) fn is_left_alone(self, existing: Existing) -> bool {
        self.protects_photo(existing) || (existing == Existing::Skip && self == Self::Showtell)
    }

    /// Whether all places of a photo with such a text are left as they are.
    pub(crate) fn protects_photo(self, existing: Existing) -> bool {
        match existing {
            Existing::Skip => self.persons().is_some(),
            Existing::Machine => matches!(self, Self::Person(_)),
            Existing::Append | Existing::Overwrite => false,
        }
    }

    /// The text in place of this one, once Showtell writes `text`. `elsewhere` is the text of a person in another place.
    pub(crate) fn replaced(
        self,
        text: &str,
        existing: Existing,
        elsewhere: Option<&str>,
    ) -> String {
        match self.persons().or(elsewhere) {
            Some(persons) if existing != Existing::Overwrite => format!("{persons} {text}"),
            _ => text.to_owned(),
        }
    }

    /// Whether `text` is at the end of this one already, which has no record that would say so.
    pub(crate) fn has_appended(self, text: &str, existing: Existing) -> bool {
        existing == Existing::Append
            && self.persons().is_some_and(|persons| persons.ends_with(text))
    }

    /// The text of a person: what is left once Showtell takes back what it wrote.
    pub(crate) fn persons(self) -> Option<&'a str> {
        match self {
            Self::Nobody | Self::Showtell => None,
            Self::Both(persons) | Self::Person(persons) => Some(persons),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "A dog runs.";

    #[test]
    fn a_text_that_was_edited_is_a_persons() {
        let record = Record::new("model", OURS);
        let author = |text| Author::from_text(Some(text), Some(&record));
        assert_eq!(author(OURS), Author::Showtell);
        assert_eq!(author("A dog runs. "), Author::Showtell, "files pad texts");
        assert_eq!(author("A dog runs!"), Author::Person("A dog runs!"));
        assert_eq!(author("Rex. A dog runs."), Author::Both("Rex."));
        assert_eq!(Author::from_text(Some(OURS), None), Author::Person(OURS));
        for nothing in ["", "  ", "OLYMPUS DIGITAL CAMERA         "] {
            assert_eq!(author(nothing), Author::Nobody);
        }
    }

    #[test]
    fn texts_of_persons_stay_unless_they_are_overwritten() {
        let new = "Two dogs.";
        let cases = [
            (Author::Nobody, [Some(new), Some(new), Some(new), Some(new)], None),
            (Author::Showtell, [None, Some(new), Some(new), Some(new)], None),
            (
                Author::Both("Rex."),
                [None, Some("Rex. Two dogs."), Some("Rex. Two dogs."), Some(new)],
                Some("Rex."),
            ),
            (Author::Person("Rex."), [None, None, Some("Rex. Two dogs."), Some(new)], Some("Rex.")),
        ];
        for (author, expected, restored) in cases {
            for (existing, expected) in Existing::value_variants().iter().zip(expected) {
                let text = (!author.is_left_alone(*existing))
                    .then(|| author.replaced(new, *existing, None));
                assert_eq!(text.as_deref(), expected, "{author:?}, {existing:?}");
            }
            assert_eq!(author.persons(), restored);
        }
    }

    #[test]
    fn a_text_of_a_person_elsewhere_precedes_the_caption() {
        let replaced = |author: Author, existing| author.replaced(OURS, existing, Some("Rex."));
        assert_eq!(replaced(Author::Nobody, Existing::Append), "Rex. A dog runs.");
        assert_eq!(replaced(Author::Showtell, Existing::Machine), "Rex. A dog runs.");
        assert_eq!(replaced(Author::Person("Max."), Existing::Append), "Max. A dog runs.");
        assert_eq!(replaced(Author::Nobody, Existing::Overwrite), OURS);
    }
}
