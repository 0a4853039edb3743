//! The program in a folder with a small data set: captions, a store, and settings of a small network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data::{Split, Splits};
use features::{FeatureStore, Provenance};
use tempfile::TempDir;

use crate::store::{self, fill, provenance, source};
use crate::support::{CAPTIONS, GRID, NETWORK};

const IMAGES: usize = 24;

/// The folder of a test.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) names: Vec<String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let names = (0..IMAGES).map(|image| format!("{image}.jpg")).collect::<Vec<_>>();
        let place = Self { folder: tempfile::tempdir().unwrap(), names };
        place.write("settings.toml", &format!("{NETWORK}epochs = 1\nbatch = 8\n"));
        place.write("captions.txt", &place.captions());
        place.store("small.h5", &provenance("small", GRID), source);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The same captions for each image, so that any part of them has the same vocabulary.
    pub(crate) fn captions(&self) -> String {
        let lines = self.names.iter().flat_map(|image| {
            CAPTIONS[1].iter().map(move |caption| format!("{image},{caption}\n"))
        });
        format!("image,caption\n{}", lines.collect::<String>())
    }

    /// A store of the images.
    pub(crate) fn store(
        &self,
        name: &str,
        provenance: &Provenance,
        source: impl Fn(&str) -> [u8; 32],
    ) -> FeatureStore {
        let value = |row, at| ((at * 7 + row * 13) % 11) as f32 / 5.0 - 1.0;
        fill(store::new(&self.path(name), provenance), &self.names, source, value);
        FeatureStore::open(&self.path(name)).unwrap()
    }

    /// The images that the hash of their names assigns to a split.
    pub(crate) fn hashed(&self, split: Split) -> Vec<&str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| Splits::Hashed.split_of(name) == Some(split)).collect()
    }

    /// Official split lists in a folder.
    pub(crate) fn split(&self, folder: &str, train: &[&str], dev: &[&str], test: &[&str]) {
        for (list, names) in [("trainImages", train), ("devImages", dev), ("testImages", test)] {
            let list = Path::new(folder).join(format!("Flickr_8k.{list}.txt"));
            self.write(list.to_str().unwrap(), &(names.join("\n") + "\n"));
        }
    }

    /// Runs the program with arguments separated by spaces. Returns whether it succeeds, and its output.
    pub(crate) fn train(&self, arguments: &str) -> (bool, String) {
        self.train_with(arguments, &[])
    }

    /// [`train`](Self::train) with environment variables.
    pub(crate) fn train_with(
        &self,
        arguments: &str,
        variables: &[(String, &str)],
    ) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path()).args(arguments.split(' '));
        // An export and a neighbour index have neither flag.
        if !["export", "neighbours"].iter().any(|command| arguments.starts_with(command)) {
            command.args(["--device", "cpu"]);
            command.args(if arguments.contains("--threads") {
                &[][..]
            } else {
                &["--threads", "1"]
            });
        }
        let output = command.output().unwrap();
        let said = [output.stderr, output.stdout].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    pub(crate) fn done(&self, arguments: &str) -> String {
        let (done, said) = self.train(arguments);
        assert!(done, "{arguments}: {said}");
        said
    }

    pub(crate) fn refused(&self, arguments: &str) -> String {
        let (done, said) = self.train(arguments);
        assert!(!done && said.contains("error: "), "{arguments}: {said}");
        assert!(!said.contains("panicked"), "{arguments}: {said}");
        said
    }

    /// A command that names the data of the folder, with further arguments.
    pub(crate) fn of(command: &str, further: &str) -> String {
        let data = "--captions captions.txt --store small.h5";
        let settings = if command == "fit" { " --config settings.toml --min-count 1" } else { "" };
        let space = if further.is_empty() { "" } else { " " };
        format!("{command} {data}{settings}{space}{further}")
    }

    /// Trains a run whose images are split by the hash of their names.
    pub(crate) fn fit(&self, run: &str) -> String {
        self.done(&Self::of("fit", &format!("--run {run}")))
    }
}

/// All parts are in an output.
#[track_caller]
pub(crate) fn assert_says(said: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| said.contains(part)), "{parts:?} are not all in:\n{said}");
}
