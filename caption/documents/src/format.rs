use std::path::Path;

/// The language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// HTML, also in the syntax of XML: a document that begins with `<?xml` may close each tag by `/>`.
    Html,
    /// Markdown, with HTML in it.
    Markdown,
}

impl Format {
    /// The format of files with the extension of `path`: `html`, `htm` and `xhtml`, `md` and `markdown`, in any case.
    ///
    /// `mdx` is not among them: its braces are code, which a Markdown parser takes for text.
    #[must_use]
    pub fn from_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "md" | "markdown" => Some(Self::Markdown),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_names_the_format() {
        let format = |path: &str| Format::from_path(Path::new(path));
        for path in ["index.html", "a/b.HTM", "c.d.xhtml"] {
            assert_eq!(format(path), Some(Format::Html), "{path}");
        }
        for path in ["README.md", "x.Markdown"] {
            assert_eq!(format(path), Some(Format::Markdown), "{path}");
        }
        for path in ["a.mdx", "md", ".html", "a.txt", ""] {
            assert_eq!(format(path), None, "{path}");
        }
    }
}
