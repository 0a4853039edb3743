//! A completeness check for a JPEG without an end marker: its coded data are parsed, code by code, without decoding pixels
//! (ITU T.81, annexes F and G).

use super::jpeg::{Frame, RESTART_INTERVAL, START_OF_SCAN, Scan, number, segment};

const TABLES: u8 = 0xC4;
const LONGEST: usize = 16;
/// Maximum number of scans that are parsed, and so of visits of each block.
const MAX_SCANS: usize = 64;

/// Whether every scan in `bytes` has all its units, and the scans hold every bit of every coefficient.
pub(super) fn is_whole(frame: &Frame, bytes: &[u8]) -> bool {
    let mut reading = Reading {
        frame,
        bits: Bits { bytes, at: 2, left: 0, byte: 0 },
        codes: Default::default(),
        interval: 0,
        known: vec![Vec::new(); frame.components.len()],
        left: frame.blocks().saturating_mul(MAX_SCANS as u64),
    };
    let scans = reading.scans();
    scans.is_some_and(|scans| frame.is_complete(&scans))
}

/// A prefix code: the number of symbols of each length, and the symbols in the order of their codes.
#[derive(Default)]
struct Code {
    counts: [u8; LONGEST],
    symbols: Vec<u8>,
}

/// The bits of coded data, in which a zero follows each byte 0xFF.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bits of `byte` that are not read yet.
    left: u8,
    byte: u8,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if self.byte == 0xFF {
                // Other bytes are a marker, which ends the data.
                (*self.bytes.get(self.at)? == 0).then_some(())?;
                self.at += 1;
            }
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left & 1))
    }

    fn number(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    /// The run of zeros before a coefficient, and its bits.
    fn run(&mut self, code: &Code) -> Option<[u32; 2]> {
        let symbol = self.symbol(code)?;
        Some([symbol >> 4, symbol & 15])
    }

    fn symbol(&mut self, code: &Code) -> Option<u32> {
        let (mut value, mut first, mut index) = (0, 0, 0);
        for count in code.counts.iter().map(|count| usize::from(*count)) {
            value |= self.bit()? as usize;
            if value < first + count {
                return code.symbols.get(index + value - first).map(|symbol| u32::from(*symbol));
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }

    /// Skips a restart marker.
    fn restart(&mut self) -> Option<()> {
        self.left = 0;
        while self.bytes.get(self.at..self.at + 2)? == [0xFF, 0xFF] {
            self.at += 1;
        }
        let marker = self.bytes.get(self.at..self.at + 2)?;
        (marker[0] == 0xFF && matches!(marker[1], 0xD0..=0xD7)).then(|| self.at += 2)
    }
}

/// A JPEG that is being parsed.
struct Reading<'a> {
    frame: &'a Frame,
    bits: Bits<'a>,
    /// Codes for the first coefficients of blocks, and for the others.
    codes: [[Code; 4]; 2],
    interval: u64,
    /// For each block of each component, the coefficients that earlier scans hold.
    known: Vec<Vec<u64>>,
    /// Number of blocks that may still be parsed.
    left: u64,
}

impl Reading<'_> {
    /// All scans, if each is whole.
    fn scans(&mut self) -> Option<Vec<Scan>> {
        let mut scans = Vec::new();
        while let Some((marker, segment, next)) = segment(self.bits.bytes, self.bits.at) {
            self.bits.at = next;
            match marker {
                TABLES => self.tables(segment)?,
                RESTART_INTERVAL => self.interval = number(segment, 0)?,
                START_OF_SCAN => {
                    let scan = Scan::from_segment(segment)?;
                    if scans.len() == MAX_SCANS || scan.parts.len() > 4 {
                        return None;
                    }
                    self.scan(&scan)?;
                    scans.push(scan);
                }
                _ => (),
            }
        }
        Some(scans)
    }

    fn tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&slot, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<LONGEST>()?;
            let symbols = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols)?;
            let codes = self.codes.get_mut(usize::from(slot >> 4))?;
            *codes.get_mut(usize::from(slot & 15))? =
                Code { counts: *counts, symbols: symbols.to_vec() };
            segment = rest;
        }
        Some(())
    }

    fn scan(&mut self, scan: &Scan) -> Option<()> {
        let units = self.frame.units(scan);
        let mut run = 0;
        self.bits.left = 0;
        for unit in 0..units {
            if self.interval > 0 && unit > 0 && unit.is_multiple_of(self.interval) {
                self.bits.restart()?;
                run = 0;
            }
            for &(name, tables) in &scan.parts {
                let at = self.frame.components.iter().position(|part| part.name == name)?;
                let blocks =
                    if scan.parts.len() == 1 { 1 } else { self.frame.components[at].blocks() };
                for _ in 0..blocks {
                    self.left = self.left.checked_sub(1)?;
                    self.block(scan, [at, unit as usize], tables, &mut run)?;
                }
            }
        }
        self.bits.left = 0;
        Some(())
    }

    /// Parses a block of a component; `run` counts the blocks without further data.
    fn block(
        &mut self,
        scan: &Scan,
        [component, unit]: [usize; 2],
        tables: u8,
        run: &mut u32,
    ) -> Option<()> {
        let Self { frame, bits, codes: [of_first, of_others], known, .. } = self;
        let first = of_first.get(usize::from(tables >> 4))?;
        let others = of_others.get(usize::from(tables & 15))?;
        if !frame.progressive {
            let length = bits.symbol(first)?;
            bits.number(length)?;
            return others_of_baseline(bits, others);
        }
        if scan.coefficients[0] == 0 {
            let length = if scan.refines { 1 } else { bits.symbol(first)? };
            bits.number(length)?;
            return Some(());
        }
        let known = known.get_mut(component)?;
        if known.len() <= unit {
            known.resize(unit + 1, 0);
        }
        let known = &mut known[unit];
        if scan.refines {
            refined(bits, others, scan.coefficients, known, run)
        } else {
            new(bits, others, scan.coefficients, known, run)
        }
    }
}

