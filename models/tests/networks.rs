//! Encoders, decoders and model folders on a real ONNX Runtime.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use models::encoder::EncoderOptions;
use models::encoder::cells_last;
use models::preprocess::apply;
use models::{
    Captioner, CaptionerOptions, DeviceChoice, Encoder, Error, OnnxDecoder, SearchOptions, search,
};
use ndarray::{Array3, Array4, Axis, s};
use onnx::messages::{Entry, Model};
use onnx::{Attribute, Dimension, ElementType, Graph};
use prost::Message as _;
use tests::small_model::{self, ENCODER_FILE, GRID, SIZE};

fn encoder(bytes: &[u8]) -> models::Result<Encoder> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.onnx");
    fs::write(&path, bytes).unwrap();
    Encoder::open(&path, &EncoderOptions::default())
}

fn open(folder: &Path, device: DeviceChoice) -> models::Result<Captioner> {
    Captioner::open(folder, &CaptionerOptions { device, ..CaptionerOptions::default() })
}

/// A picture whose colour changes from patch to patch.
fn picture() -> RgbImage {
    RgbImage::from_fn(SIZE as u32, SIZE as u32, |x, y| {
        Rgb([(x / 8 * 30) as u8, (y / 8 * 30) as u8, 90])
    })
}

fn png(image: RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn a_grid_is_cell_by_cell_from_the_top_left() {
    let mut encoder = encoder(&small_model::encoder(Dimension::Symbolic("N"))).unwrap();
    assert_eq!(encoder.grid(), GRID.into());
    assert!(!encoder.states_preprocess());
    let preprocess = encoder.preprocess().clone();
    let mut tensors = Array4::zeros([2, 3, SIZE, SIZE]);
    tensors.index_axis_mut(Axis(0), 1).assign(&apply(&preprocess, &picture()).unwrap());
    let planes = encoder.encode(tensors.view()).unwrap();
    assert_eq!(planes.dim(), (2, 3, 7, 7));
    let grids = cells_last(planes.view());
    assert_eq!(grids.dim(), (2, 49, 3));
    assert!(grids.index_axis(Axis(0), 0).iter().all(|value| value.abs() < 1e-6));
    for (cell, values) in grids.index_axis(Axis(0), 1).outer_iter().enumerate() {
        let colours = [cell % 7 * 30, cell / 7 * 30, 90];
        for channel in 0..3 {
            let value = values[channel] * preprocess.std[channel] + preprocess.mean[channel];
            assert!((value * 255.0 - colours[channel] as f32).abs() < 0.1, "cell {cell}");
        }
    }
}

fn textured(images: usize) -> Array4<f32> {
    let values = (0..images * 3 * SIZE * SIZE).map(|at| (at % 251) as f32 / 125.0 - 1.0);
    Array4::from_shape_vec([images, 3, SIZE, SIZE], values.collect()).unwrap()
}

#[test]
fn an_encoder_with_a_fixed_batch_gives_the_same_grids() {
    let tensors = textured(5);
    let mut free = encoder(&small_model::encoder(Dimension::Symbolic("N"))).unwrap();
    let mut fixed = encoder(&small_model::encoder(Dimension::Fixed(2))).unwrap();
    for images in [0, 1, 2, 5] {
        let tensors = tensors.slice(s![..images, .., .., ..]);
        assert_eq!(free.encode(tensors).unwrap(), fixed.encode(tensors).unwrap());
    }
    let error = free.encode(tensors.slice(s![.., .., 1.., ..])).unwrap_err();
    assert!(matches!(error, Error::Images { found: [3, 55, 56], .. }), "{error}");
}

/// A convolution whose weights are int8 behind `DequantizeLinear`, or the same weights as floats.
fn convolution(int8: bool) -> Vec<u8> {
    const SHAPE: [usize; 4] = [16, 3, 3, 3];
    let weights = (0..16 * 27).map(|at| ((at * 29) % 255 - 127) as i8).collect::<Vec<_>>();
    let scales = (1..=16).map(|channel| channel as f32 / 1000.0).collect::<Vec<_>>();
    let mut graph = Graph::new("convolution");
    let images = Dimension::Symbolic("N");
    let fixed = Dimension::Fixed;
    graph.input("image", ElementType::Float, &[images, fixed(3), fixed(SIZE), fixed(SIZE)]);
    if int8 {
        graph.weight_int8("packed", &SHAPE, &weights);
        graph.weight("scale", &[16], &scales);
        let axis = [Attribute::Int("axis", 0)];
        graph.node("DequantizeLinear", &["packed", "scale"], &["kernel"], &axis);
    } else {
        let unpacked =
            weights.iter().zip(0..).map(|(&weight, at)| f32::from(weight) * scales[at / 27]);
        graph.weight("kernel", &SHAPE, &unpacked.collect::<Vec<_>>());
    }
    graph.node("Conv", &["image", "kernel"], &["seen"], &[Attribute::Ints("strides", &[8, 8])]);
    graph.node("Relu", &["seen"], &["grid"], &[]);
    graph.output("grid", ElementType::Float, &[images, fixed(16), fixed(7), fixed(7)]);
    graph.into_bytes(&[])
}

#[test]
fn weights_stored_as_int8_give_the_same_grids() {
    let mut floats = encoder(&convolution(false)).unwrap();
    let mut int8 = encoder(&convolution(true)).unwrap();
    let tensors = textured(2);
    let (expected, found) =
        (floats.encode(tensors.view()).unwrap(), int8.encode(tensors.view()).unwrap());
    assert!(expected.iter().any(|value| *value > 1.0));
    assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-4));
}

