//! The trained network as two ONNX graphs and a manifest: what a captioner needs besides the encoder.

pub(crate) mod layers;

use std::collections::BTreeMap;

use data::digest;
use models::bundle::{FORMAT, MANIFEST_FILE, Manifest, Part, VOCABULARY_FILE};
use models::decoder::{INIT_FILE, STEP_FILE};
use tch::Device;

use crate::run::{RunFolder, TrainedRun};
use crate::{Error, Result};

/// Exports the best checkpoint of a run into its folder. The manifest is written last and names the
/// other parts by their hashes, so a half-finished export is refused when it is opened.
pub fn export(folder: &RunFolder) -> Result<Manifest> {
    let run = folder.open_best(Device::Cpu)?;
    let [height, width, _] = run.config.encoder.grid;
    let cells = height * width;
    let part = |file: &str, bytes: Vec<u8>| {
        folder.write(&folder.path().join(file), &bytes)?;
        Ok::<_, Error>(Part { file: file.to_owned(), sha256: digest::of_bytes(&bytes) })
    };
    let decoder_init = part(INIT_FILE, run.network.start_graph(cells)?.into_bytes(&[]))?;
    let decoder_step = part(STEP_FILE, run.network.step_graph(cells)?.into_bytes(&[]))?;
    let manifest = manifest(&run, decoder_init, decoder_step);
    let path = folder.path().join(MANIFEST_FILE);
    let json = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::run(&path, error.to_string()))?;
    folder.write(&path, json.as_bytes())?;
    Ok(manifest)
}

fn manifest(run: &TrainedRun, decoder_init: Part, decoder_step: Part) -> Manifest {
    let progress = &run.checkpoint.progress;
    Manifest {
        format: FORMAT.to_owned(),
        created_by: format!(
            "showtell train {} ({})",
            env!("CARGO_PKG_VERSION"),
            crate::run::REVISION
        ),
        network: run.config.recipe.to_string(),
        encoder: Part {
            file: run.config.encoder.name.clone(),
            sha256: run.config.encoder.sha256.clone(),
        },
        preprocess: run.config.encoder.preprocess.clone(),
        grid: run.config.encoder.grid,
        vocabulary: Part { file: VOCABULARY_FILE.to_owned(), sha256: run.vocabulary.sha256() },
        decoder_init,
        decoder_step,
        scores: BTreeMap::from([("CIDEr".to_owned(), progress.best_cider)]),
        scored_on: "dev".to_owned(),
    }
}
