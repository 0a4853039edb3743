//! Flickr8k from its public addresses (Hodosh, Young and Hockenmaier, *Framing Image Description as a Ranking
//! Task*, JAIR 47, 2013). It is for research and teaching, and may not be redistributed.

use std::path::Path;

use common::{SkippedEntries, files, text};
use data::Captions;
use data::splits::LISTS;
use download::{Checksum, Progress, Source};

use crate::archive::{missing, photo_names, read_texts, unpack_photos};
use crate::{Result, dataset};

const RELEASE: &str = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k";
const TOKENS: &str = "Flickr8k.token.txt";

/// The two archives of the data set.
#[derive(Debug, Clone)]
pub struct Flickr8k {
    /// The photos, in a folder.
    pub photos: Source,
    /// Captions and split lists.
    pub texts: Source,
}

/// The content of the data set's folder after [`Flickr8k::fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Files in `Images`.
    pub photos: usize,
    /// Images with captions.
    pub captioned: usize,
    /// Rows of captions that were skipped, and photos of the split lists that the archive does not contain.
    pub skipped_entries: SkippedEntries,
}

impl Flickr8k {
    /// The mirrored archives (the authors' own server is gone), with the checksums that other data-set libraries use.
    #[must_use]
    pub fn published() -> Self {
        let source = |name: &str, md5: &str| Source {
            address: format!("{RELEASE}/{name}"),
            checksum: Checksum::Md5(md5.to_owned()),
            bytes: None,
        };
        Self {
            photos: source("Flickr8k_Dataset.zip", "f18a1e2920de5bd84dae7cf08ec78978"),
            texts: source("Flickr8k_text.zip", "bf6c1abcb8e4a833b7f922104de18627"),
        }
    }

    /// Fetches the missing archives and writes, into `folder`: `Images`, `captions.txt`, the authors' own
    /// `Flickr8k.token.txt`, and the split lists. The archives stay in `fetched`.
    ///
    /// Photos are fetched if `Images` lacks one that a list names; photos that are there are not changed. A new
    /// `Images` appears with all photos. Captions and lists come last, together. After an error, a kill or a power loss
    /// the next call resumes.
    ///
    /// # Errors
    /// [`Error::Download`](crate::Error::Download) if an archive cannot be fetched, [`Error::Archive`](crate::Error::Archive) if it is damaged or incomplete,
    /// [`Error::Data`](crate::Error::Data) for its captions, and [`Error::File`](crate::Error::File).
    pub fn fetch(&self, folder: &Path, progress: Progress) -> Result<Fetched> {
        let fetched = folder.join("fetched");
        let archive = fetched.join(self.texts.file_name());
        self.texts.fetch(&archive, progress)?;
        let [(_, train), (_, dev), (_, test)] = LISTS;
        let texts = read_texts(&archive, &[train, dev, test, TOKENS])?;
        let content = |name: &str| texts.get(name).cloned().unwrap_or_default();
        let lists = LISTS.map(|(split, list)| (split, content(list)));
        let mut listed = Vec::new();
        for (_, list) in &lists {
            listed.append(&mut parse_list(list, &archive)?);
        }
        let images = folder.join("Images");
        if missing(&images, &listed)?.next().is_some() {
            let photos = fetched.join(self.photos.file_name());
            self.photos.fetch(&photos, progress)?;
            unpack_photos(&photos, &images)?;
        }
        let tokens = folder.join(TOKENS);
        files::replace(&tokens, &content(TOKENS)).map_err(common::Error::io(&tokens))?;
        let captions = Captions::read(&tokens)?;
        let csv = captions.to_csv().map_err(common::Error::io(folder))?;
        dataset::replace(folder, &csv, &lists)?;
        let mut skipped_entries = captions.skipped_entries().clone();
        for name in missing(&images, &listed)? {
            skipped_entries.add("photo of a split list that the archive does not contain", name);
        }
        Ok(Fetched {
            photos: photo_names(&images)?.len(),
            captioned: captions.len(),
            skipped_entries,
        })
    }
}

/// The names in a split list.
fn parse_list(list: &[u8], archive: &Path) -> Result<Vec<String>> {
    let text = text::decode(list.to_vec(), archive)?;
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}
