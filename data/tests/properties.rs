//! Properties of tokens and scores for any captions.
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use data::Captions;
use data::metrics::bootstrap::Bootstrap;
use data::metrics::{DocumentFrequencies, Item, NAMES, Scores, Sums, score};
use data::tokens::{is_wordless, tokenize};
use proptest::collection::vec;
use proptest::prelude::*;

fn tokens() -> impl Strategy<Value = Vec<String>> {
    vec("[a-e]", 1..12)
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (vec(tokens(), 1..6), vec("[a-f]", 0..12));
    vec(item.prop_map(|(references, hypothesis)| Item { references, hypothesis }), 1..12)
}

fn total(items: &[Item]) -> Scores {
    score(items, None).into_iter().sum::<Sums>().scores()
}

proptest! {
    #[test]
    fn any_text_has_tokens_that_fit_on_a_line(text in "\\PC*|[ -~]*|(\\PC|[ -~]|\\s){0,40}") {
        for token in tokenize(&text) {
            prop_assert!(!token.is_empty());
            prop_assert!(!token.contains([' ', '\t', '\n', '\r']), "{token:?}");
        }
    }

    #[test]
    fn line_ends_in_a_caption_are_spaces(before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
        let broken = tokenize(&format!("{before}\n{after}"));
        prop_assert_eq!(broken, tokenize(&format!("{before} {after}")));
    }

    #[test]
    fn captions_are_read_as_they_were_written_in_csv(
        rows in vec(("[a-c\u{e9}\"',]{1,4}\\.jpg", "[ -~\n\u{e9}\u{1f600}]{0,12}"), 1..8)
    ) {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["image", "caption"]).unwrap();
        for (image, caption) in &rows {
            csv.write_record([image, caption]).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.txt");
        std::fs::write(&path, csv.into_inner().unwrap()).unwrap();
        let full = rows.iter().filter(|(_, caption)| !is_wordless(caption));
        match Captions::read(&path) {
            Ok(captions) => {
                for (image, caption) in full.clone() {
                    let of_image = captions.get(image).unwrap();
                    prop_assert!(of_image.iter().any(|of| of == caption.trim()), "{caption:?}");
                }
                let read = captions.iter().map(|of| of.captions.len()).sum::<usize>();
                prop_assert_eq!(read, full.count());
                prop_assert_eq!(read + captions.skipped_entries().count(), rows.len());
            }
            Err(error) => prop_assert!(full.count() == 0, "{error}"),
        }
    }

    #[test]
    fn scores_are_within_bounds(items in items()) {
        for image in score(&items, None).into_iter().chain([score(&items, None).into_iter().sum()]) {
            for (name, score) in image.scores().iter() {
                let most = if name == "CIDEr" { 10.0 } else { 1.0 };
                prop_assert!((0.0..=most + 1e-6).contains(&score), "{name} {score}");
            }
        }
    }

    #[test]
    fn the_only_reference_itself_scores_one(captions in vec(vec("[a-e]", 4..12), 1..10)) {
        let items = captions
            .into_iter()
            .map(|caption| Item { references: vec![caption.clone()], hypothesis: caption })
            .collect::<Vec<_>>();
        for (name, score) in total(&items).iter().filter(|(name, _)| *name != "CIDEr") {
            prop_assert!((score - 1.0).abs() < 1e-6, "{name} {score}");
        }
    }

    #[test]
    fn the_order_of_references_and_images_does_not_matter(items in items()) {
        let mut turned = items.clone();
        turned.reverse();
        for item in &mut turned {
            item.references.reverse();
        }
        for ((name, one), (_, other)) in total(&items).iter().zip(total(&turned).iter()) {
            prop_assert!((one - other).abs() < 1e-9, "{name}: {one}, {other}");
        }
    }

    #[test]
    fn document_frequencies_of_the_references_do_not_change_scores(items in items()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frequencies.json");
        let references = items.iter().map(|item| item.references.as_slice());
        DocumentFrequencies::count(references).save(&path).unwrap();
        let frequencies = DocumentFrequencies::load(&path).unwrap();
        let (own, given) = (score(&items, None), score(&items, Some(&frequencies)));
        prop_assert_eq!(own, given);
    }

    #[test]
    fn intervals_are_reproducible_and_contain_the_score(items in items(), seed in 0_u64..100) {
        let images = score(&items, None);
        let bootstrap = Bootstrap { resamples: 50, seed };
        let intervals = bootstrap.intervals(&images);
        prop_assert_eq!(intervals, bootstrap.intervals(&images));
        for [from, to] in intervals {
            prop_assert!(from <= to);
        }
        for of in bootstrap.differences(&images, &images) {
            prop_assert_eq!((of.difference, of.interval, of.beyond_noise), (0.0, [0.0, 0.0], false));
            prop_assert!(of.p_value >= 1.0);
        }
    }
}

#[test]
fn a_clear_difference_is_beyond_noise_and_chance_is_not() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let of = |hypothesis: &dyn Fn(usize) -> &'static str| {
        let items = (0..200).map(|at| Item {
            references: vec![words("a dog runs in the snow"), words("a brown dog in snow")],
            hypothesis: words(hypothesis(at)),
        });
        score(&items.collect::<Vec<_>>(), None)
    };
    let good = of(&|_| "a dog runs in the snow");
    let bad = of(&|_| "a man sits on a bench");
    let [even, odd] = [0, 1].map(|rest| {
        of(&move |at| {
            if at % 2 == rest { "a dog runs in the snow" } else { "a man sits on a bench" }
        })
    });
    let bootstrap = Bootstrap { resamples: 200, seed: 7 };
    for (name, of) in NAMES.into_iter().zip(bootstrap.differences(&good, &bad)).take(5) {
        assert!(of.beyond_noise && of.difference > 0.0 && of.p_value < 0.02, "{name} {of:?}");
    }
    for (name, of) in NAMES.into_iter().zip(bootstrap.differences(&even, &odd)) {
        assert!(!of.beyond_noise && of.p_value > 0.05, "{name} {of:?}");
    }
}
