//! Photos beyond the usual formats and sizes: HEIC, raw photos, and very large ones.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{GrayImage, Rgb, RgbImage};
use tempfile::TempDir;
use tests::small_model;

/// A model, and an empty folder of photos.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("model")).unwrap();
    fs::create_dir_all(folder.path().join("photos")).unwrap();
    small_model::write(&folder.path().join("model"));
    folder
}

fn caption(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
    command.current_dir(folder).args(["--model", "model"]).args(arguments);
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn heic_is_captioned_where_libheif_is_installed_and_else_counted() {
    let folder = workplace();
    let photos = folder.path().join("photos");
    let picture = folder.path().join("picture.png");
    RgbImage::from_pixel(60, 40, Rgb([140, 90, 0])).save(&picture).unwrap();
    fs::copy(&picture, photos.join("b.png")).unwrap();
    let Some(heic) = tests::encode_heif(&picture, &["-q", "95"]) else { return };
    fs::write(photos.join("a.HEIC"), &heic).unwrap();
    let output = caption(folder.path(), &["photos"], &[]);
    let printed = text(&output.stdout);
    let captions = printed.lines().map(|line| line.split_once('\t').unwrap()).collect::<Vec<_>>();
    assert_eq!(captions.len(), 2, "{printed}");
    assert_eq!(captions[0], ("photos/a.HEIC", captions[1].1));

    let output = caption(folder.path(), &["photos"], &[("SHOWTELL_LIBHEIF", "")]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout).lines().count(), 1);
    let message = text(&output.stderr);
    let hint = "libheif, which reads it, is turned off (SHOWTELL_LIBHEIF is empty)";
    assert!(message.contains(&format!("HEIC: {hint} (a.HEIC)")), "{message}");
    let output = caption(folder.path(), &["photos/a.HEIC"], &[("SHOWTELL_LIBHEIF", "")]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains(&format!("HEIC: {hint}; export it as JPEG")), "{message}");
    fs::write(photos.join("c.heic"), &heic[..heic.len() / 3]).unwrap();
    let output = caption(folder.path(), &["photos/c.heic"], &[]);
    assert!(text(&output.stderr).contains("photos/c.heic: the image is damaged: "));
}

#[test]
fn raw_photos_are_captioned_by_their_previews() {
    let folder = workplace();
    let preview = folder.path().join("preview.jpg");
    RgbImage::from_pixel(600, 520, Rgb([140, 90, 0])).save(&preview).unwrap();
    let preview = fs::read(preview).unwrap();
    for (name, jpeg) in [("a.dng", &preview[..]), ("b.nef", b"")] {
        fs::write(folder.path().join("photos").join(name), tests::raw_photo(jpeg)).unwrap();
    }
    fs::write(folder.path().join("photos/c.cr3"), b"\0\0\0\x18ftypcrx ").unwrap();
    let output = caption(folder.path(), &["photos"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(printed.starts_with("photos/a.dng\t") && printed.lines().count() == 1, "{printed}");
    let message = text(&output.stderr);
    assert!(
        message.contains("photos/b.nef") && message.contains("without a JPEG preview"),
        "{message}"
    );
    assert!(
        message.contains("Canon raw photo is not read") && message.contains("c.cr3"),
        "{message}"
    );
}

#[test]
fn memory_limits_a_photo_and_not_its_pixels() {
    let folder = workplace();
    GrayImage::new(10_000, 5_200).save(folder.path().join("photos/large.png")).unwrap();
    let output = caption(folder.path(), &["photos"], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("photos/large.png\t"));
    RgbImage::from_pixel(60, 40, Rgb([140, 90, 0]))
        .save(folder.path().join("photos/b.png"))
        .unwrap();
    let output = caption(folder.path(), &["photos", "--memory", "100MiB", "--format", "csv"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(printed.contains("photos/b.png,1,a "), "{printed}");
    let message = text(&output.stderr);
    assert!(message.contains("photos/large.png: decoding it takes "), "{message}");
    assert!(
        message.contains("and --memory 100 MiB leaves 75 MiB for that: give --memory "),
        "{message}"
    );
    let enough = message.split("give --memory ").nth(1).unwrap().split_whitespace().next().unwrap();
    let output = caption(folder.path(), &["photos", "--memory", enough], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = caption(folder.path(), &["photos/b.png", "--memory", "1KiB"], &[]);
    assert_eq!(output.status.code(), Some(1));
}
