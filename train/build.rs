//! Gives the programs the way to libtorch: where it was at the build, or in an archive (`SHOWTELL_DIST`) beside them.

fn main() {
    // torch-sys leaves the run path to the final binary.
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=SHOWTELL_DIST");
    if std::env::var_os("SHOWTELL_DIST").is_some() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/torch");
    } else if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        let library = std::path::Path::new(&libtorch).join("lib");
        let library = std::path::absolute(&library).unwrap_or(library);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", library.display());
    }
}
