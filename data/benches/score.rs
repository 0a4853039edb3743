//! Tokens and scores of 1,000 images with five references each, in one thread, beside the reference
//! scorer: PTB tokens, BLEU, ROUGE-L and CIDEr, without METEOR. In turn, several rounds in one run;
//! medians. Both start from captions in memory; starting Python and Java's answer to it are counted
//! as the reference package itself does it. Real captions (see CONTRIBUTING.md).
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use data::metrics::{Item, Scores, Sums, score};
use data::tokens::tokenize;
use serde_json::Value;
use tests::figures::{Figure, Goal};

const ROUNDS: usize = 5;

struct Image {
    references: Vec<String>,
    hypothesis: String,
}

fn main() {
    let Some(path) = tests::shared("metrics/shuffled_dev.json") else { return };
    let images = read(&path);
    println!("{} images, {} references", images.len(), images[0].references.len());
    let mut seconds = BTreeMap::<&str, Vec<f64>>::new();
    let python = tests::peers();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let items = images.iter().map(item).collect::<Vec<_>>();
        let tokens = start.elapsed().as_secs_f64();
        let ours = score(&items, None).into_iter().sum::<Sums>().scores();
        let all = start.elapsed().as_secs_f64();
        seconds.entry("tokens").or_default().push(tokens);
        seconds.entry("scores").or_default().push(all - tokens);
        seconds.entry("all").or_default().push(all);
        if let Some(python) = &python {
            seconds.entry("reference").or_default().push(reference(python, &path, &ours));
        }
    }
    for part in ["tokens", "scores", "all"] {
        Figure::from_seconds(part, &seconds[part]).report();
    }
    if let Some(reference) = seconds.get("reference") {
        Figure::from_seconds("pycocoevalcap", reference).report();
        Figure::from_quotients("pycocoevalcap ÷ all, in time", reference, &seconds["all"])
            .with_goal(Goal::AtLeast(40.0))
            .report();
    }
}

fn read(path: &Path) -> Vec<Image> {
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let image = |image: &Value| Image {
        references: image["references"].as_array().unwrap().iter().map(text).collect(),
        hypothesis: text(&image["hypothesis"]),
    };
    golden["images"].as_array().unwrap().iter().map(image).collect()
}

fn item(image: &Image) -> Item {
    Item {
        references: image.references.iter().map(|caption| tokenize(caption)).collect(),
        hypothesis: tokenize(&image.hypothesis),
    }
}

/// Seconds that the reference scorer takes; its scores must be the same.
fn reference(python: &Path, path: &Path, ours: &Scores) -> f64 {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/peers/pycocoevalcap_scorer.py");
    let output = Command::new(python).arg(program).arg(path).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let said: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    for (name, score) in ours.iter() {
        assert!((said[name].as_f64().unwrap() - score).abs() < 1e-9, "{name}");
    }
    said["seconds"].as_f64().unwrap()
}
