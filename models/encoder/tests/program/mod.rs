//! The program as a user runs it.

use std::path::Path;

use assert_cmd::Command;

/// Runs `encoder` in a folder. Returns its standard output, or its standard error if it fails.
pub(crate) fn encoder(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_encoder"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
