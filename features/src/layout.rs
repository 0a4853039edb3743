//! Writing HDF5: the one module that calls libhdf5, always on a scratch file.
//!
//! Metadata are of library version 1.10, which puts a checksum on each part of them. Texts have a fixed length, as no
//! checksum covers those of variable length.

use std::borrow::Cow;
use std::os::unix::fs::FileExt as _;

use half::f16;
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{FixedUnicode, H5Type as _, IntSize, TypeDescriptor};
use hdf5::{Dataset, DatasetBuilderEmpty, File, FileBuilder, Hyperslab, SliceOrIndex};

use crate::block::{Block, SOURCE_BYTES};
use crate::header::Header;
use crate::scratch::Scratch;
use crate::{Dtype, Error, Provenance, Result};

/// Datasets of a page or more begin at a multiple of it.
const ALIGNMENT: u64 = 4096;
/// Metadata are kept together, before the datasets.
const METADATA_BYTES: u64 = 64 << 10;
/// Maximum bytes of a text attribute.
const TEXT_BYTES: usize = 4096;

/// Lays out a row for each name.
///
/// # Errors
/// [`Error::Io`], or [`Error::OutOfRange`] for an attribute that is too long.
pub(crate) fn create(scratch: &Scratch, header: &Header, names: &[String]) -> Result<Block> {
    let name_bytes = longest(names);
    let mut block = Block { rows: names.len(), name_bytes, ..Block::default() };
    let names = padded(names, name_bytes);
    block.device.clone_from(&header.device);
    block.names_seed = header.checksum();
    block.names_checksum = checksum(block.names_seed, &names);
    let addresses = write(scratch, header, block.names_checksum, |file| {
        let layouts = layouts(name_bytes, &header.provenance);
        file.create_group("grids")?;
        layouts.iter().map(|of| allocate(file, of, block.rows)).collect::<hdf5::Result<Vec<_>>>()
    })?;
    if let [names, sources, stamps, states, checksums, grids @ ..] = &addresses[..] {
        (block.names, block.sources, block.stamps) = (*names, *sources, Some(*stamps));
        (block.states, block.checksums) = (*states, *checksums);
        block.grids = grids.to_vec();
    }
    scratch.file().write_all_at(&names, block.names).map_err(Error::io(scratch.path()))?;
    Ok(block)
}

/// Writes a merged store: virtual datasets over those of all `blocks`, one after the other, without their bytes. Each comes
/// with the path of its file as seen from the scratch file; `files` are those with a header of their own.
///
/// # Errors
/// As [`create`].
pub(crate) fn merge(
    scratch: &Scratch,
    header: &Header,
    blocks: &[(String, &Block)],
    files: &[String],
) -> Result<()> {
    let path_bytes = longest(files);
    let listed = padded(files, path_bytes);
    let checksum = checksum(header.checksum(), &listed);
    let address = write(scratch, header, checksum, |file| {
        file.create_group("grids")?;
        let name_bytes = blocks.iter().map(|(_, block)| block.name_bytes).max().unwrap_or(1);
        for of in layouts(name_bytes, &header.provenance) {
            link(file, &of, blocks)?;
        }
        let of = Layout::new("files", TypeDescriptor::FixedUnicode(path_bytes), &[]);
        allocate(file, &of, files.len())
    })?;
    scratch.file().write_all_at(&listed, address).map_err(Error::io(scratch.path()))
}

/// Creates the file with its attributes and has `fill` add datasets.
fn write<T>(
    scratch: &Scratch,
    header: &Header,
    checksum: u32,
    fill: impl FnOnce(&File) -> hdf5::Result<T>,
) -> Result<T> {
    for (name, text) in header.texts() {
        if text.len() > TEXT_BYTES {
            let what = format!("`{name}` is {} bytes long", text.len());
            return Err(Error::OutOfRange { path: scratch.path().to_path_buf(), what });
        }
    }
    let written = || {
        let hdf5 = options().create(scratch.path())?;
        for (name, text) in header.texts() {
            write_text(&hdf5, name, &text)?;
        }
        for (name, values) in header.numbers() {
            match &values[..] {
                [value] => hdf5.new_attr::<u64>().create(name)?.write_scalar(value)?,
                values => hdf5.new_attr::<u64>().shape(values.len()).create(name)?.write(values)?,
            }
        }
        hdf5.new_attr::<u64>().create("checksum")?.write_scalar(&u64::from(checksum))?;
        let filled = fill(&hdf5)?;
        hdf5.close()?;
        Ok(filled)
    };
    written().map_err(|error: hdf5::Error| Error::io(scratch.path())(std::io::Error::other(error)))
}

