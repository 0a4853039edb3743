//! HTML: one page with small pictures, which needs no other file.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, context};
use models::Style;

use super::{Form, Written, text};

/// A template and its text. The page is written in parts, so that it never lies in memory as a whole.
const PARTS: [(&str, &str); 3] = [
    ("head.html", include_str!("head.html")),
    ("photo.html", include_str!("photo.html")),
    ("foot.html", include_str!("foot.html")),
];

pub(super) struct Html {
    templates: Environment<'static>,
    has_head: bool,
    style: Style,
}

impl Html {
    pub(super) fn new(style: Style) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        for (name, text) in PARTS {
            templates.add_template(name, text)?;
        }
        Ok(Self { templates, has_head: false, style })
    }

    /// Renders a part of the page, after the head if it is the first one.
    fn render(
        &mut self,
        out: &mut dyn Write,
        name: &str,
        values: minijinja::Value,
    ) -> io::Result<()> {
        if !self.has_head {
            self.has_head = true;
            self.render(out, "head.html", context! { version => common::version!() })?;
        }
        let part = self.templates.get_template(name).and_then(|part| part.render(values));
        writeln!(out, "{}", part.map_err(io::Error::other)?)
    }
}

impl Form for Html {
    fn write(&mut self, out: &mut dyn Write, photo: &Written) -> io::Result<()> {
        let mut sentences = photo.captions.iter().map(|caption| self.style.sentence(caption));
        let values = context! {
            file => photo.file,
            sentence => sentences.next(),
            others => sentences.collect::<Vec<_>>(),
            confidence => photo.confidence,
            percent => photo.confidence.map(|of| format!("{:.0} %", 100.0 * of)),
            error => photo.error,
            is_unsure => photo.is_unsure,
            unfamiliar => photo.description.unfamiliar,
            tags => photo.description.tags.as_deref().map(text::list),
            picture => photo.thumbnail.map(|jpeg| STANDARD.encode(jpeg)),
        };
        self.render(out, "photo.html", values)
    }

    fn write_error(&mut self, out: &mut dyn Write, file: &str, error: &str) -> io::Result<()> {
        self.render(out, "photo.html", context! { file, error })
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.render(out, "foot.html", context! {})
    }
}
