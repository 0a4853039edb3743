//! Gives the programs the way to libtorch, and the revision they were built from.

use std::process::Command;

fn main() {
    // torch-sys leaves the run path to the final binary.
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        let library = std::path::Path::new(&libtorch).join("lib");
        let library = std::path::absolute(&library).unwrap_or(library);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", library.display());
    }
    println!("cargo:rerun-if-changed=../.git/HEAD");
    println!("cargo:rerun-if-changed=../.git/logs/HEAD");
    let revision = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok();
    let revision = revision.filter(|output| output.status.success());
    let revision = revision.and_then(|output| String::from_utf8(output.stdout).ok());
    println!(
        "cargo:rustc-env=SHOWTELL_REVISION={}",
        revision.as_deref().unwrap_or("unknown").trim()
    );
}
