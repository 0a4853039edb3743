use std::path::Path;

use ndarray::{Array1, array};

use super::*;
use crate::{Error, NeighbourData};

/// Three images: two alike with captions of words 5 and 6, one of another kind.
fn data() -> NeighbourData {
    NeighbourData {
        settings: NeighbourSettings { neighbours: 2, ..NeighbourSettings::default() },
        vocabulary_sha256: "ab".repeat(32),
        licence: Some("CC BY 4.0".to_owned()),
        pooling: Pooling {
            mean: array![1.0, 2.0, 3.0],
            deviation: array![1.0, 2.0, 0.5],
            projection: Some(array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        },
        vectors: array![[1.0, 0.0], [0.75, 0.25], [-1.0, 0.0]],
        names: ["a.jpg", "b.jpg", "c.jpg"].map(str::to_owned).to_vec(),
        captions: vec![
            vec![vec![5, 6, 7, 8, END], vec![5, 6, 7, 9, END]],
            vec![vec![5, 6, 7, 10, END]],
            vec![vec![11, 12, 13, 14, END]],
        ],
        profile: None,
    }
}

fn caption(words: &[WordId], score: f32) -> Hypothesis {
    Hypothesis {
        words: words.to_vec(),
        word_log_probabilities: vec![-1.0; words.len()],
        attention: Array2::zeros([words.len(), 1]),
        log_probability: -1.0,
        score,
        finished: true,
        support: None,
    }
}

fn best(grid: ArrayView3<f32>, excluded: Option<&str>) -> Vec<WordId> {
    let mut captions = [caption(&[11, 12, 13, 14], -0.5), caption(&[5, 6, 7, 8], -0.6)];
    NeighbourIndex::from(data()).rerank(grid, &mut captions, excluded);
    assert!(captions[0].score > captions[1].score);
    captions[0].words.clone()
}

#[test]
fn the_caption_that_agrees_with_similar_images_comes_first() {
    assert_eq!(best(array![[[4.0, 2.0, 3.0], [2.0, 2.0, 3.0]]].view(), None), [5, 6, 7, 8]);
    assert_eq!(best(array![[[-4.0, 2.0, 3.0]], [[-4.0, 2.0, 3.0]]].view(), None), [11, 12, 13, 14]);
}

/// Without neighbours' captions the words alone decide.
#[test]
fn the_caption_with_probable_words_comes_first() {
    let mut rareness = Array1::zeros(15);
    rareness.slice_mut(ndarray::s![5..]).fill(1.0);
    let mut weights = Array2::zeros([15, 2]);
    weights[[5, 0]] = 1.0;
    weights[[11, 0]] = -1.0;
    let profile = WordProfile { rareness, mean: Array1::zeros(15), weights };
    let data = NeighbourData {
        vectors: Array2::zeros([0, 2]),
        names: Vec::new(),
        captions: Vec::new(),
        profile: Some(profile),
        ..data()
    };
    let index = NeighbourIndex::from(data);
    let best = |value: f32| {
        let mut captions = [caption(&[11, 12], -0.5), caption(&[5, 6], -0.6)];
        index.rerank(array![[[value, 2.0, 3.0]]].view(), &mut captions, None);
        captions[0].words[0]
    };
    assert_eq!((best(4.0), best(-4.0)), (5, 11));
}

#[test]
fn captions_that_the_network_ended_come_first() {
    let cut = Hypothesis { finished: false, ..caption(&[5, 6, 7, 8], 9.0) };
    let mut captions = [cut, caption(&[11, 12], -9.0)];
    NeighbourIndex::from(data()).rerank(array![[[4.0, 2.0, 3.0]]].view(), &mut captions, None);
    assert!(captions[0].finished && captions[1].score > captions[0].score);
}

#[test]
fn shares_sum_to_one_and_an_excluded_image_is_not_a_neighbour() {
    let index = NeighbourIndex::from(data());
    let grid = array![[[4.0, 2.0, 3.0]]];
    let vector = index.pooling.apply(grid.view());
    let found = index.nearest(vector.view(), None);
    assert_eq!(found.iter().map(|of| of.image).collect::<Vec<_>>(), [0, 1]);
    assert!((found.iter().map(|of| of.share).sum::<f64>() - 1.0).abs() < 1e-12);
    let ratio = f64::from((5.0_f32 * -0.25).exp());
    assert!((found[1].share / found[0].share - ratio).abs() < 1e-6, "{found:?}");
    let others = index.nearest(vector.view(), Some("a.jpg"));
    assert_eq!(others.iter().map(|of| of.image).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_index_without_images_changes_nothing() {
    let empty = NeighbourData {
        vectors: Array2::zeros([0, 2]),
        names: Vec::new(),
        captions: Vec::new(),
        ..data()
    };
    let mut captions = [caption(&[5], -0.5), caption(&[6], -0.6)];
    let order = |captions: &[Hypothesis]| {
        captions.iter().map(|of| (of.words.clone(), of.score)).collect::<Vec<_>>()
    };
    let before = order(&captions);
    NeighbourIndex::from(empty).rerank(array![[[1.0, 2.0, 3.0]]].view(), &mut captions, None);
    assert_eq!(order(&captions), before);
}

#[test]
fn vectors_that_are_not_reduced_and_probable_words_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("neighbours.cbor");
    let whole = NeighbourData {
        pooling: Pooling { projection: None, ..data().pooling },
        vectors: array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        profile: Some(WordProfile {
            rareness: Array1::ones(15),
            mean: Array1::zeros(15),
            weights: Array2::ones([15, 3]),
        }),
        ..data()
    };
    std::fs::write(&path, whole.to_bytes(&path).unwrap()).unwrap();
    let read = NeighbourData::load(&path, 15).unwrap();
    assert_eq!(read.pooling, whole.pooling);
    let profile = read.profile.unwrap();
    assert!((profile.weights - Array2::<f32>::ones([15, 3])).iter().all(|off| off.abs() < 0.01));
    // Of a larger vocabulary.
    assert!(NeighbourData::load(&path, 16).is_err());
}

#[test]
fn the_file_comes_back_but_for_the_rounding_of_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("neighbours.cbor");
    std::fs::write(&path, data().to_bytes(&path).unwrap()).unwrap();
    let read = NeighbourData::load(&path, 15).unwrap();
    let distance = (&read.vectors - &data().vectors).mapv(f32::abs).sum();
    assert!(distance < 0.01, "{distance}");
    assert_eq!(NeighbourData { vectors: data().vectors, ..read }, data());
}

fn refused(path: &Path, words: usize) -> bool {
    matches!(NeighbourData::load(path, words), Err(Error::Neighbours { .. }))
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("neighbours.cbor");
    let write =
        |data: &NeighbourData| std::fs::write(&path, data.to_bytes(&path).unwrap()).unwrap();
    write(&data());
    assert!(refused(&path, 14), "a caption has a word that the vocabulary lacks");
    write(&NeighbourData { names: vec!["a.jpg".to_owned()], ..data() });
    assert!(refused(&path, 15));
    let mean = Array1::from(vec![1.0, f32::NAN, 3.0]);
    write(&NeighbourData { pooling: Pooling { mean, ..data().pooling }, ..data() });
    assert!(refused(&path, 15));
    for settings in [
        NeighbourSettings { beam: 101, ..data().settings },
        NeighbourSettings { neighbours: 0, ..data().settings },
        NeighbourSettings { weight: f32::NAN, ..data().settings },
        NeighbourSettings { sharpness: f32::INFINITY, ..data().settings },
    ] {
        write(&NeighbourData { settings, ..data() });
        assert!(refused(&path, 15), "{settings:?}");
    }
    let whole = data().to_bytes(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(refused(&path, 15), "{length}");
    }
    std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    let said = NeighbourData::load(&path, 15).unwrap_err().to_string();
    assert!(said.contains("1 bytes follow its end") && said.contains("Make it again"), "{said}");
}

/// Not as the decoder writes it, with the names of its types.
#[test]
fn flaws_are_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("neighbours.cbor");
    let whole = data().to_bytes(&path).unwrap();
    for (bytes, flaw) in [
        (&whole[..whole.len() / 2], "not a neighbour index: it ends too early\n"),
        (&[0xA0], "it is damaged, or of another version\n"),
        (&[0xFF], "it is damaged"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let said = NeighbourData::load(&path, 15).unwrap_err().to_string();
        assert!(said.contains(flaw), "{said}");
    }
}
