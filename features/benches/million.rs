//! A store of a million rows (tiny grids, realistic names and hashes), in one file and in shards: the time of opening
//! and merging, the memory of a process that opened it, and random reads of shards compared with those of one file, in
//! turn in one run; medians.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use features::{
    Dtype, Encoded, FeatureStore, GridShape, Origin, Preprocess, Provenance, Shard, Stamp,
    StoreWriter, View, merge, shards_of,
};
use ndarray::{Array3, Axis};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tests::figures::Figure;
use tests::{median, memory_mib};

const ROWS: usize = 1_000_000;
const SHARDS: u32 = 64;
const READS: usize = 300_000;
const ROUNDS: usize = 7;
const GRID: GridShape = GridShape { height: 1, width: 1, channels: 32 };
/// Names the store that a process of its own opens.
const OPEN: &str = "SHOWTELL_BENCH_OPEN";

fn main() {
    if let Some(path) = std::env::var_os(OPEN) {
        return open_alone(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let [single, sharded] = ["single.h5", "sharded.h5"].map(|name| folder.path().join(name));
    let names = (0..ROWS).map(|row| format!("{row:09}_0123456789.jpg")).collect::<Vec<_>>();
    fill(&single, None, &names);
    for index in 0..SHARDS {
        let shard = Shard::new(index, SHARDS).unwrap();
        let held = names.iter().filter(|name| shard.holds(name)).cloned().collect::<Vec<_>>();
        fill(&shard.path(&sharded), Some(shard), &held);
    }
    let shards = shards_of(&sharded).unwrap();
    let merging = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        merge(&sharded, &shards, "bench").unwrap();
        start.elapsed().as_secs_f64()
    });
    let name = format!("merging {SHARDS} shards of {ROWS} rows");
    Figure::from_seconds(name, &merging.collect::<Vec<_>>()).report();
    for path in [&single, &sharded] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.env(OPEN, path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        print!("{}: {}", file_name(path), String::from_utf8(output.stdout).unwrap());
    }

    let stores = [&single, &sharded].map(|path| FeatureStore::open(path).unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut seconds = [vec![], vec![]];
    // The first round compares grids with their checksums.
    for round in 0..=ROUNDS {
        let rows = (0..READS).map(|_| random.random_range(0..ROWS)).collect::<Vec<_>>();
        for (store, seconds) in stores.iter().zip(&mut seconds) {
            let took = read(store, &rows);
            if round > 0 {
                seconds.push(took);
            }
        }
    }
    let [single, sharded] = seconds;
    Figure::from_quotients("random reads of shards ÷ of one file, in time", &sharded, &single)
        .report();
}

/// The time and the memory of opening, in a process that did nothing else.
fn open_alone(path: &Path) {
    let mut opening = Vec::new();
    let before = memory();
    let mut held = 0.0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let store = FeatureStore::open(path).unwrap();
        opening.push(start.elapsed().as_secs_f64());
        held = memory();
        assert_eq!(black_box(store).complete(), ROWS);
    }
    let opening = 1000.0 * median(&opening);
    let peak = memory_mib("self", "VmHWM");
    println!(
        "opened in {opening:.0} ms; {:.0} MiB more are held, at most {:.0}",
        held - before,
        peak - before
    );
}

fn memory() -> f64 {
    memory_mib("self", "VmRSS")
}

fn file_name(path: &Path) -> std::path::Display<'_> {
    Path::new(path.file_name().unwrap()).display()
}

fn read(store: &FeatureStore, rows: &[usize]) -> f64 {
    let mut grid = vec![0; store.provenance().grid_bytes()];
    let start = Instant::now();
    for &row in rows {
        store.read_bytes(row, 0, &mut grid).unwrap();
        black_box(&grid);
    }
    start.elapsed().as_secs_f64()
}

fn fill(path: &Path, shard: Option<Shard>, names: &[String]) {
    let provenance = Provenance {
        encoder_name: "random".to_owned(),
        encoder_sha256: String::new(),
        preprocess: Preprocess::imagenet([224, 224]),
        grid: GRID,
        dtype: Dtype::F16,
        views: vec![View::Original],
        created_by: "bench".to_owned(),
    };
    let origin = Origin { created_by: "bench".to_owned(), device: "none".to_owned() };
    let mut random = ChaCha8Rng::seed_from_u64(names.len() as u64);
    let mut writer = StoreWriter::open_shard(path, shard, &provenance, origin).unwrap();
    let rows = writer.rows_for(names).unwrap();
    for rows in rows.chunks(10_000) {
        let shape = [rows.len(), GRID.cells(), GRID.channels];
        let grids = Array3::from_shape_simple_fn(shape, || random.random_range(0.0..9.0));
        let batch = rows.iter().zip(grids.outer_iter()).map(|(&row, grid)| {
            let mut source = [0; 32];
            random.fill_bytes(&mut source);
            let grids = grid.insert_axis(Axis(0));
            Encoded { row, source, stamp: Stamp::default(), grids }
        });
        writer.write(&batch.collect::<Vec<_>>()).unwrap();
    }
    writer.finish().unwrap();
}
