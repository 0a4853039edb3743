//! How the store looks to HDF5. The one module that speaks to libhdf5, which only ever sees a
//! scratch file.

use std::path::Path;

use half::f16;
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{TypeDescriptor, VarLenUnicode};
use hdf5::{Dataset, DatasetBuilderEmpty, File, FileBuilder, Group, Location};

use crate::description::{Description, FORMAT, SOURCE_BYTES, Segment, USER_BLOCK, VERSION};
use crate::{Dtype, Provenance};

const SEGMENTS: &str = "segments";
/// Everything begins at a multiple of a page, so that rows can be mapped and read in place.
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
        create(scratch, provenance)?
    } else {
        options().open_rw(scratch)?
    };
    let name = format!("{:05}", description.segments.len());
    let group = file.group(SEGMENTS)?.create_group(&name)?;
    write_text(&group, "created_by", &segment.created_by)?;
    write_text(&group, "device", &segment.device)?;

    let rows = segment.rows;
    let name_type = TypeDescriptor::FixedUnicode(segment.name_bytes);
    let names = group.new_dataset_builder().empty_as(&name_type);
    segment.names = address(&allocated(names).shape(rows).create("name")?)?;
    let bytes = || allocated(group.new_dataset::<u8>());
    segment.sources = address(&bytes().shape((rows, SOURCE_BYTES)).create("source_sha256")?)?;
    segment.states = address(&bytes().shape(rows).create("state")?)?;
    let views = provenance.views.len();
    let checksums = allocated(group.new_dataset::<u32>());
    segment.checksums = address(&checksums.shape((rows, views)).create("checksum")?)?;
    let grids = group.create_group("grids")?;
    segment.grids = provenance
        .views
        .iter()
        .map(|view| address(&create_grids(&grids, view, rows, provenance)?))
        .collect::<hdf5::Result<_>>()?;
    file.close()
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

fn create_grids(
    group: &Group,
    view: &str,
    rows: usize,
    provenance: &Provenance,
) -> hdf5::Result<Dataset> {
    let builder = match provenance.dtype {
        Dtype::F16 => group.new_dataset::<f16>(),
        Dtype::F32 => group.new_dataset::<f32>(),
    };
    let shape = (rows, provenance.grid.cells(), provenance.grid.channels);
    allocated(builder).shape(shape).create(view)
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
