//! Reading the metadata of an HDF5 file, in safe Rust: any bytes are possible input.
//!
//! Files that libhdf5 wrote for a store carry checksums over all metadata. Those that another tool rewrote may not,
//! so attributes and names have a checksum of their own, and rows have theirs.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum as _;
use common::{Preprocess, View};
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::datatype::{Datatype, StringSize};
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::storage::{Storage, StorageBuffer};
use hdf5_reader::{ByteOrder, Hdf5File, OpenOptions};

use crate::block::{Block, CHECKSUM_BYTES, SOURCE_BYTES, STAMP_BYTES};
use crate::header::{FORMAT, Header, Kind, MERGED_FORMAT, VERSION};
use crate::{Dtype, Error, GridShape, Provenance, Result};

/// Maximum bytes of an object header, and of a read of metadata.
const MAX_METADATA_BYTES: usize = 4 << 20;
/// The bit of a superblock that is set while a tool has the file open for writing.
const OPEN_FOR_WRITING: u32 = 1;

/// A file of version 3.
pub(crate) struct Contents {
    pub(crate) header: Header,
    /// Its rows; for a merged store, the list of its files.
    pub(crate) block: Block,
}

/// Reads the attributes of `file` and finds its datasets.
///
/// # Errors
/// The file is not a store of version 3, is damaged, was left open or was rewritten in chunks.
pub(crate) fn read(file: &Arc<File>, path: &Path) -> Result<Contents> {
    // A panic of the parser is damage of this file, not the end of the program.
    catch_unwind(AssertUnwindSafe(|| Reader::open(file, path)?.contents()))
        .unwrap_or_else(|_| Err(Error::not_a_store(path, "its HDF5 metadata is damaged")))
}

/// The bytes of a file, read by address.
struct Bytes {
    file: Arc<File>,
    length: u64,
}

impl Storage for Bytes {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        if len > MAX_METADATA_BYTES {
            return Err(std::io::Error::other("a part is out of range").into());
        }
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}

/// A dataset that is contiguous.
struct Place {
    at: u64,
    shape: Vec<u64>,
    datatype: Datatype,
}

struct Reader<'a> {
    path: &'a Path,
    file: Hdf5File,
    attributes: Vec<hdf5_reader::Attribute>,
}

impl<'a> Reader<'a> {
    fn open(file: &Arc<File>, path: &'a Path) -> Result<Self> {
        let length = file.metadata().map_err(Error::io(path))?.len();
        let options = OpenOptions::default()
            .with_max_read_bytes(MAX_METADATA_BYTES)
            .with_max_object_header_bytes(MAX_METADATA_BYTES);
        let damaged =
            |error: hdf5_reader::error::Error| Error::not_a_store(path, error.to_string());
        let bytes = Arc::new(Bytes { file: Arc::clone(file), length });
        let file = Hdf5File::from_storage_with_options(bytes, options).map_err(damaged)?;
        if file.superblock().consistency_flags & OPEN_FOR_WRITING != 0 {
            return Err(Error::LeftOpen { path: path.to_path_buf() });
        }
        let attributes = file.root_group().and_then(|root| root.attributes()).map_err(damaged)?;
        Ok(Self { path, file, attributes })
    }

    fn contents(&self) -> Result<Contents> {
        let header = self.header()?;
        let block = match header.kind {
            Kind::Rows => self.rows(&header.provenance)?,
            Kind::Merged => self.texts_at("files")?,
        };
        Ok(Contents { block: Block { names_seed: header.checksum(), ..block }, header })
    }

    fn header(&self) -> Result<Header> {
        let kind = match &*self.text("format")? {
            FORMAT => Kind::Rows,
            MERGED_FORMAT => Kind::Merged,
            other => return Err(self.refuse(format!("its format is `{other}`"))),
        };
        match self.numbers("version")?[..] {
            [VERSION] => {}
            [2] => return Err(self.refuse("its header is missing or damaged")),
            ref other => {
                let found = other.first().copied().unwrap_or_default();
                return Err(Error::Version { path: self.path.to_path_buf(), found });
            }
        }
        let &[height, width, channels] = &self.numbers("grid")?[..] else {
            return Err(self.refuse("`grid` is not three numbers"));
        };
        let grid = GridShape::from([height, width, channels].map(|side| side as usize));
        let dtype = self.text("dtype")?;
        let dtype = Dtype::from_name(&dtype);
        let shard = self.text("shard")?;
        let header = Header {
            kind,
            provenance: Provenance {
                encoder_name: self.text("encoder_name")?,
                encoder_sha256: self.text("encoder_sha256")?,
                preprocess: self.preprocess()?,
                grid,
                dtype: dtype.ok_or_else(|| self.refuse("the type of its values is unknown"))?,
                views: self.views()?,
                created_by: self.text("created_by")?,
            },
            device: self.text("device")?,
            shard: match &*shard {
                "" => None,
                text => Some(text.parse().map_err(|_| self.refuse("its shard is out of range"))?),
            },
            number: self.numbers("number")?.first().copied().unwrap_or_default(),
            first: self.numbers("first")?.first().copied().unwrap_or_default(),
        };
        if header.provenance.is_in_range() {
            Ok(header)
        } else {
            Err(self.refuse("its grid or views are out of range"))
        }
    }

