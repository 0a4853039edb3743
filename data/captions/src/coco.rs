//! COCO 2017 from its public addresses (Lin et al., arXiv 1405.0312). The annotations are under CC BY 4.0; the photos
//! belong to their authors on Flickr, each under its own licence.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use common::{Size, digest, files, text};
use download::{Checksum, Progress, Source};

use crate::archive::{missing, read_texts, unpack_photos};
use crate::import::{DataSet, Image, Imported, write};
use crate::{Error, ImportProblem, Result};

const SERVER: &str = "http://images.cocodataset.org";
/// The SHA-256 of the archives, recorded when they are fetched.
const SUMS: &str = "SHA256SUMS";
/// The captions in the archive of annotations, and the split of their images.
const CAPTIONS: [(&str, &str); 2] =
    [("captions_train2017.json", "train"), ("captions_val2017.json", "val")];

/// The archives of the data set.
#[derive(Debug, Clone)]
pub struct Coco {
    /// The photos that are trained on, and those of the dev split.
    pub photos: [Source; 2],
    /// The captions.
    pub annotations: Source,
}

/// Choices of a data set.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The splits of images by their ids, in the place of COCO's own.
    splits: Option<HashMap<u64, Option<String>>>,
    /// The ids of photos to leave out.
    excluded: HashSet<u64>,
}

impl Choices {
    /// Reads Karpathy's file (`dataset_coco.json`) and a list of photos to leave out, by name or id, one a line.
    ///
    /// # Errors
    /// [`Error::Import`] for splits that cannot be read, [`Error::Excluded`] for a line that names no photo of COCO, and
    /// [`Error::File`].
    pub fn read(karpathy: Option<&Path>, exclude: Option<&Path>) -> Result<Self> {
        Ok(Self {
            splits: karpathy.map(splits_in).transpose()?,
            excluded: exclude.map(ids_in).transpose()?.unwrap_or_default(),
        })
    }
}

/// The content of the data set's folder after [`Coco::fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The captions and splits.
    pub imported: Imported,
    /// Number of photos that were left out on request.
    pub excluded: usize,
}

impl Coco {
    /// The published archives, with the checksums that other data-set libraries use.
    #[must_use]
    pub fn published() -> Self {
        let source = |name: &str, md5: &str, bytes| Source {
            address: format!("{SERVER}/{name}"),
            checksum: Checksum::Md5(md5.to_owned()),
            bytes: Some(bytes),
        };
        Self {
            photos: [
                source("zips/train2017.zip", "cced6f7f71b7629ddf16f17bbcfab6b2", 19_336_861_798),
                source("zips/val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80", 815_585_330),
            ],
            annotations: source(
                "annotations/annotations_trainval2017.zip",
                "f4bbac642086de4f52a3fdda2de5fa2c",
                252_907_541,
            ),
        }
    }

    /// The disk space that a folder needs for what it lacks: the archives, and the photos unpacked.
    #[must_use]
    pub fn space_needed(&self, folder: &Path) -> Size {
        let bytes = |source: &Source| source.bytes.unwrap_or(0);
        let archive = |source: &Source| {
            let path = folder.join("fetched").join(source.file_name());
            let part = path.with_extension("zip.part");
            let present = [path, part].into_iter().filter_map(|path| path.metadata().ok());
            bytes(source).saturating_sub(present.map(|of| of.len()).sum())
        };
        let archives = self.photos.iter().chain([&self.annotations]).map(archive).sum::<u64>();
        let unpacked = self.photos.iter().map(bytes).sum::<u64>();
        Size::new(archives + if folder.join("Images").exists() { 0 } else { unpacked })
    }

