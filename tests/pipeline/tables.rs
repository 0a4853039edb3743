//! Snapshots of the tables that programs print.

use std::fs;

use crate::programs::{program, run};

const REFERENCES: &str = r#"{
    "1.jpg": ["A dog runs in the snow .", "A brown dog is running ."],
    "2.jpg": ["Two girls play on a skateboard .", "Children on a skateboard ."],
    "3.jpg": ["A man sits on a bench .", "A man's bench ."]
}"#;
const CAPTIONS: &str = r#"{
    "1.jpg": "a dog runs in the snow",
    "2.jpg": "two girls on a skateboard",
    "3.jpg": "a woman on a"
}"#;
const OTHERS: &str = r#"{ "1.jpg": "a dog", "2.jpg": "a dog", "3.jpg": "a man sits on a bench" }"#;
const ATTENTION: &str = r#"{ "file": "1.png", "captions": [{ "words": [
    { "text": "red", "attention": [[0.25, 0.25], [0.25, 0.25]] },
    { "text": "circle", "attention": [[0.7, 0.1], [0.1, 0.1]] },
    { "text": "square", "attention": [[0.1, 0.1], [0.1, 0.7]] }
] }] }"#;
const OBJECTS: &str = r#"{ "1.png": [{
    "shape": "circle", "colour": "red", "material": "plain", "large": true,
    "centre": [0.25, 0.25], "reach": 0.2
}] }"#;

#[test]
fn captions_prints_scores_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    write("references.json", REFERENCES);
    write("captions.json", CAPTIONS);
    write("others.json", OTHERS);
    write("objects.json", OBJECTS);
    write("attention.jsonl", &ATTENTION.replace('\n', ""));
    let said = |words: &str| {
        let (stdout, stderr) =
            run(program("captions").current_dir(folder.path()).args(words.split(' ')));
        format!("{stderr}{stdout}")
    };
    let score = "score --references references.json --hypotheses captions.json";
    insta::assert_snapshot!("score", said(score));
    insta::assert_snapshot!("score-against", said(&format!("{score} --against others.json")));
    let count = "frequencies --references references.json --out frequencies.json";
    insta::assert_snapshot!("frequencies", said(count));
    let looked = "looked --objects objects.json --captions attention.jsonl";
    insta::assert_snapshot!("looked", said(looked));
}

#[test]
fn encoder_lists_its_catalogue() {
    insta::assert_snapshot!("encoders", run(program("encoder").arg("list")).0);
}
