//! Folders of photos for `caption`: files that are read, skipped, or unreadable.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use image::{Rgb, RgbImage};
use tempfile::TempDir;
use tests::small_model;

fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("model")).unwrap();
    small_model::write(&folder.path().join("model"));
    fs::create_dir_all(folder.path().join("photos/more")).unwrap();
    RgbImage::from_pixel(60, 40, Rgb([140, 90, 7]))
        .save(folder.path().join("photos/a.png"))
        .unwrap();
    folder
}

/// Exit status, captioned files, and standard error.
fn caption(folder: &Path, paths: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
    let output =
        command.current_dir(folder).args(["--model", "model"]).args(paths).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let files = text.lines().map(|line| line.split_once('\t').unwrap().0.to_owned()).collect();
    (output.status.code(), files, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn unsupported_photos_are_counted_and_metadata_files_ignored() {
    let folder = workplace();
    let at = |name: &str| folder.path().join("photos").join(name);
    let png = fs::read(at("a.png")).unwrap();
    fs::write(at("b.raf"), b"raw").unwrap();
    fs::write(at("c.jxl"), b"\xFF\x0A").unwrap();
    fs::write(at("d.png_large"), &png).unwrap();
    fs::write(at("more/._a.jpg"), b"\0\x05\x16\x07\0\x02\0\0").unwrap();
    fs::write(at("notes.txt"), b"notes").unwrap();
    let (status, files, error) = caption(folder.path(), &["photos"]);
    assert_eq!((status, files), (Some(0), vec!["photos/a.png".to_owned()]), "{error}");
    for part in ["(b.raf)", "JPEG XL is not read; save it as JPEG or PNG (c.jxl)", "(d.png_large)"]
    {
        assert!(error.contains(part), "no {part} in {error}");
    }
    assert!(!error.contains("._a") && !error.contains("notes"), "{error}");
}

#[test]
fn unreadable_entries_do_not_end_the_run() {
    let folder = workplace();
    let at = |name: &str| folder.path().join("photos").join(name);
    let png = fs::read(at("a.png")).unwrap();
    fs::write(at("more").join(OsStr::from_bytes(b"caf\xE9.png")), &png).unwrap();
    symlink("nowhere", at("gone")).unwrap();
    symlink("..", at("more/up")).unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let (status, files, error) = caption(folder.path(), &["empty", "photos"]);
    assert_eq!(status, Some(1));
    assert_eq!(files, ["photos/a.png", "photos/more/caf\u{FFFD}.png"], "{error}");
    assert!(error.contains("photos/gone: a link to nowhere, which is not there"), "{error}");
    assert!(error.contains("empty: no photo in it"), "{error}");
    assert!(!error.contains("more/up"), "{error}");
}

/// A named pipe would be waited for.
#[test]
fn a_pipe_is_refused_unless_the_shell_opened_it() {
    let folder = workplace();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (status, _, error) = caption(folder.path(), &["pipe"]);
    assert_eq!(status, Some(1));
    assert!(error.contains("pipe: not a regular file: save the content as a file"), "{error}");
    let command = format!("{} --model model <(cat photos/a.png)", env!("CARGO_BIN_EXE_caption"));
    let output = Command::new("bash").current_dir(folder.path()).args(["-c", &command]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
