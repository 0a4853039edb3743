//! Helpers of all tests: real test data, external programs, and figures of benches.
#![expect(clippy::expect_used, reason = "a failed test panics")]
#![expect(clippy::print_stderr, reason = "a skipped test is named")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

pub mod answers;
pub mod figures;
#[cfg(feature = "load")]
pub mod load;
pub mod machine;
pub mod sitting;
#[cfg(feature = "small-model")]
pub mod small_model;

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Reports that the calling test or bench, or a part of it, is skipped. `make test` prints the number of skipped tests, which
/// the test harness cannot count; the summary of `make bench` has what was skipped.
///
/// # Panics
/// In continuous integration (`CI=true`), where nothing may be skipped.
pub fn skip(why: &str) {
    assert!(!in_ci(), "CI must not skip tests: {why}");
    skip_part(why);
    let Some(list) = std::env::var_os("SHOWTELL_SKIPPED") else { return };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let list = OpenOptions::new().create(true).append(true).open(list);
    list.and_then(|mut list| list.write_all(format!("{test}: {why}\n").as_bytes()))
        .expect("the list of skipped tests can be written");
}

/// Reports that a bench, or a part of it, is skipped that continuous integration may skip as well: a comparison with another
/// program, or one that needs much space.
pub fn skip_part(why: &str) {
    eprintln!("skipped: {why}");
    figures::keep_skipped(why);
}

/// A file or folder of real test data (photos, captions, weights, golden scores) in `../shared`, next to the checkout, or in
/// the folder `SHOWTELL_SHARED`. `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SHOWTELL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    skip(&format!("{} is not there (SHOWTELL_SHARED names its folder)", found.display()));
    None
}

/// Memory of a process (its number, or `self`) in MiB, by the name of a line of `/proc/PID/status`.
///
/// # Panics
/// If the process has ended, or the kernel has no such line.
#[must_use]
pub fn memory_mib(process: impl Display, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.expect("the process runs");
    let mut fields = status.lines().filter_map(|line| line.split_once(':'));
    let value = fields.find_map(|(field, value)| (field == name).then_some(value));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok());
    number.expect("the kernel has this line") / 1024.0
}

/// The entries of a folder, sorted by name.
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

/// The messages of `errors`, which have each variant of the enum `name` in its `source` but those that pass on the message
/// of another error.
///
/// # Panics
/// If a variant is missing.
#[must_use]
pub fn messages<E: Error>(source: &str, name: &str, errors: &[E]) -> String {
    let name_of =
        |text: &str| text.split(|letter: char| !letter.is_alphanumeric()).next().map(str::to_owned);
    let met =
        errors.iter().filter_map(|error| name_of(&format!("{error:?}"))).collect::<HashSet<_>>();
    let definition = source.split_once(&format!("enum {name} {{")).map_or("", |(_, rest)| rest);
    let definition = definition.split("\n}").next().unwrap_or_default();
    assert!(!definition.is_empty(), "there is no enum {name}");
    let mut lines = definition.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    while let Some(line) = lines.next() {
        if line == "#[error(transparent)]" {
            lines.next();
        } else if line.starts_with(char::is_uppercase) {
            let variant = name_of(line).unwrap_or_default();
            assert!(met.contains(&variant), "{name}::{variant}: no snapshot shows it");
        }
    }
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

/// The median; for an even number of values the upper one.
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
/// that `SHOWTELL_PEERS` names. `None` with a message if it is missing.
#[must_use]
pub fn peers() -> Option<PathBuf> {
    let found = environment("peers", "SHOWTELL_PEERS");
    if found.is_none() {
        skip_part("no peers (`make setup PART=peers` fetches them)");
    }
    found
}

/// The encoder of the bundled model: the file `efficientnet-lite2.onnx` that `SHOWTELL_TEST_ENCODER` names, or that in
/// `models`. `None` if it is missing; the bench is [skipped](skip).
#[must_use]
pub fn bundled_encoder() -> Option<PathBuf> {
    const NAME: &str = "efficientnet-lite2.onnx";
    let named = std::env::var_os("SHOWTELL_TEST_ENCODER").map(PathBuf::from);
    let named = named.filter(|path| path.ends_with(NAME));
    let found = named.unwrap_or_else(|| models_folder().join(NAME));
    let missing = format!("no models/{NAME} (`make encoder NAME=efficientnet-lite2` makes it)");
    or_skip(Some(found).filter(|path| path.exists()), &missing)
}

/// The folder of the bundled model, and its encoder. `None` if that is missing; the bench is [skipped](skip).
#[must_use]
pub fn bundled_model() -> Option<(PathBuf, PathBuf)> {
    Some((models_folder().join("showtell"), bundled_encoder()?))
}

/// The folder of a trained model, and its encoder if that is elsewhere: those that `SHOWTELL_TEST_MODEL` and
/// `SHOWTELL_TEST_ENCODER` name, or the bundled model. `None` without an encoder; the bench is [skipped](skip).
#[must_use]
pub fn captioner() -> Option<(PathBuf, Option<PathBuf>)> {
    let encoder = std::env::var_os("SHOWTELL_TEST_ENCODER").map(PathBuf::from);
    match std::env::var_os("SHOWTELL_TEST_MODEL") {
        Some(model) => Some((model.into(), encoder)),
        None => Some((models_folder().join("showtell"), Some(encoder.or_else(bundled_encoder)?))),
    }
}

fn models_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// A Python with the packages of `examples/caption.py` and the checker of ONNX files (`make setup
/// PART=python`), or the one that `SHOWTELL_PYTHON` names. `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn python() -> Option<PathBuf> {
    or_skip(environment("python", "SHOWTELL_PYTHON"), "no Python (`make setup PART=python`)")
}

