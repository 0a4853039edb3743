//! Archives of data sets: the photos and the texts in them.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::staging::Staging;
use crate::{ArchiveProblem, Error, Result};

/// The folder of metadata in archives made by macOS.
const MACOS_METADATA: &str = "__MACOSX/";

/// Those of `names` whose files in the folder are missing or empty.
pub(crate) fn missing<'a>(
    folder: &Path,
    names: &'a [String],
) -> Result<impl Iterator<Item = &'a String> + use<'a>> {
    let present = photo_names(folder)?;
    Ok(names.iter().filter(move |name| !present.contains(*name)))
}

/// The names of the files in a folder that are not empty; none if the folder does not exist.
pub(crate) fn photo_names(folder: &Path) -> Result<HashSet<String>> {
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
pub(crate) fn unpack_photos(archive: &Path, images: &Path) -> Result<()> {
    let present = photo_names(images)?;
    let staging = Staging::new(images)?;
    visit_files(archive, |name, photo| {
        let is_photo = Path::new(name).extension().is_some_and(|extension| extension == "jpg");
        if is_photo && !present.contains(name) { staging.write(name, photo) } else { Ok(()) }
    })?;
    staging.publish()
}

/// Reads the files with these names.
pub(crate) fn read_texts<'a>(
    archive: &Path,
    names: &[&'a str],
) -> Result<HashMap<&'a str, Vec<u8>>> {
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
