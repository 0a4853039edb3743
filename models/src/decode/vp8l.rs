//! The memory of the prefix codes of a lossless WebP. Their number, up to 65,536 groups of five, is stored as an image of
//! its own; so the stream is read up to there, without keeping pixels.

/// Symbols of the codes of a group: green with lengths, red, blue, alpha, distances.
const SYMBOLS: [usize; 5] = [256 + 24, 256, 256, 256, 40];
/// The order in which the lengths of the code of lengths are stored.
const LENGTHS: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const LONGEST: usize = 15;
/// Bits that the decoder looks up in a table; further bits are looked up in a tree.
const TABLE_BITS: usize = 10;
/// Bytes of a group of codes, without tables and trees, and of a node of a tree; every tree has at least three.
const GROUP: u64 = 5 * 56;
const NODE: u64 = 16;

/// Maximum bytes of the decoder's codes. `stream` is the part after the header of a lossless picture, or of an alpha
/// chunk, of that width and height; its end may be missing. `None` if a transform is repeated.
pub(super) fn codes(stream: &[u8], [width, height]: [u32; 2]) -> Option<u64> {
    let mut reader = Reader { stream, bit: 0, bytes: 0, transforms: [false; 4], repeated: false };
    let _ = reader.picture(u64::from(width), u64::from(height));
    (!reader.repeated).then_some(reader.bytes)
}

/// Bits, the lowest of a byte first.
struct Reader<'a> {
    stream: &'a [u8],
    bit: usize,
    /// Bytes of codes so far.
    bytes: u64,
    /// The transforms that were read.
    transforms: [bool; 4],
    repeated: bool,
}

/// A prefix code: the number of symbols of each length, and the symbols in the order of their codes.
struct Code {
    counts: [u16; LONGEST + 1],
    symbols: Vec<u16>,
}

impl Code {
    fn of_lengths(lengths: &[u8]) -> Self {
        let mut counts = [0; LONGEST + 1];
        for length in lengths {
            counts[usize::from(*length)] += 1;
        }
        counts[0] = 0;
        let of_length = |wanted: usize| {
            let symbols = (0_u16..).zip(lengths);
            symbols.filter(move |(_, length)| usize::from(**length) == wanted).map(|(at, _)| at)
        };
        Self { counts, symbols: (1..=LONGEST).flat_map(of_length).collect() }
    }

    /// The bytes of its tables and trees in the decoder.
    fn bytes(&self) -> u64 {
        let longest = self.counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let long =
            self.counts.iter().skip(TABLE_BITS + 1).map(|count| u64::from(*count)).sum::<u64>();
        3 * NODE + (4 << longest.min(TABLE_BITS)) + 2 * NODE * long
    }
}

