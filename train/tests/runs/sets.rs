//! Runs on several data sets, whose images have the same names.

use data::{Split, Splits};
use serde_json::Value;

use crate::program::{Place, assert_says};
use crate::store::{provenance, source};
use crate::support::{CAPTIONS, GRID};

const BOTH: &str =
    "--captions captions.txt --store small.h5 --captions cars/captions.txt --store cars.h5";

/// The data set of the folder, and one of other photos with the same names.
fn place() -> Place {
    let place = Place::new();
    let lines = place
        .names
        .iter()
        .flat_map(|image| CAPTIONS[3].iter().map(move |caption| format!("{image},{caption}\n")));
    place.write("cars/captions.txt", &format!("image,caption\n{}", lines.collect::<String>()));
    place.store("cars.h5", &provenance("small", GRID), |name| source(&format!("cars/{name}")));
    place
}

fn fit(place: &Place, further: &str) -> String {
    place.done(&format!("fit {BOTH} --config settings.toml --min-count 1 {further}"))
}

fn json(place: &Place, name: &str) -> Value {
    serde_json::from_str(&place.read(name)).unwrap()
}

#[test]
fn a_run_on_two_sets_is_scored_on_each_and_by_their_weighted_mean() {
    let place = place();
    let said = fit(&place, "--run run --data-weight 1 --data-weight 3");
    let [train, dev] = [Split::Train, Split::Dev].map(|split| place.hashed(split).len());
    let images = |set| format!("set {set}: {train} training and {dev} dev images");
    assert_says(&said, &[&images(1), &images(2)]);
    let vocabulary = place.read("run/vocabulary.json");
    assert_says(&vocabulary, &["\"bench\"", "\"car\""]);
    let line: Value = serde_json::from_str(place.read("run/metrics.jsonl").trim_end()).unwrap();
    let number = |pointer: &str| line.pointer(pointer).unwrap().as_f64().unwrap();
    let mean = (number("/sets/0/dev/CIDEr") + 3.0 * number("/sets/1/dev/CIDEr")) / 4.0;
    assert!((number("/dev/CIDEr") - mean).abs() < 1e-9, "{line}");
    let steps = (train * 4).div_ceil(8);
    assert_eq!(line["steps"], steps);

    place.done("report run --images . --out page.html");
    let page = place.read("page.html");
    assert_says(&page, &["Scores on small", "Scores on cars", "CIDEr, dev, cars"]);
    let said = place.done("evaluate --run run --json scores.json");
    assert_says(&said, &["small: ", "cars: ", "mean", "captions-dev-2.json"]);
    let scores = json(&place, "scores.json");
    let cider = |pointer: &str| scores.pointer(pointer).unwrap().as_f64().unwrap();
    let mean = (cider("/sets/0/CIDEr") + 3.0 * cider("/sets/1/CIDEr")) / 4.0;
    assert!((cider("/mean/CIDEr") - mean).abs() < 1e-9, "{scores}");
    for (file, images) in [("captions-dev.json", dev), ("captions-dev-2.json", dev)] {
        assert_eq!(json(&place, &format!("run/{file}")).as_object().unwrap().len(), images);
    }

    // One of the sets, which is found by its images.
    let one = "evaluate --run run --captions cars/captions.txt --store cars.h5 --splits cars";
    place.write("cars/captions.txt", &place.read("cars/captions.txt").replace("red", "blue"));
    assert_says(&place.refused(one), &["set 2, dev: other captions"]);
}

