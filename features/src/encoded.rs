//! Writing a row.

use std::io;
use std::os::unix::fs::FileExt as _;

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use ndarray::{Array3, ArrayView2, ArrayView3, Axis, s};

use crate::part::{self, Part, Source, Stamp};
use crate::{Dtype, Provenance};

/// An encoded image.
#[derive(Debug)]
pub struct Encoded<'a> {
    /// Its row, of [`crate::StoreWriter::rows_for`].
    pub row: usize,
    /// SHA-256 of the file it was read from.
    pub source: Source,
    /// Stamp of that file.
    pub stamp: Stamp,
    /// Its grids `[views, cells, C]`, in any memory layout.
    pub grids: ArrayView3<'a, f32>,
}

impl<'a> Encoded<'a> {
    /// An image that was read from another store, for row `row`.
    pub(crate) fn from_row(row: usize, read: &'a (Source, Stamp, Array3<f32>)) -> Self {
        let (source, stamp, grids) = read;
        Self { row, source: *source, stamp: *stamp, grids: grids.view() }
    }
}

/// Writes source, stamp, grids and checksums of a row. `bytes` is scratch memory for one grid.
pub(crate) fn write_row(
    part: &Part,
    row: usize,
    encoded: &Encoded,
    provenance: &Provenance,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    let Encoded { source, stamp, grids, .. } = encoded;
    let Provenance { grid, dtype, views, .. } = provenance;
    assert_eq!(grids.dim(), (views.len(), grid.cells(), grid.channels), "grids of another shape");
    part.file.write_all_at(source, part.source_at(row))?;
    if let Some(at) = part.stamp_at(row) {
        part.file.write_all_at(&stamp.to_bytes(), at)?;
    }
    bytes.resize(provenance.grid_bytes(), 0);
    for (view, grid) in grids.outer_iter().enumerate() {
        convert(&grid, *dtype, bytes);
        let checksum = part::checksum(source, bytes).to_le_bytes();
        part.file.write_all_at(bytes, part.grid_at(row, view))?;
        part.file.write_all_at(&checksum, part.checksum_at(row, view))?;
    }
    Ok(())
}

/// Writes a grid `[cells, C]` in the type of the store, little-endian, the cells one after the other. Grids often come
/// as planes, so it is done in blocks of channels that fit into the processor's cache.
fn convert(grid: &ArrayView2<f32>, dtype: Dtype, bytes: &mut [u8]) {
    const BLOCK: usize = 64;
    let channels = grid.len_of(Axis(1));
    let mut values = [0.0; BLOCK];
    for first in (0..channels).step_by(BLOCK) {
        let width = BLOCK.min(channels - first);
        for (cell, all) in grid.outer_iter().enumerate() {
            let values = &mut values[..width];
            let block = all.slice(s![first..first + width]);
            values.iter_mut().zip(block).for_each(|(value, &from)| *value = from);
            let at = (cell * channels + first) * dtype.bytes();
            let bytes = &mut bytes[at..at + width * dtype.bytes()];
            match dtype {
                Dtype::F16 => {
                    let mut halves = [f16::ZERO; BLOCK];
                    halves[..width].convert_from_f32_slice(values);
                    bytes.copy_from_slice(bytemuck::cast_slice(&halves[..width]));
                }
                Dtype::F32 => bytes.copy_from_slice(bytemuck::cast_slice(values)),
            }
        }
    }
}
