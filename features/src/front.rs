//! The front page: the first bytes of the file, which HDF5 leaves to its users (the *user block*).
//!
//! It holds the description of the store twice. A change is written to one place, then to the other,
//! with the file handed to the disk in between, so that one of them is whole at any moment. Each is
//! a signature, the length and the CRC-32 of what follows, and that as JSON.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::description::{Description, FORMAT, SET_FORMAT, SET_VERSION, Set, VERSION};
use crate::{Error, Result};

/// Where the two descriptions begin.
const PLACES: [u64; 2] = [0, 512 << 10];
/// Bytes of a place: signature, length, checksum and JSON.
const PLACE_BYTES: usize = 500 << 10;
const SIGNATURE: &[u8; 8] = b"\x89SFS\r\n\x1a\n";
/// Stands for the signature while a description is being written.
const BLANK: [u8; 8] = [0; 8];
const HEADER_BYTES: usize = SIGNATURE.len() + 2 * size_of::<u32>();
/// Where the writer leaves its name, and how long that may be.
const HOLDER: u64 = 1020 << 10;
const HOLDER_BYTES: usize = 512;
/// Every HDF5 file without a user block begins so.
const HDF5_SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// What a file with a front page is.
#[derive(Debug, PartialEq)]
pub(crate) enum Page {
    /// Rows lie in it.
    Rows(Description),
    /// Its rows lie in other files.
    Shards(Set),
}

impl Page {
    fn sequence(&self) -> u64 {
        match self {
            Self::Rows(description) => description.sequence,
            // Written once, and then replaced as a whole.
            Self::Shards(_) => 0,
        }
    }
}

/// What the two places say.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) page: Page,
    /// Places that do not hold a whole description (counted from 1).
    pub(crate) damaged: Vec<usize>,
}

/// Reads the front page of `file`. Any bytes at all may be there.
pub(crate) fn read(file: &File, path: &Path) -> Result<Front> {
    let mut found = Vec::new();
    let mut damaged = Vec::new();
    let mut problem = None;
    for (number, at) in (1..).zip(PLACES) {
        match read_place(file, at).map_err(Error::io(path))? {
            Place::Whole(json) => match decode(&json, path) {
                Ok(page) => found.push(page),
                Err(error) => problem = Some(error),
            },
            Place::Blank => {}
            Place::Damaged => damaged.push(number),
        }
    }
    match (found.into_iter().max_by_key(Page::sequence), problem) {
        (_, Some(error)) => Err(error),
        (Some(page), None) => Ok(Front { page, damaged }),
        (None, None) => Err(Error::not_a_store(path, strange(file))),
    }
}

/// What is at a place.
enum Place {
    /// The JSON of a description: signature, length and checksum agree.
    Whole(Vec<u8>),
    /// Nothing yet, or a description whose writer was interrupted: the signature is all zeros.
    Blank,
    /// Neither.
    Damaged,
}

fn read_place(file: &File, at: u64) -> io::Result<Place> {
    let mut header = [0; HEADER_BYTES];
    let read = read_up_to(file, &mut header, at)?;
    if header[..SIGNATURE.len()] == BLANK {
        return Ok(Place::Blank);
    }
    if read < HEADER_BYTES || !header.starts_with(SIGNATURE) {
        return Ok(Place::Damaged);
    }
    let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
    let (length, checksum) = (number(SIGNATURE.len()) as usize, number(SIGNATURE.len() + 4));
    if length > PLACE_BYTES - HEADER_BYTES {
        return Ok(Place::Damaged);
    }
    let mut json = vec![0; length];
    let read = read_up_to(file, &mut json, at + HEADER_BYTES as u64)?;
    let whole = read == length && crc32fast::hash(&json) == checksum;
    Ok(if whole { Place::Whole(json) } else { Place::Damaged })
}

/// Fills `bytes` as far as the file goes.
fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[derive(Deserialize)]
struct FormatAndVersion {
    format: String,
    version: u32,
}

fn decode(json: &[u8], path: &Path) -> Result<Page> {
    let refuse = |error: serde_json::Error| Error::not_a_store(path, error.to_string());
    let FormatAndVersion { format, version } = serde_json::from_slice(json).map_err(refuse)?;
    let other_version = |expected| {
        let path = path.to_path_buf();
        Err(Error::Version { path, found: version, expected })
    };
    let (page, problem) = match (format.as_str(), version) {
        (FORMAT, VERSION) => {
            let description = serde_json::from_slice::<Description>(json).map_err(refuse)?;
            let problem = description.problem();
            (Page::Rows(description), problem)
        }
        (SET_FORMAT, SET_VERSION) => {
            let set = serde_json::from_slice::<Set>(json).map_err(refuse)?;
            let problem = set.problem();
            (Page::Shards(set), problem)
        }
        (FORMAT, _) => return other_version(VERSION),
        (SET_FORMAT, _) => return other_version(SET_VERSION),
        _ => return Err(Error::not_a_store(path, format!("its format is `{format}`"))),
    };
    match problem {
        None => Ok(page),
        Some(problem) => Err(Error::not_a_store(path, problem)),
    }
}

