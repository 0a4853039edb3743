//! `caption --write`: where captions are written, what is left alone, what is taken back.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;
use tests::small_model;

fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("model")).unwrap();
    fs::create_dir_all(folder.path().join("photos/more")).unwrap();
    small_model::write(&folder.path().join("model"));
    for (name, blue) in [("a.jpg", 0), ("b.png", 20), ("more/c.tif", 40), ("more/d.webp", 60)] {
        let photo = RgbImage::from_pixel(60, 40, Rgb([140, 90, blue]));
        photo.save(folder.path().join("photos").join(name)).unwrap();
    }
    folder
}

fn caption(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
    command.current_dir(folder).args(["--model", "model", "photos"]).args(arguments);
    command.env("XDG_STATE_HOME", folder.join("state"));
    command.output().unwrap()
}

/// The standard error of a run that succeeds.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = caption(folder, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

/// The first captions of a folder, by file.
fn captions(output: &Output) -> Vec<(String, String)> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let pair =
        |line: &str| line.split_once('\t').map(|(file, of)| (file.to_owned(), of.to_owned()));
    text.lines().map(|line| pair(line).unwrap()).collect()
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join("photos").join(name)).unwrap()
}

/// The paths below a folder.
fn names(folder: &Path) -> Vec<String> {
    let listed = walk(folder);
    let below =
        |path: &std::path::PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
    let mut names = listed.iter().map(below).collect::<Vec<_>>();
    names.sort();
    names
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn sidecars_are_written_left_alone_and_taken_back() {
    let folder = workplace();
    let place = folder.path();
    let before = names(&place.join("photos"));
    let first = caption(place, &["--write", "xmp"]);
    assert_eq!(captions(&first).len(), 4, "the output is the same");
    let sidecar = read(place, "more/c.tif.xmp");
    assert!(
        sidecar.contains("<dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">A."),
        "{sidecar}"
    );
    assert!(sidecar.contains("AltTextAccessibility") && !sidecar.contains("DigitalSourceType"));
    assert!(said(place, &["--write", "xmp", "--all"]).contains("4 photos left alone"));
    assert_eq!(read(place, "more/c.tif.xmp"), sidecar);

    // A person edits one.
    let edited = sidecar.replacen("\">A.", "\">Rex: a.", 1);
    fs::write(place.join("photos/more/c.tif.xmp"), &edited).unwrap();
    let again = said(place, &["--write", "xmp", "--existing", "machine"]);
    assert!(again.contains("1 photo left alone"), "{again}");
    assert_eq!(read(place, "more/c.tif.xmp"), edited);
    said(place, &["--write", "xmp", "--existing", "append"]);
    let appended = read(place, "more/c.tif.xmp");
    assert!(appended.contains(">Rex: a. A.<"), "{appended}");
    let back = said(place, &["--write", "xmp", "--remove"]);
    assert!(back.contains("captions removed from 4 of 4 photos"), "{back}");
    let left = read(place, "more/c.tif.xmp");
    assert!(left.contains(">Rex: a.<") && !left.contains("showtell"), "{left}");
    fs::remove_file(place.join("photos/more/c.tif.xmp")).unwrap();
    assert_eq!(names(&place.join("photos")), before);
}

#[test]
fn photos_keep_their_pixels_mode_links_and_on_request_times() {
    let folder = workplace();
    let place = folder.path();
    let at = |name: &str| place.join("photos").join(name);
    let pixels = || {
        ["a.jpg", "b.png", "more/c.tif", "more/d.webp"].map(|name| image::open(at(name)).unwrap())
    };
    let before = pixels();
    fs::rename(at("a.jpg"), place.join("real.jpg")).unwrap();
    symlink("../real.jpg", at("a.jpg")).unwrap();
    fs::set_permissions(at("b.png"), fs::Permissions::from_mode(0o640)).unwrap();
    let early = SystemTime::now() - Duration::from_secs(100_000);
    File::options().write(true).open(at("b.png")).unwrap().set_modified(early).unwrap();
    let has_attributes = xattr::set(at("b.png"), "user.rating", b"5").is_ok();
    let plain = caption(place, &[]);
    let written = caption(place, &["--write", "embed", "--keep-times"]);
    assert_eq!(captions(&written), captions(&plain));
    assert_eq!(pixels(), before);
    assert!(fs::symlink_metadata(at("a.jpg")).unwrap().is_symlink());
    let metadata = fs::metadata(at("b.png")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    assert_eq!(metadata.modified().unwrap(), early);
    if has_attributes {
        assert_eq!(xattr::get(at("b.png"), "user.rating").unwrap().unwrap(), b"5");
    }
    for name in ["a.jpg", "b.png", "more/c.tif", "more/d.webp"] {
        let bytes = fs::read(at(name)).unwrap();
        let has = |part: &str| bytes.windows(part.len()).any(|found| found == part.as_bytes());
        assert!(has("AltTextAccessibility") && has("urn:x-showtell"), "{name}");
    }
    assert_eq!(captions(&caption(place, &[])), captions(&plain), "the pixels decide");
    assert!(said(place, &["--write", "embed", "--all"]).contains("4 photos left alone"));
    assert!(said(place, &["--write", "embed", "--remove"]).contains("4 of 4 photos"));
    let bytes = fs::read(at("more/d.webp")).unwrap();
    assert!(!bytes.windows(8).any(|found| found == b"showtell"));
    assert_eq!(pixels(), before);
}

#[test]
fn texts_for_training_and_the_lines_of_an_image_folder() {
    let folder = workplace();
    let place = folder.path();
    fs::write(place.join("photos/b.txt"), "My own text.\n").unwrap();
    let line = "{\"file_name\":\"more/c.tif\",\"licence\":\"CC0\",\"text\":\"mine\"}\n";
    fs::write(place.join("photos/metadata.jsonl"), line).unwrap();
    let output = caption(place, &["--write", "txt,metadata", "--prefix", "rex, "]);
    let of = |file: &str| captions(&output).into_iter().find(|(name, _)| name == file).unwrap().1;
    assert_eq!(read(place, "a.txt"), format!("rex, {}\n", of("photos/a.jpg")));
    assert_eq!(read(place, "b.txt"), "My own text.\n");
    let lines = read(place, "metadata.jsonl");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.collect::<Vec<_>>();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        (&lines[0]["text"], &lines[0]["licence"]),
        (&Value::from("mine"), &Value::from("CC0"))
    );
    let written = lines.iter().find(|line| line["file_name"] == "more/d.webp").unwrap();
    assert_eq!(written["text"], of("photos/more/d.webp"));
    said(place, &["--write", "txt,metadata", "--existing", "append"]);
    assert_eq!(read(place, "b.txt"), format!("My own text. {}\n", of("photos/b.png")));
}

#[test]
fn photos_that_cannot_be_written_are_named_and_not_touched() {
    let folder = workplace();
    let place = folder.path();
    RgbImage::from_pixel(60, 40, Rgb([140, 90, 0])).save(place.join("photos/e.bmp")).unwrap();
    fs::write(place.join("photos/b.png.xmp"), "<x:xmpmeta").unwrap();
    let output = caption(place, &["--write", "embed,xmp"]);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("1 of them in the sidecar alone"), "{error}");
    assert!(read(place, "e.bmp.xmp").contains("showtell:TextHash"));
    assert!(error.starts_with("photos/b.png.xmp: it cannot be changed"), "{error}");
    assert_eq!(captions(&output).len(), 4);
    assert_eq!(read(place, "b.png.xmp"), "<x:xmpmeta");

    let says = |arguments: &[&str]| String::from_utf8(caption(place, arguments).stderr).unwrap();
    let taken_back = says(&["--write", "embed,xmp", "--remove"]);
    assert!(taken_back.contains("captions removed from 4 of 5 photos"), "{taken_back}");
    fs::copy(place.join("photos/b.png"), place.join("photos/a.png")).unwrap();
    assert!(says(&["--write", "txt"]).contains("photos/a.png have the same text photos/a.txt"));
    assert!(says(&["-", "--write", "xmp"]).contains("--write: standard input"));
    assert!(says(&["--existing", "append"]).contains("--write"));
    assert!(says(&["--write", "xmp", "--keep-times"]).contains("--keep-times: has no effect"));
    assert!(says(&["--write", "xmp", "--prefix", "a"]).contains("Add --write txt"));
    assert!(says(&["--words"]).contains("--words: has no effect"));
    assert!(says(&["--write", "txt", "--remove"]).contains("do not say who wrote a text"));
}

#[test]
fn a_photo_that_is_named_twice_or_linked_is_written_once() {
    let folder = workplace();
    let place = folder.path();
    symlink("a.jpg", place.join("photos/link.jpg")).unwrap();
    let output = caption(place, &["photos/a.jpg", "--write", "embed,txt", "--all"]);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert_eq!(captions(&output).len(), 5, "the link has a text of its own");
    assert!(error.contains("1 photo left alone"), "{error}");
}

/// A scratch file that a killed run left is removed.
#[test]
fn kills_leave_old_or_new_photos_and_the_next_run_finishes() {
    let folder = workplace();
    let place = folder.path();
    let photo = fs::read(place.join("photos/a.jpg")).unwrap();
    for at in 0..40 {
        fs::write(place.join(format!("photos/{at:02}.jpg")), &photo).unwrap();
    }
    let before = names(&place.join("photos"));
    for kill in 0..6 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
        command.current_dir(place).args(["--model", "model", "photos", "--write", "embed"]);
        command.env("XDG_STATE_HOME", place.join("state"));
        let mut run = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(120 + 30 * kill));
        run.kill().unwrap();
        run.wait().unwrap();
        for name in &before {
            image::open(place.join("photos").join(name)).unwrap();
        }
        let scratch =
            names(&place.join("photos")).into_iter().filter(|name| !before.contains(name));
        assert!(scratch.clone().count() <= 4, "one a thread");
        assert!(
            scratch.clone().all(|name| name.contains(".showtell-") && name.ends_with(".scratch"))
        );
    }
    said(place, &["--write", "embed"]);
    assert_eq!(names(&place.join("photos")), before, "no scratch file stays");
    assert!(said(place, &["--write", "embed", "--all"]).contains("44 photos left alone"));
}

