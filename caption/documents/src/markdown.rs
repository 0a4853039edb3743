//! Images in Markdown, and in the HTML of it.

use std::ops::Range;

use pulldown_cmark::{Event, OffsetIter, Options, Parser, Tag, TagEnd};

use crate::escape::Syntax;
use crate::html;
use crate::image::{Alt, Findings, Found, Obstacle, Place};

/// Finds the images and links of a Markdown document.
pub(crate) fn find(text: &str) -> Findings {
    let start = front_matter_end(text);
    let body = text.get(start..).unwrap_or_default();
    let mut reader = Reader { text, html: String::with_capacity(text.len()), ..Reader::default() };
    for (event, range) in parse(body, Options::empty()) {
        reader.read(event, start + range.start..start + range.end);
    }
    // The tags of a document are read at once: a link may begin in one fragment and end in another.
    let mut findings = html::find(&reader.html);
    findings.images.append(&mut reader.images);
    findings.images.sort_by_key(|image| image.range.start);
    findings.links.append(&mut reader.links);
    findings
}

/// The end of YAML or TOML at the begin of a document.
fn front_matter_end(text: &str) -> usize {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    // The parser would find such blocks further down, where they are rules and headings.
    let options = Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let body = text.get(start..).unwrap_or_default();
    match parse(body, options).next() {
        Some((Event::Start(Tag::MetadataBlock(_)), range)) if range.start == 0 => start + range.end,
        _ => start,
    }
}

fn parse(text: &str, more: Options) -> OffsetIter<'_> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    Parser::new_ext(text, options | more).into_offset_iter()
}

/// Reads the events of a document.
#[derive(Debug, Default)]
struct Reader<'a> {
    text: &'a str,
    /// The document with spaces in the place of all that is not HTML.
    html: String,
    images: Vec<Found>,
    links: Vec<Range<usize>>,
    /// The image that is open, and the text in its brackets.
    image: Option<(Found, String)>,
    /// The number of images that are open: one in the brackets of another is not an image, but text.
    depth: usize,
}

impl Reader<'_> {
    fn read(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(Tag::Image { dest_url, .. }) => {
                if self.depth == 0 {
                    let (alt, source) = (Alt::Missing, dest_url.into_string());
                    let image = Found { range, source, alt, obstacle: None, place: None };
                    self.image = Some((image, String::new()));
                }
                self.depth += 1;
            }
            Event::End(TagEnd::Image) => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0
                    && let Some((image, alt)) = self.image.take()
                {
                    self.images.push(finish(self.text, image, alt));
                }
            }
            Event::Start(Tag::Link { .. }) => self.links.push(range),
            Event::Text(text) | Event::Code(text) => self.push_alt(&text),
            Event::SoftBreak | Event::HardBreak => self.push_alt(" "),
            Event::Html(html) | Event::InlineHtml(html) if self.depth == 0 => {
                self.push_html(&html, range);
            }
            _ => {}
        }
    }

    fn push_alt(&mut self, text: &str) {
        if let Some((_, alt)) = &mut self.image {
            alt.push_str(text);
        }
    }

    /// Adds HTML at its place in the document: line by line, as the document may have the marks of a block quote or a list
    /// before each.
    fn push_html(&mut self, html: &str, range: Range<usize>) {
        let mut at = range.start;
        let written = self.text.get(range).unwrap_or_default();
        for (written, line) in written.split_inclusive('\n').zip(html.split_inclusive('\n')) {
            let line = line.trim_ascii();
            if let Some(marks) = written.trim_ascii_end().strip_suffix(line)
                && let Some(spaces) = (at + marks.len()).checked_sub(self.html.len())
            {
                self.html.extend(std::iter::repeat_n(' ', spaces));
                self.html.push_str(line);
            }
            at += written.len();
        }
    }
}

/// An image with what is in its brackets.
fn finish(text: &str, image: Found, alt: String) -> Found {
    if !alt.trim().is_empty() {
        return Found { alt: Alt::Present(alt), ..image };
    }
    let place = place(text, image.range.start);
    let obstacle = if image.source.trim().is_empty() {
        Some(Obstacle::NoSource)
    } else {
        place.is_none().then_some(Obstacle::Unclear)
    };
    Found { obstacle, place, ..image }
}

/// The place between the brackets of the image at `start`, if they hold nothing but white space.
fn place(text: &str, start: usize) -> Option<Place> {
    let inner = text.get(start..)?.strip_prefix("![")?;
    let (blank, _) = inner.split_once(']')?;
    let start = start + "![".len();
    let range = start..start + blank.len();
    blank.trim().is_empty().then_some(Place { range, around: ("", ""), syntax: Syntax::Markdown })
}
