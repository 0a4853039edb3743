//! Alternative texts in documents.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use tempfile::TempDir;
use tests::small_model;

const HTML: &str = "<!doctype html>\r\n<p><img src=\"img/a%20b.png\"><img src='img/c.png' alt=''>\r\n\
    <a href=\"/\"><img src=\"img/c.png\"></a> <img src=\"https://example.org/d.png\">\r\n\
    <img src=\"/img/c.png\"><img src=\"gone.png\"><img src=\"img/c.png\" alt=\"Mine\">";
const MARKDOWN: &str =
    "# Title\n\n![](img/c.png \"title\")  \n[![](img/c.png)](a.md) `![](img/c.png)`";

/// A model, and a site with two documents.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("model")).unwrap();
    fs::create_dir_all(at("site/img")).unwrap();
    small_model::write(&at("model"));
    for (name, blue) in [("a b.png", 0), ("c.png", 20)] {
        let photo = RgbImage::from_pixel(60, 40, Rgb([140, 90, blue]));
        photo.save(at("site/img").join(name)).unwrap();
    }
    fs::write(at("site/index.html"), HTML).unwrap();
    fs::write(at("site/a.md"), MARKDOWN).unwrap();
    folder
}

fn caption(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
    command.current_dir(folder).args(["--model", "model"]).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_dry_run_shows_what_would_change_and_changes_nothing() {
    let folder = workplace();
    let output = caption(folder.path(), &["--fill-alt", "site/index.html", "site/a.md"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let diff = text(&output.stdout);
    assert!(diff.contains("--- site/index.html\n+++ site/index.html\n"), "{diff}");
    assert!(diff.contains("+<p><img src=\"img/a%20b.png\" alt=\"A"), "{diff}");
    assert!(diff.contains("+![A"), "{diff}");
    let said = text(&output.stderr);
    for part in [
        "site/index.html:3:13: img/c.png: not filled: in a link or button, whose name the text would be",
        "https://example.org/d.png: not filled: not a local file",
        "/img/c.png: not filled: a path from the root of the site: name it (--root)",
        "gone.png: not filled: site/gone.png is not a file",
        "site/a.md:4:2: img/c.png: not filled: in a link",
        "2 of 7 missing texts filled (a dry run: --apply writes them); 1 with alt=\"\" count as decoration",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("site/index.html")).unwrap(), HTML);
}

#[test]
fn texts_are_written_and_nothing_else_changes() {
    let folder = workplace();
    let arguments =
        ["--fill-alt", "site/index.html", "site/a.md", "--apply", "--root", "site", "--empty-too"];
    let output = caption(folder.path(), &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    let html = fs::read_to_string(folder.path().join("site/index.html")).unwrap();
    let sentence = html.split("alt='").nth(1).unwrap().split('\'').next().unwrap();
    assert!(sentence.starts_with('A') && sentence.ends_with('.'), "{html}");
    let alts = html.split(" alt=").skip(1).map(|rest| rest.split('>').next().unwrap());
    let mut expected = HTML.to_owned();
    for (before, alt) in [("b.png\"", 0), ("c.png' alt=''", 1), ("=\"/img/c.png\"", 2)] {
        let alt = alts.clone().nth(alt).unwrap();
        let after = format!("{} alt={alt}", before.trim_end_matches(" alt=''"));
        expected = expected.replacen(before, &after, 1);
    }
    assert_eq!(html, expected);
    let markdown = fs::read_to_string(folder.path().join("site/a.md")).unwrap();
    assert_eq!(markdown, MARKDOWN.replacen("![]", &format!("![{sentence}]"), 1));
    let again = caption(folder.path(), &arguments);
    assert!(text(&again.stderr).contains("0 of "), "{}", text(&again.stderr));
    assert_eq!(fs::read_to_string(folder.path().join("site/index.html")).unwrap(), html);
}

#[test]
fn documents_that_cannot_be_read_do_not_stop_the_others() {
    let folder = workplace();
    fs::write(folder.path().join("latin.html"), b"<img src=a.png>\xE9").unwrap();
    let output = caption(
        folder.path(),
        &["--fill-alt", "latin.html", "gone.md", "site/img/c.png", "site/a.md", "--apply"],
    );
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    for part in [
        "latin.html: not UTF-8: save it as UTF-8",
        "gone.md: ",
        "site/img/c.png: not HTML or Markdown",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(said.contains("1 of 2 missing texts filled"), "{said}");
    let again = ["--fill-alt", "site/index.html", "./site/index.html", "--apply"];
    let output = caption(folder.path(), &again);
    assert!(output.status.success(), "a document that is named twice: {}", text(&output.stderr));
    let locked = folder.path().join("locked.html");
    fs::write(&locked, "<img src=site/img/c.png>").unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o444)).unwrap();
    let output = caption(folder.path(), &["--fill-alt", "locked.html", "--apply"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("locked.html: it is read-only") && said.contains("0 of 1 "), "{said}");
    for wrong in [&["a.png", "--fill-alt", "a.html"][..], &["--apply"], &[]] {
        assert_eq!(caption(folder.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
    let output = caption(folder.path(), &["--apply", "site/img/c.png"]);
    assert!(text(&output.stderr).contains("--apply: has no effect without --fill-alt"));
}

#[test]
fn control_characters_of_documents_do_not_reach_the_terminal() {
    let folder = workplace();
    fs::write(folder.path().join("a.md"), "![](%1b[31mx.png)\n").unwrap();
    let output = caption(folder.path(), &["--fill-alt", "a.md"]);
    assert!(!text(&output.stderr).contains('\u{1b}'), "{}", text(&output.stderr));
}
