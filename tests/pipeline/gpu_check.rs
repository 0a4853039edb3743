//! The check of a machine with a GPU, on the CPU alone: all of its steps but the comparison with `PyTorch`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::programs::{own_encoder, program, run};

#[test]
fn all_steps_pass_on_the_cpu() {
    let (Some(python), Some(encoder)) = (tests::python(), own_encoder()) else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results.json");
    let programs = Path::new(program("train").get_program()).parent().unwrap().to_path_buf();
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(root.join("tools/gpu-check"))
        .arg("--cpu-only")
        .arg("--bin")
        .arg(programs);
    command.arg("--models").arg(root.join("models")).arg("--encoder").arg(encoder);
    command.env("SHOWTELL_EXTRACT_THREADS", "1").env("SHOWTELL_TRAIN_THREADS", "1");
    let table = run(command.args(["--scenes", "16", "--served", "2", "--json"]).arg(&results)).0;

    let document: Value = serde_json::from_str(&fs::read_to_string(&results).unwrap()).unwrap();
    assert!(document["passed"] == true && document["finished"] == true, "{table}");
    let steps = document["steps"].as_array().unwrap();
    let passed = steps.iter().filter(|step| step["result"] == "pass").count();
    assert!(steps.len() == 7 && passed >= 6, "{table}");
    assert!(table.contains("same sentences") && table.contains("all "), "{table}");
}
