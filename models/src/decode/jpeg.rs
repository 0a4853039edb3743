//! The segments of a JPEG: the memory that decoding needs, and a check for missing pixels.

pub(super) const START_OF_SCAN: u8 = 0xDA;
pub(super) const RESTART_INTERVAL: u8 = 0xDD;
/// The end marker of an image.
pub(super) const END: [u8; 2] = [0xFF, 0xD9];
/// The frame of a JPEG, up to its first scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Width in pixels.
    pub(super) width: u64,
    /// Height in pixels.
    pub(super) height: u64,
    /// Whether its pixels come in scans that refine each other.
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// Components in the first scan.
    in_first_scan: usize,
    /// Offset of the data of the first scan.
    data: usize,
}

/// A component of a frame: its name and its horizontal and vertical sampling factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) name: u8,
    across: u64,
    down: u64,
}

/// The header of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    /// The names of components and their code tables.
    pub(super) parts: Vec<(u8, u8)>,
    /// The first and the last coefficient of each block.
    pub(super) coefficients: [usize; 2],
    /// Whether earlier scans hold higher bits of these coefficients.
    pub(super) refines: bool,
    /// Number of low bits of each coefficient that later scans hold.
    to_come: u8,
}

impl Component {
    /// Blocks in a unit of a scan of several components.
    pub(super) fn blocks(&self) -> u64 {
        self.across * self.down
    }
}

impl Frame {
    /// Reads the segments up to the data of the first scan. Stray bytes between segments and fill bytes are skipped, as in
    /// decoders. `None` if there is no scan.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut frame = None::<Self>;
        let mut at = 2;
        loop {
            let (marker, segment, next) = segment(bytes, at)?;
            at = next;
            match marker {
                0xC0..=0xC2 => {
                    let progressive =
                        marker == 0xC2 || frame.is_some_and(|frame| frame.progressive);
                    frame = Some(Self::from_segment(segment, progressive)?);
                }
                START_OF_SCAN => {
                    let in_first_scan = Scan::from_segment(segment)?.parts.len();
                    return Some(Self { in_first_scan, data: at, ..frame? });
                }
                _ => (),
            }
        }
    }

    fn from_segment(segment: &[u8], progressive: bool) -> Option<Self> {
        let components = segment.get(6..)?.chunks_exact(3).map(|part| Component {
            name: part[0],
            across: u64::from(part[1] >> 4).max(1),
            down: u64::from(part[1] & 15).max(1),
        });
        Some(Self {
            width: number(segment, 3)?,
            height: number(segment, 1)?,
            progressive,
            components: components.collect(),
            in_first_scan: 0,
            data: 0,
        })
    }

    /// The largest horizontal and vertical sampling factors.
    fn sampled(&self) -> [u64; 2] {
        let across = self.components.iter().map(|component| component.across).max();
        let down = self.components.iter().map(|component| component.down).max();
        [across.unwrap_or(1), down.unwrap_or(1)]
    }

    /// Maximum bytes that the decoder holds in addition to the decoded pixels: a few rows of each component, and all coefficients
    /// of a progressive image.
    pub(super) fn overhead(&self) -> u64 {
        let [across, down] = self.sampled();
        let width = self.width.next_multiple_of(8 * across);
        let height = self.height.next_multiple_of(8 * down);
        let samples = self.components.iter().map(|part| part.across * part.down).sum::<u64>();
        let several = self.progressive || self.in_first_scan < self.components.len();
        let coefficients = 2 * width * height * samples / (across * down);
        96 * width * samples.max(4) + if several { coefficients } else { 0 }
    }

    /// Whether an end marker follows the data of the first scan.
    pub(super) fn ends(&self, bytes: &[u8]) -> bool {
        bytes[self.data.min(bytes.len())..].windows(2).rev().any(|pair| pair == END)
    }

    /// Whether the scans hold every bit of every coefficient of every component.
    pub(super) fn is_complete(&self, scans: &[Scan]) -> bool {
        self.components.iter().all(|component| {
            let is_of_it = |scan: &&Scan| scan.parts.iter().any(|part| part.0 == component.name);
            let mut of_it = scans.iter().filter(is_of_it);
            if !self.progressive {
                return of_it.next().is_some();
            }
            let mut to_come = [u8::MAX; 64];
            for Scan { coefficients: [first, last], to_come: left, .. } in of_it {
                if let Some(part) = to_come.get_mut(*first..=*last) {
                    part.fill(*left);
                }
            }
            to_come.iter().all(|left| *left == 0)
        })
    }

    /// The blocks of all components.
    pub(super) fn blocks(&self) -> u64 {
        let [across, down] = self.sampled();
        let units = self.width.div_ceil(8 * across) * self.height.div_ceil(8 * down);
        units * self.components.iter().map(Component::blocks).sum::<u64>()
    }

    /// Number of units of a scan: blocks of a single component, or groups of blocks of several.
    pub(super) fn units(&self, scan: &Scan) -> u64 {
        let [across, down] = self.sampled();
        let alone = match scan.parts.as_slice() {
            [(name, _)] => self.components.iter().find(|component| component.name == *name),
            _ => None,
        };
        let [columns, rows] = match alone {
            Some(part) => [part.across, part.down],
            None => [1, 1],
        };
        (self.width * columns).div_ceil(8 * across) * (self.height * rows).div_ceil(8 * down)
    }
}

impl Scan {
    pub(super) fn from_segment(segment: &[u8]) -> Option<Self> {
        let (&count, rest) = segment.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits, ..] = rest else { return None };
        Some(Self {
            parts: parts.chunks_exact(2).map(|part| (part[0], part[1])).collect(),
            coefficients: [first.into(), last.into()],
            refines: bits >> 4 > 0,
            to_come: bits & 15,
        })
    }
}

/// The next marker from `at` on that has a segment, the segment, and the offset of its end.
pub(super) fn segment(bytes: &[u8], mut at: usize) -> Option<(u8, &[u8], usize)> {
    loop {
        at += next_marker(bytes.get(at..)?)?;
        let marker = *bytes.get(at + 1)?;
        at += 2;
        // Restarts and the start of an image have no segment.
        if !matches!(marker, 0x01 | 0xD0..=0xD8) {
            let length = number(bytes, at)?.max(2) as usize;
            return Some((marker, bytes.get(at + 2..at + length)?, at + length));
        }
    }
}

/// Offset of the next marker: a byte 0xFF, and one that is neither a stuffed zero nor a fill byte.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF))
}

pub(super) fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])))
}