/// A network with its weights moved into another file, and that file.
fn with_external_data(network: &[u8], location: &str) -> (Vec<u8>, Vec<u8>) {
    let mut model = Model::decode(network).unwrap();
    let mut values = b"head".to_vec();
    for weight in &mut model.graph.as_mut().unwrap().initializer {
        let raw = std::mem::take(&mut weight.raw_data);
        let entries = [
            ("location", location.to_owned()),
            ("offset", values.len().to_string()),
            ("length", raw.len().to_string()),
        ];
        let entry = |(key, value): (&str, String)| Entry { key: key.to_owned(), value };
        weight.external_data = entries.map(entry).to_vec();
        weight.data_location = 1;
        values.extend(raw);
    }
    (model.encode_to_vec(), values)
}

#[test]
fn weights_in_another_file_are_used_and_identified() {
    let whole = convolution(false);
    let (network, mut values) = with_external_data(&whole, "network.data");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("network.onnx"), network).unwrap();
    let open = || Encoder::open(&at("network.onnx"), &EncoderOptions::default());
    assert!(matches!(open().unwrap_err(), Error::ExternalData { .. }));
    fs::write(at("network.data"), &values).unwrap();
    let (mut found, images) = (open().unwrap(), textured(2));
    let expected = encoder(&whole).unwrap().encode(images.view()).unwrap();
    assert_eq!(found.encode(images.view()).unwrap(), expected);
    *values.last_mut().unwrap() ^= 1;
    fs::write(at("network.data"), values).unwrap();
    assert_ne!(open().unwrap().sha256(), found.sha256());
}

