//! Every command reports the entries that it skipped; byte-order marks, line ends and Unicode forms do not matter.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Runs `captions` in a folder; returns its output and warnings.
fn run(folder: &Path, command: &str) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_captions"));
    program.env_remove("SHOWTELL_CAPTIONS_METEOR_JAR");
    let output = program.current_dir(folder).args(command.split(' ')).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{command}: {said}");
    said
}

fn file(folder: &Path, name: &str, content: &str) {
    fs::write(folder.join(name), content).unwrap();
}

#[test]
fn commands_report_entries_that_were_skipped_entries() {
    let folder = tempfile::tempdir().unwrap();
    let captions = "image,caption\na.jpg,a dog\na.jpg,\nb.jpg,a cat\nc.jpg,a bird\n";
    file(folder.path(), "captions.txt", captions);
    file(folder.path(), "Flickr_8k.trainImages.txt", "a.jpg\na.jpg\n");
    file(folder.path(), "Flickr_8k.devImages.txt", "b.jpg\nd.jpg\n");
    file(folder.path(), "r.json", &json!({ "a.jpg": ["a dog"] }).to_string());
    for command in [
        "vocabulary --captions captions.txt --min-count 1 --out v.json",
        "references --captions captions.txt --out dev.json",
        "score --references r.json --hypotheses h.json --captions captions.txt",
    ] {
        file(folder.path(), "h.json", &json!({ "a.jpg": "a dog" }).to_string());
        let said = run(folder.path(), command);
        for part in [
            "captions.txt: 1 skipped: empty caption (line 3)",
            "1 skipped: name that occurs twice in Flickr_8k.trainImages.txt (a.jpg)",
            "1 skipped: image with captions that is in no split list (c.jpg)",
            "1 skipped: image of a split list that has no captions (d.jpg)",
        ] {
            assert!(said.contains(part), "{command}: {said}");
        }
    }
    file(folder.path(), "r.json", &json!({ "a.jpg": ["a dog", " "] }).to_string());
    for command in [
        "frequencies --references r.json --out f.json",
        "score --references r.json --hypotheses h.json",
    ] {
        let said = run(folder.path(), command);
        assert!(said.contains("r.json: 1 skipped: empty caption (a.jpg)"), "{command}: {said}");
    }
}

#[test]
fn nothing_is_reported_if_nothing_is_skipped_entries() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "captions.txt", "image,caption\na.jpg,a dog\n");
    let said = run(folder.path(), "vocabulary --captions captions.txt --min-count 1 --out v.json");
    let expected = "v.json: 2 words that occur at least 1 times in the training captions, and 4 special ones \
                    (split by hash of the file name)\n";
    assert_eq!(said, expected);
}

/// `score` accepts the output of `references`, with ids in either Unicode form.
#[test]
fn written_references_can_be_scored() {
    let folder = tempfile::tempdir().unwrap();
    file(
        folder.path(),
        "captions.txt",
        "\u{feff}\n\nCa\u{302}y.jpg#0\tm\u{f4}\u{323}t c\u{e2}y\nCa\u{302}y.jpg#1\t\nb.jpg#0\t \nCa\u{302}y.jpg#2\tc\u{e2}y\n",
    );
    file(folder.path(), "Flickr_8k.trainImages.txt", "b.jpg\r");
    file(folder.path(), "Flickr_8k.devImages.txt", "\u{feff}C\u{e2}y.jpg\r");
    run(folder.path(), "references --captions captions.txt --out r.json");
    let said = json!({ "C\u{e2}y.jpg": "m\u{1ed9}t c\u{e2}y" }).to_string();
    file(folder.path(), "h.json", &format!("\u{feff}{said}\r\n"));
    run(folder.path(), "score --references r.json --hypotheses h.json --json s.json");
    let scores = fs::read(folder.path().join("s.json")).unwrap();
    let scores = serde_json::from_slice::<Value>(&scores).unwrap();
    assert!((scores["ROUGE-L"].as_f64().unwrap() - 1.0).abs() < 1e-6, "{scores}");
}

#[test]
fn attention_files_may_have_marks_and_pictures_that_are_skipped_entries_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), "scenes --train 3 --dev 0 --test 0 --out .");
    let objects = fs::read_to_string(folder.path().join("objects.json")).unwrap();
    file(folder.path(), "objects.json", &format!("\u{feff}{objects}"));
    let word = json!({ "text": "a", "attention": [[1.0]] });
    let line = |number: usize| json!({ "file": format!("Images/scene-0000{number}.png"), "captions": [{ "words": [word] }] });
    let failed = json!({ "file": "Images/scene-00002.png", "error": "cut off" });
    let lines = format!("\u{feff}{}\r\n\r\n{}\r\n{}\r\n{failed}\r\n", line(0), line(1), line(0));
    file(folder.path(), "captions.jsonl", &lines);
    let said = run(folder.path(), "looked --objects objects.json --captions captions.jsonl");
    assert!(
        said.contains("captions.jsonl: 1 skipped: picture that occurs twice (line 4)"),
        "{said}"
    );
    let said_of_3 = "captions.jsonl: 1 skipped: picture without a caption: cut off (line 5)";
    assert!(said.contains(said_of_3), "{said}");
}
