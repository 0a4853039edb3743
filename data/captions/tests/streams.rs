//! The program `captions` with a closed output and on a full disk.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs::{self, File};
use std::io::{Write as _, pipe};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::json;

/// Files for all commands, and runs of each with standard input.
struct Commands(tempfile::TempDir);

impl Commands {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file =
            |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
        file("captions.txt", "image,caption\na.jpg,a dog\nb.jpg,\n");
        file("r.json", &json!({ "a.jpg": ["a dog", ""] }).to_string());
        file("h.json", &json!({ "a.jpg": "a dog" }).to_string());
        let sentences = [json!({ "raw": "a dog" })];
        let images = [json!({ "filename": "a.jpg", "sentences": sentences })];
        file("data.json", &json!({ "images": images }).to_string());
        file("objects.json", "{}");
        file("captions.jsonl", "");
        Self(folder)
    }

    /// Runs each command with these streams; returns it with its output.
    fn run(&self, stdout: impl Fn() -> Stdio, stderr: impl Fn() -> Stdio) -> Vec<(String, Output)> {
        let lines = "a dog runs\n".repeat(100_000);
        let commands = [
            "tokenize",
            "score --references r.json --hypotheses h.json",
            "score --references r.json --hypotheses h.json --json -",
            "vocabulary --captions captions.txt --min-count 1 --out v.json",
            "references --captions captions.txt --split train --out train.json",
            "frequencies --references r.json --out f.json",
            "import data.json --out imported",
            "scenes --train 1 --dev 1 --test 1 --out scenes",
            "looked --objects objects.json --captions captions.jsonl",
            "--help",
            "--version",
        ];
        let output = |command: &str| self.output(command, &lines, stdout(), stderr());
        commands.map(|command| (command.to_owned(), output(command))).to_vec()
    }

    fn output(&self, command: &str, lines: &str, stdout: Stdio, stderr: Stdio) -> Output {
        let mut process = program(self.0.path())
            .args(command.split(' '))
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let lines = lines.to_owned();
        // A program that has ended does not read all of it.
        let writer = thread::spawn(move || drop(stdin.write_all(lines.as_bytes())));
        let output = process.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_captions"));
    command.current_dir(folder).env_remove("SHOWTELL_CAPTIONS_METEOR_JAR");
    command
}

fn full_disk() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// As in `captions tokenize | head`: the output does not fit into the pipe.
#[test]
fn a_closed_output_is_not_an_error() {
    let closed = || {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for (command, output) in Commands::new().run(closed, Stdio::piped) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command}: {said}");
        assert!(!said.contains("error") && !said.contains("pipe"), "{command}: {said}");
    }
}

#[test]
fn an_output_that_is_closed_after_a_line_is_not_an_error() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut process = program(folder.path())
        .arg("tokenize")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let writer =
        thread::spawn(move || drop(stdin.write_all("a dog runs\n".repeat(100_000).as_bytes())));
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.status.code(), line.as_str()), (Some(0), "a dog runs\n"));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_full_disk_is_an_error_that_is_printed_once() {
    for (command, output) in Commands::new().run(full_disk, Stdio::piped) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert_eq!(said.matches("the disk is full").count(), 1, "{command}: {said}");
        assert!(said.contains("standard output"), "{command}: {said}");
    }
}

/// Notes and errors that cannot be written change nothing else.
#[test]
fn standard_error_may_be_on_a_full_disk() {
    for (command, output) in Commands::new().run(Stdio::piped, full_disk) {
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(!output.stdout.is_empty(), "{command}");
    }
    for (command, output) in Commands::new().run(full_disk, full_disk) {
        assert_eq!(output.status.code(), Some(1), "{command}");
    }
    let commands = Commands::new();
    let wrong = commands.output("vocabulary --captions", "", Stdio::piped(), full_disk());
    assert_eq!(wrong.status.code(), Some(2));
    let absent = "vocabulary --captions absent.txt --out v.json";
    let failed = commands.output(absent, "", Stdio::piped(), full_disk());
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_cause_once() {
    let commands = Commands::new();
    for command in [
        "score --references gone --hypotheses h.json",
        "score --references r.json --hypotheses gone",
        "score --references r.json --hypotheses h.json --against gone",
        "score --references r.json --hypotheses h.json --document-frequencies gone",
        "score --references r.json --hypotheses h.json --captions gone",
        "vocabulary --captions gone --out v.json",
        "references --captions gone --out train.json",
        "frequencies --references gone --out f.json",
        "import gone --out imported",
        "looked --objects gone --captions captions.jsonl",
        "looked --objects objects.json --captions gone",
        "vocabulary --captions captions.txt --min-count 1 --out captions.txt/gone",
        "score --references r.json --hypotheses h.json --json captions.txt/gone",
        "references --captions captions.txt --split train --out captions.txt/gone",
    ] {
        let output = commands.output(command, "", Stdio::piped(), Stdio::piped());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("captions.txt") || said.contains("gone: "), "{command}: {said}");
        assert_eq!(said.matches("check the path").count(), 1, "{command}: {said}");
        assert!(!said.contains("os error"), "{command}: {said}");
    }
}

/// A named pipe would be waited for.
#[test]
fn a_pipe_or_a_folder_in_the_place_of_a_file_is_refused_at_once() {
    let commands = Commands::new();
    let pipe = commands.0.path().join("pipe");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    fs::create_dir(commands.0.path().join("folder")).unwrap();
    for (name, problem) in [
        ("pipe", "pipe: not a regular file: save the content as a file first"),
        ("folder", "folder: a folder, not a file: name a file"),
    ] {
        for command in [
            "score --references X --hypotheses h.json",
            "score --references r.json --hypotheses X",
            "score --references r.json --hypotheses h.json --captions X",
            "vocabulary --captions X --out v.json",
            "import X --out imported",
            "looked --objects X --captions captions.jsonl",
            "looked --objects objects.json --captions X",
        ] {
            let command = command.replace('X', name);
            let output = commands.output(&command, "", Stdio::piped(), Stdio::piped());
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{command}: {said}");
            assert!(said.contains(problem), "{command}: {said}");
        }
    }
    let scenes = "scenes --train 1 --dev 1 --test 1 --out captions.txt";
    let output = commands.output(scenes, "", Stdio::piped(), Stdio::piped());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("needs a folder: check the path"), "{said}");
}