/// Texts of a length that most have, so that a header stays small.
fn write_text(file: &File, name: &str, text: &str) -> hdf5::Result<()> {
    const SHORT: usize = 256;
    fn write<const N: usize>(file: &File, name: &str, text: &str) -> hdf5::Result<()> {
        let value = text.parse::<FixedUnicode<N>>();
        let value = value.map_err(|error| format!("`{name}`: {error}"))?;
        file.new_attr::<FixedUnicode<N>>().create(name)?.write_scalar(&value)
    }
    if text.len() <= SHORT {
        write::<SHORT>(file, name, text)
    } else {
        write::<TEXT_BYTES>(file, name, text)
    }
}

/// A dataset with an entry for each row.
struct Layout {
    name: Cow<'static, str>,
    value: TypeDescriptor,
    /// Shape of one entry.
    entry: Vec<usize>,
}

impl Layout {
    fn new(name: impl Into<Cow<'static, str>>, value: TypeDescriptor, entry: &[usize]) -> Self {
        Self { name: name.into(), value, entry: entry.to_vec() }
    }

    fn shape(&self, rows: usize) -> Vec<usize> {
        std::iter::once(rows).chain(self.entry.iter().copied()).collect()
    }

    fn builder(&self, file: &File) -> DatasetBuilderEmpty {
        file.new_dataset_builder().empty_as(&self.value)
    }
}

/// All datasets of rows, in the order of their addresses in the file.
fn layouts(name_bytes: usize, provenance: &Provenance) -> Vec<Layout> {
    let byte = TypeDescriptor::Unsigned(IntSize::U1);
    let value = match provenance.dtype {
        Dtype::F16 => f16::type_descriptor(),
        Dtype::F32 => f32::type_descriptor(),
    };
    let grid = [provenance.grid.cells(), provenance.grid.channels];
    let mut layouts = vec![
        Layout::new("name", TypeDescriptor::FixedUnicode(name_bytes), &[]),
        Layout::new("source_sha256", byte.clone(), &[SOURCE_BYTES]),
        Layout::new("source_stamp", u64::type_descriptor(), &[2]),
        Layout::new("state", byte, &[]),
        Layout::new("checksum", u32::type_descriptor(), &[provenance.views.len()]),
    ];
    let grids = provenance.views.iter();
    layouts.extend(grids.map(|view| Layout::new(format!("grids/{view}"), value.clone(), &grid)));
    layouts
}

/// Creates a contiguous dataset, allocated and not written, and returns its address.
fn allocate(file: &File, layout: &Layout, rows: usize) -> hdf5::Result<u64> {
    let builder = layout.builder(file).alloc_time(Some(AllocTime::Early));
    let dataset = builder.fill_time(FillTime::Never).shape(layout.shape(rows));
    let dataset: Dataset = dataset.create(&*layout.name)?;
    match dataset.offset() {
        Some(address) => Ok(address),
        None if rows == 0 => Ok(0),
        None => Err(format!("`{}` is not contiguous", layout.name).into()),
    }
}

/// Creates a virtual dataset over those of all blocks that have it.
fn link(file: &File, layout: &Layout, blocks: &[(String, &Block)]) -> hdf5::Result<()> {
    let rows = blocks.iter().map(|(_, block)| block.rows).sum();
    let shape = layout.shape(rows);
    let mut builder = layout.builder(file);
    let mut start = 0;
    for (path, block) in blocks {
        let rows = SliceOrIndex::from(start..start + block.rows);
        let whole = layout.entry.iter().map(|_| SliceOrIndex::from(..));
        let place = Hyperslab::from(std::iter::once(rows).chain(whole).collect::<Vec<_>>());
        let dataset = format!("/{}{}", block.group, layout.name);
        if block.rows > 0 {
            builder = builder.virtual_map(
                path.replace('%', "%%"),
                dataset,
                layout.shape(block.rows),
                ..,
                &shape,
                place,
            );
        }
        start += block.rows;
    }
    builder.shape(&shape).create(&*layout.name).map(|_| ())
}

fn options() -> FileBuilder {
    let mut builder = FileBuilder::new();
    builder.with_fapl(|plist| {
        plist
            .libver_v110()
            .alignment(ALIGNMENT, ALIGNMENT)
            .meta_block_size(METADATA_BYTES)
            .file_locking(false)
    });
    builder
}

/// Bytes of the longest text, at least 1.
fn longest(texts: &[String]) -> usize {
    texts.iter().map(String::len).max().unwrap_or_default().max(1)
}

/// Texts one after the other, each padded with zeros.
fn padded(texts: &[String], bytes: usize) -> Vec<u8> {
    let mut padded = Vec::with_capacity(texts.len() * bytes);
    for text in texts {
        padded.extend(text.as_bytes());
        padded.resize(padded.len() + bytes - text.len(), 0);
    }
    padded
}

fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}
