//! The front finds the programs beside it, and passes everything on.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An installation with one program, which prints its name and its arguments.
fn installation() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let front = folder.path().join("showtell");
    fs::copy(env!("CARGO_BIN_EXE_showtell"), &front).unwrap();
    let program = folder.path().join("showtell-caption");
    fs::write(&program, "#!/bin/sh\necho \"ran:$*\"\nexit 3\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (folder, front)
}

fn run(front: &Path, arguments: &[&str]) -> Output {
    Command::new(front).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn arguments_and_status_are_those_of_the_program() {
    let (folder, front) = installation();
    let link = folder.path().join("link");
    symlink(&front, &link).unwrap();
    for front in [front, link] {
        for arguments in [&["--help"][..], &["-x", "a b", "--", "--version"], &[]] {
            let all = [&["caption"], arguments].concat();
            let output = run(&front, &all);
            assert_eq!(output.status.code(), Some(3));
            assert_eq!(text(&output.stdout), format!("ran:{}\n", arguments.join(" ")));
        }
    }
}

#[test]
fn missing_programs_and_wrong_names_are_errors() {
    let (_folder, front) = installation();
    let output = run(&front, &["train", "fit"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("showtell-train is not installed"), "{message}");
    let output = run(&front, &["captoin"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("'caption'"), "{}", text(&output.stderr));
    let versions = text(&run(&front, &["--version"]).stdout);
    assert!(
        versions.starts_with("showtell ") && versions.contains("\nran:--version\n"),
        "{versions}"
    );
}

#[test]
fn scripts_of_shells_are_those_of_all_programs() {
    let (folder, front) = installation();
    for shell in ["bash", "zsh", "fish"] {
        // The program of this test fails at everything.
        let output = run(&front, &["completions", shell]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("showtell-caption: it failed"));
    }
    fs::remove_file(folder.path().join("showtell-caption")).unwrap();
    let output = run(&front, &["completions", "bash"]);
    let script = folder.path().join("script");
    fs::write(&script, &output.stdout).unwrap();
    let check = "source \"$0\"; COMP_WORDS=(showtell co); COMP_CWORD=1; _showtell; echo \"${COMPREPLY[*]}\"";
    let completed = Command::new("bash").args(["-c", check]).arg(&script).output().unwrap();
    assert_eq!(text(&completed.stdout), "completions\n");
}
