//! Bakes in where `make setup` put ONNX Runtime, so that programs find it from any folder.

use std::path::{Path, absolute};

fn main() {
    println!("cargo:rerun-if-env-changed=SHOWTELL_NATIVE");
    let native = std::env::var_os("SHOWTELL_NATIVE").unwrap_or_else(|| "../.native".into());
    let native = absolute(Path::new(&native)).unwrap_or_else(|_| native.into());
    println!("cargo:rustc-env=SHOWTELL_NATIVE_AT_BUILD={}", native.display());
}
