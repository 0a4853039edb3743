//! Links of the documentation: files and headings that it names exist. Links to other hosts are printed, as they may be
//! unreachable where the tests run.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use walkdir::{DirEntry, WalkDir};

/// Folders without documentation of the project.
const SKIPPED: [&str; 4] = ["target", "dist", "Images", "node_modules"];

fn is_searched(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let is_hidden = name.starts_with('.') && name != "." && name != ".." && name != ".github";
    !is_hidden && !SKIPPED.contains(&&*name)
}

fn documents(root: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(root).into_iter().filter_entry(is_searched);
    let paths = entries.map(|entry| entry.unwrap().into_path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The anchor of a heading, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let kept = letters.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// The links of a document, and the anchors of its headings.
fn parse(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut links, mut anchors) = (Vec::new(), BTreeSet::new());
    let mut seen = HashMap::<String, usize>::new();
    let mut heading = None::<String>;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let count = seen.entry(anchor.clone()).or_default();
                anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
                *count += 1;
            }
            _ => (),
        }
    }
    (links, anchors)
}

/// What is wrong with a link of `document`, if anything.
fn flaw(
    link: &str,
    document: &Path,
    anchors: &HashMap<PathBuf, BTreeSet<String>>,
) -> Option<String> {
    let (path, heading) =
        link.split_once('#').map_or((link, None), |(path, rest)| (path, Some(rest)));
    let path = percent_decode_str(path).decode_utf8_lossy();
    let target = match &*path {
        "" => document.to_owned(),
        path => document.parent().unwrap_or(Path::new("")).join(path),
    };
    let Ok(target) = target.canonicalize() else { return Some("no such file".to_owned()) };
    let headings = anchors.get(&target)?;
    let is_missing = heading.is_some_and(|heading| !headings.contains(heading));
    is_missing.then(|| "no such heading".to_owned())
}

#[test]
fn the_links_of_the_documentation_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let documents = documents(&root);
    assert!(documents.len() > 10, "{documents:?}");
    let parsed = documents.iter().map(|path| parse(&fs::read_to_string(path).unwrap()));
    let (links, anchors) = parsed.unzip::<_, _, Vec<_>, Vec<_>>();
    let anchors = documents.iter().cloned().zip(anchors).collect::<HashMap<_, _>>();
    let mut flaws = Vec::new();
    let mut others = BTreeSet::new();
    for (document, links) in documents.iter().zip(links) {
        for link in links {
            if link.contains("://") || link.starts_with("mailto:") {
                others.insert(link);
            } else if let Some(flaw) = flaw(&link, document, &anchors) {
                flaws.push(format!("{}: {link}: {flaw}", document.display()));
            }
        }
    }
    println!("not checked:\n{}", others.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}
