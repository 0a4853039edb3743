//! Data sets in JSON: Karpathy's files of Flickr8k, Flickr30k and COCO (`dataset_flickr8k.json`), which contain
//! captions and splits (Karpathy and Fei-Fei, arXiv 1412.2306), and COCO's own annotations of captions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use common::names::normal;
use common::{SkippedEntries, text};
use data::captions::CAPTIONS_FILE;
use data::tokens::is_wordless;
use data::{Captions, Split};
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, ImportProblem, Result, dataset};

/// The most entries named in an error.
const EXAMPLES: usize = 3;

/// Either form: Karpathy's images have sentences, COCO's have annotations beside them.
#[derive(Default, Deserialize)]
pub(crate) struct DataSet {
    pub(crate) images: Vec<Image>,
    #[serde(default)]
    pub(crate) annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
pub(crate) struct Image {
    #[serde(alias = "file_name")]
    pub(crate) filename: String,
    /// The folder of the image, in Karpathy's COCO.
    filepath: Option<String>,
    pub(crate) split: Option<String>,
    #[serde(default)]
    sentences: Vec<Sentence>,
    pub(crate) id: Option<u64>,
    /// The id of an image of COCO, in Karpathy's form.
    pub(crate) cocoid: Option<u64>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

#[derive(Deserialize)]
pub(crate) struct Annotation {
    /// A number in COCO's own form.
    id: Option<Value>,
    pub(crate) image_id: u64,
    caption: String,
}

/// The content of a data set that was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Images with captions.
    pub images: usize,
    /// Captions of all images.
    pub captions: usize,
    /// The number of images of each split; `None` if the data set has no splits.
    pub splits: Option<[(Split, usize); 3]>,
    /// Entries that were skipped.
    pub skipped_entries: SkippedEntries,
    /// Split lists of other captions, which were removed from the folder.
    pub removed_lists: Vec<&'static str>,
}

/// The lines of the list of each split.
type Lists = [(Split, Vec<String>); 3];

/// The split of an image in a data set.
enum ImageSplit {
    Known(Split),
    /// A name that is not known.
    Unknown(String),
    None,
}

impl Image {
    /// The path below `Images`.
    fn path(&self) -> String {
        let folder = self.filepath.as_deref().map(str::trim).filter(|folder| !folder.is_empty());
        folder.into_iter().chain([self.filename.trim()]).collect::<Vec<_>>().join("/")
    }

