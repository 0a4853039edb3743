//! The Python package: its own tests in Python, and its types.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{own_encoder, program, run};

/// The package as it is installed: links to its files and to the native module of this build. Below Cargo's folder, so that
/// the module is found by its name.
fn installed(folder: &Path) -> PathBuf {
    let package = folder.join("showtell");
    fs::create_dir(&package).unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/package/showtell");
    for file in tests::files_in(&sources.canonicalize().unwrap()) {
        symlink(&file, package.join(file.file_name().unwrap())).unwrap();
    }
    let showtell = PathBuf::from(program("showtell").get_program());
    let module = showtell.with_file_name("lib_showtell.so");
    assert!(module.exists(), "{}: not built: cargo build --workspace --lib", module.display());
    symlink(module, package.join("_showtell.abi3.so")).unwrap();
    package
}

#[test]
fn the_python_package_passes_its_tests() {
    let (Some(python), Some(encoder)) = (tests::python(), own_encoder()) else { return };
    let folder = tempfile::tempdir().unwrap();
    installed(folder.path());
    let mut command = Command::new(python);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/tests"));
    command.env("PYTHONPATH", folder.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("SHOWTELL_TEST_ENCODER", encoder);
    command.env("SHOWTELL_TEST_COMMAND", program("showtell").get_program());
    run(command.current_dir(folder.path()));
}

#[test]
fn the_types_of_the_python_package_are_those_of_its_module() {
    let Some(python) = tests::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let package = installed(folder.path());
    let mypy = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(arguments).env("PYTHONPATH", folder.path()).current_dir(folder.path());
        run(&mut command);
    };
    let module = package.join("_showtell.pyi");
    assert!(module.exists());
    mypy(&["-m", "mypy", "--strict", "--cache-dir", ".cache", "showtell"]);
    mypy(&["-m", "mypy.stubtest", "showtell._showtell"]);
}
