//! SHA-256 of files and bytes, in lower-case hexadecimal, by which stores, runs and models name the files they belong
//! to.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::{Error, Result, files};

/// The SHA-256 of `bytes` as 64 hexadecimal digits.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The SHA-256 of the file at `path`, read in blocks.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn of_file(path: &Path) -> Result<String> {
    let mut hasher = HashWriter::default();
    let mut file = files::open(path).map_err(Error::io(path))?;
    io::copy(&mut file, &mut hasher).map_err(Error::io(path))?;
    Ok(hasher.finish())
}

/// Computes the SHA-256 of the bytes that are written to it.
#[derive(Debug, Clone, Default)]
pub struct HashWriter(Sha256);

impl HashWriter {
    /// The SHA-256 of all bytes as 64 hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn file_and_bytes_agree() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // The example of FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::of_bytes(b"abc"), expected);
        assert_eq!(super::of_file(&path).unwrap(), expected);
    }
}
