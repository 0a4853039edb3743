//! Data sets in JSON become captions and lists.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use data::{Captions, Split, Splits};
use serde_json::{Value, json};

/// Runs `captions import`; returns its output and warnings, or its error.
fn import_text(folder: &Path, data_set: &str) -> Result<String, String> {
    fs::write(folder.join("data.json"), data_set).unwrap();
    let program = env!("CARGO_BIN_EXE_captions");
    let mut command = Command::new(program);
    let output = command.current_dir(folder).args(["import", "data.json", "--out", "."]).output();
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let warned = text(&output.stderr);
    if output.status.success() { Ok(text(&output.stdout) + &warned) } else { Err(warned) }
}

fn import(folder: &Path, data_set: &Value) -> Result<String, String> {
    import_text(folder, &data_set.to_string())
}

fn image(name: &str, split: &str, captions: &[&str]) -> Value {
    let sentences = captions.iter().map(|raw| json!({ "raw": raw, "tokens": ["not", "used"] }));
    let sentences = sentences.collect::<Vec<_>>();
    json!({ "filename": name, "split": split, "imgid": 1, "sentences": sentences })
}

fn read(folder: &Path) -> (Captions, Splits) {
    (Captions::read(&folder.join("captions.txt")).unwrap(), Splits::find(folder).unwrap())
}

#[test]
fn karpathys_files_contain_captions_and_splits() {
    let folder = tempfile::tempdir().unwrap();
    let mut of_coco = image("d.jpg", "restval", &["A dog ."]);
    of_coco["filepath"] = "val2014".into();
    let images = [
        image("a.jpg", "train", &["A dog, a \"hot\" one .", "Two\n dogs"]),
        image("b.jpg", "val", &["Hai con chó đang chạy."]),
        image("c.jpg", "test", &["A cat ."]),
        of_coco,
    ];
    let said = import(folder.path(), &json!({ "dataset": "small", "images": images })).unwrap();
    assert!(said.contains("4 images with 5 captions"), "{said}");
    assert!(said.contains("split lists: 2 train, 1 dev, 1 test"), "{said}");
    let (captions, splits) = read(folder.path());
    assert_eq!(captions.get("a.jpg").unwrap(), ["A dog, a \"hot\" one .", "Two dogs"]);
    assert_eq!(captions.get("b.jpg").unwrap(), ["Hai con chó đang chạy."]);
    let expected = [
        ("a.jpg", Split::Train),
        ("b.jpg", Split::Dev),
        ("c.jpg", Split::Test),
        ("val2014/d.jpg", Split::Train),
    ];
    for (name, split) in expected {
        assert_eq!(splits.split_of(name), Some(split), "{name}");
    }
}

#[test]
fn cocos_annotations_contain_captions() {
    let folder = tempfile::tempdir().unwrap();
    let images = json!([{ "id": 7, "file_name": "a.jpg" }, { "id": 8, "file_name": "b.jpg" }]);
    let annotations = json!([
        { "id": 1, "image_id": 7, "caption": "A dog." },
        { "id": 2, "image_id": 9, "caption": "Of no image." },
        { "id": 3, "image_id": 7, "caption": "The dog runs " },
        { "id": 1, "image_id": 7, "caption": "A dog." },
    ]);
    let said =
        import(folder.path(), &json!({ "images": images, "annotations": annotations })).unwrap();
    assert!(said.contains("1 images with 2 captions"), "{said}");
    assert!(said.contains("1 skipped: image without captions (b.jpg)"), "{said}");
    assert!(said.contains("1 skipped: annotation that occurs again (image_id 7)"), "{said}");
    let said_of_9 = "1 skipped: annotation of an image that is not there (image_id 9)";
    assert!(said.contains(said_of_9), "{said}");
    let (captions, splits) = read(folder.path());
    assert_eq!(captions.get("a.jpg").unwrap(), ["A dog.", "The dog runs"]);
    assert_eq!((captions.len(), splits), (1, Splits::Hashed));
}