/// A Python with clients of other servers' interfaces (`make setup PART=clients`), or the one that `SHOWTELL_CLIENTS` names.
/// `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn clients() -> Option<PathBuf> {
    or_skip(environment("clients", "SHOWTELL_CLIENTS"), "no clients (`make setup PART=clients`)")
}

/// A tool of HDF5 such as `h5repack` (`make setup PART=python`). `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn hdf5_tool(name: &str) -> Option<PathBuf> {
    or_skip(program(name), "no HDF5 tools (`make setup PART=python` installs them)")
}

/// A shell (`make setup PART=clients` installs fish). `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn shell(name: &str) -> Option<PathBuf> {
    or_skip(program(name), &format!("no {name} (`make setup PART=clients` installs it)"))
}

/// Chromium and its driver (`make setup PART=browser`). `None` if one is missing; the test is [skipped](skip).
#[must_use]
pub fn browser() -> Option<[PathBuf; 2]> {
    let found = program("chromium").zip(program("chromedriver")).map(<[PathBuf; 2]>::from);
    or_skip(found, "no chromium or no chromedriver (`make setup PART=browser` installs them)")
}

/// A program that reads metadata of photos, `exiftool` or `exiv2` (`make setup PART=clients`). `None` if it is missing; the
/// test is [skipped](skip).
#[must_use]
pub fn metadata_reader(name: &str) -> Option<PathBuf> {
    or_skip(program(name), "no ExifTool or exiv2 (`make setup PART=clients` installs them)")
}

/// The sample photos of the source package of `exiftool`, of many cameras (`make setup PART=clients`). `None` if they are missing;
/// the test is [skipped](skip).
#[must_use]
pub fn camera_samples() -> Option<PathBuf> {
    let folder = Some(native().join("exiftool"));
    or_skip(folder.filter(|path| path.exists()), "no sample photos (`make setup PART=clients`)")
}

/// The HEIC (or, with the flag `-A`, AVIF) file that `heif-enc` makes of a picture (`make setup PART=clients`). `None` if the
/// program is missing; the test is [skipped](skip).
///
/// # Panics
/// If the program fails.
#[must_use]
pub fn encode_heif(picture: &Path, flags: &[&str]) -> Option<Vec<u8>> {
    let missing = "no heif-enc of libheif (`make setup PART=clients` installs it)";
    let program = or_skip(program("heif-enc"), missing)?;
    let out = picture.with_extension("heif-enc");
    let status = Command::new(program).args(flags).arg("-o").args([&out, picture]).output();
    let status = status.expect("heif-enc starts");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    Some(std::fs::read(out).expect("heif-enc writes the file"))
}

/// A raw photo of the kind DNG with a JPEG preview; without one if `jpeg` is empty. It has no sensor values.
#[must_use]
pub fn raw_photo(jpeg: &[u8]) -> Vec<u8> {
    const DNG_VERSION: u16 = 50_706;
    let start = 8 + 2 + 3 * 12 + 4;
    let entries = [(513, start), (514, jpeg.len() as u32), (DNG_VERSION, 0x0104)];
    let mut bytes = b"II*\0\x08\0\0\0\x03\0".to_vec();
    for (tag, value) in entries {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(b"\x04\0\x01\0\0\0");
        bytes.extend(u32::to_le_bytes(value));
    }
    bytes.extend([0; 4]);
    bytes.extend(jpeg);
    bytes
}

/// Node.js (`make setup PART=browser`). `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn node() -> Option<PathBuf> {
    or_skip(program("node"), "no Node.js (`make setup PART=browser` installs it)")
}

/// haproxy (`make setup PART=balancer`). `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn haproxy() -> Option<PathBuf> {
    or_skip(program("haproxy"), "no haproxy (`make setup PART=balancer` installs it)")
}

/// The jar of METEOR 1.5, with the reference tokenizer in its folder (`make setup PART=meteor`), or the one that
/// `SHOWTELL_CAPTIONS_METEOR_JAR` names. `None` if it or Java is missing; the test is [skipped](skip).
#[must_use]
pub fn meteor() -> Option<PathBuf> {
    let fetched = || native().join("pycocoevalcap/pycocoevalcap/meteor/meteor-1.5.jar");
    let jar = std::env::var_os("SHOWTELL_CAPTIONS_METEOR_JAR").map_or_else(fetched, PathBuf::from);
    let found = program("java").map(|_| jar).filter(|jar| jar.exists());
    or_skip(found, "no METEOR or no Java (`make setup PART=meteor` installs them)")
}

fn or_skip<T>(found: Option<T>, why: &str) -> Option<T> {
    if found.is_none() {
        skip(why);
    }
    found
}

fn program(name: &str) -> Option<PathBuf> {
    // Debian installs servers in folders that are not in the PATH of every user.
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The script of axe-core (`make setup PART=browser`). `None` if it is missing; the test is [skipped](skip).
#[must_use]
pub fn axe() -> Option<PathBuf> {
    let script = Some(native().join("axe/axe_playwright_python/axe.min.js"));
    or_skip(script.filter(|path| path.exists()), "no axe-core (`make setup PART=browser`)")
}

/// The folder of the native parts that `make setup` fetches.
#[must_use]
pub fn native() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.native");
    std::env::var_os("SHOWTELL_NATIVE").map_or_else(default, PathBuf::from)
}

fn environment(part: &str, variable: &str) -> Option<PathBuf> {
    let python = std::env::var_os(variable)
        .map_or_else(|| native().join(part).join("bin/python"), PathBuf::from);
    Some(python).filter(|python| python.exists())
}

/// Whether this is continuous integration, in which no test may be skipped.
#[must_use]
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