#[test]
fn names_of_two_sets_do_not_collide() {
    let place = place();
    fit(&place, "--run run");
    // The lists of the second set swap its splits: its dev images have names of training images of the first set.
    let (train, dev) = (place.hashed(Split::Train), place.hashed(Split::Dev));
    place.split("cars", &dev, &train, &[]);
    fit(&place, "--run swapped");
    let said = place.done("evaluate --run swapped");
    assert!(!said.contains("were trained on"), "{said}");
    let list = place.read("swapped/trained-on.jsonl");
    let (of_first, of_second) = (train.len(), dev.len());
    assert_eq!(list.lines().count(), of_first + of_second);
    assert_eq!(list.lines().filter(|line| line.ends_with(",1]")).count(), of_second);
    // Trained on the swapped lists, the set may not be scored by others.
    for list in ["trainImages", "devImages", "testImages"] {
        std::fs::remove_file(place.path(&format!("cars/Flickr_8k.{list}.txt"))).unwrap();
    }
    let said = place.refused("evaluate --run swapped --accept-changed-data");
    assert_says(&said, &["images were trained on"]);
    assert_eq!(Splits::Hashed.split_of(dev[0]), Some(Split::Dev));
    // A photo of the one set in the other is the same photo.
    place.store("copies.h5", &provenance("small", GRID), source);
    let said = place.refused(
        "evaluate --run run --captions captions.txt --store small.h5 --captions cars/captions.txt --store copies.h5 \
         --split train",
    );
    assert_says(&said, &["set 2, train: other photos"]);
}

#[test]
fn a_change_of_one_set_is_named_and_the_sets_of_a_run_stay() {
    let place = place();
    fit(&place, "--run run --data-weight 1 --data-weight 0.5");
    for refused in [
        "fit --run run --resume --epochs 2 --data-weight 1 --data-weight 2",
        "fit --run run --resume --epochs 2 --captions captions.txt --store small.h5",
        "refine --from run --run refined --captions captions.txt --store small.h5",
    ] {
        let said = place.refused(refused);
        assert!(said.contains("weight") || said.contains("trained on 2 data sets"), "{said}");
    }
    place.done("fit --run run --resume --epochs 2");
    place.done("refine --from run --run refined --epochs 1");
    place.done("export --run run --check");
    let said = place.done("neighbours --run run --dimensions 4");
    let trained = place.hashed(Split::Train).len();
    assert_says(&said, &[&format!("{} images", 2 * trained)]);
    let said = place.done("neighbours --run run --dimensions 4 --sets 2 --out cars.cbor");
    assert_says(&said, &[&format!("{trained} images")]);
    place.done("evaluate --run run");
    let before = place.read("cars/captions.txt");
    place.write("cars/captions.txt", &before.replacen("a red car", "a blue car", 30));
    let said = place.refused("evaluate --run refined");
    assert_says(&said, &["set 2, dev: other captions", "--accept-changed-data"]);
    assert!(!said.contains("set 1"), "{said}");
    // Nothing but training weighs the sets.
    for command in [
        "evaluate --run run",
        "report run",
        "export --run run",
        "calibrate --run run",
        "neighbours --run run",
    ] {
        let said = place.refused(&format!("{command} --data-weight 1 --data-weight 2"));
        assert_says(&said, &["unexpected argument '--data-weight'"]);
    }
    // Each set alone is one of those of the run.
    place.done("evaluate --run run --captions captions.txt --store small.h5");
    place.write("cars/captions.txt", &before);
    place.done("evaluate --run run --captions cars/captions.txt --store cars.h5");
    assert!(place.read("run/captions-dev-2.json").contains(".jpg"));
}

#[test]
fn flags_of_different_numbers_of_sets_are_refused() {
    let place = place();
    place.store("other.h5", &provenance("other", GRID), source);
    for (flags, named) in [
        (
            "--captions captions.txt --captions cars/captions.txt --store small.h5",
            "--captions 2 times, --store 1 times",
        ),
        (
            "--captions captions.txt --captions cars/captions.txt",
            "2 data sets need --captions and --store",
        ),
        ("--captions captions.txt --store small.h5 --data-weight 0", "--data-weight is 0"),
        (
            &BOTH.replace("cars/captions.txt", "captions.txt").replace("cars.h5", "small.h5"),
            "named twice",
        ),
        (&BOTH.replace("cars.h5", "other.h5"), "other.h5: made by the encoder other.onnx"),
    ] {
        let fit = format!("fit {flags} --config settings.toml --min-count 1 --run run");
        assert_says(&place.refused(&fit), &[named]);
        assert!(!place.path("run").exists());
    }
}
