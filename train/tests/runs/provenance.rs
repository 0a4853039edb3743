//! Data, vocabulary and encoder of another run are refused by name; training images are never scored as new ones.

use std::fs;

use data::Split;

use crate::program::{Place, assert_says};
use crate::store::{self, fill, provenance, source};
use crate::support::GRID;

/// Trained by the hash of the names; then official lists appear, whose test images are among those trained on.
#[test]
fn photos_that_were_trained_on_are_not_scored_as_new() {
    let place = Place::new();
    let said = place.fit("run");
    assert_says(&said, &["test images are kept", "are few"]);
    place.done("evaluate --run run --split test");
    let trained = place.hashed(Split::Train);
    let (test, train) = trained.split_at(5);
    place.split(".", train, &place.hashed(Split::Dev), test);
    for flag in ["", " --accept-changed-data"] {
        let said = place.refused(&format!("evaluate --run run --split test{flag}"));
        assert_says(&said, &["5 of 5 test images were trained on", "--split train"]);
    }
    // Nor under other names, in another folder.
    let renamed = place.captions().replace(".jpg,", ".JPG,");
    place.write("renamed/captions.txt", &renamed);
    let list = |names: &[&str]| names.iter().map(|name| name.replace("jpg", "JPG")).collect();
    let lists: [Vec<String>; 3] = [list(train), list(&place.hashed(Split::Dev)), list(test)];
    let [train, dev, test] = lists.each_ref().map(|of| of.iter().map(String::as_str).collect());
    let (train, dev, test): (Vec<_>, Vec<_>, Vec<_>) = (train, dev, test);
    place.split("renamed", &train, &dev, &test);
    let names = place.names.iter().map(|name| name.replace("jpg", "JPG")).collect::<Vec<_>>();
    let file = |name: &str| source(&name.replace("JPG", "jpg"));
    let store = place.path("renamed.h5");
    fill(store::new(&store, &provenance("small", GRID)), &names, file, |_, at| at as f32 / 9.0);
    let data = "--captions renamed/captions.txt --store renamed.h5";
    let said = place.refused(&format!("evaluate --run run --split test {data}"));
    assert_says(&said, &["5 of 5 test images", "the same file as"]);
    // Training images may be scored as such, once the change is accepted.
    let said = place.refused("evaluate --run run --split train");
    assert_says(&said, &["train: other images", "split by hash of the file name then"]);
    let said = place.done("evaluate --run run --split train --accept-changed-data");
    assert_says(&said, &["warning", "train: other images", "captions-train.json"]);
}

#[test]
fn a_changed_train_or_dev_part_is_refused_by_name_or_accepted() {
    let place = Place::new();
    place.fit("run");
    let change = |split| {
        let image = place.hashed(split)[0];
        let line = format!("{image},");
        place.write("captions.txt", &place.captions().replacen(&line, &format!("{line}oh "), 1));
    };
    for (split, other) in [(Split::Train, "dev:"), (Split::Dev, "train:")] {
        change(split);
        let named = format!("{split}: other captions of the same");
        for command in [
            "evaluate --run run",
            "evaluate --run run --split test",
            "report run --images .",
            "export --run run --check",
            "refine --from run --run refined --epochs 1",
            &Place::of("fit", "--run run --resume"),
        ] {
            let said = place.refused(command);
            assert_says(&said, &[&named, "--accept-changed-data"]);
            assert!(!said.contains(other), "{said}");
        }
        assert!(!place.path("refined").exists());
        assert_says(&place.done("evaluate --run run --accept-changed-data"), &["warning", &named]);
    }
    // A test split that changed is scored, and this is said.
    change(Split::Test);
    assert_says(&place.done("evaluate --run run --split test"), &["test: other captions"]);
}

