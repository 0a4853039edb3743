//! What a store holds of the images that there are.

use std::collections::HashSet;

use data::names::normal;
use features::{FeatureStore, Source, StoreWriter};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::images::Image;

/// What a store needs to hold the images.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Images to encode: new ones, changed ones, and those whose rows are damaged.
    pub(crate) encode: Vec<Image>,
    /// Of these, how many have an intact row of another content.
    pub(crate) changed: usize,
    /// Images that the store has and that are no longer there.
    pub(crate) gone: Vec<String>,
}

/// What a store holds of an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its grids.
    Held,
    /// The grids of another file of its name.
    Changed,
    /// Nothing, or nothing intact.
    Lacking,
}

/// Compares images with what a store says of each: the SHA-256 of the file that an
/// intact row was encoded from. Reads all files and all rows, which takes less than a hundredth of
/// the time that encoding them does.
pub(crate) fn compare(images: &[Image], held: &impl Held) -> anyhow::Result<Work> {
    let state = |image: &Image| {
        let Some(source) = held.intact_source(&image.name)? else { return Ok(State::Lacking) };
        let same = image.digest().is_ok_and(|digest| digest == source);
        Ok(if same { State::Held } else { State::Changed })
    };
    let states = images.par_iter().map(state).collect::<features::Result<Vec<_>>>()?;
    let encode = images.iter().zip(&states).filter(|(_, state)| **state != State::Held);
    let present = images.iter().map(|image| image.name.as_str()).collect::<HashSet<_>>();
    let mut gone = held.images();
    gone.retain(|image| !present.contains(&*normal(image)));
    gone.sort_unstable();
    Ok(Work {
        changed: states.iter().filter(|state| **state == State::Changed).count(),
        encode: encode.map(|(image, _)| image.clone()).collect(),
        gone,
    })
}

/// A store, open for writing or reading, or not there yet.
pub(crate) trait Held: Sync {
    /// The images that have a grid.
    fn images(&self) -> Vec<String>;
    /// The SHA-256 of the file that the intact row of an image was encoded from.
    fn intact_source(&self, image: &str) -> features::Result<Option<Source>>;
}

impl Held for StoreWriter {
    fn images(&self) -> Vec<String> {
        StoreWriter::images(self).map(str::to_owned).collect()
    }

    fn intact_source(&self, image: &str) -> features::Result<Option<Source>> {
        self.intact_source(image)
    }
}

impl Held for Option<FeatureStore> {
    fn images(&self) -> Vec<String> {
        let images = self.iter().flat_map(|store| store.images());
        images.map(|(image, _)| image.to_owned()).collect()
    }

    fn intact_source(&self, image: &str) -> features::Result<Option<Source>> {
        self.as_ref().map_or(Ok(None), |store| store.intact_source(image))
    }
}