impl Reader<'_> {
    fn bits(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for at in 0..count {
            let byte = self.stream.get(self.bit / 8)?;
            value |= usize::from(byte >> (self.bit % 8) & 1) << at;
            self.bit += 1;
        }
        Some(value)
    }

    /// The transforms and the codes of the picture itself.
    fn picture(&mut self, mut width: u64, height: u64) -> Option<()> {
        while self.bits(1)? == 1 {
            let transform = self.bits(2)?;
            if std::mem::replace(&mut self.transforms[transform], true) {
                self.repeated = true;
                return None;
            }
            match transform {
                0 | 1 => {
                    let side = self.bits(3)? + 2;
                    self.inner(width.div_ceil(1 << side), height.div_ceil(1 << side))?;
                }
                3 => {
                    let colors = self.bits(8)? + 1;
                    self.inner(colors as u64, 1)?;
                    let in_a_pixel = match colors {
                        ..=2 => 8,
                        3..=4 => 4,
                        5..=16 => 2,
                        _ => 1,
                    };
                    width = width.div_ceil(in_a_pixel);
                }
                _ => (),
            }
        }
        let cache = self.cache()?;
        let mut groups = 1;
        if self.bits(1)? == 1 {
            let side = self.bits(3)? + 2;
            groups += self.inner(width.div_ceil(1 << side), height.div_ceil(1 << side))?;
        }
        // The list of groups grows to twice its size, with a copy.
        self.bytes += GROUP * (groups as u64).next_power_of_two() * 3 / 2;
        for _ in 0..groups {
            self.group(cache)?;
        }
        Some(())
    }

    /// Skips a transform image; returns the largest number in its red and green channels.
    fn inner(&mut self, width: u64, height: u64) -> Option<usize> {
        let cache = self.cache()?;
        let group = self.group(cache)?;
        let [green, red, blue, alpha, distance] = &group;
        let (mut at, mut largest) = (0, 0);
        while at < width * height {
            let start = self.bit;
            at += match self.symbol(green)? {
                value @ ..256 => {
                    largest = largest.max(self.symbol(red)? << 8 | value);
                    self.symbol(blue)?;
                    self.symbol(alpha)?;
                    1
                }
                length @ 256..280 => {
                    let length = self.prefixed(length - 256)?;
                    let distance = self.symbol(distance)?;
                    self.prefixed(distance)?;
                    length as u64
                }
                _ => 1,
            };
            if self.bit == start {
                // Each code has one symbol: the rest is the same.
                break;
            }
        }
        Some(largest)
    }

    /// Number of colours that a cache adds to the symbols.
    fn cache(&mut self) -> Option<usize> {
        if self.bits(1)? == 0 {
            return Some(0);
        }
        let bits = self.bits(4)?;
        (1..=11).contains(&bits).then_some(1 << bits)
    }

    fn group(&mut self, cache: usize) -> Option<[Code; 5]> {
        let mut codes = Vec::with_capacity(5);
        for (at, symbols) in SYMBOLS.into_iter().enumerate() {
            let code = self.code(symbols + if at == 0 { cache } else { 0 })?;
            self.bytes += code.bytes();
            codes.push(code);
        }
        codes.try_into().ok()
    }

    fn code(&mut self, symbols: usize) -> Option<Code> {
        if self.bits(1)? == 1 {
            let two = self.bits(1)? == 1;
            let wide = self.bits(1)?;
            let first = self.bits(1 + 7 * wide)? as u16;
            let mut found = vec![first];
            if two {
                found.push(self.bits(8)? as u16);
            }
            let mut counts = [0; LONGEST + 1];
            counts[1] = found.len() as u16;
            return Some(Code { counts, symbols: found });
        }
        let mut of_lengths = [0_u8; LENGTHS.len()];
        let count = 4 + self.bits(4)?;
        for index in LENGTHS.into_iter().take(count) {
            of_lengths[index] = self.bits(3)? as u8;
        }
        let of_lengths = Code::of_lengths(&of_lengths);
        let mut left = symbols;
        if self.bits(1)? == 1 {
            let bits = 2 + 2 * self.bits(3)?;
            left = 2 + self.bits(bits)?;
        }
        let (mut lengths, mut last) = (Vec::with_capacity(symbols), 8);
        while lengths.len() < symbols && left > 0 {
            left -= 1;
            let (length, times) = match self.symbol(&of_lengths)? {
                16 => (last, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (length as u8, 1),
            };
            if length > 0 {
                last = length;
            }
            lengths.extend(std::iter::repeat_n(length, times));
        }
        (lengths.len() <= symbols).then(|| Code::of_lengths(&lengths))
    }

    fn symbol(&mut self, code: &Code) -> Option<usize> {
        if let [only] = code.symbols[..] {
            return Some(only.into());
        }
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in code.counts.iter().skip(1).map(|count| usize::from(*count)) {
            value |= self.bits(1)?;
            if value < first + count {
                return code.symbols.get(index + value - first).map(|symbol| usize::from(*symbol));
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }

    /// Reads a length or distance, whose symbol determines the number of extra bits.
    fn prefixed(&mut self, symbol: usize) -> Option<usize> {
        if symbol < 4 {
            return Some(symbol + 1);
        }
        let bits = (symbol - 2) >> 1;
        Some(((2 + (symbol & 1)) << bits) + self.bits(bits)? + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_comes_once() {
        assert!(codes(&[0b101], [8, 8]).is_some());
        assert!(codes(&[0b10_1101], [8, 8]).is_none());
    }
}
