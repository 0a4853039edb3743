//! `train neighbours`.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use common::program::print;
use common::{Size, files};
use data::{Split, Vocabulary};
use models::neighbours::NEIGHBOURS_FILE;
use models::{Manifest, NeighbourData};
use train::export::add_neighbours;
use train::neighbours::{NeighbourOptions, index};
use train::run::{EncoderRecord, RunFolder};

use super::data_paths::{DataPaths, open_all};
use super::prepare::grids;
use crate::options::NeighbourArgs;

pub(crate) fn neighbours(options: &NeighbourArgs) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    if let Some(out) = &options.out {
        keep_other_file(out)?;
    }
    let manifest = Manifest::load(folder.path())?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let sets = open_all(&data_paths(&folder, options)?)?;
    for set in &sets {
        EncoderRecord::from(&manifest).check(&set.store)?;
    }
    let images = sets.iter().flat_map(|set| set.training_images(Split::Train, &vocabulary).images);
    let images = images.collect::<Vec<_>>();
    ensure!(!images.is_empty(), "no image of the train split has captions and a grid");
    let wanted = options.neighbour_sets();
    if let Some(set) = wanted.iter().flatten().find(|&&set| set >= sets.len()) {
        bail!(
            "--sets {}: there are {} data sets\n  Name all of them with --captions and --store, or other numbers.",
            set + 1,
            sets.len()
        );
    }
    let grids = grids(sets)?;
    let index_options = NeighbourOptions {
        settings: options.settings(),
        dimensions: options.dimensions.map(usize::from),
        views: grids.available(&manifest.views),
        sets: wanted,
        licence: options.data_licence.clone().or(manifest.data_licence),
    };
    let index = index(&images, &grids, &vocabulary, &index_options)?;
    let path = options.out.clone().unwrap_or_else(|| folder.path().join(NEIGHBOURS_FILE));
    let bytes = index.to_bytes(&path)?;
    files::replace(&path, &bytes).with_context(|| path.display().to_string())?;
    if options.out.is_none() {
        add_neighbours(&folder)?;
    }
    let size = Size::new(bytes.len() as u64);
    print(format_args!("{}: {} images, {size}", path.display(), index.names.len()))
}

/// Refuses to overwrite a file that is not a neighbour index.
fn keep_other_file(out: &Path) -> anyhow::Result<()> {
    let is_free = !out.exists() || NeighbourData::is_index(out)?;
    ensure!(
        is_free,
        "{}: exists and is not a neighbour index\n  Name another file (--out FILE).",
        out.display()
    );
    Ok(())
}

/// The named data sets, or those of the run; a model without a run has none.
fn data_paths(folder: &RunFolder, options: &NeighbourArgs) -> anyhow::Result<Vec<DataPaths>> {
    if folder.has_config() {
        return DataPaths::of_run(&folder.load_config()?, &options.data);
    }
    DataPaths::for_new_run(&options.data)
}
