//! A snapshot of every error, as users read it after the name of the photo.

use std::io;
use std::path::PathBuf;

use metadata::Error;

#[test]
fn every_error_says_what_is_wrong_and_what_to_do() {
    let path = || PathBuf::from("photos/a.jpg");
    let errors = [
        Error::File(common::Error::io(&path())(io::Error::from_raw_os_error(13))),
        Error::Xmp("it has no RDF".to_owned()),
        Error::Exif("its directory is cut off"),
        Error::Iptc("it is damaged"),
        Error::Damaged("several segments of the same metadata".to_owned()),
        Error::Format,
        Error::Raw,
        Error::NoRoom,
        Error::Signed,
        Error::Changed { path: path() },
        Error::Sidecar { path: path(), problem: "it ends too early".into() },
        Error::Busy { path: path() },
        Error::Line { path: "photos/metadata.jsonl".into(), line: 3 },
        Error::Repeated { path: "photos/metadata.jsonl".into(), line: 3 },
        Error::Name { path: path() },
        Error::Owner { path: path() },
        Error::ReadOnly { path: path() },
    ];
    insta::assert_snapshot!(tests::messages(include_str!("../src/error.rs"), "Error", &errors));
}
