//! How the store looks to HDF5. The one module that speaks to libhdf5, which only ever sees a
//! scratch file.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use half::f16;
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{H5Type as _, IntSize, TypeDescriptor, VarLenUnicode};
use hdf5::{
    Dataset, DatasetBuilderEmpty, File, FileBuilder, Group, Hyperslab, Location, SliceOrIndex,
};

use crate::description::{Description, FORMAT, SOURCE_BYTES, Segment, USER_BLOCK, VERSION};
use crate::{Dtype, Provenance};

const SEGMENTS: &str = "segments";
/// Everything begins at a multiple of a page, so that other programs can map rows.
const ALIGNMENT: u64 = 4096;

/// Lays out one more segment in the file at `scratch`, which holds the metadata of a store (or is
/// empty). Fills in the addresses of `segment`.
pub(crate) fn add_segment(
    scratch: &Path,
    description: &Description,
    segment: &mut Segment,
) -> hdf5::Result<()> {
    let provenance = &description.provenance;
    let file = if description.segments.is_empty() {
        let file = create(scratch, provenance)?;
        if let Some(shard) = description.shard {
            write_text(&file, "shard", &shard.to_string())?;
        }
        file
    } else {
        options().open_rw(scratch)?
    };
    let group = create_segment(&file, description.segments.len(), segment)?;
    let mut addresses = Vec::new();
    for of in datasets(segment.name_bytes, provenance) {
        let dataset = allocated(of.builder(&group)).shape(of.shape(segment.rows));
        addresses.push(address(&dataset.create(&*of.name)?)?);
    }
    segment.set_addresses(&addresses);
    file.close()
}

/// Writes a file at `scratch` whose datasets are those of all shards, one after the other, without their bytes:
/// virtual datasets. `names` says how each shard is called from there.
pub(crate) fn link_shards(
    scratch: &Path,
    provenance: &Provenance,
    device: &str,
    shards: &[&Description],
    names: &[PathBuf],
) -> hdf5::Result<()> {
    let file = create(scratch, provenance)?;
    let mut sources = Vec::new();
    for (shard, name) in shards.iter().zip(names) {
        let name = name.to_str().ok_or_else(|| format!("{}: not UTF-8", name.display()))?;
        for (number, segment) in shard.segments.iter().enumerate() {
            sources.push((name, number, segment));
        }
    }
    let segments = || sources.iter().map(|(_, _, segment)| segment);
    let all = Segment {
        rows: segments().map(|segment| segment.rows).sum(),
        name_bytes: segments().map(|segment| segment.name_bytes).max().unwrap_or(1),
        created_by: provenance.created_by.clone(),
        device: device.to_owned(),
        ..Segment::default()
    };
    let group = create_segment(&file, 0, &all)?;
    for of in datasets(all.name_bytes, provenance) {
        let shape = of.shape(all.rows);
        let mut builder = of.builder(&group);
        let mut start = 0;
        for (name, number, segment) in &sources {
            let rows = SliceOrIndex::from(start..start + segment.rows);
            let whole = of.sides.iter().map(|_| SliceOrIndex::from(..));
            let place = Hyperslab::from(std::iter::once(rows).chain(whole).collect::<Vec<_>>());
            let path = format!("/{SEGMENTS}/{number:05}/{}", of.name);
            builder = builder.virtual_map(name, path, of.shape(segment.rows), .., &shape, place);
            start += segment.rows;
        }
        builder.shape(&shape).create(&*of.name)?;
    }
    file.close()
}

/// A dataset of a segment.
struct Layout {
    name: Cow<'static, str>,
    value: TypeDescriptor,
    /// The sides of one row.
    sides: Vec<usize>,
}

impl Layout {
    fn new(name: impl Into<Cow<'static, str>>, value: TypeDescriptor, sides: &[usize]) -> Self {
        Self { name: name.into(), value, sides: sides.to_vec() }
    }

    fn shape(&self, rows: usize) -> Vec<usize> {
        std::iter::once(rows).chain(self.sides.iter().copied()).collect()
    }

    fn builder(&self, group: &Group) -> DatasetBuilderEmpty {
        group.new_dataset_builder().empty_as(&self.value)
    }
}

/// All datasets of a segment, in the order of [`Segment::set_addresses`].
fn datasets(name_bytes: usize, provenance: &Provenance) -> Vec<Layout> {
    let byte = TypeDescriptor::Unsigned(IntSize::U1);
    let value = match provenance.dtype {
        Dtype::F16 => f16::type_descriptor(),
        Dtype::F32 => f32::type_descriptor(),
    };
    let grid = [provenance.grid.cells(), provenance.grid.channels];
    let mut datasets = vec![
        Layout::new("name", TypeDescriptor::FixedUnicode(name_bytes), &[]),
        Layout::new("source_sha256", byte.clone(), &[SOURCE_BYTES]),
        Layout::new("state", byte, &[]),
        Layout::new("checksum", u32::type_descriptor(), &[provenance.views.len()]),
    ];
    let grids = provenance.views.iter();
    datasets.extend(grids.map(|view| Layout::new(format!("grids/{view}"), value.clone(), &grid)));
    datasets
}

/// The group of a segment, with a group for its grids.
fn create_segment(file: &File, number: usize, segment: &Segment) -> hdf5::Result<Group> {
    let group = file.group(SEGMENTS)?.create_group(&format!("{number:05}"))?;
    write_text(&group, "created_by", &segment.created_by)?;
    write_text(&group, "device", &segment.device)?;
    group.create_group("grids")?;
    Ok(group)
}

fn create(path: &Path, provenance: &Provenance) -> hdf5::Result<File> {
    let file = options().with_fcpl(|plist| plist.userblock(USER_BLOCK)).create(path)?;
    write_text(&file, "format", FORMAT)?;
    file.new_attr::<u32>().create("version")?.write_scalar(&VERSION)?;
    write_text(&file, "encoder_name", &provenance.encoder_name)?;
    write_text(&file, "encoder_sha256", &provenance.encoder_sha256)?;
    write_text(&file, "preprocess", &provenance.preprocess)?;
    write_text(&file, "dtype", provenance.dtype.name())?;
    write_text(&file, "views", &provenance.views.join(","))?;
    write_text(&file, "created_by", &provenance.created_by)?;
    let grid = provenance.grid;
    let grid = [grid.height, grid.width, grid.channels].map(|side| side as u64);
    file.new_attr::<u64>().shape(3).create("grid")?.write_raw(&grid)?;
    file.create_group(SEGMENTS)?;
    Ok(file)
}

/// Contiguous, with its place in the file, and nothing written there.
fn allocated(builder: DatasetBuilderEmpty) -> DatasetBuilderEmpty {
    builder.alloc_time(Some(AllocTime::Early)).fill_time(FillTime::Never)
}

fn address(dataset: &Dataset) -> hdf5::Result<u64> {
    dataset.offset().ok_or_else(|| format!("`{}` is not contiguous", dataset.name()).into())
}

fn options() -> FileBuilder {
    let mut builder = FileBuilder::new();
    builder.with_fapl(|plist| plist.alignment(1, ALIGNMENT).file_locking(false));
    builder
}

fn write_text(at: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    let value = value.parse::<VarLenUnicode>().map_err(|error| format!("`{value}`: {error}"))?;
    at.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&value)
}
