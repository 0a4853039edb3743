//! Small stores.
#![allow(dead_code, reason = "each test uses a part")]

use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use features::{
    Dtype, Encoded, FeatureStore, GridShape, Origin, Preprocess, Provenance, Shard, Source, Stamp,
    StoreWriter, View,
};
use half::f16;
use ndarray::Array3;
use tempfile::TempDir;

pub(crate) const GRID: GridShape = GridShape { height: 2, width: 3, channels: 8 };

pub(crate) fn provenance(views: &[View]) -> Provenance {
    Provenance {
        encoder_name: "small.onnx".to_owned(),
        encoder_sha256: "ab".repeat(32),
        preprocess: Preprocess::imagenet([224, 224]),
        grid: GRID,
        dtype: Dtype::F16,
        views: views.to_vec(),
        created_by: "test".to_owned(),
    }
}

pub(crate) fn origin() -> Origin {
    Origin { created_by: "test".to_owned(), device: "cpu".to_owned() }
}

pub(crate) fn names(range: Range<usize>) -> Vec<String> {
    range.map(|number| format!("ảnh {number}.jpg")).collect()
}

/// The grids of image `number`, one view after the other.
pub(crate) fn grids(number: usize, views: usize) -> Vec<f32> {
    (0..views * GRID.values()).map(|at| (number * 100 + at) as f32 / 7.0).collect()
}

pub(crate) fn rounded(grid: &[f32]) -> Vec<f32> {
    grid.iter().map(|&value| f16::from_f32(value).to_f32()).collect()
}

pub(crate) fn source(number: usize) -> Source {
    std::array::from_fn(|at| (number >> (at % 2 * 8)) as u8)
}

pub(crate) fn stamp(number: usize) -> Stamp {
    Stamp { size: number as u64, modified: 1_700_000_000_000_000_000 + number as u64 }
}

/// Writes images, each with its row and its number, as one batch.
pub(crate) fn write(writer: &mut StoreWriter, images: &[(usize, usize)]) -> features::Result<()> {
    let shape = [writer.provenance().views.len(), GRID.cells(), GRID.channels];
    let grids = images.iter().map(|(_, number)| grids(*number, shape[0]));
    let grids = grids.map(|grids| Array3::from_shape_vec(shape, grids).unwrap());
    let grids = grids.collect::<Vec<_>>();
    let batch = images.iter().zip(&grids).map(|(&(row, number), grids)| Encoded {
        row,
        source: source(number),
        stamp: stamp(number),
        grids: grids.view(),
    });
    writer.write(&batch.collect::<Vec<_>>())
}

/// The source of an image's row, if the row is intact.
pub(crate) fn intact_source(writer: &StoreWriter, image: &str) -> Option<Source> {
    let row = writer.find(image)?;
    writer.is_intact(row).unwrap().then(|| writer.source(row).unwrap())
}

pub(crate) fn store() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("store.h5");
    (folder, path)
}

pub(crate) fn open(path: &Path, provenance: &Provenance) -> StoreWriter {
    StoreWriter::open(path, provenance, origin()).unwrap()
}

/// Encodes those of `names` that the store lacks, in batches of two.
pub(crate) fn fill(path: &Path, provenance: &Provenance, names: &[String]) {
    fill_shard(path, None, provenance, names);
}

/// The same for a shard of a store.
pub(crate) fn fill_shard(
    path: &Path,
    shard: Option<Shard>,
    provenance: &Provenance,
    names: &[String],
) {
    let mut writer = StoreWriter::open_shard(path, shard, provenance, origin()).unwrap();
    let lacking = |name: &&String| intact_source(&writer, name).is_none();
    let new = names.iter().filter(lacking).cloned().collect::<Vec<_>>();
    let rows = writer.rows_for(&new).unwrap();
    let number = |name: &String| name["ảnh ".len()..name.len() - 4].parse::<usize>().unwrap();
    let batch = rows.iter().zip(&new).map(|(&row, name)| (row, number(name)));
    for batch in batch.collect::<Vec<_>>().chunks(2) {
        write(&mut writer, batch).unwrap();
    }
    writer.finish().unwrap();
}

pub(crate) fn values(store: &FeatureStore, row: usize, view: usize) -> Vec<f32> {
    store.read(row, view).unwrap().into_raw_vec_and_offset().0
}

