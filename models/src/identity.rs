//! The identity of a network: a hash over its graph and its weights, those in other files included.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::Path;

use common::{Size, digest, files};
use outline::{ExternalData, Outline};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// The largest ONNX file; larger networks have external data.
pub(crate) const MAX_FILE: Size = Size::mib(2 << 10);

/// Separates the hashes of networks of several files from those of files.
const SEVERAL_FILES: &[u8] = b"showtell network of several files\n";

/// Reads the ONNX file at `path` and returns the identity of its network, 64 hexadecimal digits.
///
/// It is the SHA-256 of the file if that holds all weights. Else it is the SHA-256 over that of the file and, for each
/// part of another file with weights, its location (file, offset and length) and the SHA-256 of its bytes; parts are sorted
/// by location.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::ExternalData`] if another file is missing, is shorter than the
/// graph declares, or is outside the folder of the ONNX file.
pub fn identify(path: &Path) -> Result<String> {
    let file = files::read(path, MAX_FILE).map_err(Error::io(path))?;
    sha256(path, &file, &Outline::parse(&file))
}

/// The identity of the network whose ONNX file at `path` holds `bytes`.
pub(crate) fn sha256(path: &Path, bytes: &[u8], outline: &Outline) -> Result<String> {
    let graph = digest::of_bytes(bytes);
    if outline.external_data().is_empty() {
        return Ok(graph);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut whole = Sha256::new();
    whole.update(SEVERAL_FILES);
    whole.update(graph);
    // As numbers, so that the order does not depend on how they are written.
    for part in outline.external_data().iter().collect::<BTreeSet<_>>() {
        let refused = |source: io::Error| Error::ExternalData {
            path: path.to_path_buf(),
            location: part.location.clone(),
            source,
        };
        let content = content(folder, part).map_err(refused)?;
        let length = part.length.map_or_else(|| "end".to_owned(), |length| length.to_string());
        whole.update((part.location.len() as u64).to_le_bytes());
        whole.update(&part.location);
        whole.update(format!("\n{}\n{length}\n{content}\n", part.offset));
    }
    Ok(hex::encode(whole.finalize()))
}

/// The SHA-256 of a part of a file in `folder`.
fn content(folder: &Path, part: &ExternalData) -> io::Result<String> {
    let (file, length) = part.open(folder)?;
    let mut file = file.take(length);
    let mut digest = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex::encode(digest.finalize())),
            read => digest.update(&piece[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A field of bytes in a protocol buffer.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length], bytes].concat()
    }

    fn entry(key: &str, value: &str) -> Vec<u8> {
        field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
    }

    /// A weight with external data.
    fn weight(entries: &[(&str, &str)]) -> Vec<u8> {
        let entries = entries.iter().flat_map(|(key, value)| entry(key, value));
        entries.chain([14 << 3, 1]).collect()
    }

    /// A network with such a weight, among the graph's own or as the constant of a node.
    fn network(weight: &[u8], in_node: bool) -> Vec<u8> {
        let graph = if in_node { field(1, &field(5, &field(5, weight))) } else { field(5, weight) };
        field(7, &graph)
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &[u8])]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for (name, bytes) in files {
                fs::write(folder.path(name), bytes).unwrap();
            }
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn identity(&self) -> String {
            identify(&self.path("n.onnx")).unwrap()
        }
    }

    #[test]
    fn a_network_in_one_file_has_the_hash_of_the_file() {
        for file in [&network(b"", false)[..], b"", b"<html>"] {
            let folder = Folder::with(&[("n.onnx", file)]);
            assert_eq!(folder.identity(), digest::of_bytes(file));
        }
    }

    #[test]
    fn weights_in_its_folder_belong_to_it() {
        let part = [("location", "n.data"), ("offset", "4"), ("length", "4")];
        for in_node in [false, true] {
            let file = network(&weight(&part), in_node);
            let whole =
                |values: &[u8]| Folder::with(&[("n.onnx", &file), ("n.data", values)]).identity();
            let identity = whole(b"headTAILmore");
            assert_eq!(identity.len(), 64);
            assert_ne!(identity, digest::of_bytes(&file));
            assert_eq!(
                identity,
                whole(b"HEADTAIL"),
                "bytes that the network does not use are not part of its identity"
            );
            assert_ne!(identity, whole(b"headtail"));
        }
        let other = network(&weight(&[("location", "n.data"), ("length", "4")]), false);
        let folder = Folder::with(&[("n.onnx", &other), ("n.data", b"TAIL")]);
        let same = network(&weight(&[("location", "n.data")]), false);
        let longer = Folder::with(&[("n.onnx", &same), ("n.data", b"TAIL")]);
        assert_ne!(folder.identity(), longer.identity());
    }

    #[test]
    fn missing_weights_are_named() {
        for (location, part, problem) in [
            ("n.data", "", "not found"),
            ("../n.data", "", "not a file in the folder of the network"),
            ("/etc/passwd", "", "not a file in the folder of the network"),
            ("", "", "not a file in the folder of the network"),
            ("n.onnx", "5000", "too short"),
        ] {
            let part = [("location", location), ("length", part)];
            let part = if part[1].1.is_empty() { &part[..1] } else { &part[..] };
            let folder = Folder::with(&[("n.onnx", &network(&weight(part), false))]);
            let error = identify(&folder.path("n.onnx")).unwrap_err().to_string();
            assert!(error.contains("n.onnx: its weights are in `"), "{error}");
            assert!(error.contains(problem), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn weights_in_a_pipe_are_refused() {
        let weight = weight(&[("location", "w")]);
        let folder = Folder::with(&[("n.onnx", &network(&weight, false))]);
        assert!(
            std::process::Command::new("mkfifo").arg(folder.path("w")).status().unwrap().success()
        );
        let error = identify(&folder.path("n.onnx")).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
