//! Drawn scenes with captions: a small data set without rights of others, in which the position of every object is
//! known.
//!
//! A scene has up to three objects of different shapes on a background. Each scene depends only on the seed and its
//! number, so a larger data set begins with the scenes of a smaller one.

mod captions;
mod draw;
mod pointing;
mod scene;

use std::collections::BTreeMap;
use std::path::Path;

use common::files;
use data::Split;
use data::captions::CAPTIONS_FILE;

pub use pointing::{Pointing, score_attention};
pub use scene::{Background, Colour, Material, Object, Scene, Shape};

use crate::staging::Staging;
use crate::{Error, Result, dataset};

/// Width and height of a picture in pixels.
pub const SIDE: u32 = 224;
/// The file with the objects of each picture.
const OBJECTS_FILE: &str = "objects.json";

/// The number of scenes of each split.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// Scenes for training.
    pub train: u64,
    /// Scenes that select the checkpoint.
    pub dev: u64,
    /// Scenes for the final evaluation.
    pub test: u64,
}

impl Counts {
    fn by_split(self) -> [(Split, u64); 3] {
        [(Split::Train, self.train), (Split::Dev, self.dev), (Split::Test, self.test)]
    }
}

/// Writes a data set of scenes into `folder`: `Images/`, `captions.txt`, the split lists, and `objects.json`.
///
/// Pictures are synced together before the first appears in `Images/`; captions and lists come last, all of them
/// together. After an error, a kill or a power loss each file is either the old or the whole new one.
///
/// # Errors
/// [`Error::OtherCaptions`] if captions of other images lie in the folder, [`Error::File`] if a file cannot be written,
/// [`Error::Scene`] if a scene cannot be drawn.
pub fn write(folder: &Path, counts: Counts, seed: u64) -> Result<()> {
    let (captions, objects) = (folder.join(CAPTIONS_FILE), folder.join(OBJECTS_FILE));
    if captions.exists() && !objects.exists() {
        return Err(Error::OtherCaptions { path: captions });
    }
    let images = Staging::new(&folder.join("Images"))?;
    let mut csv = String::from("image,caption\n");
    let mut objects = BTreeMap::new();
    let mut lists = Vec::new();
    let mut numbers = 0..;
    for (split, count) in counts.by_split() {
        let mut list = String::new();
        for number in numbers.by_ref().take(count as usize) {
            let name = format!("scene-{number:05}.png");
            let (scene, captions) = Scene::new(seed, number);
            let picture = scene.draw().map_err(|source| Error::Scene { number, source })?;
            images.write(&name, picture.as_slice())?;
            csv.extend(captions.iter().map(|caption| format!("{name},\"{caption}\"\n")));
            list.extend([&name, "\n"]);
            objects.insert(name, scene.objects);
        }
        lists.push((split, list.into_bytes()));
    }
    images.publish()?;
    let path = folder.join(OBJECTS_FILE);
    let json = serde_json::to_vec(&objects).map_err(std::io::Error::from);
    json.and_then(|json| files::replace(&path, &json)).map_err(common::Error::io(&path))?;
    dataset::replace(folder, csv.as_bytes(), &lists)?;
    Ok(())
}
