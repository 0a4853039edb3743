//! References and hypotheses as plain JSON, for any data set: `{"<id>": ["caption", …], …}` and
//! `{"<id>": "caption", …}`. Ids are taken in Unicode normal form C.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::metrics::Item;
use crate::tokens::{is_wordless, tokenize};
use crate::{Error, Result};
use common::names::normal;
use common::{SkippedEntries, text};

/// The most ids named in a message.
const EXAMPLES: usize = 3;

/// At most one caption in this number may be empty.
const CAPTIONS_PER_EMPTY: usize = 100;

/// The reference captions of each image.
pub type References = BTreeMap<String, Vec<String>>;

/// The caption to score of each image.
pub type Hypotheses = BTreeMap<String, String>;

/// Reads `{"<id>": ["caption", …], …}`. Empty captions are skipped.
///
/// # Errors
/// Those of [`text::read`], and [`Error::Pairs`] with all problems of the file.
pub fn read_references(path: &Path) -> Result<(References, SkippedEntries)> {
    let mut skipped_entries = SkippedEntries::default();
    let expected = "a JSON object with a list of captions for each id";
    let references = parse_each(path, read_entries(path, expected)?, |id, value: Value| {
        with_words(id, captions(value)?, &mut skipped_entries)
    })?;
    Ok((references, skipped_entries))
}

/// Checks reference captions that are in memory. Empty captions are skipped. `name` stands for a file in messages.
///
/// # Errors
/// [`Error::Pairs`] with all problems.
pub fn check_references(
    captions: impl IntoIterator<Item = (String, Vec<String>)>,
    name: &Path,
) -> Result<(References, SkippedEntries)> {
    let mut skipped_entries = SkippedEntries::default();
    let references =
        parse_each(name, captions, |id, captions| with_words(id, captions, &mut skipped_entries))?;
    Ok((references, skipped_entries))
}

/// Checks captions to score that are in memory. A caption may be empty. `name` stands for a file in messages.
///
/// # Errors
/// [`Error::Pairs`] with all problems.
pub fn check_hypotheses(
    captions: impl IntoIterator<Item = (String, String)>,
    name: &Path,
) -> Result<Hypotheses> {
    parse_each(name, captions, |_, caption| Ok(caption))
}

/// Reads `{"<id>": "caption", …}`. A caption may be empty.
///
/// # Errors
/// Those of [`text::read`], and [`Error::Pairs`] with all problems of the file.
pub fn read_hypotheses(path: &Path) -> Result<Hypotheses> {
    let entries = read_entries(path, "a JSON object with a caption for each id")?;
    parse_each(path, entries, |_, value| text_of(value))
}

/// Parses the value of each id.
fn parse_each<V, T>(
    path: &Path,
    entries: impl IntoIterator<Item = (String, V)>,
    mut parse: impl FnMut(&str, V) -> Result<T, &'static str>,
) -> Result<BTreeMap<String, T>> {
    let mut problems = Problems::default();
    let mut read = BTreeMap::new();
    for (written, value) in entries {
        let id = normal(&written).into_owned();
        match (parse(&id, value), read.get(&id)) {
            (_, Some((before, _))) if *before == written => {
                problems.add("occurs twice", &id);
            }
            (_, Some(_)) => problems.add("occurs in two Unicode forms", &id),
            (Err(problem), _) => problems.add(problem, &id),
            (Ok(parsed), _) => {
                read.insert(id, (written, parsed));
            }
        }
    }
    if read.is_empty() && problems.0.is_empty() {
        return Err(Error::Pairs {
            path: path.to_path_buf(),
            problems: vec!["no id in it".to_owned()],
        });
    }
    problems.or(path, read.into_iter().map(|(id, (_, parsed))| (id, parsed)).collect())
}

