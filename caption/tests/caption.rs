//! The `caption` command on a small model: its output, its order, and unreadable photos.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;
use tests::small_model;

/// A model, and a folder of photos with one file that is not a photo.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    fs::create_dir_all(folder.path().join("model")).unwrap();
    fs::create_dir_all(photos.join("more")).unwrap();
    small_model::write(&folder.path().join("model"));
    for (name, blue) in [("b.png", 0), ("a.PNG", 20), ("more/c.png", 40)] {
        RgbImage::from_pixel(60, 40, Rgb([140, 90, blue])).save(photos.join(name)).unwrap();
    }
    fs::write(photos.join("broken.jpg"), b"no photo").unwrap();
    fs::write(photos.join("notes.txt"), b"no photo either").unwrap();
    folder
}

fn caption(folder: &Path, arguments: &[&str], stdin: &[u8]) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_caption"))
        .current_dir(folder)
        .args(["--model", "model"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input may have ended already.
    let _ = process.stdin.take().unwrap().write_all(stdin);
    process.wait_with_output().unwrap()
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn folders_are_captioned_in_order_and_bad_files_are_named() {
    let folder = workplace();
    let output = caption(folder.path(), &["photos", "absent.jpg"], b"");
    assert_eq!(output.status.code(), Some(1));
    let printed = lines(&output.stdout);
    let files = printed.iter().map(|line| line.split_once('\t').unwrap().0).collect::<Vec<_>>();
    assert_eq!(files, ["photos/a.PNG", "photos/b.png", "photos/more/c.png"]);
    assert!(printed.iter().all(|line| line.contains("\ta")), "{printed:?}");
    let problems = lines(&output.stderr);
    assert!(
        problems.contains(&"photos/broken.jpg: not an image: use JPEG or PNG".to_owned()),
        "{problems:?}"
    );
    assert!(problems.iter().any(|line| *line == "absent.jpg: not found: check the path"));
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn json_has_the_best_captions_and_their_words_on_request() {
    let folder = workplace();
    let run = |more: &[&str]| {
        let arguments = ["--json", "--n-best", "2", "photos/b.png", "photos/broken.jpg"];
        let output = caption(folder.path(), &[&arguments[..], more].concat(), b"");
        assert_eq!(output.status.code(), Some(1));
        let printed = lines(&output.stdout);
        let printed = printed.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        <[Value; 2]>::try_from(printed.collect::<Vec<_>>()).unwrap()
    };
    let [photo, broken] = run(&[]);
    assert_eq!(photo["file"], "photos/b.png");
    let captions = photo["captions"].as_array().unwrap();
    assert_eq!(captions.len(), 2);
    assert_eq!(photo["caption"], captions[0]["text"]);
    let words = photo["caption"].as_str().unwrap();
    let sentence = photo["sentence"].as_str().unwrap();
    assert!(sentence.starts_with('A') && sentence.ends_with('.'), "{sentence}");
    assert_eq!(sentence.to_lowercase().trim_end_matches('.'), words);
    assert_eq!(captions[0].get("words"), None);
    assert!(photo.to_string().len() < 700, "{photo}");
    assert_eq!(broken["error"], "not an image");
    let [with_words, _] = run(&["--words"]);
    assert_eq!(with_words["captions"][0]["words"][0]["attention"].as_array().unwrap().len(), 7);
}

#[test]
fn tags_are_printed_on_request_where_the_encoder_has_a_head() {
    let folder = workplace();
    let run = |arguments: &[&str]| {
        let output = caption(folder.path(), arguments, b"");
        assert_eq!(output.status.code(), Some(0));
        let messages = String::from_utf8(output.stderr).unwrap();
        (lines(&output.stdout).concat(), messages)
    };
    let (plain, _) = run(&["photos/b.png"]);
    let (tagged, messages) = run(&["--tags", "photos/b.png"]);
    let tags = tagged.strip_prefix(&plain).unwrap();
    assert!(tags.starts_with("\tred ") && tags.ends_with('%'), "{tagged}");
    assert_eq!(messages, "");
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(json(&run(&["--json", "--tags", "photos/b.png"]).0)["tags"][0]["name"], "red");
    assert_eq!(json(&run(&["--json", "photos/b.png"]).0)["tags"], Value::Null);

    fs::remove_file(folder.path().join("model/small.onnx.head")).unwrap();
    let (untagged, messages) = run(&["--tags", "photos/b.png"]);
    assert_eq!(untagged, plain);
    assert!(
        messages.contains("--tags: the encoder has no head (.onnx.head) beside it"),
        "{messages}"
    );
}

#[test]
fn standard_input_is_a_photo_and_attention_is_drawn() {
    let folder = workplace();
    let photo = fs::read(folder.path().join("photos/b.png")).unwrap();
    let from_file = caption(folder.path(), &["photos/b.png"], b"");
    let output = caption(folder.path(), &["--attention", "looked", "-", "photos"], &photo);
    let text = |line: &str| line.split_once('\t').unwrap().1.to_owned();
    let said = text(&lines(&output.stdout)[0]);
    assert_eq!(said, text(&lines(&from_file.stdout)[0]));
    assert_eq!(from_file.status.code(), Some(0));
    let words = said.split(' ').enumerate().map(|(at, word)| format!("{:02}-{word}.png", at + 1));
    for below in ["stdin", "b.png"] {
        let folder = folder.path().join("looked").join(below);
        let mut drawn = fs::read_dir(&folder).unwrap();
        assert_eq!(drawn.by_ref().count(), words.clone().count());
        for name in words.clone() {
            let drawn = image::open(folder.join(&name)).unwrap();
            assert_eq!((drawn.width(), drawn.height()), (60, 40), "{name}");
        }
    }
    assert!(folder.path().join("looked/more/c.png/01-a.png").exists());
}

#[test]
fn pictures_of_an_earlier_run_are_removed_and_other_files_stay() {
    let folder = workplace();
    let looked = folder.path().join("looked/b.png");
    fs::create_dir_all(&looked).unwrap();
    for name in ["01-other.png", "23-more_.png", "notes.txt", "1-a.png", "01-a-b.png"] {
        fs::write(looked.join(name), "old").unwrap();
    }
    let run = || {
        let output = caption(folder.path(), &["--attention", "looked", "photos/b.png"], b"");
        assert_eq!(output.status.code(), Some(0));
        let names = fs::read_dir(&looked).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect::<BTreeSet<_>>()
    };
    let names = run();
    for gone in ["01-other.png", "23-more_.png"] {
        assert!(!names.contains(gone), "{names:?}");
    }
    for kept in ["notes.txt", "1-a.png", "01-a-b.png", "01-a.png"] {
        assert!(names.contains(kept), "{names:?}");
    }
    assert_eq!(run(), names);
}

#[test]
fn an_error_of_the_command_line_names_the_next_step() {
    let folder = workplace();
    let says = |arguments: &[&str]| {
        let output = caption(folder.path(), arguments, b"");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(says(&[]).0, Some(2));
    let (code, error) = says(&["--n-best", "5", "photos"]);
    assert!(code == Some(2) && error.contains("--beam 5"), "{error}");
    let (code, error) = says(&["--min-length", "9", "--max-length", "9", "photos"]);
    assert!(code == Some(2) && error.contains("--max-length 10"), "{error}");
    fs::create_dir(folder.path().join("empty")).unwrap();
    let (code, error) = says(&["empty"]);
    assert!(code == Some(1) && error.contains("empty: no photo in it"), "{error}");
}
