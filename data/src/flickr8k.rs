//! Flickr8k from its public addresses (Hodosh, Young and Hockenmaier, *Framing Image Description as a Ranking
//! Task*, JAIR 47, 2013). It is given for research and teaching, and may not be passed on.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::download::{Checksum, Progress, Source};
use crate::splits::list_of;
use crate::{Captions, Error, Result, Split, files};

const PLACE: &str = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k";
const TOKENS: &str = "Flickr8k.token.txt";
/// What the archives of macOS hold beside the files themselves.
const ASIDE: &str = "__MACOSX/";

/// The two archives of the data set.
#[derive(Debug, Clone)]
pub struct Flickr8k {
    /// The photos, in a folder.
    pub photos: Source,
    /// Captions and lists of the splits.
    pub texts: Source,
}

/// What lies in the folder of the data set afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// Files in `Images`.
    pub photos: usize,
    /// Images with captions.
    pub captioned: usize,
}

impl Flickr8k {
    /// The archives as they have been mirrored since the authors' own server went, with the checksums that
    /// other data-set libraries agree on.
    #[must_use]
    pub fn published() -> Self {
        let source = |name: &str, md5: &str| Source {
            address: format!("{PLACE}/{name}"),
            checksum: Checksum::Md5(md5.to_owned()),
            bytes: None,
        };
        Self {
            photos: source("Flickr8k_Dataset.zip", "f18a1e2920de5bd84dae7cf08ec78978"),
            texts: source("Flickr8k_text.zip", "bf6c1abcb8e4a833b7f922104de18627"),
        }
    }

    /// Fetches what is missing and makes of it, in `folder`: `Images`, `captions.txt`, the authors' own
    /// `Flickr8k.token.txt`, and the lists of the splits. The archives stay in `fetched`.
    ///
    /// Photos come to lie in `Images` all at once; an `Images` that is there is left as it is. The captions
    /// come last. After an error, a kill or a power loss the next call goes on.
    pub fn fetch(&self, folder: &Path, progress: Progress) -> Result<Fetched> {
        let fetched = folder.join("fetched");
        let texts = fetched.join(self.texts.file_name());
        self.texts.fetch(&texts, progress)?;
        let images = folder.join("Images");
        if !images.exists() {
            let photos = fetched.join(self.photos.file_name());
            self.photos.fetch(&photos, progress)?;
            unpack_photos(&photos, &images)?;
        }
        let [train, dev, test] = [Split::Train, Split::Dev, Split::Test].map(list_of);
        unpack_texts(&texts, &[train, dev, test, TOKENS], folder)?;
        let captions = Captions::read(&folder.join(TOKENS))?;
        captions.save(&folder.join("captions.txt"))?;
        let photos = fs::read_dir(&images).map_err(Error::io(&images))?.count();
        Ok(Fetched { photos, captioned: captions.len() })
    }
}

/// Hands each file of an archive to `take`, by its name without folder.
fn each(archive: &Path, mut take: impl FnMut(&str, &mut dyn Read) -> Result<()>) -> Result<()> {
    let refuse = |error: ZipError| refuse(archive, error.to_string());
    let file = File::open(archive).map_err(Error::io(archive))?;
    let mut zip = ZipArchive::new(file).map_err(refuse)?;
    for at in 0..zip.len() {
        let mut member = zip.by_index(at).map_err(refuse)?;
        let path = member.name().map_err(refuse)?.into_owned();
        let name = path.rsplit('/').next().filter(|_| !path.starts_with(ASIDE));
        if let Some(name) = name {
            take(name, &mut member)?;
        }
    }
    Ok(())
}

fn refuse(archive: &Path, problem: String) -> Error {
    Error::Archive { path: archive.to_path_buf(), problem }
}

/// Unpacks the photos beside their place, and moves them there together.
fn unpack_photos(archive: &Path, images: &Path) -> Result<()> {
    let part = images.with_extension("part");
    fs::create_dir_all(&part).map_err(Error::io(&part))?;
    each(archive, |name, photo| {
        if Path::new(name).extension().is_none_or(|extension| extension != "jpg") {
            return Ok(());
        }
        let path = part.join(name);
        copy(photo, &path).map_err(Error::io(&path))
    })?;
    fs::rename(&part, images).map_err(Error::io(images))
}

fn copy(file: &mut dyn Read, path: &Path) -> io::Result<()> {
    let mut out = File::create(path)?;
    io::copy(file, &mut out)?;
    out.sync_all()
}

/// Unpacks the files with these names into `folder`.
fn unpack_texts(archive: &Path, names: &[&str], folder: &Path) -> Result<()> {
    let mut missing = names.to_vec();
    each(archive, |name, file| {
        if !names.contains(&name) {
            return Ok(());
        }
        missing.retain(|other| *other != name);
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(Error::io(archive))?;
        let path = folder.join(name);
        files::replace(&path, &text).map_err(Error::io(&path))
    })?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(refuse(archive, format!("{} is not in it", missing.join(", "))))
}
