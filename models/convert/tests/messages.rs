//! A snapshot of every error, as users read it after the name of the file.

use std::io;

use convert::Error;
use prost::Message as _;

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn every_error_says_what_is_wrong_with_the_file() {
    let name = || text("blocks.0.weight");
    let errors = [
        Error::NotOnnx(<()>::decode(&[0xFF][..]).unwrap_err()),
        Error::Io(io::Error::from_raw_os_error(2)),
        Error::NoGraph,
        Error::Inputs(2),
        Error::ChannelsLast(text("image")),
        Error::Input(text("image")),
        Error::NoOutput,
        Error::NoPool { input: text("image"), output: text("logits") },
        Error::Blocks { found: 2, wanted: 3 },
        Error::Json(serde_json::from_str::<u8>("{").unwrap_err()),
        Error::ExternalData {
            location: text("weights.bin"),
            source: io::Error::from_raw_os_error(2),
        },
        Error::NoLocation,
        Error::UnknownNetwork { known: text("ResNet (`layer1.0.conv1.weight`)") },
        Error::Family { family: "ResNet", source: Box::new(Error::MissingTensor(name())) },
        Error::Unexpected { family: "ResNet", count: 2, first: name() },
        Error::MissingTensor(name()),
        Error::Rank { name: name(), shape: vec![64, 3], rank: 4 },
        Error::Vector { name: name(), channels: 64 },
        Error::Kernel { name: name(), shape: vec![64, 3, 7, 7], channels: 4 },
        Error::Sum { first: text("a"), second: text("b") },
        Error::Unnamed(5),
        Error::Names { names: 2, classes: 5 },
        Error::Stages(7),
    ];
    let source = include_str!("../src/error.rs");
    insta::assert_snapshot!(tests::messages(source, "Error", &errors));
}