#[test]
fn another_network_is_refused_with_its_inputs_and_outputs() {
    let error = encoder(&small_model::classifier()).unwrap_err();
    assert!(matches!(error, Error::NotAnEncoder { .. }), "{error}");
    let message = error.to_string();
    for part in ["network.onnx", "`scores`", "[-1, 9408]", "[N,C,h,w]"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
    assert!(matches!(encoder(b"not ONNX").unwrap_err(), Error::Onnx { .. }));
    let error = Encoder::open(Path::new("no/such.onnx"), &EncoderOptions::default()).unwrap_err();
    assert!(error.to_string().contains("no/such.onnx"), "{error}");
}

/// The ONNX Runtime of the tests is the one for CPUs.
#[test]
fn cuda_is_refused_where_it_cannot_be_had() {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let error = open(folder.path(), DeviceChoice::Cuda).unwrap_err();
    assert!(matches!(error, Error::NoCuda { .. }), "{error}");
    let captioner = open(folder.path(), DeviceChoice::Auto).unwrap();
    assert_eq!(captioner.device(), models::Device::Cpu);
    // A build without CUDA is no reason for a warning.
    assert_eq!(captioner.cuda_problem(), None);
}

#[test]
fn a_photo_becomes_captions_with_attention() {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let captioner = open(folder.path(), DeviceChoice::Cpu).unwrap();
    let options = SearchOptions { n_best: 3, ..SearchOptions::default() };
    let answer = captioner.caption(&png(picture()), &options).unwrap().description;
    assert_eq!(answer.captions.len(), 3);
    for caption in &answer.captions {
        let words = caption.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>();
        assert_eq!(words.join(" "), caption.text);
        assert!(caption.log_probability <= 0.0);
        for word in &caption.words {
            assert_eq!(word.attention.dim(), (7, 7));
            let total = word.attention.sum();
            assert!((total - 1.0).abs() < 1e-5);
            assert!(word.probability > 0.0 && word.probability <= 1.0);
        }
    }
    assert!(matches!(
        captioner.caption(b"no image", &SearchOptions::default()),
        Err(Error::Image(_))
    ));
}

#[test]
fn a_head_names_probable_classes_and_leaves_grids_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let path = folder.path().join(ENCODER_FILE);
    let open = |classify| Encoder::open(&path, &EncoderOptions { classify, ..Default::default() });
    let (mut plain, mut classifying) = (open(false).unwrap(), open(true).unwrap());
    assert_eq!(plain.classes(), None);
    assert_eq!(classifying.classes().unwrap(), small_model::CLASSES);
    assert_eq!(plain.sha256(), classifying.sha256());
    let images = Array4::from_shape_fn([3, 3, SIZE, SIZE], |(image, channel, y, _)| {
        if image == channel { 2.0 } else { y as f32 / SIZE as f32 }
    });
    let encoded = classifying.encode_and_classify(images.view()).unwrap();
    assert_eq!(encoded.grids, plain.encode(images.view()).unwrap());
    let classes = encoded.classes.unwrap();
    assert_eq!(classes.dim(), (3, 3));
    for (image, classes) in classes.outer_iter().enumerate() {
        assert!((classes.sum() - 1.0).abs() < 1e-5);
        assert!(classes[image] > 0.5, "{image}: {classes}");
    }
}

#[test]
fn a_head_that_does_not_fit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let head = folder.path().join("small.onnx.head");
    let whole = fs::read(&head).unwrap();
    let other = small_model::head("abab");
    let fewer = {
        let mut model = Model::decode(&whole[..]).unwrap();
        model.metadata_props[1].value = r#"["red", "green"]"#.to_owned();
        model.encode_to_vec()
    };
    let floating = {
        let mut model = Model::decode(&whole[..]).unwrap();
        model.graph.as_mut().unwrap().node[0].input[0] = "another value".to_owned();
        model.encode_to_vec()
    };
    for (bytes, reason) in [
        (&other[..], "the head of another encoder"),
        (&whole[..40], "not the head of an encoder"),
        (b"", "not the head of an encoder"),
        (&fewer, "2 names for 3 classes"),
        (&floating, "another value"),
    ] {
        fs::write(&head, bytes).unwrap();
        let options = CaptionerOptions { tags: true, ..CaptionerOptions::default() };
        let error = Captioner::open(folder.path(), &options).unwrap_err().to_string();
        assert!(error.contains("small.onnx.head: ") && error.contains(reason), "{error}");
        assert!(error.contains("or remove the file"), "{error}");
        // Without tags it is not read.
        Captioner::open(folder.path(), &CaptionerOptions::default()).unwrap();
    }
}

