use std::ops::Range;

use crate::escape::Syntax;

/// The alternative text of an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Alt {
    /// HTML without an `alt` attribute; Markdown with empty brackets, `![]`.
    Missing,
    /// HTML with an `alt` attribute that is empty or blank, which declares the image decoration.
    Empty,
    /// The text, decoded.
    Present(String),
}

/// Why an image is not filled, whether it has a text or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// It has no source, or an empty one.
    NoSource,
    /// It is declared decoration: `aria-hidden="true"`, `role="presentation"` or `role="none"`.
    Decoration,
    /// It has a name of another kind: `aria-label`, `aria-labelledby`, or an `alt` that a framework sets, such as `:alt`.
    Labelled,
    /// The place of a text is not clear: template code between the attributes of the tag, or markup without text in the
    /// brackets.
    Unclear,
    /// It lies in a link or a button, whose name the text would be.
    Link,
}

/// An image of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image<'a> {
    /// The line that it begins in, counted from 1.
    pub line: usize,
    /// The character of the line that it begins at, counted from 1, without a byte-order mark.
    pub column: usize,
    /// The image as written: the whole `<img …>` or `![](…)`.
    pub written: &'a str,
    /// The source, decoded: without the character references of HTML and the escapes of Markdown, but with percent-encoding.
    pub source: String,
    /// The alternative text.
    pub alt: Alt,
    /// Why it is not filled.
    pub obstacle: Option<Obstacle>,
    /// Where a text belongs, unless there is one.
    pub(crate) place: Option<Place>,
}

impl Image<'_> {
    /// Whether [`Document::fill`](crate::Document::fill) would fill it: it has no text, and no obstacle.
    #[must_use]
    pub fn is_fillable(&self) -> bool {
        self.obstacle.is_none() && self.place.is_some()
    }
}

/// The place of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The bytes that make way for it; mostly none.
    pub(crate) range: Range<usize>,
    /// What comes before and after it.
    pub(crate) around: (&'static str, &'static str),
    pub(crate) syntax: Syntax,
}

/// An image as a parser finds it.
#[derive(Debug)]
pub(crate) struct Found {
    /// The bytes of it.
    pub(crate) range: Range<usize>,
    pub(crate) source: String,
    pub(crate) alt: Alt,
    pub(crate) obstacle: Option<Obstacle>,
    pub(crate) place: Option<Place>,
}

/// What a parser finds in a document.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// In the order of the document.
    pub(crate) images: Vec<Found>,
    /// The bytes of links, in no order.
    pub(crate) links: Vec<Range<usize>>,
    /// The target of `<base>`.
    pub(crate) base: Option<String>,
}
