//! Ctrl-C and SIGTERM: what is encoded is kept, and another run goes on.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use common::Workplace;
use features::FeatureStore;
use serde_json::Value;
use tests::small_model::ENCODER_FILE;

/// So many, and so large, that no machine encodes all of them meanwhile.
const IMAGES: u16 = 60_000;
const SIDE: u32 = 2_000;

/// A run on many images that has encoded some of them, and its further messages.
fn begun(workplace: &Workplace) -> (Child, BufReader<ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_extract"))
        .current_dir(workplace.path(""))
        .args(["--images", "list.csv", "--encoder", ENCODER_FILE, "--store", "s.h5"])
        .args(["--batch", "1", "--threads", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut encoded = 0;
    while encoded < 3 {
        let mut line = String::new();
        assert!(messages.read_line(&mut line).unwrap() > 0, "it ended");
        let event = serde_json::from_str::<Value>(&line).unwrap();
        encoded = event["done"].as_u64().unwrap_or_default();
    }
    (child, messages)
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_keeps_what_is_encoded_and_another_goes_on() {
    let workplace = Workplace::new(0);
    image::RgbImage::new(SIDE, SIDE).save(workplace.path("large.png")).unwrap();
    let lines = (0..IMAGES).map(|number| format!("{number}.png,large.png\n"));
    let list = format!("image,path\n{}", lines.collect::<String>());
    fs::write(workplace.path("list.csv"), list).unwrap();
    let mut kept = 0;
    for name in ["INT", "TERM"] {
        let (mut child, messages) = begun(&workplace);
        signal(&child, name);
        let stderr = messages.lines().map(Result::unwrap).collect::<Vec<_>>().join("\n");
        assert_eq!(child.wait().unwrap().code(), Some(1), "{stderr}");
        assert!(stderr.contains("s.h5: interrupted: "), "{stderr}");
        assert!(stderr.contains("Run the same command again to go on."), "{stderr}");
        let store = FeatureStore::open(workplace.path("s.h5")).unwrap();
        assert!(store.complete() > kept && store.complete() < IMAGES.into(), "{stderr}");
        kept = store.complete();
        assert_eq!(store.verify().unwrap(), []);
    }
}
