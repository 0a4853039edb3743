//! The record of one split of a data set.

use common::names::normal;
use data::Split;
use features::FeatureStore;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::photo::{Photo, digest_of_lines};
use crate::Result;
use crate::dataset::DataSet;
use crate::run::PartRecord;

impl PartRecord {
    /// The record of a split of present data.
    pub(super) fn new(data: &DataSet, split: Split) -> Result<Self> {
        let rows = data.corpus.images(split).filter_map(|image| data.store.find(image.name));
        // Each record is of one set.
        let photos = sorted_photos(rows.collect(), &data.store, 0)?;
        Ok(Self {
            digest: data.corpus.digest(split).clone(),
            photos: photos.len(),
            photos_sha256: digest_of_lines(&photos)?,
        })
    }

    /// The change of images or captions from this record to `now`.
    pub(super) fn change(&self, now: &Self) -> Option<String> {
        let [then, of_now] = [&self.digest, &now.digest];
        if then.names_sha256 != of_now.names_sha256 {
            return Some(format!("other images ({} then, {} now)", then.images, of_now.images));
        }
        if then.captions_sha256 != of_now.captions_sha256 {
            return Some(format!("other captions of the same {} images", then.images));
        }
        None
    }

    /// The change of photos from this record to `now`.
    pub(super) fn photo_change(&self, now: &Self) -> Option<String> {
        (self.photos_sha256 != now.photos_sha256).then(|| {
            let (then, now) = (self.photos, now.photos);
            format!("other photos in the store ({then} of its images then, {now} now)")
        })
    }
}

/// The photos of rows of a store, sorted by name, on all cores.
pub(super) fn sorted_photos(
    rows: Vec<usize>,
    store: &FeatureStore,
    set: usize,
) -> Result<Vec<Photo>> {
    let photo = |row| {
        Ok(Photo { name: normal(store.name(row)).into_owned(), file: store.source(row)?, set })
    };
    let mut photos = rows.into_par_iter().map(photo).collect::<Result<Vec<_>>>()?;
    photos.par_sort_unstable();
    Ok(photos)
}
