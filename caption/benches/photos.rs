//! A trained captioner beside its own encoder alone: one photo from bytes to caption, and the `caption`
//! command on a folder, without and with captions that are written into sidecars and photos, and again when all is done.
//! Uses real photos (see CONTRIBUTING.md) and the bundled model, or the trained one that `SHOWTELL_TEST_MODEL` names, with its
//! encoder at `SHOWTELL_TEST_ENCODER` if it is elsewhere.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a bench need not survive a kill")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use models::CaptionedPhoto;
use models::encoder::EncoderOptions;
use models::preprocess::apply;
use models::{Captioner, CaptionerOptions, Encoder, Limits, SearchOptions, decode};
use ndarray::{Array3, Axis, stack};
use tempfile::TempDir;
use tests::figures::{Figure, RATIO};

const PHOTOS: usize = 60;
const ROUNDS: usize = 3;
/// How often the command is given the folder.
const PASSES: usize = 4;
const BEAMS: [usize; 3] = [1, 3, 4];
/// Photos of a second run, which are done.
const DONE: usize = 10_000;
/// Photos that the bare encoder is fed with at once, ready made.
const BATCH: usize = 8;

fn main() {
    let Some(folder) = tests::shared("photos") else { return };
    let Some((model, encoder)) = tests::captioner() else { return };
    let options = CaptionerOptions { encoder, ..CaptionerOptions::default() };
    let captioner = Captioner::open(&model, &options).unwrap();
    let manifest = captioner.manifest();
    let path = manifest.find_encoder(&model, options.encoder.as_deref()).unwrap();
    let mut encoder = Encoder::open(&path, &EncoderOptions::default()).unwrap();
    let files = tests::files_in(&folder);
    one_photo(&captioner, &mut encoder, &files);
    whole_folder(&model, &path, &mut encoder, &folder, &files);
    writing(&model, &path, &files);
    second_run(&files[0]);
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn tensor(encoder: &Encoder, file: &Path) -> Array3<f32> {
    let image = decode(&fs::read(file).unwrap(), &Limits::default()).unwrap();
    apply(encoder.preprocess(), &image).unwrap()
}

fn one_photo(captioner: &Captioner, encoder: &mut Encoder, files: &[PathBuf]) {
    let mut bare = Vec::new();
    let mut answers = BEAMS.map(|_| Vec::new());
    for file in files.iter().take(PHOTOS) {
        let bytes = fs::read(file).unwrap();
        let tensor = tensor(encoder, file).insert_axis(Axis(0));
        bare.push(seconds(|| drop(black_box(encoder.encode(tensor.view()).unwrap()))));
        for (beam, answers) in BEAMS.into_iter().zip(&mut answers) {
            let options = SearchOptions { beam, ..SearchOptions::default() };
            answers.push(captioner.caption(&bytes, &options).unwrap());
        }
    }
    let run = tests::median(&bare);
    let run_name = format!("one run of {} on one photo", encoder.name());
    Figure::from_seconds(&run_name, &bare).report();
    for (beam, answers) in BEAMS.into_iter().zip(&answers) {
        let ratio = |name: &str, part: &dyn Fn(&CaptionedPhoto) -> Duration| {
            let seconds = answers.iter().map(|of| part(of).as_secs_f64()).collect::<Vec<_>>();
            let name = format!("{name}, beam {beam} ÷ {run_name}");
            Figure::new(name, RATIO, tests::median(&seconds) / run).report();
        };
        ratio("from bytes to caption", &|of| of.decode + of.encode + of.search);
        ratio("decode", &|of| of.decode);
        ratio("encode", &|of| of.encode);
        ratio("search", &|of| of.search);
    }
}

fn whole_folder(
    model: &Path,
    path: &Path,
    encoder: &mut Encoder,
    folder: &Path,
    files: &[PathBuf],
) {
    let tensors = files.iter().map(|file| tensor(encoder, file)).collect::<Vec<_>>();
    let batch = |photos: &[Array3<f32>]| {
        let photos = photos.iter().map(|photo| photo.view()).collect::<Vec<_>>();
        stack(Axis(0), &photos).unwrap()
    };
    let batches = tensors.chunks(BATCH).map(batch).collect::<Vec<_>>();
    let mut bare = Vec::new();
    let mut commands = BEAMS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        bare.push(seconds(|| {
            for batch in &batches {
                drop(black_box(encoder.encode(batch.view()).unwrap()));
            }
        }));
        for (beam, seconds_of) in BEAMS.into_iter().zip(&mut commands) {
            let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
            command.arg("--model").arg(model).arg("--encoder").arg(path);
            command.args([folder; PASSES]);
            command.args(["--beam", &beam.to_string()]).stdout(Stdio::null());
            let run = || assert!(command.status().unwrap().success());
            seconds_of.push(seconds(run));
        }
    }
    let rates = |photos: usize, seconds: &[f64]| {
        seconds.iter().map(|of| photos as f64 / of).collect::<Vec<_>>()
    };
    let alone = rates(files.len(), &bare);
    let told = PASSES * files.len();
    let alone_name = format!("{} alone, in batches of {BATCH} that are ready", encoder.name());
    Figure::from_rounds(&alone_name, "photos/s", &alone).report();
    for (beam, seconds) in BEAMS.into_iter().zip(&commands) {
        let name = format!("`caption` of {told} photos with its start, beam {beam} ÷ {alone_name}");
        Figure::from_quotients(name, &rates(told, seconds), &alone).report();
    }
}

/// `caption --write` beside `caption`, each on copies of its own.
fn writing(model: &Path, encoder: &Path, files: &[PathBuf]) {
    let variants: [(&str, &[&str]); 3] = [
        ("without --write", &[]),
        ("with --write xmp", &["--write", "xmp"]),
        ("with --write embed", &["--write", "embed"]),
    ];
    let mut times = variants.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, flags), times) in variants.iter().zip(&mut times) {
            let folder = tempfile::tempdir().unwrap();
            for (at, file) in files.iter().enumerate() {
                let path = folder.path().join(format!("{at}.jpg"));
                fs::write(path, fs::read(file).unwrap()).unwrap();
            }
            let mut command = caption(&folder);
            command.arg("--model").arg(model).arg("--encoder").arg(encoder).args(*flags);
            times.push(seconds(|| assert!(command.status().unwrap().success())));
        }
    }
    for ((variant, flags), seconds) in variants.iter().zip(&times) {
        let rates = seconds.iter().map(|of| files.len() as f64 / of).collect::<Vec<_>>();
        let name = format!("`caption` of {} photos {variant}", files.len());
        Figure::from_rounds(&name, "photos/s", &rates).report();
        if !flags.is_empty() {
            Figure::from_quotients(name + " ÷ without", &times[0], seconds).report();
        }
    }
}

/// `caption --write xmp` on photos that are done, as a small model captions them.
fn second_run(photo: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let model = tempfile::tempdir().unwrap();
    tests::small_model::write(model.path());
    for at in 0..DONE {
        fs::copy(photo, folder.path().join(format!("{at}.jpg"))).unwrap();
    }
    let state = tempfile::tempdir().unwrap();
    let run = || {
        let mut command = caption(&folder);
        command.arg("--model").arg(model.path()).args(["--write", "xmp"]);
        command.env("XDG_STATE_HOME", state.path());
        seconds(|| assert!(command.status().unwrap().success()))
    };
    run();
    let times = (0..ROUNDS).map(|_| run()).collect::<Vec<_>>();
    Figure::from_seconds(format!("a second run over {DONE} photos that are done"), &times).report();
}

/// The command on a folder, with a ledger in it.
fn caption(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caption"));
    command.arg(folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
