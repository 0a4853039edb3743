//! Data sets in JSON become captions and lists.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use data::{Captions, Split, Splits};
use serde_json::{Value, json};

fn import(folder: &Path, data_set: &Value) -> Result<String, String> {
    fs::write(folder.join("data.json"), data_set.to_string()).unwrap();
    let program = env!("CARGO_BIN_EXE_captions");
    let mut command = Command::new(program);
    let output = command.current_dir(folder).args(["import", "data.json", "--out", "."]).output();
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn read(folder: &Path) -> (Captions, Splits) {
    (Captions::read(&folder.join("captions.txt")).unwrap(), Splits::find(folder).unwrap())
}

#[test]
fn karpathys_files_hold_captions_and_splits() {
    let folder = tempfile::tempdir().unwrap();
    let image = |name: &str, split: &str, captions: &[&str]| {
        let sentences = captions.iter().map(|raw| json!({ "raw": raw, "tokens": ["not", "used"] }));
        let sentences = sentences.collect::<Vec<_>>();
        json!({ "filename": name, "split": split, "imgid": 1, "sentences": sentences })
    };
    let mut of_coco = image("d.jpg", "restval", &["A dog ."]);
    of_coco["filepath"] = "val2014".into();
    let images = [
        image("a.jpg", "train", &["A dog, a \"hot\" one .", "Two\n dogs"]),
        image("b.jpg", "val", &["Hai con chó đang chạy."]),
        image("c.jpg", "test", &["A cat ."]),
        of_coco,
    ];
    let said = import(folder.path(), &json!({ "dataset": "small", "images": images })).unwrap();
    assert!(said.contains("4 images with 5 captions") && said.contains("splits"), "{said}");
    let (captions, splits) = read(folder.path());
    assert_eq!(captions.of("a.jpg").unwrap(), ["A dog, a \"hot\" one .", "Two dogs"]);
    assert_eq!(captions.of("b.jpg").unwrap(), ["Hai con chó đang chạy."]);
    let expected = [
        ("a.jpg", Split::Train),
        ("b.jpg", Split::Dev),
        ("c.jpg", Split::Test),
        ("val2014/d.jpg", Split::Train),
    ];
    for (name, split) in expected {
        assert_eq!(splits.of(name), Some(split), "{name}");
    }
}

#[test]
fn cocos_annotations_hold_captions() {
    let folder = tempfile::tempdir().unwrap();
    let images = json!([{ "id": 7, "file_name": "a.jpg" }, { "id": 8, "file_name": "b.jpg" }]);
    let annotations = json!([
        { "id": 1, "image_id": 7, "caption": "A dog." },
        { "id": 2, "image_id": 9, "caption": "Of no image." },
        { "id": 3, "image_id": 7, "caption": "The dog runs " },
    ]);
    let said =
        import(folder.path(), &json!({ "images": images, "annotations": annotations })).unwrap();
    assert!(said.contains("1 images with 2 captions"), "{said}");
    let (captions, splits) = read(folder.path());
    assert_eq!(captions.of("a.jpg").unwrap(), ["A dog.", "The dog runs"]);
    assert_eq!((captions.len(), splits), (1, Splits::Hashed));
}

#[test]
fn what_is_no_data_set_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (data_set, problem) in [
        (json!({ "images": [] }), "no image in it has a caption"),
        (json!({ "pictures": [] }), "missing field `images`"),
        (json!([1]), "data.json"),
    ] {
        let error = import(folder.path(), &data_set).unwrap_err();
        assert!(error.contains(problem) && error.contains("dataset_flickr8k.json"), "{error}");
        assert!(!folder.path().join("captions.txt").exists());
    }
}

/// Captions in a language with letters of its own go the whole way: words, vocabulary, scores.
#[test]
fn captions_may_be_vietnamese() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "image,caption\n\
                 a.jpg,Một con chó đang chạy trên bãi cỏ.\n\
                 a.jpg,\"Con chó nâu, chạy nhanh!\"\n\
                 b.jpg,Một cô gái đang đọc sách.\n\
                 b.jpg,Cô gái ngồi đọc sách\n\
                 c.jpg,Hai người đàn ông\n";
    fs::write(folder.path().join("captions.txt"), lines).unwrap();
    for (split, names) in [("train", "a.jpg\nb.jpg\n"), ("dev", "c.jpg\n")] {
        fs::write(folder.path().join(format!("Flickr_8k.{split}Images.txt")), names).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_captions"));
        let output = command.current_dir(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let source = ["--captions", "captions.txt", "--out"];
    run(&[&["vocabulary", "--min-count", "2"], &source[..], &["words.json"]].concat());
    let words = fs::read_to_string(folder.path().join("words.json")).unwrap();
    for word in ["một", "chó", "đang", "chạy", "cô", "gái", "đọc", "sách"] {
        assert!(words.contains(&format!("\"{word}\"")), "{word}: {words}");
    }
    run(&[&["references", "--split", "train"], &source[..], &["references.json"]].concat());
    let said =
        json!({ "a.jpg": "một con chó đang chạy trên bãi cỏ", "b.jpg": "CÔ GÁI ngồi đọc sách." });
    fs::write(folder.path().join("said.json"), said.to_string()).unwrap();
    let files = ["--references", "references.json", "--hypotheses", "said.json"];
    let scores = run(&[&["score"], &files[..], &["--json", "-"]].concat());
    let scores = serde_json::from_str::<Value>(&scores).unwrap();
    assert!((scores["BLEU-4"].as_f64().unwrap() - 1.0).abs() < 1e-6, "{scores}");
}
