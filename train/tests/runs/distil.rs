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
    assert_says(&again("--from one,two"), &["not the lessons of teachers, or damaged"]);
    assert!(!place.path("other").exists());
    let said = place.refused("fit --run student --resume --epochs 3");
    assert_says(&said, &["a run of `train distil`", "train distil --resume"]);
    let said = place.refused("distil --run one --resume");
    assert_says(&said, &["one: does not learn from other runs"]);
    assert_says(&place.refused("distil --from one,one --run other"), &["a run is named twice"]);
    let said = place.refused("distil --from gone --run other");
    assert_says(&said, &["gone: no run here"]);
    place.write("captions.txt", &place.captions().replace("bench", "sofa"));
    place.fit("sofa");
    let said = place.refused("distil --from sofa,one --run other");
    assert_says(&said, &["one: the vocabulary differs"]);
}
