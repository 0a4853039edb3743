//! The server compared with its own encoder alone, and with the server of tutorials, in Flask and `PyTorch`. Uses real
//! photos (see CONTRIBUTING.md) and the trained model that `SHOWTELL_TEST_MODEL` names, with its encoder at
//! `SHOWTELL_TEST_ENCODER` if it is elsewhere. The clients run on the same cores.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use models::encoder::EncoderOptions;
use models::preprocess::apply;
use models::{Encoder, Limits, Manifest, decode};
use ndarray::{Array4, Axis, concatenate};
use tests::load::{self, Answer, Server};

/// Photos that are sent one after the other.
const PHOTOS: usize = 60;
const ROUNDS: usize = 5;
/// Photos of a batch for the encoder alone, decoded before.
const BATCH: usize = 8;
const CLIENTS: usize = 32;
const TIME: Duration = Duration::from_secs(10);
/// The load at which latency is measured, as a share of the maximum.
const SHARE: f64 = 0.7;

fn main() {
    let Some(folder) = tests::shared("photos") else { return };
    let Some(model) = std::env::var_os("SHOWTELL_TEST_MODEL").map(PathBuf::from) else {
        eprintln!("skipped: no trained model (SHOWTELL_TEST_MODEL names its folder)");
        return;
    };
    let manifest = Manifest::load(&model).unwrap();
    let encoder = std::env::var_os("SHOWTELL_TEST_ENCODER").map(PathBuf::from);
    let path = manifest.find_encoder(&model, encoder.as_deref()).unwrap();
    let files = tests::files_in(&folder);
    let bodies = files.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let serve = |flags: &[&str]| start(&model, &path, flags);

    let server = serve(&["--cache", "0"]);
    let most = speed(&server, &bodies, &mut Alone::open(&path, &files));
    waiting(&server, &bodies, SHARE * most);
    drop(server);
    full_queue(&serve(&["--cache", "0", "--queue", "8"]), &bodies);
    known(&serve(&[]), &bodies);
}

fn start(model: &Path, encoder: &Path, flags: &[&str]) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.args(["--port", "0", "--log", "warn"]).args(flags);
    Server::start(command.arg("--model").arg(model).arg("--encoder").arg(encoder))
}

/// The encoder without anything else.
struct Alone {
    encoder: Encoder,
    tensors: Vec<Array4<f32>>,
    batches: Vec<Array4<f32>>,
}

impl Alone {
    fn open(path: &Path, files: &[PathBuf]) -> Self {
        let encoder = Encoder::open(path, &EncoderOptions::default()).unwrap();
        let preprocess = encoder.preprocess();
        let tensor = |file: &PathBuf| {
            let image = decode(&fs::read(file).unwrap(), &Limits::default()).unwrap();
            apply(preprocess, &image).unwrap().insert_axis(Axis(0))
        };
        let batch = |photos: &[Array4<f32>]| {
            let photos = photos.iter().map(|photo| photo.view()).collect::<Vec<_>>();
            concatenate(Axis(0), &photos).unwrap()
        };
        let tensors = files.iter().take(PHOTOS).map(tensor).collect::<Vec<_>>();
        let batches = tensors.chunks_exact(BATCH).map(batch).collect();
        Self { encoder, tensors, batches }
    }

    /// Seconds of a run on one photo.
    fn one(&mut self) -> f64 {
        let runs = self.tensors.iter().map(|tensor| run(&mut self.encoder, tensor));
        tests::median(&runs.collect::<Vec<_>>())
    }

    /// Photos per second in batches.
    fn rate(&mut self) -> f64 {
        let runs = self.batches.iter().map(|batch| run(&mut self.encoder, batch));
        let seconds = runs.sum::<f64>();
        (BATCH * self.batches.len()) as f64 / seconds
    }
}

