use std::path::Path;

use crate::escape::one_line;
use crate::image::{Findings, Found, Image, Obstacle};
use crate::links::Links;
use crate::{Format, Location, html, markdown};

/// A document and the images in it.
///
/// ```
/// use documents::{Document, Format};
///
/// let document = Document::parse("<p><img src=\"dog.jpg\"></p>\n", Format::Html);
/// let filled = document.fill(|image| (image.source == "dog.jpg").then_some("A dog runs."));
/// assert_eq!(filled, "<p><img src=\"dog.jpg\" alt=\"A dog runs.\"></p>\n");
/// ```
#[derive(Debug, Clone)]
pub struct Document<'a> {
    text: &'a str,
    images: Vec<Image<'a>>,
    base: Option<String>,
}

impl<'a> Document<'a> {
    /// Reads a document. Each text is one: what is damaged is read as a browser reads it.
    #[must_use]
    pub fn parse(text: &'a str, format: Format) -> Self {
        let Findings { images, links, base } = match format {
            Format::Html => html::find(text),
            Format::Markdown => markdown::find(text),
        };
        let links = Links::new(links);
        let mut position = Position::new(text);
        let images = images.into_iter().map(|found| image(text, found, &links, &mut position));
        Self { text, images: images.collect(), base }
    }

    /// The images, in the order of the document.
    #[must_use]
    pub fn images(&self) -> &[Image<'a>] {
        &self.images
    }

    /// What the source of an image names, for a document in `folder` and a site in `root`, where sources that begin with `/`
    /// are. The first `<base>` of the document counts. Files are not looked for.
    #[must_use]
    pub fn locate(&self, image: &Image<'_>, folder: &Path, root: Option<&Path>) -> Location {
        Location::new(&image.source, self.base.as_deref(), folder, root)
    }

    /// The document with texts for images that are [fillable](Image::is_fillable), as `text_of` has them: in the order of the
    /// document, and `None` to leave one as it is.
    ///
    /// White space in a text, line ends too, becomes single spaces. A blank text is none.
    #[must_use]
    pub fn fill<'t>(&self, mut text_of: impl FnMut(&Image<'a>) -> Option<&'t str>) -> String {
        let mut filled = String::with_capacity(self.text.len());
        let mut copied = 0;
        for image in self.images.iter().filter(|image| image.is_fillable()) {
            let line = text_of(image).map(one_line).unwrap_or_default();
            if let Some(place) = &image.place
                && let Some(unchanged) = self.text.get(copied..place.range.start)
                && !line.is_empty()
            {
                let (before, after) = place.around;
                filled.extend([unchanged, before, &place.syntax.escape(&line), after]);
                copied = place.range.end;
            }
        }
        filled.push_str(self.text.get(copied..).unwrap_or_default());
        filled
    }
}

fn image<'a>(text: &'a str, found: Found, links: &Links, position: &mut Position<'a>) -> Image<'a> {
    let (line, column) = position.advance(found.range.start);
    let obstacle = found.obstacle.or(links.has(found.range.start).then_some(Obstacle::Link));
    let written = text.get(found.range).unwrap_or_default();
    let Found { source, alt, place, .. } = found;
    Image { line, column, written, source, alt, obstacle, place }
}

/// A place in a text, counted from its begin once for all images.
struct Position<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    column: usize,
}

impl<'a> Position<'a> {
    fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, line: 1, column: 1 }
    }

    /// The line and column at a byte, which is not before that of the last call.
    fn advance(&mut self, to: usize) -> (usize, usize) {
        let passed = self.text.get(self.at..to).unwrap_or_default();
        self.line += passed.matches('\n').count();
        self.column = match passed.rsplit_once('\n') {
            Some((_, begin)) => begin.chars().count() + 1,
            None => self.column + passed.chars().count(),
        };
        self.at = to.max(self.at);
        (self.line, self.column)
    }
}
