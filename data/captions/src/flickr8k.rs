//! Flickr8k from its public addresses (Hodosh, Young and Hockenmaier, *Framing Image Description as a Ranking
//! Task*, JAIR 47, 2013). It is for research and teaching, and may not be redistributed.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use common::{SkippedEntries, files, text};
use data::Captions;
use data::splits::LISTS;
use download::{Checksum, Progress, Source};
use zip::ZipArchive;

use crate::staging::Staging;
use crate::{ArchiveProblem, Error, Result, dataset};

const RELEASE: &str = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k";
const TOKENS: &str = "Flickr8k.token.txt";
/// The folder of metadata in archives made by macOS.
const MACOS_METADATA: &str = "__MACOSX/";

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
    /// [`Error::Download`] if an archive cannot be fetched, [`Error::Archive`] if it is damaged or incomplete,
    /// [`Error::Data`] for its captions, and [`Error::File`].
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

/// Those of `names` whose files in the folder are missing or empty.
fn missing<'a>(
    folder: &Path,
    names: &'a [String],
) -> Result<impl Iterator<Item = &'a String> + use<'a>> {
    let present = photo_names(folder)?;
    Ok(names.iter().filter(move |name| !present.contains(*name)))
}

/// The names of the files in a folder that are not empty; none if the folder does not exist.
fn photo_names(folder: &Path) -> Result<HashSet<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.map_err(common::Error::io(folder))?,
    };
    let mut names = HashSet::new();
    for entry in entries {
        let entry = entry.map_err(common::Error::io(folder))?;
        // Links are followed.
        if fs::metadata(entry.path()).is_ok_and(|photo| photo.is_file() && photo.len() > 0) {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Calls `visit` with each file of an archive and its name without folder.
fn visit_files(
    archive: &Path,
    mut visit: impl FnMut(&str, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let damaged = |error: zip::result::ZipError| archive_error(archive, error.into());
    let file = File::open(archive).map_err(common::Error::io(archive))?;
    let mut zip = ZipArchive::new(file).map_err(damaged)?;
    for index in 0..zip.len() {
        let mut member = zip.by_index(index).map_err(damaged)?;
        let path = member.name().map_err(damaged)?.into_owned();
        let name = path.rsplit('/').next().filter(|_| !path.starts_with(MACOS_METADATA));
        if let Some(name) = name {
            visit(name, &mut member)?;
        }
    }
    Ok(())
}

fn archive_error(archive: &Path, problem: ArchiveProblem) -> Error {
    Error::Archive { path: archive.to_path_buf(), problem }
}

/// Unpacks the photos that `images` lacks.
fn unpack_photos(archive: &Path, images: &Path) -> Result<()> {
    let present = photo_names(images)?;
    let staging = Staging::new(images)?;
    visit_files(archive, |name, photo| {
        let is_photo = Path::new(name).extension().is_some_and(|extension| extension == "jpg");
        if is_photo && !present.contains(name) { staging.write(name, photo) } else { Ok(()) }
    })?;
    staging.publish()
}

/// Reads the files with these names.
fn read_texts<'a>(archive: &Path, names: &[&'a str]) -> Result<HashMap<&'a str, Vec<u8>>> {
    let mut texts = HashMap::new();
    visit_files(archive, |name, file| {
        let Some(name) = names.iter().find(|known| **known == name) else { return Ok(()) };
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(common::Error::io(archive))?;
        texts.insert(*name, text);
        Ok(())
    })?;
    let missing = names.iter().filter(|name| !texts.contains_key(*name));
    let missing = missing.map(ToString::to_string).collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(texts);
    }
    Err(archive_error(archive, ArchiveProblem::Missing { names: missing }))
}
