//! The command as a user sees it, on a small encoder.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use common::Workplace;
use features::FeatureStore;
use image::{Rgb, RgbImage};
use serde_json::Value;
use tests::small_model::{self, ENCODER_FILE};

#[test]
fn a_second_run_does_nothing_and_a_third_encodes_new_images_only() {
    let workplace = Workplace::new(11);
    let outcome = workplace.extract(&["--batch", "4"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("11 images in"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("ImageNet's is used"), "{}", outcome.stderr);
    let store = workplace.store();
    assert_eq!((store.len(), store.complete()), (11, 11));
    assert_eq!(store.provenance().encoder_name, ENCODER_FILE);

    let outcome = workplace.extract(&[]);
    assert_eq!(outcome.status, 0);
    assert!(outcome.stdout.contains("all 11 images are extracted already; nothing to do"));

    let image = RgbImage::from_pixel(10, 10, Rgb([1, 2, 3]));
    image.save(workplace.path("Images/more/ảnh mới.png")).unwrap();
    let outcome = workplace.extract(&[]);
    assert!(outcome.stdout.contains("1 images in"), "{}", outcome.stdout);
    let after = workplace.store();
    assert!(after.find("more/ảnh mới.png").is_some());
    for row in 0..11 {
        assert_eq!(after.read(row, 0).unwrap(), store.read(row, 0).unwrap());
    }
}

#[test]
fn bad_images_are_listed_and_the_others_are_encoded() {
    let workplace = Workplace::new(5);
    let good = fs::read(workplace.path("Images/000.png")).unwrap();
    fs::write(workplace.path("Images/cut.png"), &good[..good.len() / 2]).unwrap();
    fs::write(workplace.path("Images/page.jpg"), "<html>not found</html>").unwrap();
    fs::write(workplace.path("Images/empty.jpg"), "").unwrap();
    fs::write(workplace.path("Images/notes.txt"), "no image at all").unwrap();
    fs::write(
        workplace.path("captions.txt"),
        "image,caption\n000.png,one\nabsent.png,two\ncut.png,three\n",
    )
    .unwrap();
    let outcome = workplace.extract(&["--captions", "captions.txt"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("5 images in") && outcome.stdout.contains("3 skipped"));
    for part in [
        "1 captioned images are not among the images",
        "6 images have no caption",
        "skipped: page.jpg: not an image",
        "skipped: empty.jpg: not an image",
        "skipped: cut.png: ",
    ] {
        assert!(outcome.stderr.contains(part), "no `{part}` in {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("notes.txt"));
    assert_eq!(workplace.store().complete(), 5);

    // The image is repaired: the next run encodes it.
    fs::write(workplace.path("Images/cut.png"), &good).unwrap();
    let outcome = workplace.extract(&[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(workplace.store().find("cut.png").is_some());
}

#[test]
fn wrong_input_is_refused_with_its_reason_and_changes_nothing() {
    let workplace = Workplace::new(2);
    let refused = |more: &[&str], status: i32, parts: &[&str]| {
        let outcome = workplace.extract(more);
        assert_eq!(outcome.status, status, "{more:?}: {}", outcome.stderr);
        for part in parts {
            assert!(outcome.stderr.contains(part), "no `{part}` in {}", outcome.stderr);
        }
    };
    fs::create_dir(workplace.path("empty")).unwrap();
    let images = |folder| ["--images", folder];
    refused(&["--batch", "0"], 2, &["--batch"]);
    refused(&["--views", "flip,flip"], 1, &["--views names a view twice"]);
    let with = |more: &[&str]| {
        // A flag given twice is an error of the command line; the defaults are replaced instead.
        let output = Command::new(env!("CARGO_BIN_EXE_extract"))
            .current_dir(workplace.path(""))
            .args(["--store", "features/s.h5"])
            .args(more)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let encoder = ["--encoder", ENCODER_FILE];
    assert!(
        with(&[images("nowhere"), encoder].concat())
            .contains("nowhere: no such folder, archive or list")
    );
    assert!(with(&[images("empty"), encoder].concat()).contains("empty: no image in it"));
    fs::write(workplace.path("classifier.onnx"), small_model::classifier()).unwrap();
    let error = with(&[images("Images"), ["--encoder", "classifier.onnx"]].concat());
    assert!(error.contains("classifier.onnx: not a grid encoder"), "{error}");
    let error = with(&[images("Images"), ["--encoder", "absent.onnx"]].concat());
    assert!(error.contains("absent.onnx"), "{error}");
    assert!(!workplace.path("features/s.h5").exists());

    assert_eq!(workplace.extract(&[]).status, 0);
    let before = fs::read(workplace.path("features/s.h5")).unwrap();
    refused(&["--resize", "crop"], 1, &["s.h5: its preprocessing is", "name another store"]);
    refused(&["--device", "cuda"], 1, &["--device cuda", "no CUDA provider"]);
    assert!(before == fs::read(workplace.path("features/s.h5")).unwrap());
}

#[test]
fn only_unreadable_images_are_an_error() {
    let workplace = Workplace::new(0);
    fs::write(workplace.path("Images/page.jpg"), "<html>").unwrap();
    let outcome = workplace.extract(&[]);
    assert_eq!(outcome.status, 1);
    assert!(outcome.stderr.contains("none of 1 images could be read"), "{}", outcome.stderr);
}

/// The events of that name, one line of JSON each.
fn events(stderr: &str, event: &str) -> Vec<Value> {
    let lines = stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == event).collect()
}

#[test]
fn changed_images_are_encoded_again_and_absent_ones_are_pruned() {
    let workplace = Workplace::new(6);
    assert_eq!(workplace.extract(&["--views", "original,flip", "--dtype", "f32"]).status, 0);
    let both = ["--views", "original,flip", "--dtype", "f32"];
    let before = workplace.store();
    let image = RgbImage::from_fn(64, 48, |x, _| Rgb([x as u8, 0, 0]));
    image.save(workplace.path("Images/002.png")).unwrap();
    fs::remove_file(workplace.path("Images/004.png")).unwrap();
    let outcome = workplace.extract(&both);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains(": 1 images in"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("1 images of the store are no longer there"));
    let store = workplace.store();
    assert_eq!((store.len(), store.complete()), (7, 6));
    let row = store.find("002.png").unwrap();
    let grids = [0, 1].map(|view| store.read(row, view).unwrap().into_raw_vec_and_offset().0);
    // Seven cells per line, three values per cell: the flipped view has them in reverse order.
    for (line, flipped) in grids[0].chunks(21).zip(grids[1].chunks(21)) {
        assert!(line[0] < line[18], "{line:?}");
        let back = flipped.chunks(3).rev().flatten().copied().collect::<Vec<_>>();
        assert!(line.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
    }
    assert_ne!(before.content_digest().unwrap(), store.content_digest().unwrap());

    let outcome = workplace.extract(&[&both[..], &["--prune"]].concat());
    assert!(outcome.stdout.contains("nothing to do, 1 removed"), "{}", outcome.stdout);
    assert_eq!(workplace.store().complete(), 5);
    assert_eq!(workplace.store().find("004.png"), None);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one scenario, step by step")]
fn a_run_is_planned_reported_inspected_and_verified() {
    let workplace = Workplace::new(7);
    let job = ["--images", "Images", "--encoder", "small.onnx", "--store", "features/s.h5"];
    let planned = workplace.run(&[&["plan"], &job[..], &["--json"]].concat());
    assert_eq!(planned.status, 0, "{}", planned.stderr);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!((&plan["images"], &plan["bytes"]), (&7.into(), &(7 * 147 * 2).into()));
    assert!(plan["images_per_second"].as_f64().unwrap() > 0.0);
    assert!(!workplace.path("features/s.h5").exists(), "a plan changes nothing");

    let outcome = workplace.extract(&[]);
    let summary = &events(&outcome.stderr, "summary")[0]["summary"];
    assert_eq!((&summary["written"], &summary["skipped"]), (&7.into(), &0.into()));
    let busy = summary["encoder_busy"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&busy), "{busy}");
    assert!(outcome.stdout.contains("the encoder was busy"), "{}", outcome.stdout);

    let text = workplace.run(&["inspect", "features/s.h5"]);
    let of_machine = |line: &&str| !line.starts_with("made by") && !line.starts_with("on ");
    let lines = text.stdout.lines().filter(of_machine).collect::<Vec<_>>();
    insta::assert_snapshot!("inspected", lines.join("\n"));
    assert!(text.stdout.contains("cpu, "), "{}", text.stdout);
    let json = workplace.run(&["inspect", "features/s.h5", "--json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["rows"], &json["complete"], &json["dtype"]),
        (&7.into(), &7.into(), &"f16".into())
    );
    assert_eq!(json["preprocess"]["resize"], "squash");
    assert_eq!(json["content_digest"], workplace.store().content_digest().unwrap());

    let verified = workplace.run(&["verify", "features/s.h5"]);
    assert!(verified.status == 0 && verified.stdout.contains("7 images, all intact"));
    let mut bytes = fs::read(workplace.path("features/s.h5")).unwrap();
    let store = workplace.store();
    let mut last = vec![0; store.provenance().grid_bytes()];
    store.read_bytes(6, 0, &mut last).unwrap();
    let at = bytes.windows(last.len()).rposition(|window| window == last).unwrap();
    bytes[at + 9] ^= 1;
    fs::write(workplace.path("features/s.h5"), bytes).unwrap();
    let verified = workplace.run(&["verify", "features/s.h5"]);
    assert_eq!(verified.status, 1);
    assert!(
        verified.stdout.contains("row 6: 006.png: its grid `original` is damaged"),
        "{}",
        verified.stdout
    );
    let outcome = workplace.extract(&[]);
    assert!(
        outcome.stdout.contains("nothing to do"),
        "rows are not read again: {}",
        outcome.stdout
    );
    let outcome = workplace.extract(&["--check"]);
    assert!(outcome.stdout.contains(": 1 images in"), "damage is repaired: {}", outcome.stdout);
    assert_eq!(workplace.run(&["verify", "features/s.h5"]).status, 0);
    assert!(workplace.run(&["verify", "absent.h5"]).stderr.contains("absent.h5"));
}

/// Sets the modification time of a photo to a minute ago: older than the resolution of file systems.
fn age(path: &Path) -> SystemTime {
    let time = SystemTime::now() - Duration::from_mins(1);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    time
}

#[test]
fn a_photo_with_the_same_size_and_time_is_not_read_again() {
    let workplace = Workplace::new(2);
    let photo = workplace.path("Images/000.png");
    let time = age(photo);
    age(workplace.path("Images/001.png"));
    assert_eq!(workplace.extract(&[]).status, 0);
    let stamp = workplace.store().stamp(0).unwrap();
    let size = photo.metadata().unwrap().len();
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert_eq!((stamp.size, stamp.modified), (size, since));

    // Only --check notices other bytes with the same size and time.
    let mut bytes = fs::read(photo).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(photo, &bytes).unwrap();
    let file = fs::File::options().write(true).open(photo).unwrap();
    file.set_modified(time).unwrap();
    assert!(workplace.extract(&[]).stdout.contains("nothing to do"));
    let outcome = workplace.extract(&["--check"]);
    assert!(outcome.stdout.contains(": 1 images in") || outcome.stderr.contains("skipped"));

    // The same bytes with another time are read, recognized and recorded.
    let other = workplace.path("Images/001.png");
    let time = time - Duration::from_mins(1);
    fs::File::options().write(true).open(other).unwrap().set_modified(time).unwrap();
    assert!(workplace.extract(&[]).stdout.contains("nothing to do"));
    let store = workplace.store();
    let row = store.find("001.png").unwrap();
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert_eq!(store.stamp(row).unwrap().modified, since);
}

#[test]
fn added_images_get_a_file_that_inspect_and_merge_know() {
    let workplace = Workplace::new(3);
    assert_eq!(workplace.extract(&[]).status, 0);
    let copy = workplace.path("Images/more/copy.png");
    fs::copy(workplace.path("Images/000.png"), copy).unwrap();
    assert_eq!(workplace.extract(&[]).status, 0);
    let outcome = workplace.run(&["inspect", "features/s.h5"]);
    assert!(outcome.stdout.contains("file        features/s+1.h5"), "{}", outcome.stdout);
    let digest = workplace.store().content_digest().unwrap();
    for (merged, copy) in [("linked.h5", None), ("copied.h5", Some("--copy"))] {
        let arguments = ["merge", merged, "features/s.h5"].into_iter().chain(copy);
        let outcome = workplace.run(&arguments.collect::<Vec<_>>());
        assert!(outcome.status == 0 && outcome.stdout.contains("4 images"), "{}", outcome.stderr);
        let store = FeatureStore::open(workplace.path(merged)).unwrap();
        assert_eq!(store.content_digest().unwrap(), digest);
    }
}

#[test]
fn a_folder_without_any_image_of_the_store_prunes_nothing() {
    let workplace = Workplace::new(3);
    assert_eq!(workplace.extract(&[]).status, 0);
    fs::create_dir(workplace.path("Others")).unwrap();
    fs::copy(workplace.path("Images/000.png"), workplace.path("Others/other.png")).unwrap();
    let job = ["--images", "Others", "--encoder", ENCODER_FILE, "--store", "features/s.h5"];
    let outcome = workplace.run(&[&job[..], &["--prune"]].concat());
    assert!(
        outcome.status == 1 && outcome.stderr.contains("would remove all 3 images"),
        "{}",
        outcome.stderr
    );
    assert_eq!(workplace.store().complete(), 3);

    fs::remove_file(workplace.path("Images/001.png")).unwrap();
    fs::copy(workplace.path("Images/000.png"), workplace.path("Images/new.png")).unwrap();
    let outcome = workplace.extract(&["--prune"]);
    assert!(outcome.stdout.contains("1 removed"), "{}", outcome.stdout);
}
