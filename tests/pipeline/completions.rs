//! Completions of commands and flags, in real shells.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{program, run};

/// Lines as a user types them, and an expected completion.
const LINES: [(&str, &str); 7] = [
    ("showtell cap", "caption"),
    ("showtell caption --be", "--beam"),
    ("showtell caption --format ", "html"),
    ("showtell train fi", "fit"),
    ("showtell train fit --see", "--seed"),
    ("showtell train fit --device ", "cuda"),
    ("showtell completions f", "fish"),
];

/// An installation of all programs; returns its folder and `showtell`.
fn installation() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let front = folder.path().join("showtell");
    fs::copy(program("showtell").get_program(), &front).unwrap();
    for name in ["caption", "serve", "captions", "encoder", "extract", "train"] {
        let link = folder.path().join(format!("showtell-{name}"));
        symlink(program(name).get_program(), link).unwrap();
    }
    (folder, front)
}

/// Writes the script of a shell.
fn script(front: &Path, shell: &str) -> PathBuf {
    let path = front.with_file_name(format!("script.{shell}"));
    let (script, _) = run(Command::new(front).args(["completions", shell]));
    fs::write(&path, script).unwrap();
    path
}

#[track_caller]
fn assert_completed(shell: &Path, complete: &str, script: &Path) {
    for (line, expected) in LINES {
        let mut command = Command::new(shell);
        command.args(["-c", complete]).env("SCRIPT", script).env("LINE", line);
        let (completions, errors) = run(&mut command);
        assert_eq!(errors, "", "{line}");
        let mut words = completions.lines().filter_map(|line| line.split_whitespace().next());
        assert!(words.any(|word| word == expected), "{line}: {completions}");
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let (_folder, front) = installation();
    let complete = r#"
        source "$SCRIPT"
        read -ra COMP_WORDS <<<"$LINE"
        [[ $LINE != *" " ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _showtell
        printf '%s\n' "${COMPREPLY[@]}""#;
    assert_completed(Path::new("/bin/bash"), complete, &script(&front, "bash"));
}

#[test]
fn fish_completes_commands_and_flags() {
    let Some(fish) = tests::shell("fish") else { return };
    let (_folder, front) = installation();
    assert_completed(&fish, "source $SCRIPT; complete -C \"$LINE\"", &script(&front, "fish"));
}

#[test]
fn there_is_a_manual_page_of_each_command() {
    let (folder, front) = installation();
    let pages = folder.path().join("man1");
    run(Command::new(&front).arg("man").arg(&pages));
    for (page, said) in [
        ("showtell.1", "completions"),
        ("showtell-caption.1", "beam"),
        ("showtell-train.1", "fit"),
        ("showtell-train-fit.1", "seed"),
    ] {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(said), "{page}");
    }
}
