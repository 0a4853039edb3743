//! Data sets in JSON: Karpathy's files of Flickr8k, Flickr30k and COCO (`dataset_flickr8k.json`), which hold
//! captions and splits (Karpathy and Fei-Fei, arXiv 1412.2306), and COCO's own annotations of captions.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::splits::list_of;
use crate::{Captions, Error, Result, Split, files};

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
    image_id: u64,
    caption: String,
}

/// What was found in a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Images with captions.
    pub images: usize,
    /// All their captions.
    pub captions: usize,
    /// Whether it says which image belongs to which split.
    pub splits: bool,
}

impl Image {
    /// Its path below `Images`.
    fn path(&self) -> String {
        self.filepath
            .iter()
            .map(String::as_str)
            .chain([&*self.filename])
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Its split; `None` where the data set has none, or one that is not known.
    fn split(&self) -> Option<Split> {
        match self.split.as_deref()? {
            "train" | "restval" => Some(Split::Train),
            "val" | "dev" => Some(Split::Dev),
            "test" => Some(Split::Test),
            _ => None,
        }
    }
}

/// Reads a data set in JSON and writes `captions.txt` into `folder`, and the lists of the splits if it has
/// splits. Each file is replaced as a whole; the captions come last.
pub fn import(path: &Path, folder: &Path) -> Result<Imported> {
    let refuse = |problem: String| Error::Import { path: path.to_path_buf(), problem };
    let text = fs::read(path).map_err(Error::io(path))?;
    let DataSet { images, annotations } =
        serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
    let mut by_id = HashMap::<u64, Vec<String>>::new();
    for annotation in annotations {
        by_id.entry(annotation.image_id).or_default().push(annotation.caption);
    }
    let mut captions = Captions::default();
    let mut imported = Imported { images: 0, captions: 0, splits: false };
    let mut lists = [Split::Train, Split::Dev, Split::Test].map(|split| (split, String::new()));
    for image in images {
        let own = image.sentences.iter().map(|sentence| sentence.raw.clone());
        let annotated = image.id.and_then(|id| by_id.remove(&id)).unwrap_or_default();
        let of_image = own.chain(annotated).map(|caption| one_line(&caption)).collect::<Vec<_>>();
        if of_image.is_empty() {
            continue;
        }
        let name = image.path();
        for caption in &of_image {
            captions.add(&name, caption);
        }
        imported.images += 1;
        imported.captions += of_image.len();
        let list = lists.iter_mut().find(|(split, _)| Some(*split) == image.split());
        if let Some((_, list)) = list {
            list.extend([&name, "\n"]);
            imported.splits = true;
        }
    }
    if imported.images == 0 {
        return Err(refuse("no image in it has a caption".to_owned()));
    }
    for (split, list) in lists.iter().filter(|_| imported.splits) {
        let path = folder.join(list_of(*split));
        files::replace(&path, list.as_bytes()).map_err(Error::io(&path))?;
    }
    captions.save(&folder.join("captions.txt"))?;
    Ok(imported)
}

/// A caption without the line breaks and double spaces that some have.
fn one_line(caption: &str) -> String {
    caption.split_whitespace().collect::<Vec<_>>().join(" ")
}
