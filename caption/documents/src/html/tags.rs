//! The tags of an HTML document, with the bytes of their attributes.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;

use html5gum::{Emitter, Error, State, Tokenizer};

/// An attribute of a start tag.
#[derive(Debug, Default)]
pub(super) struct Attribute {
    /// In lower case.
    pub(super) name: Vec<u8>,
    /// Decoded.
    value: Vec<u8>,
    /// The end of the name.
    pub(super) name_end: usize,
    /// The bytes of the value as written, without quotes.
    pub(super) value_range: Option<Range<usize>>,
}

/// A start or end tag.
#[derive(Debug, Default)]
pub(super) struct Tag {
    /// In lower case.
    pub(super) name: Vec<u8>,
    /// The first of each name counts.
    pub(super) attributes: Vec<Attribute>,
    pub(super) range: Range<usize>,
    pub(super) is_end: bool,
    /// Whether it has no content, by `/>` in XML.
    pub(super) is_closed: bool,
}

impl Tag {
    /// The attribute that counts of those with a name.
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name.as_bytes())
    }

    /// The decoded value of an attribute.
    pub(super) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.attribute(name).map(|attribute| String::from_utf8_lossy(&attribute.value))
    }
}

/// Reads all tags outside comments, scripts, styles and other raw text.
pub(super) fn tags(text: &str) -> impl Iterator<Item = Tag> {
    let is_xml = text.trim_start_matches('\u{feff}').starts_with("<?xml");
    let tags = Tokenizer::new_with_emitter(text, TagEmitter { is_xml, ..TagEmitter::default() });
    tags.map(|tag: Result<Tag, Infallible>| match tag {
        Ok(tag) => tag,
        Err(never) => match never {},
    })
}

/// Builds tags from the steps of the tokenizer.
#[derive(Default)]
struct TagEmitter {
    /// Whether the document is XML.
    is_xml: bool,
    /// The number of open `<svg>` elements, in which the syntax is that of XML.
    svgs: usize,
    /// The offset of the tokenizer, in bytes.
    at: usize,
    tag_start: usize,
    tag: Tag,
    finished: Option<Tag>,
    /// The name of the last start tag: only its end tag ends raw text.
    open: Vec<u8>,
}

impl TagEmitter {
    fn has_xml_syntax(&self) -> bool {
        self.is_xml || self.svgs > 0
    }

    fn init_tag(&mut self, is_end: bool) {
        self.tag = Tag { is_end, ..Tag::default() };
    }
}

/// What the tokenizer reads of texts, comments and doctypes is not needed.
impl Emitter for TagEmitter {
    type Token = Tag;

    fn set_last_start_tag(&mut self, last_start_tag: Option<&[u8]>) {
        last_start_tag.unwrap_or_default().clone_into(&mut self.open);
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn pop_token(&mut self) -> Option<Tag> {
        self.finished.take()
    }

    fn move_position(&mut self, offset: isize) {
        self.at = self.at.saturating_add_signed(offset);
    }

    fn start_open_tag(&mut self) {
        self.tag_start = self.at.saturating_sub(1);
    }

    fn init_start_tag(&mut self) {
        self.init_tag(false);
    }

    fn init_end_tag(&mut self) {
        self.init_tag(true);
    }

    fn push_tag_name(&mut self, name: &[u8]) {
        self.tag.name.extend(name);
    }

    fn init_attribute(&mut self) {
        self.tag.attributes.push(Attribute::default());
    }

    fn push_attribute_name(&mut self, name: &[u8]) {
        if let Some(attribute) = self.tag.attributes.last_mut() {
            attribute.name.extend(name);
            attribute.name_end = self.at;
        }
    }

    fn init_attribute_value(&mut self) {
        if let Some(attribute) = self.tag.attributes.last_mut() {
            attribute.value_range = Some(self.at..self.at);
        }
    }

    fn push_attribute_value(&mut self, value: &[u8]) {
        if let Some(attribute) = self.tag.attributes.last_mut() {
            attribute.value.extend(value);
            if let Some(range) = &mut attribute.value_range {
                range.end = self.at;
            }
        }
    }

    fn set_self_closing(&mut self) {
        self.tag.is_closed = self.has_xml_syntax();
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let mut tag = std::mem::take(&mut self.tag);
        tag.range = self.tag_start..self.at;
        let (is_end, is_closed) = (tag.is_end, tag.is_closed);
        if tag.name == b"svg" && is_end {
            self.svgs = self.svgs.saturating_sub(1);
        } else if tag.name == b"svg" && !is_closed {
            self.svgs += 1;
        }
        self.open = if is_end { Vec::new() } else { tag.name.clone() };
        self.finished = Some(tag);
        if is_end || is_closed { None } else { content_state(&self.open) }
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.tag.is_end && !self.open.is_empty() && self.tag.name == self.open
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.has_xml_syntax()
    }

    fn emit_eof(&mut self) {}
    fn emit_error(&mut self, _: Error) {}
    fn emit_string(&mut self, _: &[u8]) {}
    fn init_comment(&mut self) {}
    fn push_comment(&mut self, _: &[u8]) {}
    fn emit_current_comment(&mut self) {}
    fn init_doctype(&mut self) {}
    fn push_doctype_name(&mut self, _: &[u8]) {}
    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}
    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}
    fn set_force_quirks(&mut self) {}
    fn emit_current_doctype(&mut self) {}
}

/// How the content of an element is read. That of `<noscript>` is markup, as it is without scripts.
fn content_state(element: &[u8]) -> Option<State> {
    match element {
        b"title" | b"textarea" => Some(State::RcData),
        b"script" => Some(State::ScriptData),
        b"style" | b"xmp" | b"iframe" | b"noembed" | b"noframes" => Some(State::RawText),
        b"plaintext" => Some(State::PlainText),
        _ => None,
    }
}