#[test]
fn other_json_is_refused() {
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

#[test]
fn splits_have_several_names_and_unknown_ones_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["TRAIN", "training", "Restval", "val", "Validation", "valid", " DEV ", "Testing"];
    let mut images =
        names.map(|split| image(&format!("{}.jpg", split.trim()), split, &["A dog"])).to_vec();
    images.extend([image("x.jpg", "extra", &["A cat"]), image("y.jpg", "", &["A cat"])]);
    let said = import(folder.path(), &json!({ "images": images })).unwrap();
    assert!(said.contains("3 train, 4 dev, 1 test"), "{said}");
    assert!(said.contains("its split is `extra` (x.jpg)"), "{said}");
    assert!(said.contains("it has no split (y.jpg)"), "{said}");

    let unknown = json!({ "images": [image("x.jpg", "extra", &["A cat"])] });
    let error = import(folder.path(), &unknown).unwrap_err();
    assert!(error.contains("data.json: no split in it has a known name"), "{error}");
    assert!(error.contains("`extra`"), "{error}");
    assert_eq!(read(folder.path()).0.len(), 10);
}

#[test]
fn images_that_share_an_id_or_a_name_are_refused() {
    let coco = |images: Value| {
        let caption = |id| json!({ "image_id": id, "caption": "A dog" });
        json!({ "images": images, "annotations": [caption(1), caption(2)] })
    };
    let composed = image("\u{e9}.jpg", "train", &["A dog"]);
    let decomposed = image("e\u{301}.jpg", "val", &["A cat"]);
    for (data_set, said) in [
        (
            coco(json!([{ "id": 1, "file_name": "a.png" }, { "id": 1, "file_name": "b.png" }])),
            "two images with the id 1: `a.png`, `b.png`",
        ),
        (
            coco(json!([{ "id": 1, "file_name": "a.png" }, { "id": 2, "file_name": "a.png" }])),
            "two images with the file name `a.png`",
        ),
        (
            json!({ "images": [composed, decomposed] }),
            "two images with the file name `e\u{301}.jpg`",
        ),
        (json!({ "images": [image("a\nb.jpg", "val", &["A dog"])] }), "control character"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = import(folder.path(), &data_set).unwrap_err();
        assert!(error.contains("data.json") && error.contains(said), "{error}");
        assert!(!folder.path().join("captions.txt").exists());
    }
    // An exact duplicate, as in concatenated files.
    let folder = tempfile::tempdir().unwrap();
    let again = coco(json!([{ "id": 1, "file_name": "a.png" }, { "id": 1, "file_name": "a.png" }]));
    let said = import(folder.path(), &again).unwrap();
    assert!(
        said.contains("1 noted: image that occurs again") && said.contains("(a.png)"),
        "{said}"
    );
}

#[test]
fn empty_captions_are_skipped_entries_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let images = [image("a.jpg", "train", &["", " A dog "]), image("b.jpg", "train", &["\n"])];
    let said = import(folder.path(), &json!({ "images": images })).unwrap();
    assert!(said.contains("1 images with 1 captions"), "{said}");
    assert!(said.contains("2 skipped: empty caption (a.jpg, b.jpg)"), "{said}");
    assert!(said.contains("1 skipped: image without captions (b.jpg)"), "{said}");
    assert_eq!(read(folder.path()).0.get("a.jpg").unwrap(), ["A dog"]);
}

#[test]
fn lists_of_an_earlier_import_are_removed_with_their_captions() {
    let folder = tempfile::tempdir().unwrap();
    let first = [image("a.jpg", "train", &["A dog"]), image("b.jpg", "test", &["A cat"])];
    import(folder.path(), &json!({ "images": first })).unwrap();
    let mut second = image("x.jpg", "", &["A bird"]);
    second.as_object_mut().unwrap().remove("split");
    let said = import(folder.path(), &json!({ "images": [second] })).unwrap();
    assert!(
        said.contains("removed split lists of other captions: Flickr_8k.trainImages.txt"),
        "{said}"
    );
    let (captions, splits) = read(folder.path());
    assert_eq!((captions.get("a.jpg"), splits), (None, Splits::Hashed));
}

#[test]
fn a_data_set_may_have_a_byte_order_mark_and_must_be_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let json = json!({ "images": [image("a.jpg", "dev", &["A dog"])] }).to_string();
    import_text(folder.path(), &format!("\u{feff}{json}\r\n")).unwrap();
    assert_eq!(read(folder.path()).1.split_of("a.jpg"), Some(Split::Dev));
    fs::write(folder.path().join("latin.json"), b"{\n\"images\": \"\xE9\"}").unwrap();
    let error = captions::import::import(&folder.path().join("latin.json"), folder.path());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("latin.json, line 2: byte 0xE9"), "{error}");
}

/// Captions with Vietnamese letters are tokenized, counted and scored.
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
