//! The languages of the page.

use axum::http::{HeaderMap, header};
use minijinja::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::Options;

/// A language that the page has texts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    En,
    Vi,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::En, Self::Vi];

    /// Its name in HTTP and HTML.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }

    /// The one that the browser's user likes best; English if there is none.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let wanted = accept_language::parse(wanted.unwrap_or_default());
        wanted.iter().find_map(|tag| Self::of_tag(tag)).unwrap_or(Self::En)
    }

    /// That of a tag such as `vi-VN`, whose first part is the language.
    fn of_tag(tag: &str) -> Option<Self> {
        let code = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(code))
    }

    /// A number that is written with a point as the language writes it.
    pub(super) fn decimal(self, number: &str) -> String {
        match self {
            Self::En => number.to_owned(),
            Self::Vi => number.replace('.', ","),
        }
    }
}

/// The texts of the page in all languages.
#[derive(Debug)]
pub(super) struct Texts([Table; 2]);

impl Texts {
    /// The texts, with the limits of `options`.
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let limits = [
            ("{max_upload}", options.max_upload.to_string()),
            ("{max_photos}", options.max_photos.to_string()),
        ];
        let read = |text: &str| {
            let text = limits
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
            text.parse::<Table>().map_err(|error| {
                Error::new(ErrorKind::SyntaxError, "the texts of the page").with_source(error)
            })
        };
        Ok(Self([read(include_str!("texts/en.toml"))?, read(include_str!("texts/vi.toml"))?]))
    }

    pub(super) fn of(&self, language: Language) -> &Table {
        &self.0[language as usize]
    }

    pub(super) fn get(&self, language: Language, key: &str) -> &str {
        self.of(language).get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// What people are told about an error.
    pub(super) fn error(&self, language: Language, code: &str) -> &str {
        let errors = self.of(language).get("errors");
        errors.and_then(|errors| errors.get(code)).and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn keys(table: &Table) -> Vec<String> {
        let below = |(key, value): (&String, &Value)| match value {
            Value::Table(table) => {
                table.keys().map(|inner| format!("{key}.{inner}")).collect::<Vec<_>>()
            }
            _ => vec![key.clone()],
        };
        table.iter().flat_map(below).collect()
    }

    #[test]
    fn all_languages_have_the_same_texts() {
        let texts = Texts::new(&Options::default()).unwrap();
        assert_eq!(keys(texts.of(Language::En)), keys(texts.of(Language::Vi)));
        for language in Language::ALL {
            assert!(!texts.get(language, "name").is_empty());
        }
    }

    #[test]
    fn the_best_liked_language_is_taken() {
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
