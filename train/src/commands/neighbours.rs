//! `train neighbours`.

use anyhow::{Context as _, ensure};
use common::program::{print, warn};
use data::{Split, Vocabulary};
use models::neighbours::{NEIGHBOURS_FILE, NeighbourSettings};
use train::dataset::training_images;
use train::export::add_neighbours;
use train::neighbours::{NeighbourOptions, index};
use train::run::RunFolder;

use super::data_paths::DataPaths;
use crate::options::NeighbourArgs;

pub(crate) fn neighbours(options: &NeighbourArgs) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    let config = folder.load_config()?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let paths = DataPaths::of_run(&config, &options.data)?;
    let data = paths.open()?;
    config.encoder.check(&data.store, &paths.store)?;
    let split = Split::Train;
    let images = training_images(&data.captions, &data.splits, split, &vocabulary, &data.store)?;
    ensure!(
        !images.images.is_empty(),
        "{}: no image of the train split has captions and a grid",
        paths.captions.display()
    );
    let index_options = NeighbourOptions {
        settings: options.settings(),
        dimensions: options.dimensions.into(),
        licence: options.data_licence.clone().or(config.data_licence),
    };
    let index = index(&images.images, &data.store, vocabulary.sha256(), &index_options)?;
    let path = options.out.clone().unwrap_or_else(|| folder.path().join(NEIGHBOURS_FILE));
    let bytes = index.to_bytes(&path)?;
    common::files::replace(&path, &bytes).with_context(|| path.display().to_string())?;
    let NeighbourSettings { neighbours, .. } = index.settings;
    print(format_args!(
        "{}: {} images, {} bytes; {neighbours} neighbours choose among captions",
        path.display(),
        index.names.len(),
        bytes.len()
    ))?;
    if options.out.is_none() && !add_neighbours(&folder)? {
        warn(format_args!(
            "{}: not exported yet; `train export` adds the index",
            folder.path().display()
        ));
    }
    Ok(())
}
