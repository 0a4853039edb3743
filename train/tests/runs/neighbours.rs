//! The neighbour index of a model: made, exported, used and refused.

use std::fs;

use models::neighbours::NEIGHBOURS_FILE;
use models::{Manifest, NeighbourData};

use crate::program::{Place, assert_says};
use crate::store::{self, fill, provenance, source};
use crate::support::{CAPTIONS, GRID};

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

/// 240 images with captions of four kinds, so that some captions of the dev split are right and others are not.
fn many(place: &Place) {
    let names = (0..240).map(|image| format!("{image}.jpg")).collect::<Vec<_>>();
    let kinds = names.iter().zip(CAPTIONS.iter().cycle());
    let lines = kinds
        .flat_map(|(image, kind)| kind.iter().map(move |caption| format!("{image},{caption}\n")));
    place.write("many/captions.txt", &format!("image,caption\n{}", lines.collect::<String>()));
    // Half of the images look like their captions.
    let value = |row: usize, at: usize| {
        let kind = if row % 8 < 4 { row % 4 } else { 0 };
        ((at * 7 + kind * 13) % 11) as f32 / 5.0 - 1.0
    };
    let writer = store::new(&place.path("many.h5"), &provenance("small", GRID));
    fill(writer, &names, source, value);
}

/// The page has a diagram of the calibration that the manifest has; other records are refused.
fn assert_reported(place: &Place) {
    let file = "run/reliability.json";
    let record = place.read(file);
    let report = "report run --images .";
    place.done(report);
    let page = place.read("run/report.html");
    let parts =
        ["Reliability diagram of run on many", "class=\"diagonal\"", "AUROC", "95 % interval"];
    assert_says(&page, &parts);
    assert!(!page.contains("not calibrated"), "{page}");
    let parsed = serde_json::from_str::<serde_json::Value>(&record).unwrap();
    let bins = parsed["sets"][0]["bins"].as_array().unwrap();
    assert_eq!(page.matches("<title>confidence").count(), bins.len());
    for bin in bins {
        assert_says(&page, &[&format!(" % of {} captions right", bin["captions"])]);
    }
    place.write(file, &record[..record.len() / 2]);
    let said = place.refused(report);
    assert_says(&said, &["reliability.json: not the reliability", "`train calibrate --run DIR`"]);
    place.write(file, &record.replacen("sha256\": \"", "sha256\": \"0", 1));
    assert_says(&place.refused(report), &["reliability.json: not of the calibration"]);
    fs::remove_file(place.path(file)).unwrap();
    place.done(report);
    let page = place.read("run/report.html");
    assert_says(&page, &["the confidence is not calibrated", "train calibrate --run run"]);
    place.write(file, &record);
}

#[test]
fn confidence_is_calibrated_for_a_run_with_an_index() {
    let place = Place::new();
    many(&place);
    let data = "--captions many/captions.txt --store many.h5";
    let settings = "--config settings.toml --min-count 1 --epochs 8 --learning-rate 0.01";
    place.done(&format!("fit --run run {data} {settings}"));
    let refused = place.refused("calibrate --run run");
    assert_says(&refused, &["run: no neighbour index", "train neighbours"]);
    place.done("neighbours --run run");
    let said = place.done("calibrate --run run");
    assert_says(&said, &["many: ", "calibration error", "run: calibrated on"]);
    let manifest = Manifest::load(&place.path("run")).unwrap();
    let calibration = manifest.confidence.unwrap();
    assert_eq!(calibration.search.neighbours_sha256, manifest.neighbours.unwrap().sha256);
    assert_eq!((calibration.search.options.beam, calibration.weights.len()), (10, 7));
    assert_reported(&place);
    // Another export is of other weights: it is calibrated anew.
    let said = place.done("export --run run --weights f16");
    assert_says(&said, &["Calibrate it anew"]);
    assert!(Manifest::load(&place.path("run")).unwrap().confidence.is_none());
    place.done("report run --images .");
    assert_says(&place.read("run/report.html"), &["the confidence is not calibrated"]);
    // A damaged index is not calibrated with.
    let mut bytes = fs::read(place.path("run").join(NEIGHBOURS_FILE)).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(place.path("run").join(NEIGHBOURS_FILE), bytes).unwrap();
    for command in ["calibrate", "evaluate"] {
        assert_says(&place.refused(&format!("{command} --run run")), &["neighbours.cbor"]);
    }
}

#[test]
fn a_calibration_on_few_captions_is_refused_and_other_files_are_kept() {
    let place = Place::new();
    place.fit("run");
    place.done("neighbours --run run");
    let refused = place.refused("calibrate --run run");
    assert_says(&refused, &["captions are too few to calibrate", "the model is unchanged"]);
    assert!(Manifest::load(&place.path("run")).unwrap().confidence.is_none());
    let before = place.read("captions.txt");
    let refused = place.refused("neighbours --run run --out captions.txt");
    assert_says(&refused, &["captions.txt: exists and is not a neighbour index"]);
    assert_eq!(place.read("captions.txt"), before);
    place.done("neighbours --run run --out own.cbor");
    place.done("neighbours --run run --out own.cbor");
    let refused = place.refused("evaluate --run run --views flip");
    assert_says(&refused, &["flip"]);
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
