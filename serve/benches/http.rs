//! The server compared with its own encoder alone, and with the server of tutorials, in Flask and `PyTorch`. Uses real
//! photos (see CONTRIBUTING.md) and the bundled model, or the trained one that `SHOWTELL_TEST_MODEL` names, with its encoder at
//! `SHOWTELL_TEST_ENCODER` if it is elsewhere. The clients run on the same cores. Both models with one view, beam 4 and no
//! neighbours, as other captioners work.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use models::encoder::EncoderOptions;
use models::preprocess::apply;
use models::{Encoder, Limits, Manifest, decode};
use ndarray::{Array4, Axis, concatenate};
use tests::figures::{Figure, Goal, RATIO};
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

/// Flags of a server that captions as others do: one run of the encoder per photo, and the search.
const PLAIN: [&str; 7] = ["--cache", "0", "--views", "original", "--no-neighbours", "--beam", "4"];

fn main() {
    let Some(folder) = tests::shared("photos") else { return };
    let Some((model, encoder)) = tests::captioner() else { return };
    let manifest = Manifest::load(&model).unwrap();
    let path = manifest.find_encoder(&model, encoder.as_deref()).unwrap();
    let files = tests::files_in(&folder);
    let bodies = files.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let serve = |flags: &[&str]| start(&model, &path, flags);

    plain(&serve(&PLAIN), &bodies, &mut Alone::open(&path, &files));
    let is_other = |bundled: &Path| bundled.canonicalize().ok() != model.canonicalize().ok();
    let bundled = std::env::var_os("SHOWTELL_TEST_MODEL").and_then(|_| tests::bundled_model());
    if let Some((bundled, own)) = bundled.filter(|(bundled, _)| is_other(bundled)) {
        plain(&start(&bundled, &own, &PLAIN), &bodies, &mut Alone::open(&own, &files));
    }
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

/// One client, then many, each after the encoder alone.
struct Rounds {
    /// Seconds of one run of the encoder, and of one client's request.
    runs: Vec<f64>,
    requests: Vec<f64>,
    /// Photos per second of the encoder in batches, and of many clients.
    batches: Vec<f64>,
    many: Vec<f64>,
}

impl Rounds {
    fn new() -> Self {
        Self { runs: vec![], requests: vec![], batches: vec![], many: vec![] }
    }

    fn add(&mut self, server: &Server, bodies: &[Vec<u8>], alone: &mut Alone) {
        self.runs.push(alone.one());
        let answers = load::closed(&server.address, bodies, 1, TIME / 2);
        self.requests.push(load::percentile(captioned(&answers), 0.5) / 1000.0);
        self.batches.push(alone.rate());
        self.many.push(rate(server, bodies));
    }

    fn report(&self, of: &str, goal: Option<Goal>) {
        Figure::from_seconds(format!("{of}: one run of the encoder"), &self.runs).report();
        Figure::from_seconds(format!("{of}: one client, p50"), &self.requests).report();
        let name = format!("{of}: one client, p50 ÷ one run of the encoder");
        Figure::from_quotients(name, &self.requests, &self.runs).with_goal(goal).report();
        let clients = format!("{of}: {CLIENTS} clients");
        Figure::from_rounds(&clients, "photos/s", &self.many).report();
        let name = format!("{clients}, photos/s ÷ the encoder alone in batches of {BATCH}");
        Figure::from_quotients(name, &self.many, &self.batches).report();
    }
}

/// With one view, beam 4 and no neighbours.
fn plain(server: &Server, bodies: &[Vec<u8>], alone: &mut Alone) {
    let mut rounds = Rounds::new();
    for _ in 0..ROUNDS {
        rounds.add(server, bodies, alone);
    }
    let encoder = alone.encoder.name();
    let goal = match encoder.as_str() {
        "efficientnet-lite2.onnx" => Some(Goal::AtMost(2.0)),
        name if name.starts_with("resnet50") && !name.contains("int8") => Some(Goal::AtMost(1.2)),
        _ => None,
    };
    rounds.report(&format!("{encoder}, one view, beam 4"), goal);
}

/// As the model captions, beside the same load on the peer; returns the photos per second of many clients.
fn speed(server: &Server, bodies: &[Vec<u8>], alone: &mut Alone) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let peer = flask(folder.path());
    let (mut rounds, mut peers) = (Rounds::new(), vec![]);
    for _ in 0..ROUNDS {
        rounds.add(server, bodies, alone);
        peers.extend(peer.as_ref().map(|peer| rate(peer, bodies)));
    }
    rounds.report(&format!("{}, as the model captions", alone.encoder.name()), None);
    if !peers.is_empty() {
        let name = format!("{CLIENTS} clients, photos/s ÷ Flask and PyTorch");
        Figure::from_quotients(name, &rounds.many, &peers).report();
    }
    Figure::new("resident memory afterwards", "MiB", server.resident_mib()).report();
    tests::median(&rounds.many)
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
    Figure::from_rounds("70 % of the maximum, p99 ÷ p50", RATIO, &ratios).report();
}

fn full_queue(server: &Server, bodies: &[Vec<u8>]) {
    let answers = load::closed(&server.address, bodies, 16, TIME);
    let refused = answers.iter().filter(|answer| answer.status == Some(429)).collect::<Vec<_>>();
    let most = load::percentile(refused.iter().copied(), 0.99);
    println!("a full queue: {} of {} refused", refused.len(), answers.len());
    Figure::new("response of a full queue, p99", "ms", most).report();
}

fn known(server: &Server, bodies: &[Vec<u8>]) {
    let answers = load::closed(&server.address, &bodies[..1], 1, TIME / 3);
    let half = load::percentile(captioned(&answers), 0.5);
    Figure::new("a cached photo, p50", "ms", half).report();
}
