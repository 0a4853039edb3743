//! The commands of `make`: environment variables are ignored, paths may have spaces.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The commands of a target, printed without running them.
fn planned(target: &str, variables: &[&str], environment: &[(&str, &str)]) -> String {
    let make = Command::new("make")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(["--dry-run", "--no-print-directory", target])
        .args(variables)
        .env_remove("MAKEFLAGS")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(make.status.success(), "{}", String::from_utf8_lossy(&make.stderr));
    String::from_utf8(make.stdout).unwrap()
}

const VARIABLES: &str = "DATA IMAGES NAME ENCODER STORE RUN FROM DEVICE PORT \
    PHOTOS RUNS PREFIX WEIGHTS CLASSIFIER REFERENCES HYPOTHESES BENCH A B PART GPU ARGS";
const TARGETS: &str = "setup encoder quantize data vocabulary extract plan merge inspect verify train \
    refine report evaluate score caption serve fuzz bench bench-compare install";

#[test]
fn environment_variables_are_ignored() {
    let foreign = VARIABLES.split(' ').map(|name| (name, "foreign")).collect::<Vec<_>>();
    for target in TARGETS.split(' ') {
        let without = planned(target, &[], &[]);
        assert!(!without.is_empty());
        assert_eq!(planned(target, &[], &foreign), without, "{target}");
    }
    let named = planned("train", &["RUN=models/second", "ARGS=--epochs 5"], &foreign);
    assert!(named.contains("--run 'models/second'") && named.contains("--epochs 5"), "{named}");
}

#[test]
fn paths_may_have_spaces_and_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("My Photos");
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("captions.txt"), "").unwrap();
    let photos = photos.to_str().unwrap();
    let caption = planned("caption", &[&format!("PHOTOS={photos}")], &[]);
    assert!(caption.contains(&format!(" '{photos}'\n")), "{caption}");
    let several = planned("caption", &["PHOTOS=a.jpg b.jpg"], &[]);
    assert!(several.contains(" a.jpg b.jpg\n"), "{several}");
    let extract = planned("extract", &[&format!("DATA={photos}"), "STORE=it's.h5"], &[]);
    assert!(extract.contains(&format!("--images '{photos}/Images'")), "{extract}");
    assert!(extract.contains(&format!("--captions '{photos}/captions.txt'")), "{extract}");
    assert!(extract.contains(r"--store 'it'\''s.h5'"), "{extract}");
}
