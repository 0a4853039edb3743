//! Where everything lies in the file. The one module that speaks to libhdf5.

use std::io;
use std::path::Path;

use half::f16;
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, File, FileBuilder, Group, H5Type, Location};

use crate::{Error, Result};

const FORMAT: &str = "showtell features";
const VERSION: u32 = 1;
const SEGMENTS: &str = "segments";
const DTYPE: &str = "f16";
/// The view every store has: the image as it is.
const ORIGINAL: &str = "original";
/// Everything begins at a multiple of a page, so that grids can be mapped and read in place.
const ALIGNMENT: u64 = 4096;

/// Height, width and channels of a grid. In the store it is a row of `cells() × channels` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridShape {
    /// Cells from top to bottom.
    pub height: usize,
    /// Cells from left to right.
    pub width: usize,
    /// Values in each cell.
    pub channels: usize,
}

impl GridShape {
    /// The number of cells.
    #[must_use]
    pub fn cells(self) -> usize {
        self.height * self.width
    }

    /// The number of values in a grid.
    #[must_use]
    pub fn values(self) -> usize {
        self.cells() * self.channels
    }

    /// The bytes of one grid in the store.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.values() * size_of::<f16>()
    }
}

/// Which encoder made the grids, and from which pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The encoder's file name.
    pub encoder_name: String,
    /// The SHA-256 of the encoder's file.
    pub encoder_sha256: String,
    /// The preprocessing, as JSON.
    pub preprocess: String,
    /// The shape of each grid.
    pub grid: GridShape,
    /// The program and version that laid the store out.
    pub created_by: String,
}

/// One image of the store: its name and the byte addresses of what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) grid: u64,
    pub(crate) checksum: u64,
    pub(crate) state: u64,
}

/// The description of a store.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) provenance: Provenance,
    pub(crate) rows: Vec<Row>,
}

/// Lays out a new store at `path`, with a row for each name and no grid written.
pub(crate) fn create(path: &Path, provenance: &Provenance, names: &[String]) -> hdf5::Result<()> {
    let file = options().create(path)?;
    write_text(&file, "format", FORMAT)?;
    write_number(&file, "version", VERSION)?;
    write_text(&file, "encoder_name", &provenance.encoder_name)?;
    write_text(&file, "encoder_sha256", &provenance.encoder_sha256)?;
    write_text(&file, "preprocess", &provenance.preprocess)?;
    write_text(&file, "dtype", DTYPE)?;
    write_text(&file, "created_by", &provenance.created_by)?;
    let GridShape { height, width, channels } = provenance.grid;
    let grid = [height as u64, width as u64, channels as u64];
    file.new_attr::<u64>().shape(3).create("grid")?.write_raw(&grid)?;
    let segments = file.create_group(SEGMENTS)?;
    create_segment(&segments, 0, provenance.grid, names)?;
    file.close()
}

/// Adds rows for new names to the store at `path`. Old rows keep their addresses.
pub(crate) fn append(path: &Path, grid: GridShape, names: &[String]) -> hdf5::Result<()> {
    let file = options().open_rw(path)?;
    let segments = file.group(SEGMENTS)?;
    create_segment(&segments, segments.len(), grid, names)?;
    file.close()
}

fn create_segment(
    parent: &Group,
    number: u64,
    grid: GridShape,
    names: &[String],
) -> hdf5::Result<()> {
    let segment = parent.create_group(&format!("{number:05}"))?;
    let rows = names.len();
    let names = names.iter().map(|name| text(name)).collect::<hdf5::Result<Vec<_>>>()?;
    segment.new_dataset_builder().with_data(&names).create("name")?;
    let zeroed = |builder: hdf5::DatasetBuilderEmpty| {
        builder.shape(rows).alloc_time(Some(AllocTime::Early)).fill_time(FillTime::Alloc)
    };
    zeroed(segment.new_dataset::<u8>()).create("state")?;
    zeroed(segment.new_dataset::<u32>()).create("checksum")?;
    segment
        .new_dataset::<f16>()
        .shape((rows, grid.cells(), grid.channels))
        .alloc_time(Some(AllocTime::Early))
        .fill_time(FillTime::Never)
        .create(ORIGINAL)?;
    Ok(())
}