fn run(encoder: &mut Encoder, tensors: &Array4<f32>) -> f64 {
    let start = Instant::now();
    drop(black_box(encoder.encode(tensors.view()).unwrap()));
    start.elapsed().as_secs_f64()
}

fn captioned(answers: &[Answer]) -> impl Iterator<Item = &Answer> {
    answers.iter().filter(|answer| answer.status == Some(200))
}

/// One client, then many, each after the encoder alone, and the same load on the peer; returns the photos per second of
/// many.
fn speed(server: &Server, bodies: &[Vec<u8>], alone: &mut Alone) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let peer = flask(folder.path());
    let (mut singles, mut shares, mut mosts, mut peers) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let one = 1000.0 * alone.one();
        let answers = load::closed(&server.address, bodies, 1, TIME / 2);
        let single = load::percentile(captioned(&answers), 0.5);
        let bare = alone.rate();
        let many = rate(server, bodies);
        println!(
            "one run {one:.1} ms, one client p50 {single:.1} ms: {:.3}; in batches {bare:.1} photos/s, \
             {CLIENTS} clients {many:.1}: {:.3}",
            single / one,
            many / bare
        );
        singles.push(single / one);
        shares.push(many / bare);
        mosts.push(many);
        if let Some(peer) = &peer {
            let flask = rate(peer, bodies);
            println!("Flask and PyTorch: {flask:.1} photos/s; `serve` ÷ that: {:.2}", many / flask);
            peers.push(many / flask);
        }
    }
    println!("one client, p50 ÷ one run of the encoder: {:.3}", tests::median(&singles));
    println!(
        "{CLIENTS} clients, photos/s ÷ the encoder alone in batches of {BATCH}: {:.3}",
        tests::median(&shares)
    );
    if !peers.is_empty() {
        println!("{CLIENTS} clients, photos/s ÷ Flask and PyTorch: {:.2}", tests::median(&peers));
    }
    println!("resident memory afterwards: {:.0} MiB", server.resident_mib());
    tests::median(&mosts)
}

/// The server of tutorials, in a folder for its files.
fn flask(folder: &Path) -> Option<Server> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers/flask_app.py");
    Some(Server::start(Command::new(tests::peers()?).arg(program).current_dir(folder)))
}

fn rate(server: &Server, bodies: &[Vec<u8>]) -> f64 {
    let start = Instant::now();
    let answers = load::closed(&server.address, bodies, CLIENTS, TIME);
    assert_eq!(
        captioned(&answers).count(),
        answers.len(),
        "{:?}",
        answers.iter().find(|one| one.status != Some(200))
    );
    answers.len() as f64 / start.elapsed().as_secs_f64()
}

fn waiting(server: &Server, bodies: &[Vec<u8>], rate: f64) {
    let round = |_| {
        let answers = load::steady(&server.address, bodies, CLIENTS, rate, 2 * TIME);
        let [half, most] = [0.5, 0.99].map(|share| load::percentile(captioned(&answers), share));
        println!("{rate:.1} requests/s: p50 {half:.1} ms, p99 {most:.1} ms");
        most / half
    };
    let ratios = (0..ROUNDS).map(round).collect::<Vec<_>>();
    println!("70 % of the maximum, p99 ÷ p50: {:.2}", tests::median(&ratios));
}

fn full_queue(server: &Server, bodies: &[Vec<u8>]) {
    let answers = load::closed(&server.address, bodies, 16, TIME);
    let refused = answers.iter().filter(|answer| answer.status == Some(429)).collect::<Vec<_>>();
    let most = load::percentile(refused.iter().copied(), 0.99);
    println!("a full queue: {} of {} refused, p99 {most:.1} ms", refused.len(), answers.len());
}

fn known(server: &Server, bodies: &[Vec<u8>]) {
    let answers = load::closed(&server.address, &bodies[..1], 1, TIME / 3);
    println!("a cached photo: p50 {:.2} ms", load::percentile(captioned(&answers), 0.5));
}