/// Pairs the references and the hypothesis of each image, tokenized, in the order of the ids. `path` is the file of the
/// hypotheses. A caption without a word scores 0.
///
/// # Errors
/// [`Error::Pairs`] if the ids differ, or more than one caption in a hundred is empty.
pub fn pair(references: &References, hypotheses: &Hypotheses, path: &Path) -> Result<Vec<Item>> {
    let mut problems = Problems::default();
    for id in references.keys().filter(|id| !hypotheses.contains_key(*id)) {
        problems.add("missing, but has references", id);
    }
    for id in hypotheses.keys().filter(|id| !references.contains_key(*id)) {
        problems.add("has no reference", id);
    }
    let pairs = references.values().zip(hypotheses.values());
    let items = pairs.map(|(references, hypothesis)| Item {
        references: references.iter().map(|caption| tokenize(caption)).collect(),
        hypothesis: tokenize(hypothesis),
    });
    let items = items.collect::<Vec<_>>();
    let empty = empty_captions(hypotheses.keys().map(String::as_str), &items);
    if empty.len() * CAPTIONS_PER_EMPTY > items.len() {
        for id in empty {
            problems.add("empty caption", id);
        }
    }
    problems.or(path, items)
}

/// The ids of images whose caption has no word; `ids` are those of the items.
pub fn empty_captions<'a>(ids: impl IntoIterator<Item = &'a str>, items: &[Item]) -> Vec<&'a str> {
    let items = ids.into_iter().zip(items);
    items.filter(|(_, item)| item.hypothesis.is_empty()).map(|(id, _)| id).collect()
}

fn captions(value: Value) -> Result<Vec<String>, &'static str> {
    let Value::Array(values) = value else { return Err("not a list of captions") };
    values.into_iter().map(text_of).collect()
}

fn text_of(value: Value) -> Result<String, &'static str> {
    let Value::String(caption) = value else { return Err("caption is not a string") };
    Ok(caption)
}

/// The captions of an image that have words.
fn with_words(
    id: &str,
    mut captions: Vec<String>,
    skipped_entries: &mut SkippedEntries,
) -> Result<Vec<String>, &'static str> {
    if captions.is_empty() {
        return Err("no reference: the list is empty");
    }
    captions.retain(|caption| {
        let is_empty = is_wordless(caption);
        if is_empty {
            skipped_entries.add("empty caption", id);
        }
        !is_empty
    });
    if captions.is_empty() { Err("no reference: all are empty") } else { Ok(captions) }
}

