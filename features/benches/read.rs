//! Random batches of 32 grids from a store compared with numpy's memmap of the same array, in turn in one run; medians.
//! The time of opening. And a store that is not in memory: all rows in random order, compared with the order in which
//! training reads a large one ahead, blocks of 64 rows in ascending order.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use features::{
    Dtype, Encoded, FeatureStore, GridShape, Origin, Preprocess, Provenance, Stamp, StoreWriter,
    View,
};
use ndarray::Array3;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rustix::fs::{Advice, fadvise};
use tests::figures::{Figure, Goal, RATIO};
use tests::median;

const ROWS: usize = 7000;
const BATCHES: usize = 300;
const ROUNDS: usize = 7;
const COLD_ROUNDS: usize = 3;
/// Neighbouring rows that training reads together.
const BLOCK: usize = 64;
/// Rows that are shuffled together, of these 7,000.
const WINDOW: usize = 2048;

#[expect(clippy::too_many_lines, reason = "one scenario, step by step")]
fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.h5");
    let grid = GridShape { height: 7, width: 7, channels: 2048 };
    let provenance = Provenance {
        encoder_name: "random".to_owned(),
        encoder_sha256: String::new(),
        preprocess: Preprocess::imagenet([224, 224]),
        grid,
        dtype: Dtype::F16,
        views: vec![View::Original],
        created_by: "bench".to_owned(),
    };
    let origin = Origin { created_by: "bench".to_owned(), device: "none".to_owned() };
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut writer = StoreWriter::open(&path, &provenance, origin).unwrap();
    let names = (0..ROWS).map(|row| format!("{row:09}_0123456789.jpg")).collect::<Vec<_>>();
    for row in writer.rows_for(&names).unwrap() {
        let shape = [1, grid.cells(), grid.channels];
        let grids = Array3::from_shape_simple_fn(shape, || random.random_range(0.0..9.0));
        let (source, stamp) = ([0; 32], Stamp::default());
        writer.write(&[Encoded { row, source, stamp, grids: grids.view() }]).unwrap();
    }
    writer.finish().unwrap();

    let mut opening = Vec::new();
    let mut reading = Vec::new();
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let store = FeatureStore::open(&path).unwrap();
        opening.push(start.elapsed().as_secs_f64());
        // Each row is compared with its checksum at the first touch, and only then.
        if round == 0 {
            assert_eq!(store.verify().unwrap(), []);
        }
        let mut grid = vec![0; provenance.grid_bytes()];
        for row in 0..ROWS {
            store.read_bytes(row, 0, &mut grid).unwrap();
            black_box(&grid);
        }
        let rows = (0..BATCHES).map(|_| [(); 32].map(|()| random.random_range(0..ROWS)));
        let rows = rows.collect::<Vec<_>>();
        let start = Instant::now();
        let mut bytes = vec![0; 32 * provenance.grid_bytes()];
        for batch in rows {
            for (row, grid) in
                batch.into_iter().zip(bytes.chunks_exact_mut(provenance.grid_bytes()))
            {
                store.read_bytes(row, 0, grid).unwrap();
            }
            black_box(&bytes);
        }
        reading.push(start.elapsed().as_secs_f64());
    }
    let bytes = std::fs::metadata(&path).unwrap().len();
    let raw = ROWS * provenance.grid_bytes();
    Figure::from_seconds(format!("opening {ROWS} rows"), &opening).report();
    Figure::new("store ÷ its grids, in bytes", RATIO, bytes as f64 / raw as f64)
        .with_goal(Goal::AtMost(1.01))
        .report();
    Figure::new("random batches", "1/s", BATCHES as f64 / median(&reading)).report();
    cold(&path, &mut random);
    let Some(python) = tests::peers() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/peers/memmap.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&path).args([BATCHES.to_string(), ROUNDS.to_string()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let peer = String::from_utf8(output.stdout).unwrap();
    let peer = peer.lines().map(|line| line.parse().unwrap()).collect::<Vec<f64>>();
    Figure::new("random batches ÷ numpy memmap", RATIO, median(&peer) / median(&reading))
        .with_goal(Goal::AtLeast(0.8))
        .report();
}

fn cold(path: &Path, random: &mut ChaCha8Rng) {
    let store = FeatureStore::open(path).unwrap();
    let mut seconds = [vec![], vec![]];
    for _ in 0..COLD_ROUNDS {
        let mut rows = (0..ROWS).collect::<Vec<_>>();
        let mut blocks = rows.chunks(BLOCK).collect::<Vec<_>>();
        blocks.shuffle(random);
        let mut ahead = blocks.concat();
        ahead.chunks_mut(WINDOW).for_each(<[usize]>::sort_unstable);
        rows.shuffle(random);
        for (order, seconds) in [rows, ahead].iter().zip(&mut seconds) {
            fadvise(File::open(path).unwrap(), 0, None, Advice::DontNeed).unwrap();
            let mut grid = vec![0; store.provenance().grid_bytes()];
            let start = Instant::now();
            for &row in order {
                store.read_bytes(row, 0, &mut grid).unwrap();
            }
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let megabytes = (ROWS * store.provenance().grid_bytes()) as f64 / 1e6;
    let speeds = |seconds: &[f64]| seconds.iter().map(|of| megabytes / of).collect::<Vec<_>>();
    let [random, ahead] = seconds;
    Figure::from_rounds("from the disk, at random", "MB/s", &speeds(&random)).report();
    Figure::from_rounds("from the disk, read ahead", "MB/s", &speeds(&ahead)).report();
    Figure::from_quotients("from the disk, read ahead ÷ at random", &random, &ahead).report();
}
