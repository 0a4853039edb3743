//! Data sets in JSON: Karpathy's files of Flickr8k, Flickr30k and COCO (`dataset_flickr8k.json`), which hold
//! captions and splits (Karpathy and Fei-Fei, arXiv 1412.2306), and COCO's own annotations of captions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::names::normal;
use crate::tokens::is_wordless;
use crate::{Captions, Error, LeftOut, Result, Split, dataset, text};

/// Entries named in a message about what occurs twice.
const EXAMPLES: usize = 3;

/// Either form: Karpathy's images have sentences, COCO's have annotations beside them.
#[derive(Deserialize)]
struct DataSet {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(alias = "file_name")]
    filename: String,
    /// The folder of the image, in Karpathy's COCO.
    filepath: Option<String>,
    split: Option<String>,
    #[serde(default)]
    sentences: Vec<Sentence>,
    id: Option<u64>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

#[derive(Deserialize)]
struct Annotation {
    /// A number, where COCO's own form is kept.
    id: Option<Value>,
    image_id: u64,
    caption: String,
}

/// What was found in a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Images with captions.
    pub images: usize,
    /// All their captions.
    pub captions: usize,
    /// Images of each split; `None` where the data set does not say which image belongs to which.
    pub splits: Option<[(Split, usize); 3]>,
    /// Entries that were left out.
    pub left_out: LeftOut,
    /// Split lists that lay in the folder and belonged to other captions; they were removed.
    pub removed_lists: Vec<&'static str>,
}

/// The lines of the list of each split.
type Lists = [(Split, Vec<String>); 3];

/// A split as it is written in a data set.
enum Written {
    Known(Split),
    Unknown(String),
    None,
}

impl Image {
    /// Its path below `Images`.
    fn path(&self) -> String {
        let folder = self.filepath.as_deref().map(str::trim).filter(|folder| !folder.is_empty());
        folder.into_iter().chain([self.filename.trim()]).collect::<Vec<_>>().join("/")
    }

    fn split(&self) -> Written {
        let name = self.split.as_deref().unwrap_or_default().trim();
        match &*name.to_lowercase() {
            "" => Written::None,
            "train" | "training" | "restval" => Written::Known(Split::Train),
            "val" | "validation" | "valid" | "dev" => Written::Known(Split::Dev),
            "test" | "testing" => Written::Known(Split::Test),
            _ => Written::Unknown(name.to_owned()),
        }
    }
}

/// Reads a data set in JSON and writes `captions.txt` into `folder`, and the lists of the splits if it has
/// splits; lists of other captions that lie there are removed. All these files are replaced together.
///
/// # Errors
/// Those of [`text::read`], and [`Error::Import`] if it is not such a data set, if no image has a caption, if two
/// images share an id or a file name, or if no split has a known name.
pub fn import(path: &Path, folder: &Path) -> Result<Imported> {
    let refuse = |problem: String| Error::Import { path: path.to_path_buf(), problem };
    let data_set = serde_json::from_str::<DataSet>(&text::read(path)?)
        .map_err(|error| refuse(error.to_string()))?;
    let mut left_out = LeftOut::default();
    let data_set = unique_images(data_set, &mut left_out).map_err(refuse)?;
    let (captions, splits) = captions_and_splits(data_set, &mut left_out);
    if captions.is_empty() {
        return Err(refuse("no image in it has a caption".to_owned()));
    }
    let lists = lists(&splits, &mut left_out).map_err(refuse)?;
    let csv = captions.to_csv().map_err(Error::io(&folder.join(dataset::CAPTIONS)))?;
    let written =
        lists.iter().flatten().map(|(split, names)| (*split, names.concat().into_bytes()));
    let removed_lists = dataset::replace(folder, &csv, &written.collect::<Vec<_>>())?;
    Ok(Imported {
        images: captions.len(),
        captions: captions.iter().map(|of| of.captions.len()).sum(),
        splits: lists.map(|lists| lists.map(|(split, names)| (split, names.len()))),
        left_out,
        removed_lists,
    })
}

/// Refuses images that share an id or a file name, and names that do not fit on a line. An image that is there again
/// in all respects is left out, its captions are not.
fn unique_images(data_set: DataSet, left_out: &mut LeftOut) -> Result<DataSet, String> {
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
            left_out.note("image that occurs again, taken with all its captions", &path);
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
    let more = if problems.len() > EXAMPLES { "\n  …" } else { "" };
    let count = problems.len();
    problems.truncate(EXAMPLES);
    Err(format!(
        "{count} entries cannot be told apart or written:\n  {}{more}",
        problems.join("\n  ")
    ))
}

/// The captions of all images, and the split of each image that has captions.
fn captions_and_splits(
    data_set: DataSet,
    left_out: &mut LeftOut,
) -> (Captions, Vec<(String, Written)>) {
    let mut by_id = by_image(data_set.annotations, left_out);
    let (mut captions, mut splits) = (Captions::default(), Vec::new());
    for image in data_set.images {
        let name = image.path();
        let own = image.sentences.iter().map(|sentence| sentence.raw.clone());
        let annotated = image.id.and_then(|id| by_id.remove(&id)).unwrap_or_default();
        for caption in own.chain(annotated).map(|caption| one_line(&caption)) {
            if is_wordless(&caption) {
                left_out.add("empty caption", &name);
            } else {
                captions.add(&name, &caption);
            }
        }
        if captions.of(&name).is_some() {
            splits.push((name, image.split()));
        } else {
            left_out.add("image without captions", &name);
        }
    }
    for (id, captions) in by_id {
        for _ in captions {
            left_out.add("annotation of an image that is not there", format!("image_id {id}"));
        }
    }
    (captions, splits)
}

/// The captions of each image id. An annotation that is there again in all respects is left out.
fn by_image(annotations: Vec<Annotation>, left_out: &mut LeftOut) -> BTreeMap<u64, Vec<String>> {
    let mut by_id = BTreeMap::<_, Vec<_>>::new();
    let mut seen = HashSet::new();
    for Annotation { id, image_id, caption } in annotations {
        let is_new = id.is_none_or(|id| seen.insert((id.to_string(), image_id, caption.clone())));
        if is_new {
            by_id.entry(image_id).or_default().push(caption);
        } else {
            left_out.add("annotation that occurs again", format!("image_id {image_id}"));
        }
    }
    by_id
}

/// The lines of each list; none if no image has a split.
fn lists(splits: &[(String, Written)], left_out: &mut LeftOut) -> Result<Option<Lists>, String> {
    if splits.iter().all(|(_, split)| matches!(split, Written::None)) {
        return Ok(None);
    }
    for (name, split) in splits {
        match split {
            Written::Known(_) => {}
            Written::Unknown(split) => {
                left_out.add(format!("from all split lists, because its split is `{split}`"), name);
            }
            Written::None => left_out.add("from all split lists, because it has no split", name),
        }
    }
    let lists = [Split::Train, Split::Dev, Split::Test].map(|split| {
        let known = |of: &Written| matches!(of, Written::Known(of) if *of == split);
        let names = splits.iter().filter(|(_, of)| known(of));
        (split, names.map(|(name, _)| format!("{name}\n")).collect())
    });
    if lists.iter().all(|(_, list): &(_, Vec<_>)| list.is_empty()) {
        return Err(format!("no split in it has a known name (train, val, test)\n  {left_out}"));
    }
    Ok(Some(lists))
}

/// A caption without the line breaks and double spaces that some have.
fn one_line(caption: &str) -> String {
    caption.split_whitespace().collect::<Vec<_>>().join(" ")
}
