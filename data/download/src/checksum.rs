//! Checksums as publishers give them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use common::digest;
use md5::{Digest as _, Md5};
use serde::Deserialize;

const BLOCK: usize = 1 << 16;

/// A file's checksum in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// 64 digits.
    Sha256(String),
    /// 32 digits: detects damage, but not a file that was forged.
    Md5(String),
}

impl Checksum {
    /// The checksum of the same kind of the file at `path`.
    pub(crate) fn of_file(&self, path: &Path) -> common::Result<Self> {
        Ok(match self {
            Self::Sha256(_) => Self::Sha256(digest::of_file(path)?),
            Self::Md5(_) => Self::Md5(md5_of_file(path).map_err(common::Error::io(path))?),
        })
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Sha256(digits) => write!(formatter, "SHA-256 {digits}"),
            Self::Md5(digits) => write!(formatter, "MD5 {digits}"),
        }
    }
}

fn md5_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Md5::new();
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            length => hasher.update(&block[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_has_the_md5_of_rfc_1321() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // RFC 1321, appendix A.5.
        assert_eq!(super::md5_of_file(&path).unwrap(), "900150983cd24fb0d6963f7d28e17f72");
    }
}
