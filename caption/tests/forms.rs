//! The forms of the output of `caption`: CSV, HTML, and files.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use tempfile::TempDir;
use tests::small_model;

/// A model, and photos whose names need quoting in one form or another.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("model")).unwrap();
    fs::create_dir_all(folder.path().join("photos")).unwrap();
    small_model::write(&folder.path().join("model"));
    for name in ["a, \"b\".png", "c\t\n<i>&.png", "d.png"] {
        let path = folder.path().join("photos").join(name);
        RgbImage::from_pixel(600, 400, Rgb([140, 90, 20])).save(path).unwrap();
    }
    fs::write(folder.path().join("photos/e.jpg"), "no photo").unwrap();
    folder
}

fn caption(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
    command.current_dir(folder).args(["--model", "model", "photos"]).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn csv_has_a_row_for_each_caption_and_for_each_error() {
    let folder = workplace();
    let output = caption(folder.path(), &["--format", "csv", "--n-best", "2", "--tags"]);
    assert_eq!(output.status.code(), Some(1));
    let mut csv = csv::Reader::from_reader(&output.stdout[..]);
    let head = csv.headers().unwrap().iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(head, ["file", "rank", "caption", "sentence", "confidence", "tags", "error"]);
    let rows = csv.records().map(|row| row.unwrap()).collect::<Vec<_>>();
    let files = rows.iter().map(|row| row[0].to_owned()).collect::<Vec<_>>();
    let [quoted, odd] = ["photos/a, \"b\".png", "photos/c\t\n<i>&.png"];
    let expected = [quoted, quoted, odd, odd, "photos/d.png", "photos/d.png", "photos/e.jpg"];
    assert_eq!(files, expected);
    assert_eq!((&rows[0][1], &rows[1][1], &rows[6][1]), ("1", "2", ""));
    assert!(rows[0][3].starts_with('A') && rows[0][3].ends_with('.') && rows[0][5].ends_with('%'));
    assert_eq!(&rows[6][6], "not an image");
}

#[test]
fn html_is_one_page_with_pictures_and_alternatives() {
    let folder = workplace();
    let output =
        caption(folder.path(), &["--format", "html", "--n-best", "2", "--out", "a/page.html"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    let page = fs::read_to_string(folder.path().join("a/page.html")).unwrap();
    assert_eq!(page.matches("<article").count(), 4);
    assert_eq!(page.matches("<img src=\"data:image/jpeg;base64,").count(), 3);
    assert_eq!(page.matches("<li>").count(), 3, "the other caption of each photo");
    assert!(
        page.contains("c\t\n&lt;i&gt;&amp;.png</p>") && page.contains("not an image"),
        "{page}"
    );
    assert!(
        page.trim_end().ends_with("</html>") && !page.contains("http"),
        "no other file, no host"
    );
}

/// A picture of the page is a photo, scaled down.
#[test]
fn a_page_has_small_pictures() {
    use base64::Engine as _;
    let folder = workplace();
    let page = text(&caption(folder.path(), &["--format", "html"]).stdout);
    let picture = page.split("base64,").nth(1).unwrap().split('"').next().unwrap();
    let picture = base64::engine::general_purpose::STANDARD.decode(picture).unwrap();
    let picture = image::load_from_memory(&picture).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (320, 213));
    let Rgb([red, green, blue]) = *picture.get_pixel(100, 100);
    assert!(red.abs_diff(140) < 6 && green.abs_diff(90) < 6 && blue.abs_diff(20) < 6);
}

#[test]
fn an_output_file_is_replaced_at_the_end_and_text_keeps_the_words() {
    let folder = workplace();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("out.tsv"), "old").unwrap();
    let printed = caption(folder.path(), &[]);
    let output = caption(folder.path(), &["--out", "out.tsv"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read(at("out.tsv")).unwrap(), printed.stdout);
    let lines = text(&printed.stdout);
    let captions = lines.lines().map(|line| line.split_once('\t').unwrap().1).collect::<Vec<_>>();
    assert!(captions.len() == 3 && captions.iter().all(|of| *of == "a"), "{captions:?}");
    assert!(lines.contains("photos/c\\t\\n<i>&.png\t"), "{lines}");

    fs::create_dir(at("folder")).unwrap();
    let output = caption(folder.path(), &["--out", "folder"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("folder: "), "{}", text(&output.stderr));
}
