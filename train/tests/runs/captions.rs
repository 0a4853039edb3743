//! Generated captions: step by step, exported, of an ensemble, and in the report.

use std::fs;
use std::path::Path;

use data::vocabulary::START;
use models::bundle::Part;
use models::search::Expansion;
use models::{Decoder, Hypothesis, OnnxDecoder, SearchOptions, search};
use ndarray::{Array2, Array3, Axis, s};
use tch::{Device, Kind, Tensor};
use train::batch::Batch;
use train::dataset::TrainingImage;
use train::export::{Agreement, ExportOptions, Weights, check, export};
use train::fit::TrainingData;
use train::recipes::{ForwardPass, Network};
use train::report::{ReportedRun, ReportedSet, render};
use train::run::RunFolder;
use train::torch_decoder::TorchDecoder;

use crate::program::{Place, assert_says};
use crate::support::{CAPTIONS, GRID, RECIPES, evaluated, folder, train, training_data};
use train::settings::Recipe;

/// The loss of a teacher-forced caption is the sum of the log-probabilities of its single steps.
#[test]
fn teacher_forcing_and_single_steps_agree() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &data, recipe, &[3]);
        let network = run.open_best(Device::Cpu).unwrap().network;
        let image = &data.training[1];
        let alone = TrainingImage { captions: vec![image.captions[0].clone()], ..image.clone() };
        let batch = Batch::new(&[&alone], &data.grids, Device::Cpu).unwrap();
        let expected = network.loss(&batch, &mut ForwardPass::plain()).cross_entropy;
        let expected = expected.double_value(&[]);
        let grid = data.grids.read(image).unwrap();
        let grid = Tensor::from_slice(grid.as_slice().unwrap()).view([
            1,
            GRID.cells() as i64,
            GRID.channels as i64,
        ]);
        let mut held = network.start(&grid);
        let mut before = START;
        let mut total = 0.0;
        let words = &alone.captions[0].words;
        for &word in words.iter() {
            let stepped =
                network.step(&Tensor::from_slice(&[i64::from(before)]).view([1, 1]), &held);
            total -= stepped.log_probabilities.double_value(&[0, 0, i64::from(word)]);
            let looked = stepped.attention.sum(Kind::Float).double_value(&[]);
            assert!((looked - 1.0).abs() < 1e-5, "{recipe} {looked}");
            held.states = stepped.states;
            before = word;
        }
        let found = total / words.len() as f64;
        assert!((found - expected).abs() < 1e-5, "{recipe}: {found} {expected}");
    }
}

#[test]
fn the_exported_decoder_gives_the_captions_of_the_network() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        exported(folder.path(), &data, recipe);
    }
}

fn exported(folder: &Path, data: &TrainingData, recipe: Recipe) {
    let run = train(folder, data, recipe, &[15]);
    let manifest = export(&run, &ExportOptions::default()).unwrap();
    assert_eq!(manifest.data_licence.as_deref(), Some("made by the tests"));
    assert_eq!(manifest.encoder.sha256, "small");
    manifest.check_decoder(run.path()).unwrap();

    let grids = grids(data);
    let trained = run.open_best(Device::Cpu).unwrap();
    for beam in [1, 3, 5] {
        let options = SearchOptions { beam, ..SearchOptions::default() };
        let mut torch = TorchDecoder::new(&[&*trained.network], Device::Cpu);
        let mut onnx = OnnxDecoder::open(run.path(), Some(1)).unwrap();
        let expected = best(data, search(&mut torch, grids.view(), &options).unwrap());
        let found = best(data, search(&mut onnx, grids.view(), &options).unwrap());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.0, expected.0);
            assert!((found.1 - expected.1).abs() < 1e-4, "{found:?} {expected:?}");
            let attention = found.2.iter().zip(&expected.2);
            assert!(attention.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }
}

/// Half the size, and the same captions.
#[test]
fn weights_may_have_16_bits() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &data, recipe, &[15]);
        let (whole, whole_size, _) = exported_as(&run, &data, &ExportOptions::default());
        let licence = Some("mine".to_owned());
        let form = ExportOptions { weights: Weights::F16, data_licence: licence.clone() };
        let (half, half_size, told) = exported_as(&run, &data, &form);
        let images = CAPTIONS.len();
        assert!(
            matches!(whole, Agreement { same, difference, .. } if same == images && difference < 1e-4)
        );
        assert!(half.same == images && half.share() > 0.99, "{half:?}");
        assert!(half.difference > whole.difference && half.difference < 0.05, "{half:?}");
        assert!(half_size < whole_size * 3 / 4, "{half_size} {whole_size}");
        assert_eq!(told, licence);
    }
}

/// Nearly the same captions; that of an image does not depend on the other images of its batch.
#[test]
fn products_may_be_of_integers() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &data, recipe, &[15]);
        let form = |weights| ExportOptions { weights, ..ExportOptions::default() };
        let (half, ..) = exported_as(&run, &data, &form(Weights::F16));
        let (integers, ..) = exported_as(&run, &data, &form(Weights::I8));
        assert!(integers.share() > 0.7, "{integers:?}");
        assert!(integers.difference > half.difference && integers.difference < 0.5, "{integers:?}");
        let options = SearchOptions::default();
        let mut decoder = OnnxDecoder::open(run.path(), Some(1)).unwrap();
        let grids = grids(&data);
        let together = best(&data, search(&mut decoder, grids.view(), &options).unwrap());
        for (grid, expected) in grids.axis_chunks_iter(Axis(0), 1).zip(together) {
            let alone = best(&data, search(&mut decoder, grid, &options).unwrap());
            assert_eq!(alone[0].0, expected.0);
            assert!((alone[0].1 - expected.1).abs() < 1e-5, "{recipe}");
        }
    }
}

