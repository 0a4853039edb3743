//! Captions of scenes, from a small grammar with synonyms.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::scene::{Background, Colour, Material, Object, SHAPES, Scene, Shape, choose};

/// Captions of each scene.
const CAPTIONS: usize = 5;
/// Attempts to find a caption that the scene does not have yet.
const ATTEMPTS: usize = 16;

fn nouns(shape: Shape) -> &'static [&'static str] {
    match shape {
        Shape::Circle => &["circle", "disc"],
        Shape::Square => &["square", "box"],
        Shape::Triangle => &["triangle"],
        Shape::Star => &["star"],
        Shape::Cross => &["cross", "plus"],
        Shape::Ring => &["ring", "hoop"],
    }
}

fn colours(colour: Colour) -> &'static [&'static str] {
    match colour {
        Colour::Red => &["red"],
        Colour::Orange => &["orange"],
        Colour::Yellow => &["yellow"],
        Colour::Green => &["green"],
        Colour::Blue => &["blue"],
        Colour::Purple => &["purple", "violet"],
    }
}

fn materials(material: Material) -> &'static [&'static str] {
    match material {
        Material::Plain => &[""],
        Material::Striped => &["striped"],
        Material::Dotted => &["dotted", "spotted"],
        Material::Shiny => &["shiny", "glossy"],
    }
}

fn backgrounds(background: Background) -> &'static [&'static str] {
    match background {
        Background::White => &["a white background"],
        Background::Black => &["a black background", "a dark background"],
        Background::Grey => &["a grey background"],
        Background::Checked => &["a checked background", "a chessboard"],
    }
}

/// The shape that a word names.
pub(super) fn shape_of(word: &str) -> Option<Shape> {
    SHAPES.into_iter().find(|shape| nouns(*shape).contains(&word))
}

impl Scene {
    /// Scene `number` of the data set with this seed, with its captions.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> (Self, Vec<String>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number);
        let scene = Self::random(&mut random);
        let captions = generate(&scene, CAPTIONS, &mut random);
        (scene, captions)
    }
}

/// Generates `count` captions of a scene, different ones if possible.
fn generate(scene: &Scene, count: usize, random: &mut ChaCha8Rng) -> Vec<String> {
    let mut captions = Vec::<String>::new();
    while captions.len() < count {
        let mut attempts = (0..ATTEMPTS).map(|_| caption(scene, random));
        let new = attempts.find(|caption| !captions.contains(caption));
        captions.push(new.unwrap_or_else(|| caption(scene, random)));
    }
    captions
}

fn caption(scene: &Scene, random: &mut ChaCha8Rng) -> String {
    let on = if random.random_bool(0.4) {
        format!(" on {}", choose(backgrounds(scene.background), random))
    } else {
        String::new()
    };
    let mut objects = scene.objects.iter().collect::<Vec<_>>();
    if random.random() {
        objects.reverse();
    }
    match *objects {
        [] => choose(backgrounds(scene.background), random).to_owned(),
        [one] => with_one(one, &on, random),
        [one, two] => with_two(one, two, &on, random),
        [one, two, three, ..] => with_three([one, two, three], &on, random),
    }
}

fn with_one(object: &Object, on: &str, random: &mut ChaCha8Rng) -> String {
    let named = phrase(object, random);
    match random.random_range(0..3) {
        0 => format!("{named}{on}"),
        1 => format!("there is {named}{on}"),
        _ => format!("a picture of {named}{on}"),
    }
}

fn with_two(one: &Object, two: &Object, on: &str, random: &mut ChaCha8Rng) -> String {
    let [first, second] = [one, two].map(|object| phrase(object, random));
    let relation = relation(one, two, random);
    match random.random_range(0..4) {
        0 => format!("{first} and {second}{on}"),
        1 => format!("{first} is {relation} {second}"),
        2 => format!("there is {first} {relation} {second}"),
        _ => format!("{first} {relation} {second}{on}"),
    }
}

fn with_three(objects: [&Object; 3], on: &str, random: &mut ChaCha8Rng) -> String {
    let [first, second, third] = objects.map(|object| phrase(object, random));
    let relation = relation(objects[0], objects[1], random);
    match random.random_range(0..3) {
        0 => format!("{first}, {second} and {third}{on}"),
        1 => format!("{first} is {relation} {second} and there is {third}"),
        _ => format!("{first} {relation} {second} and {third}{on}"),
    }
}

/// An object with some of its properties.
fn phrase(object: &Object, random: &mut ChaCha8Rng) -> String {
    let sizes: &[&str] = if object.large { &["large", "big"] } else { &["small", "little"] };
    let words = [
        choose_sometimes(sizes, 0.6, random),
        choose_sometimes(materials(object.material), 0.6, random),
        choose_sometimes(colours(object.colour), 0.9, random),
        choose(nouns(object.shape), random),
    ];
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let article = if words[0].starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {}", words.join(" "))
}

/// One of `words` with this probability, else an empty word.
fn choose_sometimes(
    words: &[&'static str],
    probability: f64,
    random: &mut ChaCha8Rng,
) -> &'static str {
    if random.random_bool(probability) { choose(words, random) } else { "" }
}

/// The position of `one` relative to `other`.
fn relation(one: &Object, other: &Object, random: &mut ChaCha8Rng) -> &'static str {
    let [x, y] = [0, 1].map(|axis| one.centre[axis] - other.centre[axis]);
    let words: &[&str] = match (x.abs() > y.abs(), x < 0.0, y < 0.0) {
        (true, true, _) => &["to the left of", "left of"],
        (true, false, _) => &["to the right of", "right of"],
        (false, _, true) => &["above", "over"],
        (false, _, false) => &["below", "under"],
    };
    choose(words, random)
}
