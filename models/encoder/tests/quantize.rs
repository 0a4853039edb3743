//! `encoder quantize` on small networks: their grids remain nearly the same.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod program;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use models::Encoder;
use models::encoder::EncoderOptions;
use models::preprocess::apply;
use ndarray::Axis;
use onnx::{Attribute, Dimension, ElementType, Graph};
use tempfile::TempDir;

use Dimension::{Fixed, Symbolic};
use ElementType::Float;
use program::encoder;

const SIZE: u32 = 64;
const PHOTOS: usize = 24;

/// A folder with pictures, captions of them, and `encoder.onnx`.
struct Workplace(TempDir);

impl Workplace {
    fn new() -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        fs::create_dir(workplace.path("Images")).unwrap();
        let mut captions = String::from("image,caption\n");
        for at in 0..PHOTOS {
            picture(at).save(workplace.path(&format!("Images/{at}.png"))).unwrap();
            writeln!(captions, "{at}.png,a picture").unwrap();
        }
        fs::write(workplace.path("captions.txt"), captions).unwrap();
        workplace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn quantize(&self) -> Result<String, String> {
        let photos = ["--images", "Images", "--captions", "captions.txt"];
        let files = ["quantize", "encoder.onnx", "--out", "int8.onnx"];
        encoder(self.0.path(), &[&files[..], &photos].concat())
    }

    /// How far the grids of the last picture are apart, of the length of the exact ones.
    fn error(&self) -> f32 {
        let grids = ["encoder.onnx", "int8.onnx"].map(|file| {
            let mut encoder = open(&self.path(file));
            let image = apply(encoder.preprocess(), &picture(PHOTOS)).unwrap();
            encoder.encode(image.insert_axis(Axis(0)).view()).unwrap()
        });
        let length =
            |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>();
        let apart = length(&mut grids[0].iter().zip(&grids[1]).map(|(a, b)| a - b));
        (apart / length(&mut grids[0].iter().copied())).sqrt()
    }
}

fn open(path: &Path) -> Encoder {
    Encoder::open(path, &EncoderOptions::default()).unwrap()
}

/// A picture of waves.
fn picture(at: usize) -> RgbImage {
    let wave = |x: u32, y: u32, channel: usize| {
        let phase = (x * (at as u32 % 5 + 1) + y * (channel as u32 + 1)) as f32 / 9.0 + at as f32;
        (127.0 + 120.0 * phase.sin()) as u8
    };
    RgbImage::from_fn(SIZE, SIZE, |x, y| Rgb([0, 1, 2].map(|channel| wave(x, y, channel))))
}

#[test]
fn grids_of_int8_encoders_are_nearly_the_same() {
    let checkpoints = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints");
    for (weights, blocks) in
        [("bottleneck.safetensors", "1"), ("basic.pth", "1"), ("lite.pth", "1"), ("lite.pth", "2")]
    {
        let workplace = Workplace::new();
        let weights = checkpoints.join(weights);
        let size = ["--size", "64", "--blocks", blocks, "--out", "encoder.onnx"];
        let convert = [&["convert", weights.to_str().unwrap()], &size[..]].concat();
        encoder(workplace.0.path(), &convert).unwrap();
        workplace.quantize().unwrap();
        let error = workplace.error();
        assert!(error > 0.0 && error < 0.1, "{}: {error}", weights.display());
        let [floats, integers] =
            ["encoder.onnx", "int8.onnx"].map(|file| open(&workplace.path(file)));
        assert_eq!(integers.preprocess(), floats.preprocess());
        assert_eq!(integers.grid(), floats.grid());
        let bytes = fs::read(workplace.path("int8.onnx")).unwrap();
        let names_original = bytes.windows(64).any(|part| part == floats.sha256().as_bytes());
        assert!(names_original, "it does not name its original");
    }
}

/// A convolution, a batch normalisation and a sum with a constant.
fn normalised() -> Vec<u8> {
    let values = |count: usize| (0..count).map(|at| ((at * 37 + 11) % 101) as f32 / 101.0 - 0.3);
    let mut graph = Graph::new("normalised");
    let side = SIZE as usize;
    graph.input("image", Float, &[Symbolic("N"), Fixed(3), Fixed(side), Fixed(side)]);
    graph.weight("kernel", &[4, 3, 8, 8], &values(4 * 3 * 64).collect::<Vec<_>>());
    graph.node("Conv", &["image", "kernel"], &["seen"], &[Attribute::Ints("strides", &[8, 8])]);
    for (name, shift) in [("gain", 1.0), ("bias", 0.0), ("mean", 0.0), ("variance", 1.0)] {
        let vector = values(4).map(|value| value + shift).collect::<Vec<_>>();
        graph.weight(name, &[4], &vector);
    }
    let norm = ["seen", "gain", "bias", "mean", "variance"];
    graph.node("BatchNormalization", &norm, &["normal"], &[]);
    graph.weight("one", &[], &[1.0]);
    graph.node("Add", &["normal", "one"], &["grid"], &[]);
    graph.output("grid", Float, &[Symbolic("N"), Fixed(4), Fixed(8), Fixed(8)]);
    graph.into_bytes(&[(models::Preprocess::METADATA_KEY, &preprocess())])
}

fn preprocess() -> String {
    serde_json::to_string(&models::Preprocess::imagenet([SIZE; 2])).unwrap()
}

#[test]
fn batch_normalisation_becomes_part_of_the_convolution() {
    let workplace = Workplace::new();
    fs::write(workplace.path("encoder.onnx"), normalised()).unwrap();
    workplace.quantize().unwrap();
    let bytes = fs::read(workplace.path("int8.onnx")).unwrap();
    let has = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
    assert!(has("QuantizeLinear") && !has("BatchNormalization"));
    let error = workplace.error();
    assert!(error < 0.02, "{error}");
}

#[test]
fn what_cannot_be_quantized_is_refused_by_name() {
    let workplace = Workplace::new();
    let refused = |bytes: &[u8], part: &str| {
        fs::write(workplace.path("encoder.onnx"), bytes).unwrap();
        let error = workplace.quantize().unwrap_err();
        assert!(error.contains(part), "{error}");
        assert!(!workplace.path("int8.onnx").exists());
    };
    refused(b"", "encoder.onnx");
    fs::write(workplace.path("encoder.onnx"), normalised()).unwrap();
    workplace.quantize().unwrap();
    fs::rename(workplace.path("int8.onnx"), workplace.path("encoder.onnx")).unwrap();
    let twice = fs::read(workplace.path("encoder.onnx")).unwrap();
    refused(&twice, "encoder.onnx: it is quantized already");
    refused(&tests::small_model::encoder(Symbolic("N")), "encoder.onnx: it has no convolution");
    fs::remove_dir_all(workplace.path("Images")).unwrap();
    refused(&normalised(), "error: Images/");
    fs::remove_file(workplace.path("captions.txt")).unwrap();
    refused(&normalised(), "captions.txt");
}
