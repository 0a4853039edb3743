//! An ONNX file in memory: read once for its hash, its outline and its session.

use std::path::{Path, PathBuf};

use common::files;
use outline::Outline;

use crate::{Error, Result, identity};

/// An ONNX file that was read, and the identity of its network.
#[derive(Debug)]
pub(crate) struct NetworkFile {
    path: PathBuf,
    bytes: Vec<u8>,
    outline: Outline,
    sha256: String,
}

impl NetworkFile {
    /// Reads the file at `path`, and the external data of its network for the identity.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path, identity::MAX_FILE).map_err(Error::io(path))?;
        let outline = Outline::parse(&bytes);
        let sha256 = identity::sha256(path, &bytes, &outline)?;
        Ok(Self { path: path.to_path_buf(), bytes, outline, sha256 })
    }

    /// Adds the nodes, weights and outputs of a part of the network to it. Its identity stays.
    pub(crate) fn append(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The network's [identity](identity::identify).
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(crate) fn outline(&self) -> &Outline {
        &self.outline
    }

    /// The bytes, if they hold the whole network; `None` with external data, which the runtime reads from files.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        self.outline.external_data().is_empty().then_some(&self.bytes)
    }
}
