//! A temporary folder to extract in, with a small encoder.
#![allow(dead_code, reason = "each test uses a part")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use features::FeatureStore;
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use tests::small_model::{self, ENCODER_FILE};

pub(crate) struct Workplace(TempDir);

/// The result of a command.
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workplace {
    /// A small encoder and a folder of `images` pictures.
    pub(crate) fn new(images: u8) -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        small_model::write(workplace.path(""));
        fs::create_dir_all(workplace.path("Images/more")).unwrap();
        for number in 0..images {
            let image = RgbImage::from_pixel(64, 48, Rgb([number * 9, 80, 200]));
            image.save(workplace.path(&format!("Images/{number:03}.png"))).unwrap();
        }
        workplace
    }

    pub(crate) fn path(&self, name: &str) -> &'static Path {
        Box::leak(self.0.path().join(name).into_boxed_path())
    }

    pub(crate) fn extract(&self, more: &[&str]) -> Outcome {
        let job = ["--images", "Images", "--encoder", ENCODER_FILE, "--store", "features/s.h5"];
        self.run(&[&job, more].concat())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_extract"))
            .current_dir(self.0.path())
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Outcome {
            status: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The exit status and stderr where stdout is a full disk.
    pub(crate) fn run_on_full_disk(&self, arguments: &[&str]) -> (i32, String) {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_extract"))
            .current_dir(self.0.path())
            .args(arguments)
            .stdout(full)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) fn store(&self) -> FeatureStore {
        FeatureStore::open(self.path("features/s.h5")).unwrap()
    }
}
