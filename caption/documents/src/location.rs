use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// What the source of an image names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A local file, which need not exist.
    Local(PathBuf),
    /// An address: `https:`, `data:` or another scheme, or `//` and a host.
    Remote,
    /// A path from the root of the site, whose folder is not given.
    Rootless,
    /// The document itself: a source of a query or a fragment alone.
    Itself,
}

impl Location {
    /// From a source, the target of `<base>` if there is one, the folder of the document, and the folder of the site.
    pub(crate) fn new(
        source: &str,
        base: Option<&str>,
        folder: &Path,
        root: Option<&Path>,
    ) -> Self {
        let mut url = clean(source);
        let base = base.map(clean).unwrap_or_default();
        if is_remote(&url) || is_remote(&base) {
            return Self::Remote;
        }
        if !url.starts_with('/') {
            let base = without_query(&base);
            let folder = base.rfind('/').and_then(|slash| base.get(..=slash));
            url.insert_str(0, folder.unwrap_or(""));
        }
        let path = without_query(&url);
        let folder = match (path.starts_with('/'), root) {
            (true, None) => return Self::Rootless,
            (true, Some(root)) => root,
            (false, _) if path.is_empty() => return Self::Itself,
            (false, _) => folder,
        };
        let decoded = percent_decode_str(path).collect::<Vec<_>>();
        // A path that begins with a slash, as `%2F` can, would take the place of the folder.
        let slashes = decoded.iter().take_while(|&&byte| byte == b'/').count();
        let below = OsString::from_vec(decoded.into_iter().skip(slashes).collect());
        Self::Local(folder.join(below))
    }
}

/// Takes the white space away that a browser takes away.
fn clean(source: &str) -> String {
    let trimmed = source.trim_matches(|c: char| c.is_ascii_control() || c == ' ');
    trimmed.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect()
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// Whether a source has a scheme (RFC 3986, section 3.1) or a host.
fn is_remote(url: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    url.starts_with("//") || url.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(source: &str) -> Location {
        Location::new(source, None, Path::new("site/blog"), Some(Path::new("site")))
    }

    fn local(path: &str) -> Location {
        Location::Local(PathBuf::from(path))
    }

    #[test]
    fn local_sources_are_paths() {
        assert_eq!(locate("a.png"), local("site/blog/a.png"));
        assert_eq!(locate("./img/a.png"), local("site/blog/./img/a.png"));
        assert_eq!(locate("../a.png"), local("site/blog/../a.png"));
        assert_eq!(locate("/img/a.png"), local("site/img/a.png"));
        assert_eq!(locate("a%20b%C3%A9.png"), local("site/blog/a bé.png"));
        assert_eq!(locate("a b.png"), local("site/blog/a b.png"));
        assert_eq!(locate("100%.png"), local("site/blog/100%.png"));
        assert_eq!(locate("a.png?v=2#top"), local("site/blog/a.png"));
        assert_eq!(locate("a.png#x?y"), local("site/blog/a.png"));
        assert_eq!(locate("a%23b%3F.png"), local("site/blog/a#b?.png"));
        assert_eq!(locate("{{ page.cover }}"), local("site/blog/{{ page.cover }}"));
        assert_eq!(locate("\n  a\n.png\t"), local("site/blog/a.png"));
        assert_eq!(locate("a/b:c.png"), local("site/blog/a/b:c.png"));
    }

    #[test]
    fn a_decoded_slash_does_not_leave_the_folder() {
        assert_eq!(locate("%2Fetc/passwd"), local("site/blog/etc/passwd"));
        assert_eq!(locate("/%2Fetc/passwd"), local("site/etc/passwd"));
    }

    #[test]
    fn addresses_are_remote() {
        for source in [
            "https://a.org/b.png",
            "HTTP://a",
            "//a.org/b.png",
            "data:image/png;base64,AA",
            "file:///a",
            "blob:x",
        ] {
            assert_eq!(locate(source), Location::Remote, "{source}");
        }
    }

    #[test]
    fn some_sources_name_no_file() {
        assert_eq!(Location::new("/a.png", None, Path::new(""), None), Location::Rootless);
        assert_eq!(locate("?v=1"), Location::Itself);
        assert_eq!(locate("#a"), Location::Itself);
    }

    #[test]
    fn the_base_precedes_relative_sources() {
        let under = |base, source| {
            Location::new(source, Some(base), Path::new("site/blog"), Some(Path::new("site")))
        };
        assert_eq!(under("/", "a.png"), local("site/a.png"));
        assert_eq!(under("img/x.html?a/b", "a.png"), local("site/blog/img/a.png"));
        assert_eq!(under("x.html", "a.png"), local("site/blog/a.png"));
        assert_eq!(under("/img/", "/a.png"), local("site/a.png"));
        assert_eq!(under("https://a.org/", "a.png"), Location::Remote);
        assert_eq!(under("https://a.org", "/a.png"), Location::Remote);
    }
}
