//! The pipeline on drawn scenes, where the position of every object is known.

use std::fs;

use crate::programs::{own_encoder, program, run};

#[test]
fn attention_of_words_for_objects_falls_on_these_objects() {
    let Some(encoder) = own_encoder() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut command = program("captions");
    command.args(["scenes", "--train", "400", "--dev", "60", "--test", "0", "--out"]);
    run(command.arg(folder.path()));
    let (images, captions) = (at("Images"), at("captions.txt"));
    let mut command = program("extract");
    command.arg("--images").arg(&images).arg("--captions").arg(&captions);
    run(command.arg("--store").arg(at("store.h5")).arg("--encoder").arg(&encoder));
    let mut command = program("train");
    command.arg("fit").arg("--captions").arg(&captions).arg("--store").arg(at("store.h5"));
    run(command.args(["--epochs", "7", "--run"]).arg(at("run")));

    let list = fs::read_to_string(at("Flickr_8k.devImages.txt")).unwrap();
    let mut command = program("caption");
    command
        .args(["--json", "--words"])
        .arg("--model")
        .arg(at("run"))
        .arg("--encoder")
        .arg(&encoder);
    let output = run(command.args(list.lines().map(|name| images.join(name)))).0;
    fs::write(at("captions.jsonl"), output).unwrap();
    let (pointing, skipped_entries) =
        captions::scenes::score_attention(&at("objects.json"), &at("captions.jsonl")).unwrap();
    assert!(skipped_entries.is_empty(), "{skipped_entries}");
    eprintln!("{pointing:?}");
    assert!(
        pointing.words >= 60 && pointing.words as f64 > 0.8 * pointing.named as f64,
        "{pointing:?}"
    );
    assert!(pointing.mass > 2.0 * pointing.area, "{pointing:?}");
}