    /// Fetches the missing archives and writes, into `folder`: `Images`, `captions.txt` and the split lists. The archives
    /// stay in `fetched`, with their SHA-256 in `SHA256SUMS`; an archive is compared with it when it is used again.
    ///
    /// Photos of an archive are fetched if `Images` lacks one that has captions; those that are there are not changed.
    /// After an error, a kill or a power loss the next call resumes.
    ///
    /// # Errors
    /// [`Error::Download`] if an archive cannot be fetched, [`Error::Archive`] if it is damaged or incomplete,
    /// [`Error::Import`] for captions that cannot be read, and [`Error::File`].
    pub fn fetch(&self, folder: &Path, choices: &Choices, progress: Progress) -> Result<Fetched> {
        let fetched = folder.join("fetched");
        let archive = fetch_archive(&self.annotations, &fetched, progress)?;
        let texts = read_texts(&archive, &CAPTIONS.map(|(name, _)| name))?;
        let mut data_set = DataSet::default();
        let mut names = Vec::new();
        for (name, split) in CAPTIONS {
            let part = read_part(texts.get(name).map_or(&[], Vec::as_slice), split, &archive)?;
            names.push(part.images.iter().map(|image| image.filename.clone()).collect::<Vec<_>>());
            data_set.images.extend(part.images);
            data_set.annotations.extend(part.annotations);
        }
        if let Some(splits) = &choices.splits {
            for image in &mut data_set.images {
                image.split = image.id.and_then(|id| splits.get(&id).cloned()).flatten();
            }
        }
        let excluded = exclude(&mut data_set, &choices.excluded);
        let images = folder.join("Images");
        for (source, names) in self.photos.iter().zip(&names) {
            if missing(&images, names)?.next().is_some() {
                let archive = fetch_archive(source, &fetched, progress)?;
                unpack_photos(&archive, &images)?;
            }
        }
        let mut imported = write(data_set, &archive, folder)?;
        for name in missing(&images, &names.concat())? {
            imported
                .skipped_entries
                .add("photo with captions that the archives do not contain", name);
        }
        Ok(Fetched { imported, excluded })
    }
}

/// Fetches an archive, and records its SHA-256 or compares it with the recorded one.
fn fetch_archive(source: &Source, folder: &Path, progress: Progress) -> Result<PathBuf> {
    let path = folder.join(source.file_name());
    source.fetch(&path, progress)?;
    let found = digest::of_file(&path)?;
    let sums = folder.join(SUMS);
    let recorded = if sums.exists() { text::read(&sums)? } else { String::new() };
    let line = format!("{found}  {}\n", source.file_name());
    let of_archive = |line: &&str| line.ends_with(&format!("  {}", source.file_name()));
    match recorded.lines().find(of_archive) {
        Some(known) if known == line.trim_end() => {}
        Some(_) => return Err(Error::OtherArchive { path, sums }),
        None => {
            let all = recorded + &line;
            files::replace(&sums, all.as_bytes()).map_err(common::Error::io(&sums))?;
        }
    }
    Ok(path)
}

/// Reads captions of the archive of annotations; their images are in the named split.
fn read_part(bytes: &[u8], split: &str, archive: &Path) -> Result<DataSet> {
    let refuse = |problem: ImportProblem| Error::Import { path: archive.to_path_buf(), problem };
    let mut part =
        serde_json::from_slice::<DataSet>(bytes).map_err(|error| refuse(error.into()))?;
    for image in &mut part.images {
        image.split = Some(split.to_owned());
    }
    Ok(part)
}

/// The splits of images by their ids, in Karpathy's file at `path`.
fn splits_in(path: &Path) -> Result<HashMap<u64, Option<String>>> {
    let refuse = |problem: ImportProblem| Error::Import { path: path.to_path_buf(), problem };
    let splits = serde_json::from_str::<DataSet>(&text::read(path)?)
        .map_err(|error| refuse(error.into()))?;
    let by_id = splits.images.into_iter().filter_map(|image| Some((image.cocoid?, image.split)));
    let by_id = by_id.collect::<HashMap<_, _>>();
    if by_id.is_empty() { Err(refuse(ImportProblem::NoCocoIds)) } else { Ok(by_id) }
}

/// The ids of the photos that the list at `path` names.
fn ids_in(path: &Path) -> Result<HashSet<u64>> {
    let text = text::read(path)?;
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty());
    let id = |(number, line): (usize, &str)| {
        id_in(line).ok_or_else(|| Error::Excluded {
            path: path.to_path_buf(),
            line: number,
            text: line.to_owned(),
        })
    };
    lines.map(id).collect()
}

/// Removes images with these ids, and their captions. Returns the number of the images.
fn exclude(data_set: &mut DataSet, ids: &HashSet<u64>) -> usize {
    let before = data_set.images.len();
    let is_excluded = |image: &Image| image.id.is_some_and(|id| ids.contains(&id));
    data_set.images.retain(|image| !is_excluded(image));
    data_set.annotations.retain(|annotation| !ids.contains(&annotation.image_id));
    before - data_set.images.len()
}

/// The id of an image in its name, such as `COCO_val2014_000000000042.jpg`, `000000000042.jpg` or `42`: the digits at the
/// end.
fn id_in(name: &str) -> Option<u64> {
    let stem = Path::new(name).file_stem()?.to_str()?;
    let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
    stem[stem.len() - digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_names_of_several_forms() {
        for name in ["42", "000000000042.jpg", "COCO_val2014_000000000042.jpg", "a/b_42.png"] {
            assert_eq!(id_in(name), Some(42), "{name}");
        }
        assert_eq!((id_in("photo.jpg"), id_in("")), (None, None));
    }
}
