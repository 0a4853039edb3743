//! The record of one part of a data set.

use data::names::normal;
use data::{PartDigest, Split, digest, digest_of_part};
use features::{FeatureStore, Source};
use serde::{Deserialize, Serialize};

use super::DataSet;
use crate::{Error, Result};

/// One part of a data set: its images and captions, and the photos of which the store has grids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// The captioned images and their captions.
    #[serde(flatten)]
    pub digest: PartDigest,
    /// How many of the images have a grid.
    pub photos: usize,
    /// The SHA-256 of the names and files of these, in lines as `trained-on.jsonl` has them.
    pub photos_sha256: String,
}

impl PartRecord {
    /// The record of a part as it is now.
    pub fn new(data: &DataSet, split: Split) -> Result<Self> {
        let images =
            data.captions.iter().filter(|of| data.splits.split_of(&of.image) == Some(split));
        let rows = images.filter_map(|of| data.store.find(&of.image));
        let photos = sorted_photos(rows, &data.store)?;
        Ok(Self {
            digest: digest_of_part(&data.captions, &data.splits, split),
            photos: photos.len(),
            photos_sha256: digest::of_bytes(lines(&photos)?.as_bytes()),
        })
    }

    /// What changed between this record and `now`, the photos included if they matter.
    pub(super) fn change(&self, now: &Self, photos_matter: bool) -> Option<String> {
        let [then, of_now] = [&self.digest, &now.digest];
        if then.names_sha256 != of_now.names_sha256 {
            return Some(format!("other images ({} then, {} now)", then.images, of_now.images));
        }
        if then.captions_sha256 != of_now.captions_sha256 {
            return Some(format!("other captions of the same {} images", then.images));
        }
        (photos_matter && self.photos_sha256 != now.photos_sha256).then(|| {
            let (then, now) = (self.photos, now.photos);
            format!("other photos in the store ({then} of its images then, {now} now)")
        })
    }
}

/// Names, in normal form C, and the SHA-256 of the files of rows, in the order of the names.
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
            .map_err(|error| Error::Training(format!("{name}: {error}")))?;
        lines.push_str(&line);
        lines.push('\n');
    }
    Ok(lines)
}
