//! Clusters: the tasks of a job array, here one after the other, and the files in `deploy`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::programs::{own_encoder, program, run};

const PHOTOS: usize = 60;
const SHARDS: usize = 3;

/// `extract` of an archive's photos into a store.
fn extract(folder: &Path, encoder: &Path, store: &str) -> Command {
    let mut command = program("extract");
    command.current_dir(folder).args(["--images", "photos.tar", "--batch", "2", "--store", store]);
    command.arg("--encoder").arg(encoder);
    command
}

fn inspect(store: &Path) -> Value {
    let (output, _) = run(program("extract").args(["inspect", "--json"]).arg(store));
    serde_json::from_str(&output).unwrap()
}

/// Like `tests/slurm.sh`, but without Slurm.
#[test]
fn killed_and_requeued_tasks_end_with_the_store_of_one_run() {
    let Some(flickr8k) = tests::shared("flickr8k") else { return };
    let Some(encoder) = own_encoder() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut archive =
        tar::Builder::new(fs::File::create(folder.path().join("photos.tar")).unwrap());
    for photo in tests::files_in(&flickr8k.join("Images")).iter().take(PHOTOS) {
        archive.append_path_with_name(photo, photo.file_name().unwrap()).unwrap();
    }
    archive.finish().unwrap();
    run(&mut extract(folder.path(), &encoder, "single.h5"));
    let shard = |index: usize| folder.path().join(format!("shards.{index}-of-{SHARDS}.h5"));
    for index in 0..SHARDS {
        let task = || {
            let mut task = extract(folder.path(), &encoder, "shards.h5");
            task.env("SHOWTELL_EXTRACT_SHARD", format!("auto/{SHARDS}"));
            task.env("SLURM_ARRAY_TASK_ID", index.to_string());
            task
        };
        if index == 1 {
            let mut killed = task().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Rows are laid out by then, and images encoded; none is complete before the first sync.
            while !shard(1).exists() {
                assert!(killed.try_wait().unwrap().is_none(), "it ended before it was killed");
                std::thread::sleep(Duration::from_millis(2));
            }
            killed.kill().unwrap();
            killed.wait().unwrap();
            let rows = inspect(&shard(1));
            assert!(rows["complete"].as_u64() < rows["rows"].as_u64(), "killed too late: {rows}");
        }
        run(&mut task());
    }
    run(program("extract").current_dir(folder.path()).args(["merge", "shards.h5"]));
    run(program("extract").current_dir(folder.path()).args(["verify", "shards.h5"]));
    let [single, shards] =
        ["single.h5", "shards.h5"].map(|name| inspect(&folder.path().join(name)));
    assert_eq!(shards["complete"], PHOTOS);
    assert_eq!(shards["files"].as_array().unwrap().len(), SHARDS);
    assert_eq!(shards["content_digest"], single["content_digest"]);
}

fn deploy(folder: &str) -> Vec<PathBuf> {
    tests::files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(folder))
}

#[test]
fn kubernetes_files_are_valid() {
    let Some(python) = tests::python() else { return };
    let validate = python.with_file_name("kubernetes-validate");
    run(Command::new(validate).arg("--strict").args(deploy("kubernetes")));
}

/// A misspelt variable would be ignored in favour of the default.
#[test]
fn cluster_files_name_existing_variables() {
    let help = ["extract", "serve"].map(|name| run(program(name).arg("--help")).0).concat();
    // Help is wrapped to the width of a terminal.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = 0;
    for path in [deploy("kubernetes"), deploy("slurm")].concat() {
        let text = fs::read_to_string(&path).unwrap();
        let is_of_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
        for after in text.split("SHOWTELL_").skip(1) {
            let name = after.split(|letter| !is_of_name(letter)).next().unwrap();
            assert!(
                help.contains(&format!("[env: SHOWTELL_{name}=")),
                "{}: SHOWTELL_{name}",
                path.display()
            );
            found += 1;
        }
    }
    assert!(found > 15, "{found}");
    for script in deploy("slurm") {
        run(Command::new("sh").arg("-n").arg(script));
    }
}