/// ONNX Runtime accepts a weight twice and takes one of them.
#[test]
fn a_head_with_weights_of_the_encoder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(ENCODER_FILE);
    let with_weight = |bytes: &[u8], name: &str| {
        let mut graph = Graph::new("weights");
        graph.weight(name, &[], &[1.0]);
        [bytes, &graph.into_part(&[])].concat()
    };
    let encoder = with_weight(&small_model::encoder(Dimension::Symbolic("N")), "factor");
    fs::write(&path, &encoder).unwrap();
    let open = |name: &str| {
        let head = small_model::head(&common::digest::of_bytes(&encoder));
        fs::write(folder.path().join("small.onnx.head"), with_weight(&head, name)).unwrap();
        Encoder::open(&path, &EncoderOptions { classify: true, ..Default::default() })
    };
    assert!(open("own").unwrap().classes().is_some());
    let refused = open("factor").unwrap_err().to_string();
    assert!(refused.contains("small.onnx.head: it changes the encoder"), "{refused}");
}

#[test]
fn parts_of_different_models_are_refused_by_name() {
    let refused = |file: &str, change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        small_model::write(folder.path());
        change(&folder.path().join(file));
        let error = open(folder.path(), DeviceChoice::Cpu).unwrap_err();
        assert!(error.to_string().contains(file), "{file}: {error}");
    };
    let append = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes.push(0);
        fs::write(path, bytes).unwrap();
    };
    for file in [ENCODER_FILE, "decoder-init.onnx", "decoder-step.onnx", "vocabulary.json"] {
        refused(file, &append);
        refused(file, &|path| fs::remove_file(path).unwrap());
    }
    refused("manifest.json", &|path| fs::remove_file(path).unwrap());
    refused("manifest.json", &|path| fs::write(path, "{}").unwrap());
}

#[test]
fn inputs_that_no_image_becomes_are_refused() {
    let of = |side: usize, metadata: &[(&str, &str)]| {
        let mut graph = Graph::new("pooled");
        let sides = [Dimension::Symbolic("N"), Dimension::Fixed(3)];
        let input = [sides[0], sides[1], Dimension::Fixed(side), Dimension::Fixed(side)];
        graph.input("image", ElementType::Float, &input);
        graph.node("Identity", &["image"], &["grid"], &[]);
        graph.output("grid", ElementType::Float, &input);
        graph.into_bytes(metadata)
    };
    let error = encoder(&of(5000, &[])).unwrap_err().to_string();
    assert!(error.contains("5000×5000"), "{error}");
    let preprocess = models::Preprocess { std: [0.0; 3], ..models::Preprocess::imagenet([8, 8]) };
    let stated = serde_json::to_string(&preprocess).unwrap();
    let error = encoder(&of(8, &[("showtell.preprocess", &stated)])).unwrap_err().to_string();
    assert!(error.contains("std"), "{error}");
}

#[test]
fn a_decoder_with_damaged_weights_is_an_error_and_not_a_caption() {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let path = folder.path().join(models::decoder::STEP_FILE);
    let mut model = Model::decode(&*fs::read(&path).unwrap()).unwrap();
    let weights = &mut model.graph.as_mut().unwrap().initializer;
    for weight in weights.iter_mut().filter(|of| of.data_type == ElementType::Float as i32) {
        let values = weight.raw_data.len() / 4;
        weight.raw_data = f32::NAN.to_le_bytes().repeat(values);
    }
    fs::write(&path, model.encode_to_vec()).unwrap();
    let mut decoder = OnnxDecoder::open(folder.path(), Some(1)).unwrap();
    let grids = Array3::zeros([1, GRID[0] * GRID[1], GRID[2]]);
    let error = search(&mut decoder, grids.view(), &SearchOptions::default()).unwrap_err();
    assert!(error.to_string().contains("not a number"), "{error}");
}
