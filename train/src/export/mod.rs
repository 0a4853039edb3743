//! The trained network as two ONNX graphs and a manifest: all that a captioner needs besides the encoder.

mod check;

use std::collections::BTreeMap;

use common::digest;
use models::bundle::{FORMAT, MANIFEST_FILE, Manifest, Part, VOCABULARY_FILE};
use models::confidence::Calibration;
use models::decoder::{INIT_FILE, STEP_FILE};
use models::neighbours::NEIGHBOURS_FILE;
use models::view::original_first;
use onnx::Graph;
use tch::Device;

pub use self::check::{Agreement, check};
use crate::run::{RunFolder, TrainedRun};
use crate::{Error, Result};

/// The number format of exported matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Weights {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats: half the size. The network still runs in 32-bit floats.
    F16,
    /// 8-bit integers, and products of integers: a quarter of the size, and faster. Some captions change.
    I8,
}

/// Options of an export.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// The number format of matrices.
    pub weights: Weights,
    /// Licence of the photos and captions, if not that of the run.
    pub data_licence: Option<String>,
}

/// Exports the best checkpoint of a run into its folder. The manifest is written last and has the hashes of the other
/// parts, so an unfinished export is refused when it is opened.
///
/// # Errors
/// Those of [`RunFolder::open_best`], [`Error::Torch`] if a weight cannot be read, and [`Error::File`].
pub fn export(folder: &RunFolder, options: &ExportOptions) -> Result<Manifest> {
    let run = folder.open_best(Device::Cpu)?;
    write(&run, folder, options)
}

/// Writes the graphs and the manifest of a run into a folder, which need not be that of the run.
///
/// # Errors
/// [`Error::Torch`] if a weight cannot be read, and [`Error::File`].
pub fn write(run: &TrainedRun, folder: &RunFolder, options: &ExportOptions) -> Result<Manifest> {
    let cells = run.config.encoder.grid.cells();
    let write = |file: &str, graph: Graph| {
        let graph = match options.weights {
            Weights::F32 => graph,
            Weights::F16 => graph.with_half_weights(),
            Weights::I8 => graph.with_integer_products().with_half_weights(),
        };
        let bytes = graph.into_bytes(&[]);
        folder.write(file, &bytes)?;
        Ok::<_, Error>(Part { file: file.to_owned(), sha256: digest::of_bytes(&bytes) })
    };
    let decoder_init = write(INIT_FILE, run.network.start_graph(cells)?)?;
    let decoder_step = write(STEP_FILE, run.network.step_graph(cells)?)?;
    let licence = options.data_licence.as_ref().or(run.config.data_licence.as_ref());
    let manifest = Manifest {
        neighbours: neighbours(folder)?,
        ..manifest(run, decoder_init, decoder_step, licence.cloned())
    };
    save(&manifest, folder)?;
    Ok(manifest)
}

fn save(manifest: &Manifest, folder: &RunFolder) -> Result<()> {
    let json = serde_json::to_string_pretty(manifest);
    let json = json.map_err(Error::content(&folder.path().join(MANIFEST_FILE)))?;
    folder.write(MANIFEST_FILE, json.as_bytes())
}

/// Names the neighbour index of a model in its manifest.
///
/// # Errors
/// If the manifest cannot be read or written.
pub fn add_neighbours(folder: &RunFolder) -> Result<()> {
    save(&Manifest { neighbours: neighbours(folder)?, ..Manifest::load(folder.path())? }, folder)
}

/// Records the calibration of a model in its manifest.
///
/// # Errors
/// If the manifest cannot be read or written.
pub fn add_confidence(folder: &RunFolder, calibration: Calibration) -> Result<()> {
    save(&Manifest { confidence: Some(calibration), ..Manifest::load(folder.path())? }, folder)
}

/// The neighbour index of a run, if it has one.
fn neighbours(folder: &RunFolder) -> Result<Option<Part>> {
    let path = folder.path().join(NEIGHBOURS_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let sha256 = digest::of_file(&path)?;
    Ok(Some(Part { file: NEIGHBOURS_FILE.to_owned(), sha256 }))
}

fn manifest(
    run: &TrainedRun,
    decoder_init: Part,
    decoder_step: Part,
    data_licence: Option<String>,
) -> Manifest {
    let progress = &run.checkpoint.progress;
    Manifest {
        format: FORMAT.to_owned(),
        created_by: format!("showtell train {}", common::version!()),
        network: run.config.recipe.to_string(),
        encoder: Part {
            file: run.config.encoder.name.clone(),
            sha256: run.config.encoder.sha256.clone(),
        },
        preprocess: run.config.encoder.preprocess.clone(),
        views: original_first(&run.config.training.views),
        grid: run.config.encoder.grid,
        vocabulary: Part { file: VOCABULARY_FILE.to_owned(), sha256: run.vocabulary.sha256() },
        decoder_init,
        decoder_step,
        neighbours: None,
        confidence: None,
        scores: BTreeMap::from([("CIDEr".to_owned(), progress.best_cider)]),
        scored_on: "dev".to_owned(),
        data_licence,
    }
}