/// A split that the run did not have, and another data set.
#[test]
fn a_new_split_and_another_data_set_are_scored() {
    let place = Place::new();
    let (train, dev) = (place.hashed(Split::Train), place.hashed(Split::Dev));
    place.split(".", &train, &dev, &[]);
    place.fit("run");
    assert_says(&place.refused("evaluate --run run --split test"), &["no image of the test split"]);
    place.split(".", &train, &dev, &place.hashed(Split::Test));
    place.done("evaluate --run run --split test");
    let before = place.read("run/captions-test.json");

    let names = ["x.jpg", "y.jpg", "z.jpg"];
    let lines = names.map(|name| format!("{name},a dog runs\n")).concat();
    place.write("other/captions.txt", &format!("image,caption\n{lines}"));
    place.split("other", &names[..1], &names[1..2], &names[2..]);
    let path = place.path("other.h5");
    let names = names.map(str::to_owned);
    fill(store::new(&path, &provenance("small", GRID)), &names, source, |_, at| at as f32 / 9.0);
    let other = "evaluate --run run --captions other/captions.txt --store other.h5";
    for split in ["train", "dev", "test"] {
        let said = place.done(&format!("{other} --split {split}"));
        assert_says(&said, &["another data set", "captions are not written"]);
    }
    place.done(&format!("{other} --split test --hypotheses other/said.json"));
    assert!(place.read("other/said.json").contains("z.jpg"));
    assert_eq!(place.read("run/captions-test.json"), before);
}

#[test]
fn an_encoder_is_known_by_its_hash() {
    let place = Place::new();
    place.fit("run");
    let mut renamed = provenance("small", GRID);
    renamed.encoder_name = "r50.onnx".to_owned();
    place.store("renamed.h5", &renamed, source);
    place.done("evaluate --run run --store renamed.h5");
    place.store("other.h5", &provenance("other", GRID), source);
    for command in [
        "evaluate --run run --store other.h5",
        "refine --from run --run refined --store other.h5",
        "fit --run run --resume --store other.h5",
    ] {
        let said = place.refused(&format!("{command} --accept-changed-data"));
        assert_says(&said, &["other.onnx", "small.onnx"]);
    }
    // The same names, but other files.
    place.store("exchanged.h5", &provenance("small", GRID), |name| source(&format!("new {name}")));
    let said = place.refused("evaluate --run run --store exchanged.h5");
    assert_says(&said, &["dev: other photos"]);
    let said = place.refused("fit --run run --resume --store exchanged.h5");
    assert_says(&said, &["train: other photos", "dev: other photos"]);
}

#[test]
fn a_refinement_inherits_the_training_photos_of_its_run() {
    let place = Place::new();
    place.fit("run");
    let trained = place.hashed(Split::Train);
    let (test, train) = trained.split_at(4);
    place.split("lists", train, &place.hashed(Split::Dev), test);
    let refine = "refine --from run --run refined --splits lists --epochs 1";
    assert_says(&place.refused(refine), &["train: other images"]);
    place.done(&format!("{refine} --accept-changed-data"));
    let said = place.refused("evaluate --run refined --split test");
    assert_says(&said, &["4 of 4 test images were trained on"]);
    // So does a resumed run with other data.
    let resume = Place::of("fit", "--run run --splits lists --resume --epochs 2");
    assert_says(&place.refused(&resume), &["train: other images"]);
    place.done(&format!("{resume} --accept-changed-data"));
    let said = place.refused("evaluate --run run --split test");
    assert_says(&said, &["4 of 4 test images were trained on"]);
}

