//! The decoder as two ONNX graphs: `init` (grid → cells and first state) and `step` (state, word, cells →
//! log-probabilities, attention, next state).
//!
//! The names of the values determine their roles, so that decoders with other states can be used:
//!
//! | name | shape | |
//! |---|---|---|
//! | `grid` | `[images, cells, channels]` | input of init |
//! | `cells.*` | `[images, …]` | output of init, input of step: constant over the words |
//! | `state.*` | `[images, beam, any]` | output of init (beam 1), input of step |
//! | `word` | `[images, beam]`, i64 | input of step |
//! | `next.state.*` | `[images, beam, any]` | output of step: the same states, one word later |
//! | `log_probabilities` | `[images, beam, vocabulary]` | output of step |
//! | `attention` | `[images, beam, cells]` | output of step |

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView3};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorRef};

use crate::network::NetworkFile;
use crate::search::{Decoder, Expansion, Step};
use crate::{Device, Error, Result, runtime};

/// File name of the init graph in a model folder.
pub const INIT_FILE: &str = "decoder-init.onnx";
/// File name of the step graph in a model folder.
pub const STEP_FILE: &str = "decoder-step.onnx";

/// The products of rows and matrices in the steps of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    /// Of 32-bit floats.
    Exact,
    /// Of 8-bit integers, which take less time for few rows; about one caption in 25 differs, and CIDEr is equal within noise.
    Integers,
}

impl Products {
    /// Integers where the processor has instructions for sums of their products (VNNI), unless exact ones are wanted.
    pub(crate) fn choose(exact: bool) -> Self {
        #[cfg(target_arch = "x86_64")]
        let has_instructions =
            is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni");
        #[cfg(not(target_arch = "x86_64"))]
        let has_instructions = false;
        if has_instructions && !exact { Self::Integers } else { Self::Exact }
    }
}

/// The two files of a decoder.
#[derive(Debug)]
pub(crate) struct DecoderFiles {
    pub(crate) init: NetworkFile,
    pub(crate) step: NetworkFile,
}

/// A value that the decoder keeps between steps, in the memory of the runtime.
#[derive(Debug)]
struct Kept {
    name: String,
    /// The output of a step that replaces it; none for `cells.*`.
    next: Option<String>,
    value: DynValue,
}

/// A trained decoder on ONNX Runtime.
#[derive(Debug)]
pub struct OnnxDecoder {
    init: Session,
    step: Session,
    step_file: PathBuf,
    cells: Vec<Kept>,
    states: Vec<Kept>,
}

impl OnnxDecoder {
    /// Opens the two graphs of a model folder, with exact products. They have `threads` of their own, or share those of the
    /// process.
    ///
    /// # Errors
    /// If a graph cannot be read, is refused by ONNX Runtime or is not a decoder.
    pub fn open(folder: &Path, threads: Option<usize>) -> Result<Self> {
        let read = |file| NetworkFile::read(&folder.join(file));
        let files = DecoderFiles { init: read(INIT_FILE)?, step: read(STEP_FILE)? };
        Self::from_files(&files, threads, Products::Exact)
    }

    /// Opens graphs that were read already.
    pub(crate) fn from_files(
        files: &DecoderFiles,
        threads: Option<usize>,
        products: Products,
    ) -> Result<Self> {
        // The decoder is small: on a GPU, transfers cost more than computing saves.
        let open = |file: &NetworkFile, input: &str| {
            let session = runtime::open(file, Device::Cpu, threads)?;
            if session.inputs().iter().all(|outlet| outlet.name() != input) {
                let (path, missing) = (file.path().to_path_buf(), input.to_owned());
                return Err(Error::NotADecoder { path, missing });
            }
            Ok(session)
        };
        // Each word reads all weights of a step, and few rows use them; the init graph has a row for each cell.
        let integers = match products {
            Products::Integers => files.step.with_block_products(),
            Products::Exact => None,
        };
        // An earlier version of ONNX Runtime may lack the operator.
        let step = integers.and_then(|step| open(&step, "word").ok());
        Ok(Self {
            init: open(&files.init, "grid")?,
            step: step.map_or_else(|| open(&files.step, "word"), Ok)?,
            step_file: files.step.path().to_path_buf(),
            cells: Vec::new(),
            states: Vec::new(),
        })
    }