    fn preprocess(&self) -> Result<Preprocess> {
        serde_json::from_str(&self.text("preprocess")?)
            .map_err(|error| self.refuse(format!("attribute `preprocess`: {error}")))
    }

    fn views(&self) -> Result<Vec<View>> {
        let views = self.text("views")?;
        let views = views.split(',').map(|name| View::from_str(name, false));
        let views = views.collect::<Result<_, String>>();
        views.map_err(|error| self.refuse(format!("attribute `views`: {error}")))
    }

    /// The datasets of rows, each of the type and shape in the attributes.
    fn rows(&self, provenance: &Provenance) -> Result<Block> {
        let mut block = self.texts_at("name")?;
        let rows = block.rows as u64;
        let byte = |size| Datatype::FixedPoint {
            size,
            signed: false,
            byte_order: ByteOrder::LittleEndian,
        };
        let address = |name: &str, row: &[usize], datatype: &Datatype| {
            let place = self.place(name)?;
            let row = row.iter().map(|&side| side as u64);
            let fits = place.shape.iter().copied().eq(std::iter::once(rows).chain(row));
            // The order of single bytes has no meaning.
            let same = match (&place.datatype, datatype) {
                (
                    Datatype::FixedPoint { size: 1, signed: false, .. },
                    Datatype::FixedPoint { size: 1, .. },
                ) => true,
                (found, expected) => found == expected,
            };
            if fits && same {
                Ok(place.at)
            } else {
                Err(self.refuse(format!("dataset `{name}` has another shape or type")))
            }
        };
        block.sources = address("source_sha256", &[SOURCE_BYTES], &byte(1))?;
        block.stamps = Some(address("source_stamp", &[STAMP_BYTES / size_of::<u64>()], &byte(8))?);
        block.states = address("state", &[], &byte(1))?;
        block.checksums =
            address("checksum", &[provenance.views.len()], &byte(CHECKSUM_BYTES as u8))?;
        let value = Datatype::FloatingPoint {
            size: provenance.dtype.bytes() as u8,
            byte_order: ByteOrder::LittleEndian,
        };
        let grid = [provenance.grid.cells(), provenance.grid.channels];
        for view in &provenance.views {
            block.grids.push(address(&format!("grids/{view}"), &grid, &value)?);
        }
        block.device = self.text("device")?;
        Ok(block)
    }

    /// A dataset of texts of one length, as the names of a block.
    fn texts_at(&self, name: &str) -> Result<Block> {
        let Place { at, shape, datatype } = self.place(name)?;
        let Datatype::String { size: StringSize::Fixed(bytes), .. } = datatype else {
            return Err(self.refuse(format!("dataset `{name}` is not of texts of one length")));
        };
        let &[rows] = &shape[..] else {
            return Err(self.refuse(format!("dataset `{name}` has another shape")));
        };
        let names_checksum = self.numbers("checksum")?.first().copied().unwrap_or_default() as u32;
        let (rows, name_bytes) = (rows as usize, bytes as usize);
        Ok(Block { rows, name_bytes, names: at, names_checksum, ..Block::default() })
    }

    fn place(&self, name: &str) -> Result<Place> {
        let damaged = |error: hdf5_reader::error::Error| self.refuse(format!("{name}: {error}"));
        let dataset = self.file.dataset(name).map_err(damaged)?;
        let (shape, datatype) = (dataset.shape().to_vec(), dataset.dtype().clone());
        if shape.first() == Some(&0) {
            // Without rows nothing is allocated.
            return Ok(Place { at: 0, shape, datatype });
        }
        let header = self.file.get_or_parse_header(dataset.address()).map_err(damaged)?;
        let mut address = None;
        for message in &header.messages {
            match message {
                HdfMessage::DataLayout(of) => match of.layout {
                    DataLayout::Contiguous { address: at, .. } => address = Some(at),
                    DataLayout::Chunked { .. } => return Err(self.rewritten(name, "in chunks")),
                    DataLayout::Compact { .. } => return Err(self.rewritten(name, "compact")),
                },
                HdfMessage::ExternalFiles(_) => {
                    return Err(self.rewritten(name, "in another file"));
                }
                _ => {}
            }
        }
        let base = self.file.superblock().base_address;
        let at = address.and_then(|address| address.checked_add(base));
        let at = at.ok_or_else(|| self.refuse(format!("dataset `{name}` has no address")))?;
        Ok(Place { at, shape, datatype })
    }

    fn attribute(&self, name: &str) -> Result<&hdf5_reader::Attribute> {
        let found = self.attributes.iter().find(|attribute| attribute.name == name);
        found.ok_or_else(|| self.refuse(format!("without the attribute `{name}`")))
    }

    fn text(&self, name: &str) -> Result<String> {
        let text = self.attribute(name)?.read_string();
        text.map_err(|error| self.refuse(format!("attribute `{name}`: {error}")))
    }

    fn numbers(&self, name: &str) -> Result<Vec<u64>> {
        let numbers = self.attribute(name)?.read_1d::<u64>();
        numbers.map_err(|error| self.refuse(format!("attribute `{name}`: {error}")))
    }

    fn rewritten(&self, dataset: &str, storage: &'static str) -> Error {
        Error::Rewritten { path: self.path.to_path_buf(), dataset: dataset.to_owned(), storage }
    }

    fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::not_a_store(self.path, reason)
    }
}
