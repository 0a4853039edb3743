//! The record of one split of a data set.

use common::digest;
use common::names::normal;
use data::{Split, digest_of_part};
use features::{FeatureStore, Source};

use crate::dataset::DataSet;
use crate::run::PartRecord;
use crate::{Error, Result};

impl PartRecord {
    /// The record of a split of present data.
    pub(super) fn new(data: &DataSet, split: Split) -> Result<Self> {
        let rows = data.captioned(split).filter_map(|of| data.store.find(&of.image));
        let photos = sorted_photos(rows, &data.store)?;
        Ok(Self {
            digest: digest_of_part(&data.captions, &data.splits, split),
            photos: photos.len(),
            photos_sha256: digest::of_bytes(lines(&photos)?.as_bytes()),
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

/// The names in normal form C and the SHA-256 of the files of rows, sorted by name.
pub(super) fn sorted_photos(
    rows: impl Iterator<Item = usize>,
    store: &FeatureStore,
) -> Result<Vec<(String, Source)>> {
    let photo = |row| Ok((normal(store.name(row)).into_owned(), store.source(row)?));
    let mut photos = rows.map(photo).collect::<Result<Vec<_>>>()?;
    photos.sort_unstable();
    Ok(photos)
}

/// A line for each photo: a JSON array of its name and the SHA-256 of its file.
pub(super) fn lines<'a>(photos: impl IntoIterator<Item = &'a (String, Source)>) -> Result<String> {
    let mut lines = String::new();
    for (name, source) in photos {
        let line = serde_json::to_string(&(name, hex::encode(source)))
            .map_err(Error::content(name.as_ref()))?;
        lines.push_str(&line);
        lines.push('\n');
    }
    Ok(lines)
}
