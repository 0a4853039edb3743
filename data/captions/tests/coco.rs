//! COCO 2017 is fetched from a local server, in archives like the real ones.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod archive;

use std::fs;
use std::path::{Path, PathBuf};

use captions::coco::{Choices, Coco, Fetched};
use common::digest;
use data::{Captions, Split, Splits};
use download::{Checksum, Source};
use serde_json::json;
use tests::answers::{Answers, whole};

use crate::archive::archive;

/// The captions of images with these ids, as COCO writes them.
fn captions(ids: &[u64]) -> String {
    let image = |id: &u64| json!({"id": id, "file_name": format!("{id:012}.jpg"), "license": 3});
    let annotations = ids.iter().flat_map(|&id| {
        let caption = move |number| {
            json!({"id": id * 10 + number, "image_id": id, "caption": format!("A photo\n number {number}")})
        };
        (0..2).map(caption)
    });
    let annotations = annotations.collect::<Vec<_>>();
    json!({"images": ids.iter().map(image).collect::<Vec<_>>(), "annotations": annotations})
        .to_string()
}

/// The archives: annotations, photos of train2017, photos of val2017.
fn archives() -> [(&'static str, Vec<u8>); 3] {
    let (train, val) = (captions(&[9, 25, 30]), captions(&[139]));
    let annotations = archive(&[
        ("annotations/captions_train2017.json", &train),
        ("annotations/captions_val2017.json", &val),
        ("annotations/instances_val2017.json", "{}"),
    ]);
    let photos = |folder: &str, ids: &[u64]| {
        let names = ids.iter().map(|id| format!("{folder}/{id:012}.jpg")).collect::<Vec<_>>();
        archive(&names.iter().map(|name| (name.as_str(), "photo")).collect::<Vec<_>>())
    };
    [
        ("annotations_trainval2017.zip", annotations),
        ("train2017.zip", photos("train2017", &[9, 25, 30])),
        ("val2017.zip", photos("val2017", &[139])),
    ]
}

/// Fetches into `folder` from a server that answers with some of the archives, each once.
fn fetch(folder: &Path, answered: &[usize], choices: &Choices) -> Result<Fetched, String> {
    let archives = archives();
    let server = Answers::start(answered.iter().map(|&at| whole(&archives[at].1)).collect());
    let source = |at: usize| Source {
        address: server.address(archives[at].0),
        checksum: Checksum::Sha256(digest::of_bytes(&archives[at].1)),
        bytes: Some(archives[at].1.len() as u64),
    };
    let coco = Coco { annotations: source(0), photos: [source(1), source(2)] };
    let found = coco.fetch(folder, choices, &mut |_, _| ()).map_err(|error| error.to_string());
    assert_eq!(server.requests().len(), answered.len());
    found
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn the_archives_become_a_data_set_with_cocos_splits() {
    let folder = tempfile::tempdir().unwrap();
    let choices = Choices::default();
    let found = fetch(folder.path(), &[0, 1, 2], &choices).unwrap();
    assert_eq!((found.imported.images, found.imported.captions, found.excluded), (4, 8, 0));
    let captions = Captions::read(&folder.path().join("captions.txt")).unwrap();
    assert_eq!(captions.get("000000000009.jpg").unwrap()[1], "A photo number 1");
    let splits = Splits::find(folder.path()).unwrap();
    assert_eq!(splits.split_of("000000000030.jpg"), Some(Split::Train));
    assert_eq!(splits.split_of("000000000139.jpg"), Some(Split::Dev));
    assert_eq!(fs::read_dir(folder.path().join("Images")).unwrap().count(), 4);
    let sums = fs::read_to_string(folder.path().join("fetched/SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 3);
    assert!(sums.contains(&format!("{}  val2017.zip", digest::of_bytes(&archives()[2].1))));

    // All is there: nothing is fetched. A missing photo brings its archive back, and no other one.
    fetch(folder.path(), &[], &choices).unwrap();
    fs::remove_file(folder.path().join("fetched/val2017.zip")).unwrap();
    fs::remove_file(folder.path().join("Images/000000000139.jpg")).unwrap();
    fetch(folder.path(), &[2], &choices).unwrap();
    assert!(folder.path().join("Images/000000000139.jpg").exists());
}

#[test]
fn karpathys_splits_are_matched_by_id_and_photos_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let image = |cocoid: u64, split| json!({"filename": format!("COCO_{cocoid}.jpg"), "cocoid": cocoid, "split": split});
    let images = [image(9, "restval"), image(25, "test"), image(139, "val")];
    let karpathy =
        write(folder.path(), "dataset_coco.json", &json!({"images": images}).to_string());
    let exclude = write(folder.path(), "exclude.txt", "COCO_train2014_000000000025.jpg\n\n777\n");
    let out = folder.path().join("coco");
    let choices = Choices::read(Some(&karpathy), Some(&exclude)).unwrap();
    let found = fetch(&out, &[0, 1, 2], &choices).unwrap();
    assert_eq!((found.imported.images, found.excluded), (3, 1));
    assert!(found.imported.skipped_entries.to_string().contains("000000000030.jpg"));
    let splits = Splits::find(&out).unwrap();
    let split = |id: u64| splits.split_of(&format!("{id:012}.jpg"));
    assert_eq!(
        [split(9), split(25), split(30), split(139)],
        [Some(Split::Train), None, None, Some(Split::Dev)]
    );
}

#[test]
fn wrong_lists_and_exchanged_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("coco");
    let list = write(folder.path(), "exclude.txt", "000000000025.jpg\na photo\n");
    let error = Choices::read(None, Some(&list)).unwrap_err().to_string();
    assert!(error.contains("exclude.txt: line 2: `a photo`"), "{error}");
    let other = write(
        folder.path(),
        "other.json",
        r#"{"images": [{"filename": "a.jpg", "split": "val"}]}"#,
    );
    let error = Choices::read(Some(&other), None).unwrap_err().to_string();
    assert!(error.contains("other.json") && error.contains("cocoid"), "{error}");
    fetch(&out, &[0, 1, 2], &Choices::default()).unwrap();
    fs::remove_file(out.join("captions.txt")).unwrap();
    let sums = out.join("fetched/SHA256SUMS");
    let recorded = fs::read_to_string(&sums).unwrap();
    fs::write(&sums, recorded.replacen(|digit: char| digit.is_ascii_hexdigit(), "x", 1)).unwrap();
    let error = fetch(&out, &[], &Choices::default()).unwrap_err();
    assert!(error.contains("annotations_trainval2017.zip: its SHA-256"), "{error}");
    assert!(!out.join("captions.txt").exists());
}

/// The archives that are there already are not counted.
#[test]
fn the_space_that_is_needed_is_that_of_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let coco = Coco::published();
    let gibibytes = |folder: &Path| coco.space_needed(folder).bytes() >> 30;
    assert_eq!(gibibytes(folder.path()), 37);
    fs::create_dir_all(folder.path().join("fetched")).unwrap();
    let part = fs::File::create(folder.path().join("fetched/train2017.zip.part")).unwrap();
    part.set_len(10 << 30).unwrap();
    assert_eq!(gibibytes(folder.path()), 27);
    fs::create_dir(folder.path().join("Images")).unwrap();
    assert_eq!(gibibytes(folder.path()), 9);
}