    fn failed(&self) -> impl Fn(ort::Error) -> Error + use<> {
        let folder = self.step_file.parent().unwrap_or(Path::new(""));
        Error::run(format!("the decoder {}", folder.display()))
    }
}

impl Decoder for OnnxDecoder {
    type Error = Error;

    fn start(&mut self, grids: ArrayView3<f32>) -> Result<()> {
        let failed = self.failed();
        let grids = grids.as_standard_layout();
        let (images, cells, channels) = grids.dim();
        let values = grids.as_slice().unwrap_or_default();
        let grids = TensorRef::from_array_view(([images, cells, channels], values));
        let grids = grids.map_err(&failed)?;
        let outputs = self.init.run(ort::inputs!["grid" => grids]).map_err(&failed)?;
        self.cells.clear();
        self.states.clear();
        for (name, value) in outputs {
            let (name, is_cells) = (name.to_owned(), name.starts_with("cells."));
            let next = (!is_cells).then(|| format!("next.{name}"));
            let kept = if is_cells { &mut self.cells } else { &mut self.states };
            kept.push(Kept { name, next, value });
        }
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step> {
        let failed = self.failed();
        let images = expansion.images.len();
        let beam = expansion.words.len() / images.max(1);
        for cells in &mut self.cells {
            cells.select(expansion.images, &[images]).map_err(&failed)?;
        }
        for state in &mut self.states {
            state.select(expansion.parents, &[images, beam]).map_err(&failed)?;
        }
        let words = expansion.words.iter().map(|&word| i64::from(word)).collect::<Vec<_>>();
        let words = TensorRef::from_array_view(([images, beam], &*words)).map_err(&failed)?;
        let kept = self.cells.iter().chain(&self.states);
        let kept = kept.map(|of| (Cow::from(&*of.name), SessionInputValue::from(&of.value)));
        let word = (Cow::from("word"), SessionInputValue::from(words));
        let inputs = std::iter::once(word).chain(kept).collect::<Vec<_>>();
        let mut outputs = self.step.run(inputs).map_err(&failed)?;
        let missing = |name: &str| {
            let (path, missing) = (self.step_file.clone(), name.to_owned());
            Error::NotADecoder { path, missing }
        };
        let output = |name: &str| {
            let value = outputs.get(name).ok_or_else(|| missing(name))?;
            rows(images * beam, value).map_err(&failed)
        };
        let (log_probabilities, attention) = (output("log_probabilities")?, output("attention")?);
        if log_probabilities.iter().any(|value| value.is_nan()) {
            let problem = "a log-probability is not a number: its weights are damaged, export the model again";
            return Err(failed(ort::Error::new(problem)));
        }
        for state in &mut self.states {
            let Some(next) = &state.next else { continue };
            state.value = outputs.remove(next).ok_or_else(|| missing(next))?;
        }
        Ok(Step { log_probabilities, attention })
    }
}

/// A copy of values `[images, beam, any]` as `[rows, any]`.
fn rows(rows: usize, value: &DynValue) -> ort::Result<Array2<f32>> {
    let (_, values) = value.try_extract_tensor::<f32>()?;
    let width = values.len() / rows.max(1);
    let array = Array2::from_shape_vec([rows, width], values.to_vec());
    array.map_err(|error| ort::Error::new(error.to_string()))
}

impl Kept {
    /// Selects the given rows, which the axes before the last ones count; these axes become `sides`. If that changes
    /// nothing, the value stays in the memory of the runtime.
    fn select(&mut self, rows: &[usize], sides: &[usize]) -> ort::Result<()> {
        let (shape, values) = self.value.try_extract_tensor::<f32>()?;
        let shape = shape.iter().map(|&side| side as usize).collect::<Vec<_>>();
        let (outer, inner) = shape.split_at(sides.len().min(shape.len()));
        if outer == sides && rows.iter().copied().eq(0..outer.iter().product()) {
            return Ok(());
        }
        let width = inner.iter().product::<usize>();
        let mut selected = Vec::with_capacity(rows.len() * width);
        for &row in rows {
            let values = values.get(row * width..(row + 1) * width);
            selected.extend_from_slice(values.unwrap_or_default());
        }
        let shape = [sides, inner].concat();
        self.value = Tensor::from_array((shape, selected))?.into_dyn();
        Ok(())
    }
}