/// The bytes of a grid.
pub(crate) fn bytes(store: &FeatureStore, row: usize, view: usize) -> features::Result<Vec<u8>> {
    let mut bytes = vec![0; store.provenance().grid_bytes()];
    store.read_bytes(row, view, &mut bytes)?;
    Ok(bytes)
}

/// Compares rows from `first` on with what libhdf5 reads from `file`, and gives their number.
pub(crate) fn compare_with_hdf5(store: &FeatureStore, file: &hdf5::File, first: usize) -> usize {
    let views = &store.provenance().views;
    let states = file.dataset("state").unwrap().read_raw::<u8>().unwrap();
    let sources = file.dataset("source_sha256").unwrap().read_raw::<u8>().unwrap();
    let stamps = file.dataset("source_stamp").unwrap().read_raw::<u64>().unwrap();
    let checksums = file.dataset("checksum").unwrap().read_raw::<u32>().unwrap();
    let names = file.dataset("name").unwrap();
    let names = names.read_raw::<hdf5::types::FixedUnicode<12>>().unwrap();
    for (at, state) in states.iter().enumerate() {
        let row = first + at;
        assert_eq!((names[at].as_str(), *state), (store.name(row), b'C'));
        let stamp = Stamp { size: stamps[2 * at], modified: stamps[2 * at + 1] };
        assert_eq!(stamp, store.stamp(row).unwrap());
        for (view, name) in views.iter().enumerate() {
            let grids = file.dataset(&format!("grids/{name}")).unwrap();
            let grids = grids.read_raw::<f16>().unwrap();
            let grid = &grids[at * GRID.values()..(at + 1) * GRID.values()];
            let expected = grid.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
            assert_eq!(bytes(store, row, view).unwrap(), expected);
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&sources[at * 32..(at + 1) * 32]);
            hasher.update(&expected);
            assert_eq!(hasher.finalize(), checksums[at * views.len() + view]);
        }
    }
    states.len()
}

/// A store of version 2: images 0 to 4, in two segments, of the views `original` and `flip`.
pub(crate) fn version2() -> Vec<u8> {
    unpacked(include_bytes!("../stores/version2.h5.gz"))
}

/// A merged store of version 2.
pub(crate) fn merged2() -> Vec<u8> {
    unpacked(include_bytes!("../stores/merged2.h5.gz"))
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut unpacked).unwrap();
    unpacked
}

/// Another tool that writes a store again.
pub(crate) struct Rewrite {
    pub(crate) name: &'static str,
    /// Options of `h5repack`; if there are none, [`COPY`] by h5py.
    options: Option<&'static [&'static str]>,
    /// `libver` of h5py.
    libver: &'static str,
}

pub(crate) const REWRITES: [Rewrite; 4] = [
    Rewrite { name: "h5repack", options: Some(&[]), libver: "" },
    Rewrite { name: "h5repack-latest", options: Some(&["--low=2", "--high=2"]), libver: "" },
    Rewrite { name: "h5py", options: None, libver: "earliest" },
    Rewrite { name: "h5py-latest", options: None, libver: "v110" },
];

/// Copies a file by h5py, whose texts have a variable length.
const COPY: &str = "
import sys, h5py
def copy(old, new):
    for name, value in old.attrs.items():
        new.attrs[name] = value.decode() if isinstance(value, bytes) else value
    for name, item in old.items():
        if isinstance(item, h5py.Group):
            copy(item, new.create_group(name))
        else:
            new.create_dataset(name, data=item[()], dtype=item.dtype)
with h5py.File(sys.argv[1]) as old, h5py.File(sys.argv[2], 'w', libver=sys.argv[3]) as new:
    copy(old, new)
";

impl Rewrite {
    /// Writes the store at `from` to `to`; false where the tool is missing and the test is skipped.
    pub(crate) fn run(&self, from: &Path, to: &Path) -> bool {
        let (tool, arguments, libver) = match self.options {
            Some(options) => (tests::hdf5_tool("h5repack"), options, None),
            None => (tests::python(), &["-c", COPY][..], Some(self.libver)),
        };
        let Some(tool) = tool else { return false };
        let mut command = Command::new(tool);
        let output = command.args(arguments).args([from, to]).args(libver).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        true
    }
}
