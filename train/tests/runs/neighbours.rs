//! The neighbour index of a model: made, exported, used and refused.

use std::fs;

use models::neighbours::NEIGHBOURS_FILE;
use models::{Manifest, NeighbourData};

use crate::program::{Place, assert_says};
use crate::support::CAPTIONS;

#[test]
fn an_index_chooses_among_captions_unless_it_is_off() {
    let place = Place::new();
    place.write("captions.txt", &varied(&place));
    place.done(&Place::of(
        "fit",
        "--run run --epochs 60 --patience 60 --learning-rate 0.01 --averaging 0 --precision f32",
    ));
    place.done("neighbours --run run --neighbours 3 --dimensions 5 --weight 0 --word-weight 0");
    let manifest = Manifest::load(&place.path("run")).unwrap();
    assert_eq!(manifest.neighbours.unwrap().file, NEIGHBOURS_FILE);
    let vocabulary = data::Vocabulary::load(&place.path("run/vocabulary.json")).unwrap();
    let index = place.path("run").join(NEIGHBOURS_FILE);
    let data = NeighbourData::load(&index, vocabulary.len()).unwrap();
    let train = place.hashed(data::Split::Train);
    assert_eq!((data.names.len(), data.vectors.ncols()), (train.len(), 5));
    assert!(data.names.iter().all(|name| train.contains(&name.as_str())));
    let captions = |flags: &str| {
        place.done(&format!("evaluate --run run --split train --hypotheses captions.json{flags}"));
        place.read("captions.json")
    };
    // Without weight the widened search alone decides.
    assert_eq!(captions(""), captions(" --no-neighbours --beam 10"));
    place.done("neighbours --run run --weight 1000 --out heavy.cbor");
    assert_ne!(captions(" --neighbours heavy.cbor"), captions(" --no-neighbours --beam 10"));
    place.done("neighbours --run run --weight 0 --word-weight 1000 --out words.cbor");
    assert_ne!(captions(" --neighbours words.cbor"), captions(" --no-neighbours --beam 10"));
    let refused = place.refused("neighbours --run run --sets 2 --out other.cbor");
    assert_says(&refused, &["--sets 2: there are 1 data sets"]);
    // Another export keeps the index.
    place.done("export --run run --weights f16");
    assert!(Manifest::load(&place.path("run")).unwrap().neighbours.is_some());
}

#[test]
fn confidence_is_calibrated_for_a_run_with_an_index() {
    let place = Place::new();
    place.write("captions.txt", &varied(&place));
    place.fit("run");
    let refused = place.refused("calibrate --run run");
    assert_says(&refused, &["run: no neighbour index", "train neighbours"]);
    place.done("neighbours --run run");
    let said = place.done("calibrate --run run");
    let dev = place.hashed(data::Split::Dev).len();
    assert_says(
        &said,
        &[&format!("small: {dev} captions"), "calibration error", "run: calibrated on"],
    );
    let manifest = Manifest::load(&place.path("run")).unwrap();
    let calibration = manifest.confidence.unwrap();
    assert_eq!(calibration.search.neighbours_sha256, manifest.neighbours.unwrap().sha256);
    assert_eq!((calibration.search.beam, calibration.weights.len()), (10, 7));
    // Another export is of other weights: it is calibrated anew.
    place.done("export --run run --weights f16");
    assert!(Manifest::load(&place.path("run")).unwrap().confidence.is_none());
}

#[test]
fn an_index_of_another_vocabulary_or_damaged_is_refused() {
    let place = Place::new();
    place.fit("run");
    place.done("neighbours --run run --out other.cbor");
    assert!(Manifest::load(&place.path("run")).unwrap().neighbours.is_none());
    let bytes = fs::read(place.path("other.cbor")).unwrap();
    fs::write(place.path("cut.cbor"), &bytes[..bytes.len() / 2]).unwrap();
    let refused = place.refused("evaluate --run run --neighbours cut.cbor");
    assert_says(&refused, &["cut.cbor: not a neighbour index", "train neighbours --run"]);
    place.write("captions.txt", &place.captions().replace("bench", "sofa"));
    place.fit("second");
    let refused = place.refused("evaluate --run second --neighbours other.cbor");
    assert_says(&refused, &["other.cbor: belongs to another model"]);
    assert_says(&place.refused("neighbours --run absent"), &["absent/manifest.json: not found"]);
}

/// Captions of four kinds, in turn.
fn varied(place: &Place) -> String {
    let kinds = place.names.iter().zip(CAPTIONS.iter().cycle());
    let lines = kinds
        .flat_map(|(image, kind)| kind.iter().map(move |caption| format!("{image},{caption}\n")));
    format!("image,caption\n{}", lines.collect::<String>())
}
