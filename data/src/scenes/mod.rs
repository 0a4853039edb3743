//! Drawn scenes with captions: a data set that is small, free of anyone's rights, and in which the place of
//! every object is known.
//!
//! A scene has up to three objects of different shapes on a background. Each scene depends on the seed and
//! its number alone, so a longer data set begins as a shorter one does.

mod captions;
mod draw;
mod looked;

use std::collections::BTreeMap;
use std::path::Path;

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use looked::{Looked, looked};

use crate::{Error, Result, Split, dataset, files};

/// Width and height of a picture in pixels.
pub const SIDE: u32 = 224;
/// The file that tells where the objects of each picture lie.
pub const OBJECTS_FILE: &str = "objects.json";
/// Captions of each scene.
const CAPTIONS: usize = 5;
/// How often a place for an object is tried.
const TRIES: usize = 64;
/// What stays free between objects and at the border, as a share of the side.
const MARGIN: f32 = 0.02;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A filled circle.
    Circle,
    /// An upright square.
    Square,
    /// A triangle on its base.
    Triangle,
    /// A star of five rays.
    Star,
    /// An upright cross.
    Cross,
    /// A circle with a hole.
    Ring,
}

/// The colour of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
}

/// What covers an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Material {
    /// One colour.
    Plain,
    /// Stripes of a darker shade.
    Striped,
    /// Dots of a darker shade.
    Dotted,
    /// A light spot that fades.
    Shiny,
}

/// What is behind the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// Nearly white.
    White,
    /// Nearly black.
    Black,
    /// From light grey to darker grey.
    Grey,
    /// Fields of two greys.
    Checked,
}

/// An object and its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// What it is.
    pub shape: Shape,
    /// Its colour.
    pub colour: Colour,
    /// What covers it.
    pub material: Material,
    /// Whether it is one of the large ones.
    pub large: bool,
    /// Its middle, from the left and from the top, as shares of the side.
    pub centre: [f32; 2],
    /// From its middle to its border, as a share of the side.
    pub reach: f32,
}

/// A scene before it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// What is behind the objects.
    pub background: Background,
    /// One to three objects of different shapes.
    pub objects: Vec<Object>,
}

const SHAPES: [Shape; 6] =
    [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Star, Shape::Cross, Shape::Ring];
const COLOURS: [Colour; 6] =
    [Colour::Red, Colour::Orange, Colour::Yellow, Colour::Green, Colour::Blue, Colour::Purple];
const MATERIALS: [Material; 4] =
    [Material::Plain, Material::Striped, Material::Dotted, Material::Shiny];
const BACKGROUNDS: [Background; 4] =
    [Background::White, Background::Black, Background::Grey, Background::Checked];

impl Object {
    /// The square around it: left, top, right and bottom as shares of the side.
    #[must_use]
    pub fn square(&self) -> [f32; 4] {
        let ([x, y], reach) = (self.centre, self.reach);
        [x - reach, y - reach, x + reach, y + reach]
    }

    fn is_clear_of(&self, other: &Self) -> bool {
        let apart = self.reach + other.reach + MARGIN;
        let distance = |axis: usize| (self.centre[axis] - other.centre[axis]).abs();
        distance(0).max(distance(1)) > apart
    }
}

impl Scene {
    /// Scene `number` of the data set with this seed, and its captions.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> (Self, Vec<String>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number);
        let scene = Self::of(&mut random);
        let captions = captions::of(&scene, CAPTIONS, &mut random);
        (scene, captions)
    }

    fn of(random: &mut ChaCha8Rng) -> Self {
        let mut shapes = SHAPES;
        shapes.shuffle(random);
        let mut objects = Vec::new();
        for &shape in &shapes[..random.random_range(1..=3)] {
            let mut placed = (0..TRIES).map(|_| object(shape, random));
            let free = |object: &Object| objects.iter().all(|other| object.is_clear_of(other));
            let placed = placed.find(free);
            objects.extend(placed);
        }
        Self { background: any(&BACKGROUNDS, random), objects }
    }

    /// The picture, as PNG.
    pub fn picture(&self) -> Result<Vec<u8>, String> {
        draw::picture(self)
    }
}

fn object(shape: Shape, random: &mut ChaCha8Rng) -> Object {
    let large = random.random();
    let reach =
        if large { random.random_range(0.17..0.22) } else { random.random_range(0.08..0.11) };
    let places = MARGIN + reach..1.0 - MARGIN - reach;
    let centre = [(); 2].map(|()| random.random_range(places.clone()));
    let (colour, material) = (any(&COLOURS, random), any(&MATERIALS, random));
    Object { shape, colour, material, large, centre, reach }
}

fn any<T: Copy>(among: &[T], random: &mut ChaCha8Rng) -> T {
    *among.choose(random).unwrap_or(&among[0])
}

/// How many scenes each split has.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// Scenes to train on.
    pub train: u64,
    /// Scenes that choose the checkpoint.
    pub dev: u64,
    /// Scenes that are kept for the end.
    pub test: u64,
}

impl Counts {
    fn of_splits(self) -> [(Split, u64); 3] {
        [(Split::Train, self.train), (Split::Dev, self.dev), (Split::Test, self.test)]
    }
}

/// Writes a data set of scenes into `folder`: `Images/`, `captions.txt`, the lists of the splits, and
/// [`OBJECTS_FILE`]. Each file is replaced as a whole; captions and lists come last, all of them together.
pub fn write(folder: &Path, counts: Counts, seed: u64) -> Result<()> {
    let mut lines = String::from("image,caption\n");
    let mut objects = BTreeMap::new();
    let mut lists = Vec::new();
    let mut numbers = 0..;
    for (split, count) in counts.of_splits() {
        let mut list = String::new();
        for number in numbers.by_ref().take(count as usize) {
            let name = format!("scene-{number:05}.png");
            let (scene, captions) = Scene::new(seed, number);
            let picture = scene.picture().map_err(|problem| Error::Scene { number, problem })?;
            put(&folder.join("Images").join(&name), &picture)?;
            lines.extend(captions.iter().map(|caption| format!("{name},\"{caption}\"\n")));
            list.extend([&name, "\n"]);
            objects.insert(name, scene.objects);
        }
        lists.push((split, list.into_bytes()));
    }
    let path = folder.join(OBJECTS_FILE);
    let json = serde_json::to_vec(&objects).map_err(|error| Error::io(&path)(error.into()))?;
    put(&path, &json)?;
    dataset::replace(folder, lines.as_bytes(), &lists)?;
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    files::replace(path, bytes).map_err(Error::io(path))
}
