//! Ctrl-C and SIGTERM: what is encoded is kept, and another run goes on.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use common::Workplace;
use tests::small_model::ENCODER_FILE;

const IMAGES: u16 = 20_000;

/// A run on many images that has begun to encode.
fn begun(workplace: &Workplace) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_extract"))
        .current_dir(workplace.path(""))
        .args(["--images", "list.csv", "--encoder", ENCODER_FILE, "--store", "s.h5"])
        .args(["--batch", "1", "--threads", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    // A note of the encoder comes before the first image.
    let mut line = String::new();
    while !line.contains("taken as ImageNet") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
    }
    while !workplace.path("s.h5").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    (child, said)
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_keeps_what_is_encoded_and_another_goes_on() {
    let workplace = Workplace::new(1);
    let lines = (0..IMAGES).map(|number| format!("{number}.png,Images/000.png\n"));
    let list = format!("image,path\n{}", lines.collect::<String>());
    fs::write(workplace.path("list.csv"), list).unwrap();
    let mut kept = 0;
    for name in ["INT", "TERM"] {
        let (mut child, said) = begun(&workplace);
        signal(&child, name);
        let said = said.lines().map(Result::unwrap).collect::<Vec<_>>().join("\n");
        assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
        assert!(said.contains("s.h5: interrupted: "), "{said}");
        assert!(said.contains("Run the same command again to go on."), "{said}");
        let store = features::FeatureStore::open(workplace.path("s.h5")).unwrap();
        assert!(store.complete() > kept && store.complete() < IMAGES.into(), "{said}");
        kept = store.complete();
        assert_eq!(store.verify().unwrap(), []);
    }
}