#[test]
fn a_second_run_looks_at_what_is_new_alone() {
    let folder = workplace();
    let place = folder.path();
    let at = |name: &str| place.join("photos").join(name);
    assert_eq!(captions(&caption(place, &["--write", "embed,xmp"])).len(), 4);
    let again = caption(place, &["--write", "embed,xmp"]);
    assert!(again.stdout.is_empty() && again.status.success());
    let message = String::from_utf8(again.stderr).unwrap();
    assert!(
        message.contains("4 photos skipped: done by an earlier run (--all: again)"),
        "{message}"
    );
    assert!(place.join("state/showtell/captions.jsonl").exists());

    // A photo is new, one is another one, one was only copied, one has lost its sidecar.
    fs::copy(at("a.jpg"), at("e.jpg")).unwrap();
    RgbImage::from_pixel(50, 40, Rgb([140, 90, 7])).save(at("b.png")).unwrap();
    fs::remove_file(at("b.png.xmp")).unwrap();
    fs::copy(at("more/c.tif"), at("copy")).unwrap();
    fs::rename(at("copy"), at("more/c.tif")).unwrap();
    fs::remove_file(at("more/d.webp.xmp")).unwrap();
    let third = caption(place, &["--write", "embed,xmp"]);
    let files = captions(&third).into_iter().map(|(file, _)| file).collect::<Vec<_>>();
    assert_eq!(files, ["photos/b.png", "photos/e.jpg", "photos/more/d.webp"]);
    let message = String::from_utf8(third.stderr).unwrap();
    assert!(message.contains("2 photos skipped"), "{message}");
    assert_eq!(captions(&caption(place, &["--write", "embed,xmp"])).len(), 0);
    // Other flags ask for other captions.
    let other = said(place, &["--write", "embed,xmp", "--existing", "machine"]);
    assert!(!other.contains("skipped"), "{other}");
}

