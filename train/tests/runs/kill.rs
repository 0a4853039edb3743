//! A run that is killed again and again ends as an uninterrupted one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use train::run::RunFolder;

use crate::support::{self, NETWORK, curve};

const KILLS: usize = 10;
const TRAINING: &str = "epochs = 60
batch = 2
warm_up = 3
patience = 100
";

/// Captions, splits, settings and a store.
fn prepare(folder: &Path) {
    support::store(folder, "small");
    let lines = support::CAPTIONS.iter().enumerate().flat_map(|(row, captions)| {
        captions.iter().map(move |caption| format!("{row}.jpg,{caption}\n"))
    });
    let captions = lines.collect::<String>();
    fs::write(folder.join("captions.txt"), format!("image,caption\n{captions}")).unwrap();
    for (list, images) in
        [("trainImages", "0.jpg\n1.jpg\n2.jpg\n"), ("devImages", "3.jpg\n"), ("testImages", "")]
    {
        fs::write(folder.join(format!("Flickr_8k.{list}.txt")), images).unwrap();
    }
    fs::write(folder.join("settings.toml"), format!("{NETWORK}{TRAINING}")).unwrap();
}

fn command(folder: &Path, run: &str, resume: bool) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
    command.current_dir(folder).args(["fit", "--captions", "captions.txt", "--store", "small.h5"]);
    command.args(["--min-count", "1", "--device", "cpu", "--threads", "1", "--run", run]);
    command.args(["--config", "settings.toml"]).args(resume.then_some("--resume"));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn a_run_killed_ten_times_ends_as_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let whole = command(folder.path(), "whole", false).output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let metrics = folder.path().join("killed/metrics.jsonl");
    let epochs = || fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
    for kill in 0..KILLS {
        let begun = folder.path().join("killed/config.toml").exists();
        let mut child =
            command(folder.path(), "killed", begun).stderr(Stdio::null()).spawn().unwrap();
        // Each time after a few more epochs, at another moment of an epoch.
        while epochs() < 5 * kill {
            sleep(Duration::from_millis(1));
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        }
        sleep(Duration::from_millis(7 * kill as u64));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(epochs() < 60, "it was over before the last kill");
    assert!(command(folder.path(), "killed", true).status().unwrap().success());
    let [whole, run] = ["whole", "killed"].map(|run| RunFolder::new(&folder.path().join(run)));
    assert_eq!(curve(&whole).len(), 60);
    assert_eq!(curve(&run), curve(&whole));
    let best = |run: &RunFolder| fs::read(run.best()).unwrap();
    assert!(best(&run) == best(&whole), "the best networks differ");
}

/// A service manager may send two signals at once; the run ends in order all the same.
#[test]
fn two_signals_at_once_end_a_run_with_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    for attempt in 0..6 {
        let run = format!("run{attempt}");
        let child = command(folder.path(), &run, false).spawn().unwrap();
        let last = folder.path().join(&run).join("checkpoints/last.safetensors");
        while !last.exists() {
            sleep(Duration::from_millis(1));
        }
        for (pause, signal) in [(attempt, "-TERM"), (1, "-HUP")] {
            sleep(Duration::from_millis(pause));
            Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        }
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
