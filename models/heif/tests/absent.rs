//! Without libheif an image is an error that names the package. One test, as the library is looked for once in a process.
#![expect(unsafe_code, reason = "a variable of the environment is set before any thread reads it")]

use heif::{Error, Image, is_available};

#[test]
fn the_missing_package_is_named() {
    // SAFETY: the only test of this process, which has not started a thread that reads variables.
    unsafe { std::env::set_var("SHOWTELL_LIBHEIF", "") };
    assert!(!is_available());
    let error = Image::open(b"").err();
    assert_eq!(error, Some(Error::NoLibrary));
    insta::assert_snapshot!(Error::NoLibrary, @"libheif, which reads it, is missing (Debian and Ubuntu: apt-get install libheif1)");
}
