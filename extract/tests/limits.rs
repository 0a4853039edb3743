//! Limits of memory and pixels, damage that is repaired as `verify` advises, and the form of standard error.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;

use common::Workplace;
use image::{Rgb, RgbImage};
use serde_json::Value;
use tests::small_model::ENCODER_FILE;

#[test]
fn large_images_are_skipped_by_pixels_and_by_memory() {
    let workplace = Workplace::new(9);
    RgbImage::from_pixel(1500, 1000, Rgb([1, 2, 3]))
        .save(workplace.path("Images/large.png"))
        .unwrap();
    // The memory of the most demanding small image: images are decoded one at a time, even with more threads.
    let tensor = 4 * 3 * 56 * 56;
    let need = |number: u8| {
        let bytes = fs::read(workplace.path(&format!("Images/{number:03}.png"))).unwrap();
        let decoding = models::decode::memory(&bytes, &models::Limits::default(), &[]).unwrap();
        decoding + bytes.len() as u64 + tensor
    };
    let memory = (0..9).map(need).max().unwrap().to_string();
    let outcome = workplace.extract(&["--max-pixels", "1499999"]);
    assert!(
        outcome.stdout.contains("9 images in") && outcome.stdout.contains("1 skipped"),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains("large.png: 1500×1000 pixels are more than"),
        "{}",
        outcome.stderr
    );
    fs::remove_file(workplace.path("features/s.h5")).unwrap();
    let outcome = workplace.extract(&["--memory", &memory, "--max-pixels", "1500000"]);
    assert!(
        outcome.stderr.contains("large.png: it needs ") && outcome.stderr.contains("--memory"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stdout.contains("9 images in") && outcome.stdout.contains("1 skipped"),
        "{}",
        outcome.stdout
    );
    let outcome = workplace.extract(&[]);
    assert!(outcome.stdout.contains(": 1 images in"), "{}", outcome.stdout);
    let outcome = workplace.extract(&["--memory", "many"]);
    assert!(
        outcome.status == 2 && outcome.stderr.contains("'--memory <SIZE>': not a size above 0"),
        "{}",
        outcome.stderr
    );
}

/// Damages the grid of an image in its file.
fn damage(workplace: &Workplace, image: &str) {
    let store = workplace.store();
    let mut grid = vec![0; store.provenance().grid_bytes()];
    store.read_bytes(store.find(image).unwrap(), 0, &mut grid).unwrap();
    let mut bytes = fs::read(workplace.path("features/s.h5")).unwrap();
    let at = bytes.windows(grid.len()).rposition(|window| window == grid).unwrap();
    bytes[at + 9] ^= 1;
    fs::write(workplace.path("features/s.h5"), bytes).unwrap();
}

#[test]
fn the_advice_of_verify_repairs_the_store() {
    let workplace = Workplace::new(6);
    assert_eq!(workplace.extract(&[]).status, 0);
    let verify = || workplace.run(&["verify", "features/s.h5"]);
    for image in ["001.png", "003.png", "005.png"] {
        damage(&workplace, image);
    }
    fs::remove_file(workplace.path("Images/003.png")).unwrap();
    fs::write(workplace.path("Images/005.png"), "no photo any more").unwrap();
    let outcome = verify();
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("3 problems") && outcome.stderr.contains("--prune"),
        "{}",
        outcome.stdout
    );

    let outcome = workplace.extract(&["--check"]);
    assert!(outcome.stdout.contains(": 1 images in"), "{}", outcome.stdout);
    assert!(verify().stderr.contains("2 problems"), "rows that cannot be re-encoded stay");
    let outcome = workplace.extract(&["--check", "--prune"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let outcome = verify();
    assert!(
        outcome.status == 0 && outcome.stdout.contains("4 images, all intact"),
        "{}",
        outcome.stdout
    );

    // An intact row of a photo that can no longer be read is kept.
    fs::write(workplace.path("Images/000.png"), "no photo either").unwrap();
    assert_eq!(workplace.extract(&["--prune"]).status, 0);
    assert_eq!(workplace.store().complete(), 4);
}

#[test]
fn standard_error_is_json_where_it_is_not_a_terminal() {
    let workplace = Workplace::new(1);
    let runs: [&[&str]; 4] =
        [&["inspect", "gone.h5"], &["--batch", "0"], &["merge", "gone.h5"], &["--images", "gone"]];
    for arguments in runs {
        let outcome = workplace.run(arguments);
        assert!(outcome.status > 0, "{arguments:?}");
        let lines = outcome.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let last = lines.collect::<Vec<_>>().pop().unwrap();
        assert_eq!(last["event"], "error");
        assert!(!last["message"].as_str().unwrap().starts_with("error"));
    }
    let outcome = workplace.run(&["inspect", "gone.h5"]);
    assert_eq!(outcome.stderr.matches("gone.h5").count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("feature store not found"), "{}", outcome.stderr);
    assert!(workplace.run(&["--help"]).stdout.contains("Usage"));

    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_extract"))
        .current_dir(workplace.path(""))
        .env("SHOWTELL_EXTRACT_BATCHES", "4")
        .args(["--images", "Images", "--encoder", ENCODER_FILE, "--store", "s.h5"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let first = serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "warning");
}

#[test]
fn standard_output_on_a_full_disk_is_an_error() {
    let workplace = Workplace::new(2);
    let job = ["--images", "Images", "--encoder", ENCODER_FILE, "--store", "features/s.h5"];
    let full = |arguments: &[&str]| {
        let (status, stderr) = workplace.run_on_full_disk(arguments);
        assert_eq!(status, 1, "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("standard output") && stderr.contains("the disk is full"),
            "{stderr}"
        );
    };
    full(&[&["plan"], &job[..]].concat());
    full(&job);
    assert_eq!(workplace.store().complete(), 2, "what was encoded is kept");
    full(&job);
    full(&["inspect", "features/s.h5"]);
    full(&["inspect", "features/s.h5", "--json"]);
    full(&["verify", "features/s.h5"]);
    for shard in ["0/2", "1/2"] {
        full(&[&job[..4], &["--store", "t.h5", "--shard", shard]].concat());
    }
    full(&["merge", "t.h5"]);
    full(&["--help"]);
}
