//! `train neighbours`.

use anyhow::{Context as _, ensure};
use common::files;
use common::program::print;
use data::{Split, Vocabulary};
use models::Manifest;
use models::neighbours::NEIGHBOURS_FILE;
use train::export::add_neighbours;
use train::neighbours::{NeighbourOptions, index};
use train::run::{EncoderRecord, RunFolder};

use super::data_paths::DataPaths;
use crate::options::NeighbourArgs;

pub(crate) fn neighbours(options: &NeighbourArgs) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    let manifest = Manifest::load(folder.path())?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let paths = data_paths(&folder, options)?;
    let data = paths.open()?;
    EncoderRecord::from(&manifest).check(&data.store, &paths.store)?;
    let images = data.training_images(Split::Train, &vocabulary)?.images;
    ensure!(
        !images.is_empty(),
        "{}: no image of the train split has captions and a grid",
        paths.captions.display()
    );
    let index_options = NeighbourOptions {
        settings: options.settings(),
        dimensions: options.dimensions.into(),
        licence: options.data_licence.clone().or(manifest.data_licence),
    };
    let index = index(&images, &data.store, vocabulary.sha256(), &index_options)?;
    let path = options.out.clone().unwrap_or_else(|| folder.path().join(NEIGHBOURS_FILE));
    let bytes = index.to_bytes(&path)?;
    files::replace(&path, &bytes).with_context(|| path.display().to_string())?;
    if options.out.is_none() {
        add_neighbours(&folder)?;
    }
    print(format_args!("{}: {} images, {} bytes", path.display(), images.len(), bytes.len()))
}

/// The named data set, or that of the run; a model without a run has none.
fn data_paths(folder: &RunFolder, options: &NeighbourArgs) -> anyhow::Result<DataPaths> {
    if folder.has_config() {
        return DataPaths::of_run(&folder.load_config()?, &options.data);
    }
    DataPaths::for_new_run(&options.data)
}
