//! Amounts of memory with units.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, parsed and printed with a unit: `512MiB`, `1.5 GiB`, `10MB`. Units of 1024 have an `i`; a number alone
/// counts bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", KIB),
    ("MiB", MIB),
    ("GiB", GIB),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

impl Size {
    /// A size of `bytes` bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of `mib` MiB.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib * MIB)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A text that is not a [`Size`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a size above 0 such as 512MiB, 1.5GiB or 10MB")]
pub struct ParseSizeError;

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let text = text.trim();
        let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let unit = unit.trim();
        let unit = if unit.is_empty() { "B" } else { unit };
        let known = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, factor) = known.ok_or(ParseSizeError)?;
        let bytes = number.parse::<f64>().map_err(|_| ParseSizeError)? * *factor as f64;
        // Larger integers are not exact in a float.
        let fits = (1.0..=2_f64.powi(53)).contains(&bytes);
        if fits { Ok(Self(bytes as u64)) } else { Err(ParseSizeError) }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self(bytes) = *self;
        // A whole number is exact, but one above 1024 is in too small a unit.
        let is_legible = |factor: u64| factor == GIB || bytes / factor < 1024;
        let is_whole = |factor: u64| bytes != 0 && bytes.is_multiple_of(factor);
        let whole = UNITS.iter().filter(|(_, factor)| is_whole(*factor) && is_legible(*factor));
        if let Some((name, factor)) = whole.max_by_key(|(_, factor)| factor)
            && *factor > 1
        {
            return write!(formatter, "{} {name}", bytes / factor);
        }
        let (name, factor) = match bytes {
            GIB.. => ("GiB", GIB),
            MIB.. => ("MiB", MIB),
            KIB.. => ("KiB", KIB),
            _ => return write!(formatter, "{bytes} B"),
        };
        write!(formatter, "{:.1} {name}", bytes as f64 / factor as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in [
            ("10MiB", 10 * MIB),
            ("10 MiB", 10 * MIB),
            ("1.5gib", 3 * GIB / 2),
            ("512MB", 512_000_000),
            ("4096", 4096),
            ("7 B", 7),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for wrong in
            ["", "0", "-1MiB", "MiB", "1.2.3MB", "1M", "5Mi", "1e3", "nan", "9999999999GiB"]
        {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (10 * MIB, "10 MiB"),
            (10_000_000, "10 MB"),
            (GIB, "1 GiB"),
            (1_500, "1.5 KiB"),
            (GIB + MIB / 3, "1.0 GiB"),
            (432_012_007, "412.0 MiB"),
            (26_214_404 * KIB, "25.0 GiB"),
            (1536 * MIB, "1.5 GiB"),
            (2048 * GIB, "2048 GiB"),
            (999, "999 B"),
            (0, "0 B"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
