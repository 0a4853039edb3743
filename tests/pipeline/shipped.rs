//! The shipped model, with its encoder from the package index.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::programs::{captions_of, own_encoder, program, run};

/// The root of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Dev photos that are captioned.
const PHOTOS: usize = 100;

#[test]
fn the_shipped_model_captions_photos_that_it_was_not_trained_on() {
    let (Some(flickr8k), Some(encoder)) = (tests::shared("flickr8k"), own_encoder()) else {
        return;
    };
    let names = fs::read_to_string(flickr8k.join("Flickr_8k.devImages.txt")).unwrap();
    let names = names.lines().take(PHOTOS).collect::<Vec<_>>();

    let model = repository().join("models/showtell");
    let mut command = program("caption");
    command.arg("--model").arg(&model).arg("--encoder").arg(&encoder);
    let texts =
        captions_of(command.args(names.iter().map(|name| flickr8k.join("Images").join(name))));

    let mut command = program("caption");
    command.arg("--model").arg(&model).arg("--encoder").arg(&encoder);
    let sure = names.iter().map(|name| flickr8k.join("Images").join(name));
    let sure = captions_of(command.args(["--min-confidence", "0.4"]).args(sure));
    assert!((5..PHOTOS / 2).contains(&sure.len()), "{} are sure", sure.len());

    let folder = tempfile::tempdir().unwrap();
    let [references, hypotheses] =
        ["references.json", "hypotheses.json"].map(|name| folder.path().join(name));
    let mut command = program("captions");
    command.arg("references").arg("--captions").arg(flickr8k.join("captions.txt"));
    run(command.args(["--split", "dev", "--out"]).arg(&references));
    let read = fs::read(&references).unwrap();
    let mut all = serde_json::from_slice::<Map<String, Value>>(&read).unwrap();
    all.retain(|name, _| names.contains(&name.as_str()));
    fs::write(&references, Value::from(all).to_string()).unwrap();
    let captions = names.iter().map(|name| (*name).to_owned());
    let captions = captions.zip(texts.into_iter().map(Value::from)).collect::<Map<_, _>>();
    fs::write(&hypotheses, Value::from(captions).to_string()).unwrap();
    let mut command = program("captions");
    command.arg("score").arg("--references").arg(&references);
    command.arg("--hypotheses").arg(&hypotheses).args(["--json", "-"]);
    let scores = serde_json::from_str::<Value>(&run(&mut command).0).unwrap();
    assert_eq!(scores["images"], PHOTOS);
    // With the document frequencies of few photos CIDEr is lower than on the whole split.
    assert!(scores["CIDEr"].as_f64().unwrap() > 0.4, "{scores}");
    assert!(scores["BLEU-4"].as_f64().unwrap() > 0.16, "{scores}");
}

/// The photo and its caption of a row of a table with two columns.
fn documented_caption(line: &str) -> Option<(&str, &str)> {
    let (name, caption) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
    (!caption.contains('|')).then_some((name, caption))
}

#[test]
fn the_samples_of_the_page_have_their_documented_captions() {
    let Some(encoder) = own_encoder() else { return };
    let samples = repository().join("serve/src/page/samples");
    let readme = fs::read_to_string(samples.join("README.md")).unwrap();
    let (names, documented) =
        readme.lines().filter_map(documented_caption).unzip::<_, _, Vec<_>, Vec<_>>();
    let entries = fs::read_dir(&samples).unwrap().map(|entry| entry.unwrap().path());
    let photos = entries.filter(|path| path.extension().is_some_and(|end| end == "jpg")).count();
    assert_eq!(names.len(), photos, "{names:?}");

    let mut command = program("caption");
    command.arg("--model").arg(repository().join("models/showtell"));
    command.arg("--encoder").arg(&encoder).args(names.iter().map(|name| samples.join(name)));
    assert_eq!(captions_of(&mut command), documented);
}

/// The licences of the training data are in the metadata of packages, apart from that of the code.
#[test]
fn the_licences_of_the_training_data_are_in_the_metadata() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let manifest = serde_json::from_str::<Value>(&read("models/showtell/manifest.json")).unwrap();
    let licences = manifest["data_licence"].as_str().unwrap();
    for path in ["Cargo.toml", "deploy/Containerfile"] {
        // A line may continue on the next one.
        let lines = read(path).replace("\\\n", "\n");
        let text = lines.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(licences), "{path} does not have: {licences}");
    }
    let citation = read("CITATION.cff");
    for data in licences.split("; ").map(|data| data.split(" (").next().unwrap()) {
        assert!(citation.contains(data), "CITATION.cff does not have: {data}");
    }
}
