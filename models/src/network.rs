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

    /// The same network with products of 8-bit integers, if it has such that can be.
    pub(crate) fn with_block_products(&self) -> Option<Self> {
        let (bytes, outline) = (onnx::with_block_products(self.whole()?)?, self.outline.clone());
        Some(Self { path: self.path.clone(), bytes, outline, sha256: self.sha256.clone() })
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

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};
    use onnx::{Dimension, ElementType, Graph};
    use ort::value::TensorRef;

    use super::*;
    use crate::decoder::Products;
    use crate::{Device, runtime};

    const INPUTS: usize = 128;
    const HIDDEN: usize = 64;

    /// `[N, 128]` times a matrix of 16-bit floats, and times its transpose.
    fn network() -> NetworkFile {
        let mut graph = Graph::new("products");
        let shape = [Dimension::Symbolic("N"), Dimension::Fixed(INPUTS)];
        graph.input("rows", ElementType::Float, &shape);
        let values = (0..INPUTS * HIDDEN).map(|at| ((at * 37) % 113) as f32 / 500.0 - 0.1);
        graph.weight("matrix", &[INPUTS, HIDDEN], &values.collect::<Vec<_>>());
        graph.node("MatMul", &["rows", "matrix"], &["hidden"], &[]);
        let turned = [onnx::Attribute::Ints("perm", &[1, 0])];
        graph.node("Transpose", &["matrix"], &["back"], &turned);
        graph.node("MatMul", &["hidden", "back"], &["products"], &[]);
        graph.output("products", ElementType::Float, &shape);
        read(&graph.with_half_weights().into_bytes(&[]))
    }

    fn read(bytes: &[u8]) -> NetworkFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.onnx");
        files::replace(&path, bytes).unwrap();
        NetworkFile::read(&path).unwrap()
    }

    fn run(network: &NetworkFile, rows: &Array2<f32>) -> Array2<f32> {
        let mut session = runtime::open(network, Device::Cpu, Some(1)).unwrap();
        let input =
            TensorRef::from_array_view((<[usize; 2]>::from(rows.dim()), rows.as_slice().unwrap()))
                .unwrap();
        let outputs = session.run(ort::inputs![input]).unwrap();
        let (_, values) = outputs[0].try_extract_tensor::<f32>().unwrap();
        Array2::from_shape_vec(rows.dim(), values.to_vec()).unwrap()
    }

    /// Nearly the exact products, and those of a row do not depend on the other rows.
    #[test]
    fn block_products_are_nearly_exact() {
        let exact = network();
        let integers = exact.with_block_products().unwrap();
        assert!(integers.with_block_products().is_none(), "they are replaced already");
        assert_eq!(integers.sha256(), exact.sha256());
        let rows = Array2::from_shape_fn([20, INPUTS], |(row, at)| {
            ((row * 31 + at * 17) % 101) as f32 / 50.0 - 1.0
        });
        let (expected, found) = (run(&exact, &rows), run(&integers, &rows));
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let difference = (&expected - &found).fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(difference > 0.0 && difference < 0.04 * largest, "{difference} of {largest}");
        // Other processors use exact products.
        let rows_to_compare = if Products::choose(false) == Products::Integers { 3 } else { 0 };
        for row in [0, 7, 19].into_iter().take(rows_to_compare) {
            let alone = run(&integers, &rows.slice(s![row..=row, ..]).to_owned());
            assert_eq!(alone.row(0), found.row(row));
        }
    }

    #[test]
    fn only_products_with_whole_blocks_are_replaced() {
        let mut graph = Graph::new("products");
        let shape = [Dimension::Symbolic("N"), Dimension::Fixed(30)];
        graph.input("rows", ElementType::Float, &shape);
        graph.weight("matrix", &[30, 30], &[0.5; 900]);
        graph.node("MatMul", &["rows", "matrix"], &["products"], &[]);
        graph.output("products", ElementType::Float, &shape);
        assert!(read(&graph.into_bytes(&[])).with_block_products().is_none());
        assert!(read(b"no network").with_block_products().is_none());
    }
}
