//! The command line of `captions`.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Workspace(TempDir);

impl Workspace {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: &Value) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content.to_string()).unwrap();
        path
    }

    fn references(&self) -> PathBuf {
        let references = json!({
            "1.jpg": ["A dog runs in the snow .", "A brown dog is running ."],
            "2.jpg": ["Two girls play on a skateboard .", "Children on a skateboard ."],
            "3.jpg": ["A man sits on a bench .", "A man's bench ."],
        });
        self.file("references.json", &references)
    }

    fn hypotheses(&self, name: &str, captions: [&str; 3]) -> PathBuf {
        let [one, two, three] = captions;
        self.file(name, &json!({"1.jpg": one, "2.jpg": two, "3.jpg": three}))
    }
}

fn captions() -> Command {
    let mut command = Command::cargo_bin("captions").unwrap();
    command.env_remove("SHOWTELL_CAPTIONS_CAPTIONS").env_remove("SHOWTELL_CAPTIONS_METEOR_JAR");
    command
}

fn score(references: &Path, hypotheses: &Path) -> Command {
    let mut command = captions();
    command.arg("score").arg("--references").arg(references).arg("--hypotheses").arg(hypotheses);
    command
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn refused(command: &mut Command, said: &[&str]) {
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    for said in said {
        assert!(error.contains(said), "`{said}` is not in: {error}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn tokenize_gives_a_line_for_a_line() {
    let lines = "A man's dog can't swim.\n\n\"Stop\", says (the sign)…\nlast, without an end";
    let tokens =
        "a man 's dog ca n't swim\n\nstop says -lrb- the sign -rrb-\nlast without an end\n";
    captions().arg("tokenize").write_stdin(lines).assert().success().stdout(tokens);
    let unreadable =
        captions().arg("tokenize").write_stdin(b"fine\n\xFF\n".as_slice()).output().unwrap();
    assert_eq!(unreadable.status.code(), Some(1));
    assert!(String::from_utf8(unreadable.stderr).unwrap().contains("stdin, line 2: not UTF-8"));
}

#[test]
fn lines_to_tokenize_may_have_a_mark_and_any_line_ends() {
    for lines in ["\u{feff}A dog\r\n\r\nRuns.\r\n", "A dog\r\rRuns.\r", "A dog\n\nRuns."] {
        let tokens = "a dog\n\nruns\n";
        captions().arg("tokenize").write_stdin(lines).assert().success().stdout(tokens);
    }
    let unreadable = captions().arg("tokenize").write_stdin(b"fine\rcaf\xE9\r".as_slice()).output();
    let error = String::from_utf8(unreadable.unwrap().stderr).unwrap();
    assert!(error.contains("stdin, line 2: not UTF-8"), "{error}");
}

#[test]
fn scores_are_printed_and_written() {
    let workspace = Workspace::new();
    let references = workspace.references();
    let said = ["A dog runs in the snow .", "Two girls", "A man sits on a bench with a"];
    let hypotheses = workspace.hypotheses("generated.json", said);
    let (json, per_image) = (workspace.path("scores.json"), workspace.path("images.json"));
    let output = score(&references, &hypotheses)
        .arg("--json")
        .arg(&json)
        .arg("--per-image")
        .arg(&per_image)
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    let scores = read(&json);
    for name in ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"] {
        let score = scores[name].as_f64().unwrap();
        let [from, to] = [0, 1].map(|at| scores["intervals"][name][at].as_f64().unwrap());
        assert!(from <= score + 1e-9 && score <= to + 1e-9, "{name} {from} {score} {to}");
        assert!(table.contains(&format!("{name:<11}{:>7.2}", 100.0 * score)), "{table}");
    }
    assert_eq!(scores["images"], 3);
    assert_eq!(scores["health"]["vocabulary"], 13);
    assert!(scores["protocol"].as_str().unwrap().contains("CoreNLP 3.4.1"));
    assert!(table.contains("open last word      33.3 %"), "{table}");
    let images = read(&per_image);
    assert_eq!(images["3.jpg"]["tokens"], "a man sits on a bench with a");
    assert!((images["1.jpg"]["BLEU-4"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    let again = score(&references, &hypotheses).args(["--json", "-"]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap(), scores);
}

#[test]
fn two_captioners_are_compared() {
    let workspace = Workspace::new();
    let references = workspace.references();
    let good =
        ["A dog runs in the snow .", "Two girls play on a skateboard .", "A man sits on a bench ."];
    let good = workspace.hypotheses("good.json", good);
    let bad =
        workspace.hypotheses("bad.json", ["A cat .", "A car and a tree .", "The sea at night ."]);
    let output = score(&references, &good).arg("--against").arg(&bad).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let rouge = table.lines().filter(|line| line.starts_with("ROUGE-L")).nth(1).unwrap();
    assert!(rouge.ends_with("beyond noise"), "{table}");
    let output =
        score(&references, &good).arg("--against").arg(&good).args(["--json", "-"]).output();
    let same: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let difference = &same["against"]["differences"]["CIDEr"];
    assert_eq!(
        (&difference["difference"], &difference["beyond_noise"]),
        (&json!(0.0), &json!(false))
    );
    assert_eq!(same["against"]["CIDEr"], same["CIDEr"]);
}

#[test]
fn bad_input_is_counted_and_named() {
    let workspace = Workspace::new();
    let references = workspace.references();
    let lacking = workspace.file("lacking.json", &json!({"1.jpg": "A dog .", "9.jpg": "A cat ."}));
    let said = [
        "lacking.json",
        "2 ids: missing, but has references",
        "`2.jpg`, `3.jpg`",
        "1 id: has no reference: `9.jpg`",
    ];
    refused(&mut score(&references, &lacking), &said);
    let numbers = workspace.file("numbers.json", &json!({"1.jpg": 1, "2.jpg": null, "3.jpg": "x"}));
    refused(&mut score(&references, &numbers), &["numbers.json", "2 ids: caption is not a string"]);
    let empty = workspace.hypotheses("empty.json", ["", "A dog .", " "]);
    refused(&mut score(&references, &empty), &["2 ids: empty caption: `1.jpg`, `3.jpg`"]);
    let none = workspace.file("none.json", &json!({"1.jpg": []}));
    refused(&mut score(&none, &lacking), &["none.json", "1 id: no reference: the list is empty"]);
    refused(&mut score(&workspace.path("absent.json"), &lacking), &["absent.json"]);
    let frequencies = workspace
        .file("frequencies.json", &json!({"format": "other", "images": 1, "frequencies": {}}));
    let fine = workspace.hypotheses("fine.json", ["x", "x", "x"]);
    refused(
        score(&references, &fine).arg("--document-frequencies").arg(frequencies),
        &["frequencies.json", "the format is `other`", "captions frequencies"],
    );
}

#[test]
fn meteor_says_what_is_missing() {
    let workspace = Workspace::new();
    let hypotheses = workspace.hypotheses("fine.json", ["x", "x", "x"]);
    let jar = workspace.path("meteor-1.5.jar");
    refused(
        score(&workspace.references(), &hypotheses).arg("--meteor").arg("--meteor-jar").arg(&jar),
        &["METEOR", "meteor-1.5.jar is missing", "pip install --no-deps --target", "pycocoevalcap"],
    );
    fs::write(&jar, "no jar").unwrap();
    refused(
        score(&workspace.references(), &hypotheses)
            .arg("--meteor")
            .arg("--meteor-jar")
            .arg(&jar)
            .env("PATH", ""),
        &["METEOR", "`java` cannot be run", "apt-get install"],
    );
}

#[test]
fn references_and_frequencies_of_a_data_set() {
    let workspace = Workspace::new();
    let lines = (0..60).map(|at| format!("{at}.jpg,A dog number {at} .\n"));
    let file = workspace.path("captions.txt");
    fs::write(&file, format!("image,caption\n{}", lines.collect::<String>())).unwrap();
    let (references, frequencies) =
        (workspace.path("dev.json"), workspace.path("frequencies.json"));
    let out = |command: &str, path: &Path| {
        let mut command_line = captions();
        command_line.arg(command).arg("--out").arg(path);
        command_line
    };
    out("references", &references).arg("--captions").arg(&file).assert().success();
    let written = read(&references);
    let (image, captions) = written.as_object().unwrap().iter().next().unwrap();
    let number = image.strip_suffix(".jpg").unwrap();
    assert_eq!(captions, &json!([format!("A dog number {number} .")]));
    out("frequencies", &frequencies).arg("--references").arg(&references).assert().success();
    let counted = read(&frequencies);
    assert_eq!(counted["images"], counted["frequencies"]["a dog"]);
    let said = workspace.file("said.json", &json!({image: format!("a dog number {number}")}));
    let one = workspace.file("one.json", &json!({image: captions}));
    let cider = |with: &[&Path]| {
        let mut command = score(&one, &said);
        for path in with {
            command.arg("--document-frequencies").arg(path);
        }
        let output = command.args(["--json", "-"]).output().unwrap().stdout;
        serde_json::from_slice::<Value>(&output).unwrap()["CIDEr"].as_f64().unwrap()
    };
    assert_eq!(cider(&[]).to_bits(), 0.0_f64.to_bits());
    assert!(cider(&[&frequencies]) > 5.0);
}