#[test]
fn a_ledger_of_a_killed_run_is_read_and_one_without_write_is_named() {
    let folder = workplace();
    let place = folder.path();
    assert_eq!(captions(&caption(place, &["--ledger", "a/done"])).len(), 4);
    assert_eq!(captions(&caption(place, &[])).len(), 4, "without --write there is none");
    let ledger = fs::read(place.join("a/done")).unwrap();
    fs::write(place.join("a/done"), &ledger[..ledger.len() - 30]).unwrap();
    let output = caption(place, &["--ledger", "a/done"]);
    assert_eq!(captions(&output).len(), 1, "the one whose line was cut off");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("the ledger a/done: 1 line cannot be read"), "{message}");
    assert!(captions(&caption(place, &["--ledger", "a/done"])).is_empty());
    assert_eq!(captions(&caption(place, &["--ledger", "a/done", "--beam", "2"])).len(), 4);
    fs::create_dir(place.join("b")).unwrap();
    let refused = String::from_utf8(caption(place, &["--ledger", "b"]).stderr).unwrap();
    assert!(refused.contains("the ledger b: "), "{refused}");
}

/// A file that the run reads or writes would be lost.
#[test]
fn an_output_or_a_ledger_does_not_replace_another_file_of_the_run() {
    let folder = workplace();
    let place = folder.path();
    fs::write(place.join("photos/a.jpg.xmp"), "mine").unwrap();
    symlink("photos/b.png", place.join("link")).unwrap();
    fs::write(place.join("mine"), "my own text").unwrap();
    let files = ["photos/a.jpg", "link", "photos/a.jpg.xmp", "model/manifest.json"];
    let content = || files.map(|file| fs::read(place.join(file)).unwrap());
    let before = content();
    let refused = |arguments: &[&str]| {
        let output = caption(place, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for file in files.iter().copied().chain(["photos/more/c.txt", "photos/metadata.jsonl"]) {
        for flag in ["--out", "--ledger"] {
            let error = refused(&[flag, file]);
            assert!(
                error.contains(&format!("{flag}: {file} is another file of this run")),
                "{error}"
            );
        }
    }
    assert!(refused(&["--out", "one", "--ledger", "./one"]).contains("--ledger: ./one is another"));
    assert!(refused(&["--ledger", "mine"]).contains("the ledger mine: not a ledger"));
    assert_eq!(fs::read(place.join("mine")).unwrap(), b"my own text");
    assert_eq!(content(), before);
}

/// The sidecar would have the caption of the photo that was there before.
#[test]
fn a_photo_that_is_replaced_while_it_is_captioned_is_not_done() {
    let folder = workplace();
    let place = folder.path();
    let write = ["--write", "xmp", "--existing", "machine"];
    said(place, &write);
    let ledger = place.join("state/showtell/captions.jsonl");
    let before = fs::read_to_string(&ledger).unwrap();
    assert!(said(place, &write).contains("4 photos skipped"));
    RgbImage::from_pixel(60, 40, Rgb([9, 9, 250])).save(place.join("photos/a.jpg")).unwrap();
    assert!(said(place, &write).contains("3 photos skipped"));
    // As a run writes it that read the photo before it was replaced.
    fs::write(&ledger, before).unwrap();
    assert!(said(place, &write).contains("3 photos skipped"));
}

/// The ledger may have a photo whose line was not written yet when the run was killed.
#[test]
fn a_photo_without_its_line_is_not_done() {
    let folder = workplace();
    let place = folder.path();
    let line = |name: &str| format!("\"file_name\":\"{name}\"");
    said(place, &["--write", "metadata"]);
    let whole = read(place, "metadata.jsonl");
    let kept = whole.lines().take(2).collect::<Vec<_>>().join("\n");
    fs::write(place.join("photos/metadata.jsonl"), kept).unwrap();
    let again = said(place, &["--write", "metadata"]);
    assert!(again.contains("2 photos skipped"), "{again}");
    assert_eq!(read(place, "metadata.jsonl"), whole);
    let twice = [&whole, whole.lines().next().unwrap()].concat();
    assert!(whole.contains(&line("a.jpg")));
    fs::write(place.join("photos/metadata.jsonl"), &twice).unwrap();
    let output = caption(place, &["--write", "metadata", "--existing", "overwrite"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("metadata.jsonl, line 5: a second line of the same image"), "{error}");
    assert_eq!(read(place, "metadata.jsonl"), twice);
}

/// Programs prefer some places to others, so a text of a person in any of them protects the photo, and goes into all.
#[test]
fn a_text_of_a_person_in_one_place_counts_in_all() {
    let folder = workplace();
    let place = folder.path();
    let mine = |text: &str| {
        format!(
            "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
             <rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/' dc:description='{text}'/>\
             </rdf:RDF></x:xmpmeta>"
        )
    };
    let sentences = String::from_utf8(caption(place, &["--format", "csv"]).stdout).unwrap();
    let sentences = sentences.lines().skip(1).map(|row| row.split(',').nth(3).unwrap());
    let sentences = sentences.collect::<Vec<_>>();
    fs::write(place.join("photos/a.jpg.xmp"), mine("Rex.")).unwrap();
    fs::write(place.join("photos/b.xmp"), mine("Max.")).unwrap();
    let left = caption(place, &["--write", "embed", "--format", "csv"]);
    let said = String::from_utf8(left.stderr).unwrap();
    assert!(said.contains("captions of 2 photos written (embed)"), "{said}");
    assert!(said.contains("2 photos left alone, such as photos/a.jpg: a text is there"), "{said}");
    let rows = String::from_utf8(left.stdout).unwrap();
    assert!(rows.contains("photos/b.png,,,,,,left alone: it has a text already"), "{rows}");
    let again = caption(place, &["--write", "xmp", "--existing", "machine"]);
    assert!(String::from_utf8(again.stderr).unwrap().contains("2 photos left alone"));
    assert!(
        read(place, "more/c.tif.xmp").contains(">A.<"),
        "a caption in the photo is no obstacle"
    );

    let append = ["--write", "embed,xmp", "--existing", "append"];
    assert_eq!(caption(place, &append).status.code(), Some(0));
    let has = |file: &str, text: &str| {
        let bytes = fs::read(place.join("photos").join(file)).unwrap();
        String::from_utf8_lossy(&bytes).matches(text).count()
    };
    let both = |at: usize, mine: &str| format!(">{mine} {}<", sentences[at]);
    assert_eq!(has("a.jpg", &both(0, "Rex.")), 2, "description and alt text");
    assert_eq!(has("a.jpg", &both(0, "Rex.").replace(['<', '>'], "")), 3, "and EXIF");
    assert_eq!(has("a.jpg.xmp", &both(0, "Rex.")), 2);
    assert_eq!(has("b.png", &both(1, "Max.")), 2);
    assert_eq!(has("b.png.xmp", &both(1, "Max.")), 2);
    assert_eq!(read(place, "b.xmp"), mine("Max."));
    let once = fs::read(place.join("photos/a.jpg")).unwrap();
    assert_eq!(caption(place, &[&append[..], &["--all"]].concat()).status.code(), Some(0));
    assert_eq!(fs::read(place.join("photos/a.jpg")).unwrap(), once, "it is appended once");
}

#[test]
fn an_output_is_not_replaced_by_one_without_the_photos_that_are_done() {
    let folder = workplace();
    let place = folder.path();
    let table = ["--write", "xmp", "--format", "csv", "--out", "table.csv"];
    said(place, &table);
    let before = fs::read_to_string(place.join("table.csv")).unwrap();
    assert_eq!(before.lines().count(), 5);
    let refused = caption(place, &table);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(error.contains("--out: table.csv exists"), "{error}");
    assert_eq!(fs::read_to_string(place.join("table.csv")).unwrap(), before);
    let alone = caption(place, &[&table[..], &["--all"]].concat());
    let error = String::from_utf8(alone.stderr).unwrap();
    assert!(error.contains("lack the captions of 4 photos that were left alone"), "{error}");
    assert_eq!(fs::read_to_string(place.join("table.csv")).unwrap(), before);
    said(place, &[&table[..], &["--all", "--existing", "machine"]].concat());
    assert_eq!(fs::read_to_string(place.join("table.csv")).unwrap(), before);
}

/// Neither repeats in a text what is at its end already, nor is a line a second one.
#[test]
fn texts_for_training_are_appended_to_once() {
    let folder = workplace();
    let place = folder.path();
    fs::write(place.join("photos/a.txt"), "rex").unwrap();
    let words = captions(&caption(place, &[]))[0].1.clone();
    for _ in 0..2 {
        said(place, &["--write", "txt", "--existing", "append", "--all"]);
        assert_eq!(read(place, "a.txt"), format!("rex {words}\n"));
    }
    for wrong in [&["--prefix", "one\ntwo"][..], &["--remove", "--out", "x"]] {
        let output = caption(place, &[&["--write", "txt"][..], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
    let all = caption(place, &["--all"]);
    assert!(String::from_utf8(all.stderr).unwrap().contains("--all: has no effect"));
}

/// A folder that is reached by a link as well has the same files.
#[test]
fn a_folder_and_a_link_to_it_are_one() {
    let folder = workplace();
    let place = folder.path();
    symlink("photos", place.join("album")).unwrap();
    let written = said(place, &["album", "--write", "xmp,embed"]);
    assert!(written.contains("captions of"), "{written}");
}

/// Photos that are there and those that arrive get sidecars, until a signal.
#[test]
fn photos_that_arrive_in_a_watched_folder_are_captioned() {
    let folder = workplace();
    let place = folder.path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
    command.current_dir(place).args(["--model", "model", "photos", "--watch", "--write", "xmp"]);
    command.env("XDG_STATE_HOME", place.join("state")).stdout(Stdio::piped());
    let watching = command.spawn().unwrap();
    let appears = |name: &str| {
        let path = place.join("photos").join(name);
        let since = Instant::now();
        while !path.exists() {
            assert!(since.elapsed() < Duration::from_mins(1), "{name}");
            sleep(Duration::from_millis(50));
        }
    };
    appears("more/d.webp.xmp");
    fs::write(place.join("photos/broken.jpg"), "no photo").unwrap();
    fs::copy(place.join("photos/a.jpg"), place.join("photos/new.jpg")).unwrap();
    appears("new.jpg.xmp");
    let pid = watching.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "one was no photo");
    assert_eq!(captions(&output).len(), 5);
    assert!(!place.join("photos/broken.jpg.xmp").exists());
}
