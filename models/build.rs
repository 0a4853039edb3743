//! Bakes in where `make setup` put ONNX Runtime, so that programs find it from any folder; nothing for an archive
//! (`SHOWTELL_DIST`), which has it.

use std::path::{Path, absolute};

fn main() {
    println!("cargo:rerun-if-env-changed=SHOWTELL_NATIVE");
    println!("cargo:rerun-if-env-changed=SHOWTELL_DIST");
    if std::env::var_os("SHOWTELL_DIST").is_some() {
        println!("cargo:rustc-env=SHOWTELL_NATIVE_AT_BUILD=");
        return;
    }
    let native = std::env::var_os("SHOWTELL_NATIVE").unwrap_or_else(|| "../.native".into());
    let native = absolute(Path::new(&native)).unwrap_or_else(|_| native.into());
    println!("cargo:rustc-env=SHOWTELL_NATIVE_AT_BUILD={}", native.display());
}