/// The problems of a file, with their ids.
#[derive(Default)]
struct Problems(BTreeMap<&'static str, Vec<String>>);

impl Problems {
    fn add(&mut self, problem: &'static str, id: &str) {
        self.0.entry(problem).or_default().push(id.to_owned());
    }

    /// Returns `read`, or an error if there are problems.
    fn or<T>(self, path: &Path, read: T) -> Result<T> {
        if self.0.is_empty() {
            return Ok(read);
        }
        let problems = self.0.into_iter().map(|(problem, ids)| {
            let examples = ids.iter().take(EXAMPLES).map(|id| format!("`{id}`"));
            let examples = examples.collect::<Vec<_>>().join(", ");
            let more = if ids.len() > EXAMPLES { ", …" } else { "" };
            let noun = if ids.len() == 1 { "id" } else { "ids" };
            format!("{} {noun}: {problem}: {examples}{more}", ids.len())
        });
        Err(Error::Pairs { path: path.to_path_buf(), problems: problems.collect() })
    }
}

fn read_entries(path: &Path, expected: &'static str) -> Result<Vec<(String, Value)>> {
    let problem =
        |problem: String| Error::Pairs { path: path.to_path_buf(), problems: vec![problem] };
    let text = text::read(path)?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    let entries =
        text::entries(&mut reader, expected).map_err(|error| problem(error.to_string()))?;
    reader.end().map_err(|error| problem(error.to_string()))?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::fs;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.json");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[track_caller]
    fn assert_refused<T: fmt::Debug>(read: impl Fn(&Path) -> Result<T>, text: &str, said: &str) {
        let (_folder, path) = file(text);
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("captions.json") && error.contains(said), "{error}");
    }

    #[test]
    fn bad_references_are_counted_and_named() {
        let text = r#"{"a": [], "b": [], "c": ["x", 5], "d": "x", "e": ["", " "], "f": ["x"]}"#;
        for said in [
            "2 ids: no reference: the list is empty: `a`, `b`",
            "1 id: caption is not a string: `c`",
            "1 id: not a list of captions: `d`",
            "1 id: no reference: all are empty: `e`",
        ] {
            assert_refused(read_references, text, said);
        }
        assert_refused(read_references, "{}", "no id in it");
        assert_refused(read_references, "[1]", "expected a JSON object with a list");
        assert_refused(read_references, r#"{"a": ["x"]"#, "line 1");
        assert_refused(read_references, r#"{"a": ["x"]} 7"#, "trailing");
        assert_refused(read_references, r#"{"a": ["x"], "a": ["y"]}"#, "occurs twice: `a`");
    }

    #[test]
    fn empty_references_are_skipped_entries_and_counted() {
        let (_folder, path) =
            file("\u{feff}{\"a\": [\"x\", \" \"],\r\n\"b\": [\"\", \"y\", \"\"]}");
        let (references, skipped_entries) = read_references(&path).unwrap();
        let expected =
            [("a", "x"), ("b", "y")].map(|(id, of)| (id.to_owned(), vec![of.to_owned()]));
        assert_eq!(references, References::from(expected));
        assert_eq!(skipped_entries.to_string(), "3 skipped: empty caption (a, b)");
    }

    #[test]
    fn ids_are_one_in_both_unicode_forms() {
        let (_folder, path) = file("{\"o\u{302}.jpg\": [\"x\"]}");
        let (references, _) = read_references(&path).unwrap();
        assert!(references.contains_key("\u{f4}.jpg"));
        let twice = "{\"o\u{302}\": \"x\", \"\u{f4}\": \"x\"}";
        assert_refused(read_hypotheses, twice, "occurs in two Unicode forms: `\u{f4}`");
    }

    #[test]
    fn bad_hypotheses_are_counted_and_named() {
        let many = (0..5).map(|at| format!("\"{at}\": null")).collect::<Vec<_>>().join(",");
        let said = "5 ids: caption is not a string: `0`, `1`, `2`, …";
        assert_refused(read_hypotheses, &format!("{{{many}}}"), said);
        assert_refused(read_hypotheses, r#"{"a": "x", "a": "x"}"#, "occurs twice: `a`");
    }

    #[test]
    fn a_few_captions_may_be_empty() {
        let ids = (0..200).map(|at| format!("{at:03}")).collect::<Vec<_>>();
        let references = ids.iter().map(|id| (id.clone(), vec!["A dog.".to_owned()])).collect();
        let mut hypotheses =
            ids.iter().map(|id| (id.clone(), "A dog.".to_owned())).collect::<Hypotheses>();
        let path = Path::new("generated.json");
        for (id, text) in [("007", ""), ("008", " . ")] {
            hypotheses.insert(id.to_owned(), text.to_owned());
        }
        let items = pair(&references, &hypotheses, path).unwrap();
        assert_eq!(empty_captions(ids.iter().map(String::as_str), &items), ["007", "008"]);
        hypotheses.insert("009".to_owned(), "\t".to_owned());
        let error = pair(&references, &hypotheses, path).unwrap_err().to_string();
        let said =
            "generated.json: cannot be scored\n  3 ids: empty caption: `007`, `008`, `009`\n";
        assert!(error.contains(said), "{error}");
    }

    #[test]
    fn ids_must_be_the_same() {
        let references = ["a", "b"].map(|id| (id.to_owned(), vec!["A dog.".to_owned()]));
        let references = References::from(references);
        let hypotheses = ["b", "c"].map(|id| (id.to_owned(), "A cat.".to_owned()));
        let path = Path::new("generated.json");
        let error = pair(&references, &Hypotheses::from(hypotheses), path).unwrap_err().to_string();
        assert!(error.contains("1 id: missing, but has references: `a`"));
        assert!(error.contains("1 id: has no reference: `c`"), "{error}");
    }
}
