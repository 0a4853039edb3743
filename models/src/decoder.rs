//! The decoder as two ONNX graphs: `init` (grid → cells and first state) and `step` (state, word,
//! cells → log-probabilities, attention, next state).
//!
//! The graphs say by the names of their values what they are, so decoders with other states fit:
//!
//! | name | shape | |
//! |---|---|---|
//! | `grid` | images × cells × channels | input of init |
//! | `cells.*` | images × any sides | output of init, input of step: constant over the words |
//! | `state.*` | images × beam × any | output of init (beam 1), input of step |
//! | `word` | images × beam, i64 | input of step |
//! | `next.state.*` | images × beam × any | output of step: the same states, one word later |
//! | `log_probabilities` | images × beam × vocabulary | output of step |
//! | `attention` | images × beam × cells | output of step |

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, TensorRef};

use crate::search::{Decoder, Expansion, Step};
use crate::{DeviceChoice, Error, Result, runtime};

/// File name of the init graph in a model folder.
pub const INIT_FILE: &str = "decoder-init.onnx";
/// File name of the step graph in a model folder.
pub const STEP_FILE: &str = "decoder-step.onnx";

/// A value the decoder holds between steps, row-major.
#[derive(Debug)]
struct Held {
    name: String,
    /// Images (× beam) × the rest.
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// A trained decoder on ONNX Runtime.
#[derive(Debug)]
pub struct OnnxDecoder {
    init: Session,
    step: Session,
    folder: PathBuf,
    /// Cells and channels of a grid.
    grid: [usize; 2],
    cells: Vec<Held>,
    states: Vec<Held>,
}

impl OnnxDecoder {
    /// Opens the two graphs of a model folder, for grids of `cells` × `channels`. They have `threads` of
    /// their own, or share those of the process.
    pub fn open(folder: &Path, grid: [usize; 2], threads: Option<usize>) -> Result<Self> {
        // The decoder is small: what a GPU saves on it, the way there costs.
        let open = |file| runtime::open(&folder.join(file), DeviceChoice::Cpu, threads);
        let (init, step) = (open(INIT_FILE)?.0, open(STEP_FILE)?.0);
        for (session, file, input) in [(&init, INIT_FILE, "grid"), (&step, STEP_FILE, "word")] {
            if session.inputs().iter().all(|outlet| outlet.name() != input) {
                let path = folder.join(file);
                return Err(Error::bundle(&path, format!("not a decoder: no input `{input}`")));
            }
        }
        let (cells, states) = (Vec::new(), Vec::new());
        Ok(Self { init, step, folder: folder.to_path_buf(), grid, cells, states })
    }

    fn failed(&self) -> impl Fn(ort::Error) -> Error + use<> {
        Error::run(&format!("the decoder {}", self.folder.display()))
    }
}

impl Decoder for OnnxDecoder {
    type Error = Error;

    fn start(&mut self, grids: &[f32], images: usize) -> Result<()> {
        let failed = self.failed();
        let shape = [images, self.grid[0], self.grid[1]];
        let grids = TensorRef::from_array_view((shape, grids)).map_err(&failed)?;
        let outputs = self.init.run(ort::inputs!["grid" => grids]).map_err(&failed)?;
        self.cells.clear();
        self.states.clear();
        for (name, value) in &outputs {
            let held = Held::new(name, &value).map_err(&failed)?;
            let kind = if name.starts_with("cells.") { &mut self.cells } else { &mut self.states };
            kind.push(held);
        }
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step> {
        let failed = self.failed();
        let images = expansion.images.len();
        let beam = expansion.words.len() / images.max(1);
        for cells in &mut self.cells {
            cells.select(1, expansion.images, &[images]);
        }
        for state in &mut self.states {
            state.select(2, expansion.parents, &[images, beam]);
        }
        let words = expansion.words.iter().map(|&word| i64::from(word)).collect::<Vec<_>>();
        let words = TensorRef::from_array_view(([images, beam], &*words)).map_err(&failed)?;
        let mut inputs = vec![(Cow::from("word"), SessionInputValue::from(words))];
        for held in self.cells.iter().chain(&self.states) {
            let value = TensorRef::from_array_view((held.shape.clone(), &*held.values));
            inputs.push((Cow::from(&held.name), value.map_err(&failed)?.into()));
        }
        let outputs = self.step.run(inputs).map_err(&failed)?;
        let output = |name: &str| {
            let value = outputs.get(name).ok_or_else(|| {
                Error::bundle(&self.folder.join(STEP_FILE), format!("no output `{name}`"))
            })?;
            Held::new(name, value).map_err(&failed)
        };
        for state in &mut self.states {
            let next = output(&format!("next.{}", state.name))?;
            (state.shape, state.values) = (next.shape, next.values);
        }
        Ok(Step {
            log_probabilities: output("log_probabilities")?.values,
            attention: output("attention")?.values,
        })
    }
}

impl Held {
    fn new(name: &str, value: &DynValue) -> ort::Result<Self> {
        let (shape, values) = value.try_extract_tensor::<f32>()?;
        let shape = shape.iter().map(|&side| side as usize).collect();
        Ok(Self { name: name.to_owned(), shape, values: values.to_vec() })
    }

    /// Keeps the given rows, where the first `axes` sides of the shape count rows; they become
    /// `sides`.
    fn select(&mut self, axes: usize, rows: &[usize], sides: &[usize]) {
        let unchanged = rows.iter().copied().eq(0..self.shape[..axes].iter().product());
        if !unchanged {
            let width = self.shape[axes..].iter().product::<usize>();
            let row = |&row: &usize| &self.values[row * width..(row + 1) * width];
            self.values = rows.iter().flat_map(row).copied().collect();
        }
        self.shape.splice(..axes, sides.iter().copied());
    }
}
