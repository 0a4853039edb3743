//! The languages of the page.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use minijinja::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::Options;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    En,
    Vi,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::En, Self::Vi];

    /// The language tag in HTTP and HTML.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }

    /// The language that the browser prefers; English if the page has none of its languages.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let tags = accept_language::parse(accepted.unwrap_or_default());
        tags.iter().find_map(|tag| Self::from_tag(tag)).unwrap_or(Self::En)
    }

    /// The language of a tag such as `vi-VN`.
    fn from_tag(tag: &str) -> Option<Self> {
        let code = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(code))
    }

    /// Replaces the decimal point of a number by that of the language.
    pub(super) fn decimal(self, number: &str) -> String {
        match self {
            Self::En => number.to_owned(),
            Self::Vi => number.replace('.', ","),
        }
    }
}

/// The texts of the page in one language, by key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Texts {
    #[serde(flatten)]
    texts: BTreeMap<String, String>,
    /// By the code of the error.
    errors: BTreeMap<String, String>,
}

impl Texts {
    /// The text of a key; empty if there is none.
    pub(super) fn text(&self, key: &str) -> &str {
        self.texts.get(key).map_or("", String::as_str)
    }

    /// The text of an error.
    pub(super) fn error(&self, code: &str) -> &str {
        self.errors.get(code).map_or("", String::as_str)
    }
}

/// The texts of the page in all languages.
#[derive(Debug)]
pub(super) struct Translations([Texts; 2]);

impl Translations {
    /// Reads the texts, with the limits of `options`.
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let limits = [
            ("{max_upload}", options.max_upload.to_string()),
            ("{max_photos}", options.max_photos.to_string()),
            ("{more_formats}", if options.heif { ", HEIC, AVIF" } else { "" }.to_owned()),
        ];
        let parse = |json: &str| {
            let json = limits
                .iter()
                .fold(json.to_owned(), |json, (name, value)| json.replace(name, value));
            serde_json::from_str(&json).map_err(|error| {
                Error::new(ErrorKind::SyntaxError, "the texts of the page").with_source(error)
            })
        };
        Ok(Self([parse(include_str!("texts/en.json"))?, parse(include_str!("texts/vi.json"))?]))
    }

    pub(super) fn get(&self, language: Language) -> &Texts {
        &self.0[language as usize]
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn keys(texts: &Texts) -> Vec<&String> {
        texts.texts.keys().chain(texts.errors.keys()).collect()
    }

    #[test]
    fn all_languages_have_the_same_texts() {
        let texts = Translations::new(&Options::default()).unwrap();
        assert_eq!(keys(texts.get(Language::En)), keys(texts.get(Language::Vi)));
        for language in Language::ALL {
            assert!(!texts.get(language).text("name").is_empty());
            assert!(!texts.get(language).error("no_image").is_empty());
        }
    }

    #[test]
    fn the_preferred_language_is_chosen() {
        let accepted = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(text).unwrap());
            Language::accepted(&headers)
        };
        assert_eq!(accepted("vi"), Language::Vi);
        assert_eq!(accepted("vi-VN,en;q=0.5"), Language::Vi);
        assert_eq!(accepted("fr, en;q=0.8, vi;q=0.4"), Language::En);
        assert_eq!(accepted("fr"), Language::En);
        assert_eq!(accepted(",;q=,\u{7f}".trim_end_matches('\u{7f}')), Language::En);
        assert_eq!(Language::accepted(&HeaderMap::new()), Language::En);
    }
}
