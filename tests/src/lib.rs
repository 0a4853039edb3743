//! What the tests of all rooms share: the way to the real material.

pub mod answers;
#[cfg(feature = "load")]
pub mod load;
#[cfg(feature = "small-model")]
pub mod small_model;

use std::path::{Path, PathBuf};

/// A file or folder of the real material (photos, captions, weights, golden scores), which lies in
/// `../shared` beside the checkout or where `SHOWTELL_SHARED` says.
///
/// Where it is missing the answer is `None` and a line says what was skipped.
///
/// # Panics
/// In continuous integration (`CI=true`) the material must be there.
#[must_use]
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SHOWTELL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    assert!(!in_ci(), "{} is missing; CI must test on the real material", found.display());
    eprintln!("skipped: {} is not there (SHOWTELL_SHARED names its folder)", found.display());
    None
}

/// The jar of METEOR 1.5 (`make setup PART=meteor`), beside which the reference tokenizer lies, for a Java that is
/// there. `SHOWTELL_CAPTIONS_METEOR_JAR` names it. Where one is missing the answer is `None` and a line says so.
///
/// # Panics
/// In continuous integration (`CI=true`) both must be there.
#[must_use]
pub fn meteor_jar() -> Option<PathBuf> {
    let named = std::env::var_os("SHOWTELL_CAPTIONS_METEOR_JAR").map(PathBuf::from);
    let in_package = || native().join("pycocoevalcap/pycocoevalcap/meteor/meteor-1.5.jar");
    let jar = named.unwrap_or_else(in_package);
    let found = program("java").is_some() && jar.is_file();
    if !found {
        assert!(!in_ci(), "CI must test beside the reference: {} and Java", jar.display());
        eprintln!(
            "skipped: no Java, or no {} (`make setup PART=meteor` fetches it)",
            jar.display()
        );
    }
    found.then_some(jar)
}

/// What lies in a folder, in the order of the names.
///
/// # Panics
/// If the folder cannot be read.
#[must_use]
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut files = paths.collect::<Vec<_>>();
    files.sort();
    files
}

/// The middle one of measured values, the upper one of two.
///
/// # Panics
/// Without values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A Python with the packages of the programs in `benches/peers` (`make setup PART=peers`), or the one
/// that `SHOWTELL_PEERS` names. Where it is missing the answer is `None` and a line says so.
#[must_use]
pub fn peers() -> Option<PathBuf> {
    environment("peers", "SHOWTELL_PEERS")
}

/// A Python with the packages of `examples/caption.py` and the checker of ONNX files (`make setup
/// PART=python`), or the one that `SHOWTELL_PYTHON` names. Where it is missing the answer is `None` and a
/// line says so.
///
/// # Panics
/// In continuous integration (`CI=true`) it must be there.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let found = environment("python", "SHOWTELL_PYTHON");
    assert!(found.is_some() || !in_ci(), "CI must test what is written in Python");
    found
}

/// Chromium and its driver (`make setup PART=browser`). Where one is missing the answer is `None` and a
/// line says that the tests of the page are skipped.
///
/// # Panics
/// In continuous integration (`CI=true`) they must be there.
#[must_use]
pub fn browser() -> Option<[PathBuf; 2]> {
    let found = program("chromium").zip(program("chromedriver"));
    if found.is_none() {
        assert!(!in_ci(), "CI must test the page in a browser");
        eprintln!(
            "skipped: no chromium or no chromedriver (`make setup PART=browser` installs them)"
        );
    }
    found.map(|(chromium, driver)| [chromium, driver])
}

/// haproxy (`make setup PART=balancer`). Where it is missing the answer is `None` and a line says so.
///
/// # Panics
/// In continuous integration (`CI=true`) it must be there.
#[must_use]
pub fn haproxy() -> Option<PathBuf> {
    let found = program("haproxy");
    if found.is_none() {
        assert!(!in_ci(), "CI must test replicas behind a balancer");
        eprintln!("skipped: no haproxy (`make setup PART=balancer` installs it)");
    }
    found
}

fn program(name: &str) -> Option<PathBuf> {
    // Debian puts servers where not every user looks.
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The script of axe-core (`make setup PART=browser`). Where it is missing the answer is `None` and a line
/// says so.
///
/// # Panics
/// In continuous integration (`CI=true`) it must be there.
#[must_use]
pub fn axe() -> Option<PathBuf> {
    let script = native().join("axe/axe_playwright_python/axe.min.js");
    if script.exists() {
        return Some(script);
    }
    assert!(!in_ci(), "CI must test how accessible the page is");
    eprintln!("skipped: no axe-core (`make setup PART=browser` fetches it)");
    None
}

/// Where `make setup` puts the native parts.
#[must_use]
pub fn native() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.native");
    std::env::var_os("SHOWTELL_NATIVE").map_or_else(beside, PathBuf::from)
}

fn environment(part: &str, variable: &str) -> Option<PathBuf> {
    let python = std::env::var_os(variable)
        .map_or_else(|| native().join(part).join("bin/python"), PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    eprintln!("left out: no {part} (`make setup PART={part}` fetches it)");
    None
}

/// Whether this is continuous integration, where nothing may be skipped.
#[must_use]
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
