//! Without libheif an image is an error that names the package. One test, as the library is looked for once in a process.
#![expect(unsafe_code, reason = "a variable of the environment is set before any thread reads it")]

use heif::{Error, Image};

#[test]
fn the_missing_package_is_named() {
    // SAFETY: the only test of this process, which has not started a thread that reads variables.
    unsafe { std::env::set_var("SHOWTELL_LIBHEIF", "") };
    assert_eq!(heif::check(), Err(Error::TurnedOff));
    let error = Image::open(b"").err();
    assert_eq!(error, Some(Error::TurnedOff));
    let unusable = Error::Unusable { path: "/lib/other.so".into() };
    let no_decoder = Error::NoDecoder("Unsupported codec".to_owned());
    let damaged = Error::Damaged("No meta box".to_owned());
    let errors = [Error::NoLibrary, Error::TurnedOff, unusable, no_decoder, damaged];
    insta::assert_snapshot!(tests::messages(include_str!("../src/error.rs"), "Error", &errors));
}
