//! Gives the programs the way to libtorch.

fn main() {
    // torch-sys leaves the run path to the final binary.
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        let library = std::path::Path::new(&libtorch).join("lib");
        let library = std::path::absolute(&library).unwrap_or(library);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", library.display());
    }
}