/// A photo is new to an ensemble only if it is new to all of its runs.
#[test]
fn an_ensemble_has_the_training_photos_of_all_its_runs_and_keeps_their_files() {
    let place = Place::new();
    place.fit("one");
    let trained = place.hashed(Split::Train);
    let (test, train) = trained.split_at(3);
    place.split("lists", train, &place.hashed(Split::Dev), test);
    place.done(&Place::of("fit", "--run two --splits lists --seed 2"));
    // Of the same words, so that they can be averaged.
    assert_eq!(place.read("one/vocabulary.json").len(), place.read("two/vocabulary.json").len());
    place.done("evaluate --run two --split test");
    let said = place.refused("evaluate --run two,one --split test --accept-changed-data");
    assert_says(&said, &["3 of 3 test images were trained on"]);

    place.done("evaluate --run one --json one/scores.json");
    let before = ["one/captions-dev.json", "one/scores.json"].map(|file| place.read(file));
    let both = "evaluate --run one,two --accept-changed-data";
    for out in ["--hypotheses one/captions-dev.json", "--json two/../one/scores.json"] {
        assert_says(&place.refused(&format!("{both} {out}")), &["a file of one of the runs"]);
    }
    assert_says(&place.done(both), &["captions are not written"]);
    place.done(&format!("{both} --hypotheses both.json"));
    assert!(place.read("both.json").contains(".jpg"));
    assert_eq!(["one/captions-dev.json", "one/scores.json"].map(|file| place.read(file)), before);
}

/// The same file under two names, in train and dev.
#[test]
fn copies_in_the_dev_split_are_reported() {
    let place = Place::new();
    let (train, dev) = (place.hashed(Split::Train), place.hashed(Split::Dev));
    let (copy, original) = (dev[0].to_owned(), train[0].to_owned());
    fs::remove_file(place.path("small.h5")).unwrap();
    place.store("small.h5", &provenance("small", GRID), |name| {
        source(if name == copy { &original } else { name })
    });
    let same = format!("{copy} (the same file as {original})");
    assert_says(&place.fit("run"), &["1 dev images are trained on as well", &same]);
    assert_says(&place.refused("evaluate --run run"), &["1 of", &same]);
    place.done("export --run run --check");
}

/// The same file under two names, in train and test.
#[test]
fn copies_in_the_test_split_are_reported() {
    let place = Place::new();
    let train = place.hashed(Split::Train);
    let (copy, original) = (train[0].to_owned(), train[1].to_owned());
    place.split(".", &train[1..], &place.hashed(Split::Dev), &train[..1]);
    fs::remove_file(place.path("small.h5")).unwrap();
    place.store("small.h5", &provenance("small", GRID), |name| {
        source(if name == copy { &original } else { name })
    });
    let same = format!("{copy} (the same file as {original})");
    assert_says(&place.fit("run"), &["1 test images are trained on as well", &same]);
}

/// A check that cannot be made, or fails, leaves the export before it.
#[test]
fn an_export_is_checked_before_it_replaces_another() {
    let place = Place::new();
    place.fit("run");
    let manifest = place.read("run/manifest.json");
    place.refused("export --run run --weights f16 --check --store gone.h5");
    assert_eq!(place.read("run/manifest.json"), manifest);
    place.done("export --run run --weights f16 --check");
    assert_ne!(place.read("run/manifest.json"), manifest);
    assert!(!place.path("run/export.part").exists());
}

#[test]
fn a_run_without_a_record_is_used_with_a_warning() {
    let place = Place::new();
    place.fit("run");
    let config = place.read("run/config.toml");
    let (before, record) = config.split_once("[data").unwrap();
    assert!(record.contains("trained_on") && !record.contains("[training]"), "{record}");
    place.write("run/config.toml", before);
    let said = place.done("evaluate --run run --split test");
    assert_says(&said, &["warning", "recorded no data"]);
    let trained = place.hashed(Split::Train);
    place.split(".", &trained[2..], &place.hashed(Split::Dev), &trained[..2]);
    let said = place.done("evaluate --run run --split test");
    assert_says(&said, &["split by hash of the file name then, by official lists now"]);
    // Its training photos are recorded from now on.
    place.done(&Place::of("fit", "--run run --resume --epochs 2"));
    assert!(place.read("run/config.toml").contains("complete = false"));
}

#[test]
fn a_list_of_photos_that_was_changed_is_refused() {
    let place = Place::new();
    place.fit("run");
    let list = place.read("run/trained-on.jsonl");
    assert_eq!(list.lines().count(), place.hashed(Split::Train).len());
    place.write("run/trained-on.jsonl", list.split_once('\n').unwrap().1);
    assert_says(&place.refused("evaluate --run run --split test"), &["trained-on.jsonl"]);
}