    fn split(&self) -> ImageSplit {
        let name = self.split.as_deref().unwrap_or_default().trim();
        match &*name.to_lowercase() {
            "" => ImageSplit::None,
            "train" | "training" | "restval" => ImageSplit::Known(Split::Train),
            "val" | "validation" | "valid" | "dev" => ImageSplit::Known(Split::Dev),
            "test" | "testing" => ImageSplit::Known(Split::Test),
            _ => ImageSplit::Unknown(name.to_owned()),
        }
    }
}

/// Reads a data set in JSON and writes `captions.txt` into `folder`, and split lists if it has splits. Lists of other
/// captions in the folder are removed. All these files are replaced together.
///
/// # Errors
/// Those of [`text::read`], [`Error::Import`] if it is not such a data set, if no image has a caption, if two images
/// share an id or a file name, or if no split has a known name, and [`Error::File`] if the files cannot be written.
pub fn import(path: &Path, folder: &Path) -> Result<Imported> {
    let refuse = |problem| Error::Import { path: path.to_path_buf(), problem };
    let data_set = serde_json::from_str::<DataSet>(&text::read(path)?)
        .map_err(|error| refuse(error.into()))?;
    write(data_set, path, folder)
}

/// Writes a data set that was read from `path` into `folder`, as [`import`] does.
pub(crate) fn write(data_set: DataSet, path: &Path, folder: &Path) -> Result<Imported> {
    let refuse = |problem| Error::Import { path: path.to_path_buf(), problem };
    let mut skipped_entries = SkippedEntries::default();
    let data_set = unique_images(data_set, &mut skipped_entries).map_err(refuse)?;
    let (captions, splits) = captions_and_splits(data_set, &mut skipped_entries);
    if captions.is_empty() {
        return Err(refuse(ImportProblem::NoCaptions));
    }
    let lists = split_lists(&splits, &mut skipped_entries).map_err(refuse)?;
    let csv = captions.to_csv().map_err(common::Error::io(&folder.join(CAPTIONS_FILE)))?;
    let contents =
        lists.iter().flatten().map(|(split, names)| (*split, names.concat().into_bytes()));
    let removed_lists = dataset::replace(folder, &csv, &contents.collect::<Vec<_>>())?;
    Ok(Imported {
        images: captions.len(),
        captions: captions.iter().map(|image| image.captions.len()).sum(),
        splits: lists.map(|lists| lists.map(|(split, names)| (split, names.len()))),
        skipped_entries,
        removed_lists,
    })
}

/// Refuses images that share an id or a file name, and names that do not fit on a line. An exact duplicate of an image is
/// skipped, but not its captions.
fn unique_images(
    data_set: DataSet,
    skipped_entries: &mut SkippedEntries,
) -> Result<DataSet, ImportProblem> {
    let (mut names, mut ids) = (HashMap::new(), HashMap::new());
    let (mut images, mut problems) = (Vec::<Image>::new(), Vec::new());
    for mut image in data_set.images {
        let path = image.path();
        if image.filename.trim().is_empty() || path.contains(char::is_control) {
            problems
                .push(format!("the file name {path:?}, which is empty or has a control character"));
            continue;
        }
        let at = images.len();
        let same_name = *names.entry(normal(&path).into_owned()).or_insert(at);
        let same_id = image.id.map_or(same_name, |id| *ids.entry(id).or_insert(at));
        if same_name == at && same_id == at {
            images.push(image);
            continue;
        }
        let before = &mut images[same_name.min(same_id)];
        if same_name == same_id && before.id == image.id && before.split == image.split {
            skipped_entries.note("image that occurs again, taken with all its captions", &path);
            before.sentences.append(&mut image.sentences);
        } else if same_name < at {
            problems.push(format!("two images with the file name `{path}`"));
        } else {
            let id = image.id.unwrap_or_default();
            problems.push(format!("two images with the id {id}: `{}`, `{path}`", before.path()));
        }
    }
    if problems.is_empty() {
        return Ok(DataSet { images, annotations: data_set.annotations });
    }
    let count = problems.len();
    problems.truncate(EXAMPLES);
    Err(ImportProblem::Entries { count, examples: problems })
}

/// The captions of all images, and the split of each image that has captions.
fn captions_and_splits(
    data_set: DataSet,
    skipped_entries: &mut SkippedEntries,
) -> (Captions, Vec<(String, ImageSplit)>) {
    let mut by_id = captions_by_id(data_set.annotations, skipped_entries);
    let (mut captions, mut splits) = (Captions::default(), Vec::new());
    for image in data_set.images {
        let name = image.path();
        let own = image.sentences.iter().map(|sentence| sentence.raw.clone());
        let annotated = image.id.and_then(|id| by_id.remove(&id)).unwrap_or_default();
        for caption in own.chain(annotated).map(|caption| one_line(&caption)) {
            if is_wordless(&caption) {
                skipped_entries.add("empty caption", &name);
            } else {
                captions.add(&name, &caption);
            }
        }
        if captions.get(&name).is_some() {
            splits.push((name, image.split()));
        } else {
            skipped_entries.add("image without captions", &name);
        }
    }
    for (id, captions) in by_id {
        for _ in captions {
            skipped_entries
                .add("annotation of an image that is not there", format!("image_id {id}"));
        }
    }
    (captions, splits)
}

/// The captions of each image id. Exact duplicates of annotations are skipped.
fn captions_by_id(
    annotations: Vec<Annotation>,
    skipped_entries: &mut SkippedEntries,
) -> BTreeMap<u64, Vec<String>> {
    let mut by_id = BTreeMap::<_, Vec<_>>::new();
    let mut seen = HashSet::new();
    for Annotation { id, image_id, caption } in annotations {
        let is_new = id.is_none_or(|id| seen.insert((id.to_string(), image_id, caption.clone())));
        if is_new {
            by_id.entry(image_id).or_default().push(caption);
        } else {
            skipped_entries.add("annotation that occurs again", format!("image_id {image_id}"));
        }
    }
    by_id
}

/// The lines of each split list; `None` if no image has a split.
fn split_lists(
    splits: &[(String, ImageSplit)],
    skipped_entries: &mut SkippedEntries,
) -> Result<Option<Lists>, ImportProblem> {
    if splits.iter().all(|(_, split)| matches!(split, ImageSplit::None)) {
        return Ok(None);
    }
    for (name, split) in splits {
        match split {
            ImageSplit::Known(_) => {}
            ImageSplit::Unknown(split) => {
                skipped_entries
                    .add(format!("from all split lists, because its split is `{split}`"), name);
            }
            ImageSplit::None => {
                skipped_entries.add("from all split lists, because it has no split", name);
            }
        }
    }
    let lists = Split::ALL.map(|split| {
        let is_in =
            |image: &ImageSplit| matches!(image, ImageSplit::Known(known) if *known == split);
        let names = splits.iter().filter(|(_, image)| is_in(image));
        (split, names.map(|(name, _)| format!("{name}\n")).collect())
    });
    if lists.iter().all(|(_, list): &(_, Vec<_>)| list.is_empty()) {
        return Err(ImportProblem::Splits { skipped_entries: skipped_entries.clone() });
    }
    Ok(Some(lists))
}

/// A caption without line breaks and double spaces.
fn one_line(caption: &str) -> String {
    caption.split_whitespace().collect::<Vec<_>>().join(" ")
}
