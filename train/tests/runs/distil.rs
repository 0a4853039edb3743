//! Networks that learn from others.

use std::fs;

use crate::program::{Place, assert_says};

/// Two teachers.
fn place() -> Place {
    let place = Place::new();
    place.fit("one");
    place.done(&Place::of("fit", "--run two --seed 2"));
    place
}

fn weights(place: &Place, run: &str) -> Vec<u8> {
    fs::read(place.path(run).join("checkpoints/last.safetensors")).unwrap()
}

#[test]
fn a_student_learns_from_teachers_and_is_resumed() {
    let place = place();
    let said = place.done("distil --from one,two --run student --epochs 1");
    assert_says(&said, &["2 teachers", "student: exported"]);
    let config = place.read("student/config.toml");
    assert_says(&config, &["[distillation]", "soft_words = 8", "label_smoothing = 0.0"]);
    place.done("evaluate --run student");
    // The same vocabulary, so that all can be averaged.
    place.done("evaluate --run one,student");
    let said = place.done("distil --run student --resume --epochs 2");
    assert_says(
        &said,
        &["student/lessons.safetensors: the lessons of the teachers", "resuming after epoch 1"],
    );
    let lessons = "--lessons student/lessons.safetensors";
    place.done(&format!("distil --from one,two --run whole --epochs 2 {lessons}"));
    assert_eq!(weights(&place, "student"), weights(&place, "whole"));
    place.done(&format!(
        "distil --from one,two --run light --epochs 2 --found-weight 0.5 {lessons}"
    ));
    assert_ne!(weights(&place, "light"), weights(&place, "whole"));
    place.done("refine --from student --run refined --epochs 1");
    assert!(!place.read("refined/config.toml").contains("[distillation]"));
}

#[test]
fn other_teachers_settings_and_damaged_lessons_are_refused() {
    let place = place();
    place.done("distil --from one,two --run student --epochs 1");
    let again = |flags: &str| {
        place.refused(&format!("distil --run other --lessons student/lessons.safetensors {flags}"))
    };
    for flags in [
        "--from one",
        "--from two,one",
        "--from one,two --soft-words 4",
        "--from one,two --soft-share 0.25",
    ] {
        let said = again(flags);
        assert_says(
            &said,
            &["student/lessons.safetensors: the lessons of other teachers", "--lessons FILE"],
        );
    }
    let bytes = fs::read(place.path("student/lessons.safetensors")).unwrap();
    fs::write(place.path("student/lessons.safetensors"), &bytes[..bytes.len() - 8]).unwrap();
    assert_says(
        &again("--from one,two"),
        &["not the lessons of teachers, or damaged", "--lessons FILE"],
    );
    assert!(!place.path("other").exists());
    let said = place.refused("fit --run student --resume --epochs 3");
    assert_says(&said, &["a run of `train distil`", "train distil --resume"]);
    let said = place.refused("distil --run one --resume");
    assert_says(&said, &["one: a run of `train fit`", "train fit --resume"]);
    assert_says(&place.refused("distil --from one,one --run other"), &["a run is named twice"]);
    let said = place.refused("distil --from gone --run other");
    assert_says(&said, &["gone: no run here"]);
    place.write("captions.txt", &place.captions().replace("bench", "sofa"));
    place.fit("sofa");
    let said = place.refused("distil --from sofa,one --run other");
    assert_says(&said, &["one: the vocabulary differs"]);
}

/// By the SHA-256 of their checkpoints, which the run has.
#[test]
fn teachers_that_moved_are_named_again() {
    let place = place();
    place.done("distil --from one,two --run student --epochs 1");
    assert_says(&place.read("student/config.toml"), &["checkpoints = ["]);
    fs::create_dir(place.path("old")).unwrap();
    fs::rename(place.path("one"), place.path("old/one")).unwrap();
    let resume = |further: &str| format!("distil --run student --resume --epochs 2{further}");
    let said = place.refused(&resume(""));
    assert_says(&said, &["one: this teacher of the run is not there", "(--from DIR,...)"]);
    for (from, named) in [
        ("two,old/one", "two/checkpoints/best.safetensors: not the teacher"),
        ("old/one", "learns from 2 runs, and 1 are named"),
        ("old/one,gone", "gone: this teacher of the run is not there"),
    ] {
        assert_says(
            &place.refused(&resume(&format!(" --from {from}"))),
            &[named, "in their order"],
        );
    }
    let said = place.refused(&resume(" --from old/one,two --soft-words 4"));
    assert_says(&said, &["distillation.soft_words is 8, not 4"]);
    let said = place.done(&resume(" --from old/one,two"));
    assert_says(&said, &["resuming after epoch 1"]);
    assert_says(&place.read("student/config.toml"), &["old/one"]);
    place.done("distil --run student --resume --epochs 3");
    // A run of an earlier version has no record of its teachers: their folders stay.
    let config = place.read("student/config.toml");
    let (before, rest) = config.split_once("checkpoints = [").unwrap();
    let (_, rest) = rest.split_once("]\n").unwrap();
    place.write("student/config.toml", &format!("{before}{rest}"));
    fs::rename(place.path("old/one"), place.path("one")).unwrap();
    let said = place.refused("distil --run student --resume --epochs 4 --from one,two");
    assert_says(&said, &["distillation.from is "]);
}