/// Reads the description of the store at `path`, without touching a grid.
pub(crate) fn read(path: &Path) -> Result<Layout> {
    let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
    let file = options().open(path).map_err(Error::hdf5(path))?;
    let format = read_text(&file, "format").map_err(Error::hdf5(path))?;
    if format != FORMAT {
        return Err(Error::not_a_store(path, format!("its format is `{format}`")));
    }
    let found = read_number(&file, "version").map_err(Error::hdf5(path))?;
    if found != VERSION {
        return Err(Error::Version { path: path.to_path_buf(), found, expected: VERSION });
    }
    let provenance = read_provenance(&file).map_err(Error::hdf5(path))?;
    let rows = read_segments(&file, provenance.grid).map_err(Error::hdf5(path))?;
    let bytes = provenance.grid.bytes() as u64;
    if let Some(row) = rows.iter().find(|row| row.grid + bytes > length) {
        let problem = format!("it is cut off before the grid of `{}`", row.name);
        return Err(Error::not_a_store(path, problem));
    }
    Ok(Layout { provenance, rows })
}

fn read_provenance(file: &File) -> hdf5::Result<Provenance> {
    let grid = file.attr("grid")?.read_raw::<u64>()?;
    let &[height, width, channels] = grid.as_slice() else {
        return Err("the attribute `grid` is not three numbers".into());
    };
    let dtype = read_text(file, "dtype")?;
    if dtype != DTYPE {
        return Err(format!("its values are `{dtype}`, not `{DTYPE}`").into());
    }
    Ok(Provenance {
        encoder_name: read_text(file, "encoder_name")?,
        encoder_sha256: read_text(file, "encoder_sha256")?,
        preprocess: read_text(file, "preprocess")?,
        grid: GridShape {
            height: height as usize,
            width: width as usize,
            channels: channels as usize,
        },
        created_by: read_text(file, "created_by")?,
    })
}

fn read_segments(file: &File, grid: GridShape) -> hdf5::Result<Vec<Row>> {
    let segments = file.group(SEGMENTS)?;
    let mut rows = Vec::new();
    for number in 0..segments.len() {
        let segment = segments.group(&format!("{number:05}"))?;
        let names = segment.dataset("name")?.read_raw::<VarLenUnicode>()?;
        let count = names.len();
        let states = address::<u8>(&segment, "state", &[count])?;
        let checksums = address::<u32>(&segment, "checksum", &[count])?;
        let shape = [count, grid.cells(), grid.channels];
        let grids = address::<f16>(&segment, ORIGINAL, &shape)?;
        rows.extend((0..).zip(names).map(|(at, name)| Row {
            name: name.as_str().to_owned(),
            grid: grids + at * grid.bytes() as u64,
            checksum: checksums + at * size_of::<u32>() as u64,
            state: states + at,
        }));
    }
    Ok(rows)
}

/// The byte address of a contiguous dataset, after its type and shape are checked.
fn address<T: H5Type>(segment: &Group, name: &str, shape: &[usize]) -> hdf5::Result<u64> {
    let dataset: Dataset = segment.dataset(name)?;
    if dataset.shape() != shape || !dataset.dtype()?.is::<T>() {
        return Err(format!("`{}` has another type or shape", dataset.name()).into());
    }
    dataset.offset().ok_or_else(|| format!("`{}` is not contiguous", dataset.name()).into())
}

/// Files are locked by the writer itself, for as long as it writes; libhdf5 must not add its own.
fn options() -> FileBuilder {
    let mut builder = FileBuilder::new();
    builder.with_fapl(|plist| plist.alignment(1, ALIGNMENT).file_locking(false));
    builder
}

fn text(text: &str) -> hdf5::Result<VarLenUnicode> {
    text.parse().map_err(|error| format!("`{text}`: {error}").into())
}

fn write_text(at: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    at.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&text(value)?)
}

fn write_number(at: &Location, name: &str, value: u32) -> hdf5::Result<()> {
    at.new_attr::<u32>().create(name)?.write_scalar(&value)
}

fn read_text(at: &Location, name: &str) -> hdf5::Result<String> {
    Ok(at.attr(name)?.read_scalar::<VarLenUnicode>()?.as_str().to_owned())
}

fn read_number(at: &Location, name: &str) -> hdf5::Result<u32> {
    at.attr(name)?.read_scalar()
}

/// An error of libhdf5 while laying out a file, as the system's error it usually is.
pub(crate) fn as_io(error: hdf5::Error) -> io::Error {
    io::Error::other(error)
}
