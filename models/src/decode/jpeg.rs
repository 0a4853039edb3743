//! What the segments of a JPEG say before its first scan.

/// The frame of a JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Width in pixels.
    pub(super) width: u64,
    /// Height in pixels.
    pub(super) height: u64,
    /// Its pixels come in several scans, of which each refines them.
    pub(super) progressive: bool,
    /// How often each component is sampled across and down.
    pub(super) components: Vec<[u64; 2]>,
    /// How many components are in the first scan.
    pub(super) in_first_scan: usize,
    /// Where the data of the first scan begin.
    pub(super) data: usize,
}

const START_OF_SCAN: u8 = 0xDA;

impl Frame {
    /// Reads the segments up to the data of the first scan. Stray bytes between segments and fill bytes
    /// are passed over, as decoders do. `None` if there is no scan.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut frame = None::<Self>;
        let mut at = 2;
        loop {
            at += bytes
                .get(at..)?
                .windows(2)
                .position(|pair| pair[0] == 0xFF && is_marker(pair[1]))?;
            let marker = *bytes.get(at + 1)?;
            at += 2;
            if stands_alone(marker) {
                continue;
            }
            let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
            let segment = bytes.get(at + 2..at + length.max(2))?;
            at += length.max(2);
            match marker {
                0xC0..=0xC2 => {
                    let earlier = frame.as_ref().is_some_and(|frame| frame.progressive);
                    let mut found = Self::from_segment(segment)?;
                    found.progressive = marker == 0xC2 || earlier;
                    frame = Some(found);
                }
                START_OF_SCAN => {
                    let in_first_scan = usize::from(*segment.first()?);
                    return Some(Self { in_first_scan, data: at, ..frame? });
                }
                _ => (),
            }
        }
    }

    fn from_segment(segment: &[u8]) -> Option<Self> {
        let side = |at: usize| {
            Some(u64::from(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?])))
        };
        let components = segment.get(6..)?.chunks_exact(3);
        Some(Self {
            width: side(3)?,
            height: side(1)?,
            progressive: false,
            components: components
                .map(|part| [part[1] >> 4, part[1] & 15].map(u64::from))
                .collect(),
            in_first_scan: 0,
            data: 0,
        })
    }

    /// The most bytes that the decoder holds beside the decoded pixels: a few rows of each component, and
    /// every coefficient where the pixels come in several scans.
    pub(super) fn beside(&self) -> u64 {
        let most = |axis: usize| self.components.iter().map(|sampled| sampled[axis]).max();
        let across = most(0).unwrap_or(1).max(1);
        let down = most(1).unwrap_or(1).max(1);
        let width = self.width.next_multiple_of(8 * across);
        let height = self.height.next_multiple_of(8 * down);
        let samples = self.components.iter().map(|[across, down]| across * down).sum::<u64>();
        let rows = 96 * width * samples.max(4);
        let several = self.progressive || self.in_first_scan < self.components.len();
        let coefficients = 2 * width * height * samples / (across * down);
        rows + if several { coefficients } else { 0 }
    }
}

/// Whether the byte after 0xFF makes it a marker, not a fill byte or a stuffed zero.
fn is_marker(byte: u8) -> bool {
    !matches!(byte, 0x00 | 0xFF)
}

/// Whether a marker has no segment: restarts, and the beginning of an image.
fn stands_alone(marker: u8) -> bool {
    matches!(marker, 0x01 | 0xD0..=0xD8)
}
