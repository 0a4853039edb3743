//! Images in HTML.

mod place;
mod tags;

use std::borrow::Cow;
use std::ops::Range;

use self::place::place;
use self::tags::{Tag, tags};
use crate::image::{Alt, Findings, Found, Obstacle};

/// Finds the images and links of an HTML document, or of the HTML in a Markdown document.
pub(crate) fn find(text: &str) -> Findings {
    let mut findings = Findings::default();
    let mut links = OpenLinks::default();
    for tag in tags(text) {
        links.read(&tag);
        if tag.is_end {
            continue;
        }
        if tag.name == b"img" {
            findings.images.push(image(text, &tag));
        } else if tag.name == b"base" && findings.base.is_none() {
            findings.base = tag.value("href").map(Cow::into_owned);
        }
    }
    findings.links = links.finish(text.len());
    findings
}

fn image(text: &str, tag: &Tag) -> Found {
    let source = tag.value("src").unwrap_or_default().into_owned();
    let alt = match tag.value("alt") {
        None => Alt::Missing,
        Some(value) if value.trim().is_empty() => Alt::Empty,
        Some(value) => Alt::Present(value.into_owned()),
    };
    let is_present = matches!(alt, Alt::Present(_));
    let place = if is_present { None } else { place(text, tag) };
    let is_unclear = place.is_none() && !is_present;
    let obstacle = obstacle(tag).or(is_unclear.then_some(Obstacle::Unclear));
    Found { range: tag.range.clone(), source, alt, obstacle, place }
}

/// What keeps the tag of an image from being filled.
fn obstacle(tag: &Tag) -> Option<Obstacle> {
    let has_text = |name| tag.value(name).is_some_and(|value| !value.trim().is_empty());
    let mut names = tag.attributes.iter().map(|attribute| attribute.name.as_slice());
    if !has_text("src") {
        Some(Obstacle::NoSource)
    } else if is_decoration(tag) {
        Some(Obstacle::Decoration)
    } else if has_text("aria-label")
        || has_text("aria-labelledby")
        || names.clone().any(is_bound_alt)
    {
        Some(Obstacle::Labelled)
    } else {
        let is_code = |name: &[u8]| name.iter().any(|byte| b"{}<%\"'".contains(byte));
        names.any(is_code).then_some(Obstacle::Unclear)
    }
}

fn is_decoration(tag: &Tag) -> bool {
    first_word_is(tag, "aria-hidden", &["true"])
        || first_word_is(tag, "role", &["presentation", "none"])
}

/// Whether the first word of an attribute is one of these.
fn first_word_is(tag: &Tag, name: &str, words: &[&str]) -> bool {
    let value = tag.value(name).unwrap_or_default();
    let first = value.split_ascii_whitespace().next().unwrap_or_default();
    words.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Whether a framework sets `alt` by an attribute: `:alt`, `v-bind:alt`, `[alt]`, `[attr.alt]`.
fn is_bound_alt(name: &[u8]) -> bool {
    let inner = name.strip_suffix(b"]").unwrap_or(name);
    let is_bound =
        |before: &[u8]| before.ends_with(b":") || before.ends_with(b".") || before == b"[";
    inner.strip_suffix(b"alt").is_some_and(is_bound)
}

/// Elements without an end tag.
const VOID: [&[u8]; 13] = [
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta",
    b"source", b"track", b"wbr",
];

/// The links and buttons that are open, and the bytes of those that were closed.
#[derive(Debug, Default)]
struct OpenLinks {
    link: Option<usize>,
    button: Option<usize>,
    summary: Option<usize>,
    /// An element that has the role of a link or a button.
    by_role: Option<Control>,
    closed: Vec<Range<usize>>,
}

/// An element with a role, which may have others of the same name in it.
#[derive(Debug)]
struct Control {
    name: Vec<u8>,
    start: usize,
    /// The number of open elements of that name, itself included.
    depth: usize,
}

impl OpenLinks {
    /// Reads the next tag. A start tag of the same name closes an `<a>`, `<button>` or `<summary>`, as none can be in itself.
    fn read(&mut self, tag: &Tag) {
        self.read_role(tag);
        let (open, is_link) = match tag.name.as_slice() {
            b"a" => (&mut self.link, is_link(tag)),
            b"button" => (&mut self.button, true),
            b"summary" => (&mut self.summary, true),
            _ => return,
        };
        if let Some(start) = open.take() {
            self.closed.push(start..tag.range.start.max(start));
        }
        if !tag.is_end && !tag.is_closed && is_link {
            *open = Some(tag.range.end);
        }
    }

    /// Follows an element with the role of a link or a button to its end.
    fn read_role(&mut self, tag: &Tag) {
        if tag.is_closed || VOID.contains(&tag.name.as_slice()) {
            return;
        }
        match &mut self.by_role {
            Some(control) if control.name == tag.name => {
                control.depth = if tag.is_end { control.depth - 1 } else { control.depth + 1 };
                if control.depth == 0 {
                    self.closed.push(control.start..tag.range.start.max(control.start));
                    self.by_role = None;
                }
            }
            None if !tag.is_end && first_word_is(tag, "role", &["button", "link"]) => {
                let (name, start) = (tag.name.clone(), tag.range.end);
                self.by_role = Some(Control { name, start, depth: 1 });
            }
            _ => {}
        }
    }

    /// The bytes of all, where those that are open reach to the end.
    fn finish(mut self, end: usize) -> Vec<Range<usize>> {
        let by_role = self.by_role.map(|control| control.start);
        let open = [self.link, self.button, self.summary, by_role];
        self.closed.extend(open.into_iter().flatten().map(|start| start..end.max(start)));
        self.closed
    }
}

/// Whether an `<a>` is a link: it has an `href`, also one that a framework sets, or is not an anchor, by `name` or `id`. Old
/// documents leave anchors open.
fn is_link(tag: &Tag) -> bool {
    let is_anchor = tag.attribute("name").is_some() || tag.attribute("id").is_some();
    !is_anchor || tag.attributes.iter().any(|attribute| attribute.name.ends_with(b"href"))
}
