//! The command as a user sees it, on a small encoder.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use features::FeatureStore;
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use tests::small_model::{self, ENCODER_FILE};

struct Workplace(TempDir);

/// What a command said.
struct Said {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Workplace {
    /// A small encoder and a folder of `images` pictures.
    fn new(images: u8) -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        small_model::write(workplace.path(""));
        fs::create_dir_all(workplace.path("Images/more")).unwrap();
        for number in 0..images {
            let image = RgbImage::from_pixel(64, 48, Rgb([number * 9, 80, 200]));
            image.save(workplace.path(&format!("Images/{number:03}.png"))).unwrap();
        }
        workplace
    }

    fn path(&self, name: &str) -> &'static Path {
        Box::leak(self.0.path().join(name).into_boxed_path())
    }

    fn extract(&self, more: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_extract"))
            .current_dir(self.0.path())
            .args(["--images", "Images", "--encoder", ENCODER_FILE, "--store", "features/s.h5"])
            .args(more)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Said {
            status: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    fn store(&self) -> FeatureStore {
        FeatureStore::open(self.path("features/s.h5")).unwrap()
    }
}

#[test]
fn a_second_run_does_nothing_and_a_third_only_what_is_new() {
    let workplace = Workplace::new(11);
    let said = workplace.extract(&["--batch", "4"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(said.stdout.contains("11 images in"), "{}", said.stdout);
    assert!(said.stderr.contains("taken as ImageNet"), "{}", said.stderr);
    let store = workplace.store();
    assert_eq!((store.len(), store.complete()), (11, 11));
    assert_eq!(store.provenance().encoder_name, ENCODER_FILE);

    let said = workplace.extract(&[]);
    assert_eq!(said.status, 0);
    assert!(said.stdout.contains("all 11 images are extracted already; nothing to do"));

    let image = RgbImage::from_pixel(10, 10, Rgb([1, 2, 3]));
    image.save(workplace.path("Images/more/ảnh mới.png")).unwrap();
    let said = workplace.extract(&[]);
    assert!(said.stdout.contains("1 images in"), "{}", said.stdout);
    let after = workplace.store();
    assert!(after.find("more/ảnh mới.png").is_some());
    for row in 0..11 {
        assert_eq!(after.grid(row, 0).unwrap(), store.grid(row, 0).unwrap());
    }
}

#[test]
fn bad_images_are_listed_and_the_rest_goes_on() {
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
    let said = workplace.extract(&["--captions", "captions.txt"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(said.stdout.contains("5 images in") && said.stdout.contains("3 skipped"));
    for part in [
        "1 captioned images are not in the folder",
        "6 images have no caption",
        "skipped: page.jpg: not an image",
        "skipped: empty.jpg: not an image",
        "skipped: cut.png: ",
    ] {
        assert!(said.stderr.contains(part), "no `{part}` in {}", said.stderr);
    }
    assert!(!said.stderr.contains("notes.txt"));
    assert_eq!(workplace.store().complete(), 5);

    // The image is mended: the next run takes it in.
    fs::write(workplace.path("Images/cut.png"), &good).unwrap();
    let said = workplace.extract(&[]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(workplace.store().find("cut.png").is_some());
}

#[test]
fn what_cannot_work_says_why_and_changes_nothing() {
    let workplace = Workplace::new(2);
    let refused = |more: &[&str], status: i32, parts: &[&str]| {
        let said = workplace.extract(more);
        assert_eq!(said.status, status, "{more:?}: {}", said.stderr);
        for part in parts {
            assert!(said.stderr.contains(part), "no `{part}` in {}", said.stderr);
        }
    };
    fs::create_dir(workplace.path("empty")).unwrap();
    let images = |folder| ["--images", folder];
    refused(&["--batch", "0"], 2, &["--batch"]);
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
    assert!(with(&[images("nowhere"), encoder].concat()).contains("nowhere: no such folder"));
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
    let said = workplace.extract(&[]);
    assert_eq!(said.status, 1);
    assert!(said.stderr.contains("none of 1 images could be read"), "{}", said.stderr);
}
