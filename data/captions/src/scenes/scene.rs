//! Scenes: objects on a background.

use common::Rect;
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Attempts to find a free position for an object.
const ATTEMPTS: usize = 64;
/// The free space between objects and at the border, as a share of the side.
const MARGIN: f32 = 0.02;

/// The shape of an object.
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

/// The surface of an object.
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

/// The background of a scene.
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

/// An object and its position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The shape.
    pub shape: Shape,
    /// The colour.
    pub colour: Colour,
    /// The surface.
    pub material: Material,
    /// Whether the object is large or small.
    pub large: bool,
    /// The centre `[x, y]`, from the left and from the top, as shares of the side.
    pub centre: [f32; 2],
    /// The distance from the centre to the border, as a share of the side.
    pub reach: f32,
}

/// A scene before it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The background of a scene.
    pub background: Background,
    /// One to three objects of different shapes.
    pub objects: Vec<Object>,
}

pub(super) const SHAPES: [Shape; 6] =
    [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Star, Shape::Cross, Shape::Ring];
const COLOURS: [Colour; 6] =
    [Colour::Red, Colour::Orange, Colour::Yellow, Colour::Green, Colour::Blue, Colour::Purple];
const MATERIALS: [Material; 4] =
    [Material::Plain, Material::Striped, Material::Dotted, Material::Shiny];
const BACKGROUNDS: [Background; 4] =
    [Background::White, Background::Black, Background::Grey, Background::Checked];

impl Object {
    /// The square around the object, in shares of the side.
    #[must_use]
    pub fn bounds(&self) -> Rect {
        let ([x, y], reach) = (self.centre.map(f64::from), f64::from(self.reach));
        Rect { left: x - reach, top: y - reach, width: 2.0 * reach, height: 2.0 * reach }
    }

    fn is_clear_of(&self, other: &Self) -> bool {
        let apart = self.reach + other.reach + MARGIN;
        let distance = |axis: usize| (self.centre[axis] - other.centre[axis]).abs();
        distance(0).max(distance(1)) > apart
    }
}

impl Scene {
    /// A scene without captions.
    pub(super) fn random(random: &mut ChaCha8Rng) -> Self {
        let mut shapes = SHAPES;
        shapes.shuffle(random);
        let mut objects = Vec::new();
        for &shape in &shapes[..random.random_range(1..=3)] {
            let mut attempts = (0..ATTEMPTS).map(|_| random_object(shape, random));
            let is_free = |object: &Object| objects.iter().all(|other| object.is_clear_of(other));
            let placed = attempts.find(is_free);
            objects.extend(placed);
        }
        Self { background: choose(&BACKGROUNDS, random), objects }
    }
}

fn random_object(shape: Shape, random: &mut ChaCha8Rng) -> Object {
    let large = random.random();
    let reach =
        if large { random.random_range(0.17..0.22) } else { random.random_range(0.08..0.11) };
    let range = MARGIN + reach..1.0 - MARGIN - reach;
    let centre = [(); 2].map(|()| random.random_range(range.clone()));
    let (colour, material) = (choose(&COLOURS, random), choose(&MATERIALS, random));
    Object { shape, colour, material, large, centre, reach }
}

/// One of `options`, of which there is at least one.
pub(super) fn choose<T: Copy>(options: &[T], random: &mut ChaCha8Rng) -> T {
    *options.choose(random).unwrap_or(&options[0])
}