/// What a file without a description seems to be.
fn strange(file: &File) -> &'static str {
    let mut start = [0; HDF5_SIGNATURE.len()];
    match read_up_to(file, &mut start, 0) {
        Ok(0) => "it is empty",
        Ok(_) if start == *HDF5_SIGNATURE => {
            "an HDF5 file without a front page, written by another program or an earlier version"
        }
        _ => "its front page is missing or damaged",
    }
}

/// Writes the description to one place (0 or 1) and hands it to the disk. The signature comes last, so
/// that a description whose writer was killed is not taken for a damaged one.
pub(crate) fn write(
    file: &File,
    place: usize,
    description: &impl Serialize,
    path: &Path,
) -> Result<()> {
    let json = serde_json::to_vec(description).map_err(|error| Error::io(path)(error.into()))?;
    if json.len() > PLACE_BYTES - HEADER_BYTES {
        return Err(Error::Full { path: path.to_path_buf() });
    }
    let at = PLACES[place];
    let mut bytes = BLANK.to_vec();
    bytes.extend((json.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(&json).to_le_bytes());
    bytes.extend(json);
    file.write_all_at(&BLANK, at)
        .and_then(|()| file.write_all_at(&bytes, at))
        .and_then(|()| file.write_all_at(SIGNATURE, at))
        .and_then(|()| file.sync_data())
        .map_err(Error::io(path))
}

/// Leaves the name of the process that writes, for those who come while it does.
pub(crate) fn write_holder(file: &File, holder: &str) -> io::Result<()> {
    let mut bytes = holder.as_bytes().to_vec();
    bytes.resize(HOLDER_BYTES, 0);
    file.write_all_at(&bytes, HOLDER)
}

/// The process that wrote its name last.
pub(crate) fn read_holder(file: &File) -> Option<String> {
    let mut bytes = [0; HOLDER_BYTES];
    let read = read_up_to(file, &mut bytes, HOLDER).ok()?;
    let text = bytes[..read].split(|&byte| byte == 0).next()?;
    let text = String::from_utf8_lossy(text).into_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::description::{Extent, Segment, USER_BLOCK};
    use crate::{Dtype, GridShape, Provenance};

    fn description() -> Description {
        let provenance = Provenance {
            encoder_name: "small.onnx".to_owned(),
            encoder_sha256: "ab".repeat(32),
            preprocess: "{}".to_owned(),
            grid: GridShape { height: 7, width: 7, channels: 3 },
            dtype: Dtype::F16,
            views: vec!["original".to_owned()],
            created_by: "test".to_owned(),
        };
        Description::empty(provenance, None)
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn the_later_of_two_whole_places_counts() {
        let file = file(b"");
        let path = Path::new("store.h5");
        let first = description();
        let second = Description { sequence: 1, ..first.clone() };
        write(&file, 0, &first, path).unwrap();
        assert!(read(&file, path).unwrap().damaged.is_empty());
        write(&file, 1, &second, path).unwrap();
        assert_eq!(read(&file, path).unwrap().page, Page::Rows(second));
        file.write_all_at(b"x", PLACES[1] + 40).unwrap();
        let front = read(&file, path).unwrap();
        assert_eq!((front.page, front.damaged), (Page::Rows(first), vec![2]));
    }

    #[test]
    fn another_version_is_named() {
        let file = file(b"");
        let path = Path::new("store.h5");
        write(&file, 0, &Description { version: 3, ..description() }, path).unwrap();
        assert!(matches!(read(&file, path), Err(Error::Version { found: 3, expected: 2, .. })));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(read(&file(&bytes), Path::new("store.h5")).is_err());
        }

        /// Descriptions of a real layout with other numbers here and there.
        #[test]
        fn changed_descriptions_stay_within_the_file(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), number()), 0..4),
        ) {
            let mut json = serde_json::to_value(laid_out()).unwrap();
            let mut places = Vec::new();
            collect_numbers(&json, String::new(), &mut places);
            for (at, change) in &changes {
                let value = json.pointer_mut(at.get(&places[..]).as_str()).unwrap();
                *value = change.of(value.as_u64().unwrap()).into();
            }
            let read = decode(&serde_json::to_vec(&json).unwrap(), Path::new("store.h5"));
            prop_assert!(read.is_ok() || !changes.is_empty(), "{read:?}");
            if let Ok(Page::Rows(description)) = read {
                prop_assert_eq!(wrong(&description), None);
            }
        }
    }

    /// Another number.
    #[derive(Debug, Clone)]
    enum Change {
        Value(u64),
        Up(u64),
        Down(u64),
    }

    impl Change {
        fn of(&self, number: u64) -> u64 {
            match self {
                Self::Value(value) => *value,
                Self::Up(by) => number.wrapping_add(*by),
                Self::Down(by) => number.wrapping_sub(*by),
            }
        }
    }

    fn number() -> impl Strategy<Value = Change> {
        let step = || prop_oneof![1_u64..9, Just(4096), 1_u64..100_000];
        prop_oneof![
            any::<u64>().prop_map(Change::Value),
            (0_u32..64).prop_map(|bits| Change::Value(1 << bits)),
            step().prop_map(Change::Up),
            step().prop_map(Change::Down),
        ]
    }

    /// Two segments of rows with two views, gaps between their parts, and metadata that waits.
    fn laid_out() -> Description {
        let mut description = description();
        description.provenance.views.push("flip".to_owned());
        let mut free = USER_BLOCK + 4096;
        let mut place = |bytes: usize| {
            let at = free;
            free = (at + bytes as u64).next_multiple_of(4096) + 4096;
            at
        };
        let grid = description.provenance.grid_bytes();
        for rows in [3, 100] {
            let mut segment = Segment { rows, name_bytes: 9, ..Segment::default() };
            let parts = [9, 32, 1, 8, grid, grid];
            segment.set_addresses(&parts.map(|bytes| place(bytes * rows)));
            description.segments.push(segment);
        }
        description.metadata.extents =
            vec![Extent { at: USER_BLOCK, length: 2000 }, Extent { at: place(3000), length: 3000 }];
        (description.length, description.waiting) = (free, Some(free));
        description
    }

    fn collect_numbers(json: &serde_json::Value, path: String, places: &mut Vec<String>) {
        match json {
            serde_json::Value::Number(_) => places.push(path),
            serde_json::Value::Array(values) => {
                let values = values.iter().enumerate();
                values
                    .for_each(|(at, value)| collect_numbers(value, format!("{path}/{at}"), places));
            }
            serde_json::Value::Object(values) => {
                let values = values.iter();
                values
                    .for_each(|(at, value)| collect_numbers(value, format!("{path}/{at}"), places));
            }
            _ => {}
        }
    }

    /// What leads out of the file, into another part, or to more memory than a store may take.
    fn wrong(of: &Description) -> Option<String> {
        let provenance = &of.provenance;
        let grid = provenance.grid;
        let values = [grid.height, grid.width, grid.channels].map(|side| side as u128);
        let grid_bytes = values.iter().product::<u128>() * provenance.dtype.bytes() as u128;
        let mut parts = Vec::new();
        for segment in &of.segments {
            let sizes = [segment.name_bytes as u128, 32, 1, 4 * provenance.views.len() as u128];
            let at = [segment.names, segment.sources, segment.states, segment.checksums];
            let of_grids = segment.grids.iter().map(|&at| (at, grid_bytes));
            let all = at.into_iter().zip(sizes).chain(of_grids);
            parts.extend(all.map(|(at, bytes)| (u128::from(at), bytes * segment.rows as u128)));
            if segment.rows > 0 && segment.name_bytes > 1 << 16 {
                return Some(format!("names of {} bytes", segment.name_bytes));
            }
            if segment.grids.iter().any(|at| at % 4 > 0) {
                return Some("grids that cannot be read in place".to_owned());
            }
        }
        let metadata = of.metadata.extents.iter().map(|of| (of.at.into(), of.length.into()));
        parts.extend(metadata.clone());
        parts.retain(|(_, length)| *length > 0);
        let out =
            parts.iter().find(|(at, length)| *at < 1 << 20 || at + length > u128::from(of.length));
        let overlap = parts.iter().enumerate().find(|(number, (at, length))| {
            parts[..*number]
                .iter()
                .any(|(other, bytes)| at < &(other + bytes) && *other < at + length)
        });
        let metadata = metadata.map(|(_, length): (u128, u128)| length).sum::<u128>();
        match (out, overlap) {
            (Some(part), _) => Some(format!("{part:?} is outside")),
            (_, Some(part)) => Some(format!("{part:?} overlaps")),
            _ if grid_bytes > 1 << 28 => Some(format!("grids of {grid_bytes} bytes")),
            _ if metadata > 1 << 28 => Some(format!("metadata of {metadata} bytes")),
            _ => of.waiting.filter(|at| *at < of.length).map(|at| format!("{at} waits inside")),
        }
    }
}