fn others_of_baseline(bits: &mut Bits, code: &Code) -> Option<()> {
    let mut at = 1;
    while at < 64 {
        match bits.run(code)? {
            [15, 0] => at += 16,
            [_, 0] => break,
            [zeros, length] => {
                bits.number(length)?;
                at += zeros + 1;
            }
        }
    }
    Some(())
}

/// Parses coefficients without earlier bits.
fn new(
    bits: &mut Bits,
    code: &Code,
    [mut at, last]: [usize; 2],
    known: &mut u64,
    run: &mut u32,
) -> Option<()> {
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    while at <= last {
        match bits.run(code)? {
            [15, 0] => at += 16,
            [zeros, 0] => {
                *run = (1 << zeros) - 1 + bits.number(zeros)?;
                break;
            }
            [zeros, length] => {
                bits.number(length)?;
                at += zeros as usize;
                *known |= 1_u64.checked_shl(at as u32)?;
                at += 1;
            }
        }
    }
    Some(())
}

/// Parses one more bit of each coefficient.
fn refined(
    bits: &mut Bits,
    code: &Code,
    [mut at, last]: [usize; 2],
    known: &mut u64,
    run: &mut u32,
) -> Option<()> {
    let is_known = |known: u64, at: usize| known >> at & 1 == 1;
    if last > 63 {
        return None;
    }
    while *run == 0 && at <= last {
        let [mut zeros, length] = bits.run(code)?;
        if length == 0 && zeros < 15 {
            *run = (1 << zeros) + bits.number(zeros)?;
            break;
        }
        let is_new = length > 0;
        if is_new {
            bits.bit()?;
        }
        while at <= last {
            if is_known(*known, at) {
                bits.bit()?;
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            at += 1;
        }
        if is_new && at <= last {
            *known |= 1 << at;
        }
        at += 1;
    }
    if *run > 0 {
        let rest = if at > last { 0 } else { *known >> at << at << (63 - last) };
        for _ in 0..rest.count_ones() {
            bits.bit()?;
        }
        *run -= 1;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_bounded() {
        let mut bytes = b"\xFF\xD8\xFF\xC2\0\x0B\x08\0\x08\0\x08\x01\x01\x11\0".to_vec();
        for _ in 0..MAX_SCANS {
            bytes.extend(b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\x10\0");
        }
        let whole = |bytes: &[u8]| is_whole(&Frame::read(bytes).unwrap(), bytes);
        assert!(whole(&bytes));
        bytes.extend(b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\x10\0");
        assert!(!whole(&bytes));
    }
}
