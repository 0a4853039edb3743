//! Flickr8k from its public addresses (Hodosh, Young and Hockenmaier, *Framing Image Description as a Ranking
//! Task*, JAIR 47, 2013). It is given for research and teaching, and may not be passed on.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::download::{Checksum, Progress, Source};
use crate::splits::LISTS;
use crate::{Captions, Error, LeftOut, Result, dataset, files, text};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Files in `Images`.
    pub photos: usize,
    /// Images with captions.
    pub captioned: usize,
    /// Rows of captions that were left out, and photos of the split lists that the archive does not hold.
    pub left_out: LeftOut,
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
    /// Photos are fetched if one that a list names is not in `Images`; photos that are there stay as they are. In a
    /// new `Images` they come to lie all at once. Captions and lists come last, together. After an error, a kill or a
    /// power loss the next call goes on.
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
            listed.append(&mut names_in(list, &archive)?);
        }
        let images = folder.join("Images");
        if missing(&images, &listed)?.next().is_some() {
            let photos = fetched.join(self.photos.file_name());
            self.photos.fetch(&photos, progress)?;
            unpack_photos(&photos, &images)?;
        }
        let tokens = folder.join(TOKENS);
        files::replace(&tokens, &content(TOKENS)).map_err(Error::io(&tokens))?;
        let captions = Captions::read(&tokens)?;
        let csv = captions.to_csv().map_err(Error::io(folder))?;
        dataset::replace(folder, &csv, &lists)?;
        let mut left_out = captions.left_out().clone();
        for name in missing(&images, &listed)? {
            left_out.add("photo of a split list that the archive does not hold", name);
        }
        Ok(Fetched { photos: photos_in(&images)?.len(), captioned: captions.len(), left_out })
    }
}

/// The names in a list.
fn names_in(list: &[u8], archive: &Path) -> Result<Vec<String>> {
    let text = text::decode(list.to_vec(), archive)?;
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}

/// Those of `names` that are not in the folder, or empty there.
fn missing<'a>(
    folder: &Path,
    names: &'a [String],
) -> Result<impl Iterator<Item = &'a String> + use<'a>> {
    let present = photos_in(folder)?;
    Ok(names.iter().filter(move |name| !present.contains(*name)))
}

/// The names of the files in a folder that are not empty; none if there is no such folder.
fn photos_in(folder: &Path) -> Result<HashSet<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.map_err(Error::io(folder))?,
    };
    let mut names = HashSet::new();
    for entry in entries {
        let entry = entry.map_err(Error::io(folder))?;
        // Links are followed.
        if fs::metadata(entry.path()).is_ok_and(|of| of.is_file() && of.len() > 0) {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
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

/// Unpacks the photos that are not in `images`, beside it, and moves them there: together if there is no such folder.
fn unpack_photos(archive: &Path, images: &Path) -> Result<()> {
    let present = photos_in(images)?;
    let part = images.with_extension("part");
    fs::create_dir_all(&part).map_err(Error::io(&part))?;
    each(archive, |name, photo| {
        let is_photo = Path::new(name).extension().is_some_and(|extension| extension == "jpg");
        if !is_photo || present.contains(name) {
            return Ok(());
        }
        let path = part.join(name);
        copy(photo, &path).map_err(Error::io(&path))
    })?;
    if !images.exists() {
        return fs::rename(&part, images).map_err(Error::io(images));
    }
    for photo in fs::read_dir(&part).map_err(Error::io(&part))? {
        let name = photo.map_err(Error::io(&part))?.file_name();
        let path = images.join(&name);
        fs::rename(part.join(name), &path).map_err(Error::io(&path))?;
    }
    fs::remove_dir(&part).map_err(Error::io(&part))
}

fn copy(file: &mut dyn Read, path: &Path) -> io::Result<()> {
    let mut out = File::create(path)?;
    io::copy(file, &mut out)?;
    out.sync_all()
}

/// The files with these names.
fn read_texts<'a>(archive: &Path, names: &[&'a str]) -> Result<HashMap<&'a str, Vec<u8>>> {
    let mut texts = HashMap::new();
    each(archive, |name, file| {
        let Some(name) = names.iter().find(|known| **known == name) else { return Ok(()) };
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(Error::io(archive))?;
        texts.insert(*name, text);
        Ok(())
    })?;
    let missing =
        names.iter().copied().filter(|name| !texts.contains_key(name)).collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(texts);
    }
    Err(refuse(archive, format!("{} is not in it", missing.join(", "))))
}
