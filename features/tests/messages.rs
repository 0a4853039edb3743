//! A snapshot of every error, as users read it.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::path::PathBuf;

use features::{Error, Field, Shard, View};

fn shard(text: &str) -> Shard {
    text.parse().unwrap()
}

#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn errors() -> Vec<Error> {
    let path = || PathBuf::from("features/flickr8k.h5");
    let other = || PathBuf::from("features/other.h5");
    let name = || "photo.jpg".to_owned();
    let provenance = |field, found: &str, expected: &str| {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        Error::OtherProvenance { path: path(), field, found, expected }
    };
    vec![
        Error::Io { path: path(), source: std::io::Error::from_raw_os_error(28) },
        Error::Missing { path: path() },
        Error::NotAStore { path: path(), reason: "invalid HDF5 magic bytes".to_owned() },
        Error::Version { path: path(), found: 4 },
        Error::OldMerged { path: path() },
        Error::Rewritten { path: path(), dataset: "name".to_owned(), storage: "in chunks" },
        Error::LeftOpen { path: path() },
        provenance(Field::Encoder, "abab", "cdcd"),
        provenance(Field::Preprocessing, r#"{"size":[224,224]}"#, r#"{"size":[260,260]}"#),
        provenance(Field::Grid, "7×7×2048", "9×9×1408"),
        provenance(Field::Dtype, "f16", "f32"),
        provenance(Field::Views, "original, flip", "original"),
        provenance(Field::Shard, "1/3", "none"),
        Error::Busy { path: path(), holder: "process 4711 is writing it".to_owned() },
        Error::OutOfRange { path: path(), what: "a name is 65537 bytes long".to_owned() },
        Error::Truncated { path: path(), length: 1000, expected: 2000 },
        Error::Names { path: path() },
        Error::TooManyFiles { path: path(), count: 512 },
        Error::MissingFile { path: path(), next: PathBuf::from("features/flickr8k+1.h5") },
        Error::NotFirst { path: PathBuf::from("features/flickr8k+1.h5"), number: 1 },
        Error::Misplaced { path: path(), first: other() },
        Error::HasShards { path: path(), shards: 8 },
        Error::Merged { path: path(), files: 8 },
        Error::WouldReplace { path: path() },
        Error::NotAShard { path: path(), file: other() },
        Error::TwoSets {
            path: path(),
            one: (other(), shard("0/2")),
            other: (path(), shard("0/3")),
        },
        Error::SameShard { path: path(), one: path(), other: other(), shard: shard("1/3") },
        Error::MissingShards { path: path(), missing: vec![2, 3], count: 4 },
        Error::MissingShards { path: path(), missing: (1..30).collect(), count: 64 },
        Error::OtherFile {
            path: path(),
            other: other(),
            field: Field::Encoder,
            found: "abab".to_owned(),
            expected: "cdcd".to_owned(),
        },
        Error::Overlap { name: name(), path: path(), other: other() },
        Error::NoView { path: path(), view: View::Flip, views: "original".to_owned() },
        Error::Incomplete { path: path(), name: name() },
        Error::Checksum { path: path(), name: name() },
    ]
}

#[test]
fn every_error_names_the_file_and_the_next_step() {
    let messages = errors().iter().map(ToString::to_string).collect::<Vec<_>>();
    insta::assert_snapshot!(messages.join("\n\n"));
}