/// The agreement of an export with the network, its size in bytes, and its licence.
fn exported_as(
    run: &RunFolder,
    data: &TrainingData,
    form: &ExportOptions,
) -> (Agreement, u64, Option<String>) {
    let trained = run.open_best(Device::Cpu).unwrap();
    let manifest = export(run, form).unwrap();
    manifest.check_decoder(run.path()).unwrap();
    let options = SearchOptions::default();
    let found = check(run, &trained, &data.dev[0].images, data.grids.store(0), &options).unwrap();
    let parts = [manifest.decoder_init, manifest.decoder_step];
    let size = |part: &Part| fs::metadata(run.path().join(&part.file)).unwrap().len();
    (found, parts.iter().map(size).sum(), manifest.data_licence)
}

/// The grids of all images, `[images, cells, channels]`.
fn grids(data: &TrainingData) -> Array3<f32> {
    let mut grids = Array3::zeros([CAPTIONS.len(), GRID.cells(), GRID.channels]);
    for (row, grid) in grids.outer_iter_mut().enumerate() {
        data.grids.store(0).read_into(row, 0, grid).unwrap();
    }
    grids
}

fn best(data: &TrainingData, found: Vec<Vec<Hypothesis>>) -> Vec<(String, f32, Array2<f32>)> {
    let first = |of_image: Vec<Hypothesis>| of_image.into_iter().next().unwrap();
    let text = |found: Hypothesis| {
        (data.vocabulary.decode(&found.words), found.log_probability, found.attention)
    };
    found.into_iter().map(first).map(text).collect()
}

/// The probabilities of an ensemble are the mean of those of its networks.
#[test]
fn an_ensemble_averages_probabilities() {
    let folder = folder();
    let data = training_data(folder.path());
    let run = train(folder.path(), &data, Recipe::Adaptive, &[6]);
    let other = train(folder.path(), &data, Recipe::ShowAttendTell, &[6]);
    let (one, two) = (run.open_best(Device::Cpu).unwrap(), other.open_best(Device::Cpu).unwrap());
    let grids = grids(&data);
    let first_word = |networks: &[&dyn Network]| {
        let mut decoder = TorchDecoder::new(networks, Device::Cpu);
        decoder.start(grids.slice(s![..1, .., ..])).unwrap();
        let expansion = Expansion { images: &[0], parents: &[0], words: &[START] };
        let log_probabilities = decoder.step(expansion).unwrap().log_probabilities;
        log_probabilities.into_iter().map(f32::exp).collect::<Vec<_>>()
    };
    let [a, b] = [&one, &two].map(|run| first_word(&[&*run.network]));
    let both = first_word(&[&*one.network, &*two.network]);
    let twice = first_word(&[&*one.network, &*one.network]);
    for (word, both) in both.iter().enumerate() {
        assert!((both - f32::midpoint(a[word], b[word])).abs() < 1e-6);
        assert!((twice[word] - a[word]).abs() < 1e-6);
    }
}

/// The page holds curves, captions and photos, and refers to no other file.
#[test]
fn the_report_shows_captions_with_their_photos() {
    let folder = folder();
    let data = training_data(folder.path());
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    for row in 0..CAPTIONS.len() {
        fs::write(photos.join(format!("{row}.jpg")), format!("photo {row}")).unwrap();
    }
    let reported = RECIPES.map(|recipe| {
        let run = train(folder.path(), &data, recipe, &[8]);
        let evaluation = evaluated(&run, &data);
        ReportedRun::new(&run, vec![evaluation]).unwrap()
    });
    let set = ReportedSet {
        name: "small".to_owned(),
        images: data.dev[0].images.clone(),
        photos: Some(photos.clone()),
    };
    let sets = [set];
    let found = render(&reported, &sets).unwrap();
    assert!(found.skipped_entries.is_empty());
    let page = found.html;
    assert!(!page.contains("http") && !page.contains("<link"), "{page}");
    assert!(page.contains("base64,cGhvdG8gMg=="), "photo 2");
    assert!(page.contains("the brown dog runs fast over the grass"));
    for of in &reported[0].evaluations[0].captioned {
        assert!(page.contains(&format!("<strong>{}</strong>", of.caption)), "{}", of.caption);
    }
    assert_eq!(page.matches("<polyline").count(), 8, "four curves of two runs");
    assert!(page.contains("show-attend-tell") && page.contains("training.averaging"));
    fs::remove_file(photos.join("2.jpg")).unwrap();
    let found = render(&reported, &sets).unwrap();
    assert_eq!(found.skipped_entries.count(), 1);
    assert!(found.skipped_entries.to_string().contains("2.jpg"), "{}", found.skipped_entries);
    assert!(found.html.contains("base64,cGhvdG8gMQ=="), "photo 1 is still there");
    assert!(render(&[], &sets).is_err());
}

#[test]
fn captions_that_name_images_without_their_folders_are_explained() {
    let place = Place::new();
    let captions = place.captions().replace('\n', "\nImages/").replace("Images/image", "image");
    place.write("captions.txt", captions.strip_suffix("Images/").unwrap());
    let said = place.refused(&Place::of("fit", "--run run"));
    assert_says(
        &said,
        &["the captions name Images/0.jpg, the images 0.jpg: names must be the same"],
    );
    assert_says(&said, &["no training image has both captions and a grid"]);
}
