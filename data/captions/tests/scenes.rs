//! Drawn scenes: pictures, captions and objects agree.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use captions::scenes::{
    Colour, Counts, Material, Object, SIDE, Scene, Shape, score_attention, write,
};
use data::{Captions, Split, Splits};
use serde_json::{Value, json};
use tiny_skia::Pixmap;

const COUNTS: Counts = Counts { train: 6, dev: 3, test: 2 };

fn scenes() -> impl Iterator<Item = (Scene, Vec<String>)> {
    (0..200).map(|number| Scene::new(7, number))
}

#[test]
fn a_scene_depends_on_its_seed_and_number_alone() {
    let (scene, captions) = Scene::new(7, 3);
    assert_eq!(Scene::new(7, 3), (scene.clone(), captions));
    assert_ne!(Scene::new(7, 4).0, scene);
    assert_ne!(Scene::new(8, 3).0, scene);
    assert_eq!(Scene::new(7, 3).0.draw().unwrap(), scene.draw().unwrap());
}

#[test]
fn objects_lie_inside_and_apart() {
    for (scene, _) in scenes() {
        assert!((1..=3).contains(&scene.objects.len()));
        for (at, object) in scene.objects.iter().enumerate() {
            let own = object.bounds();
            let is_inside =
                own.left > 0.0 && own.top > 0.0 && own.right() < 1.0 && own.bottom() < 1.0;
            assert!(is_inside, "{object:?}");
            for other in &scene.objects[at + 1..] {
                assert_ne!(object.shape, other.shape);
                let bounds = other.bounds();
                let is_beside = own.left > bounds.right() || own.right() < bounds.left;
                let is_above = own.top > bounds.bottom() || own.bottom() < bounds.top;
                assert!(is_beside || is_above, "{scene:?}");
            }
        }
    }
}

/// The pixel in the centre of an object.
fn middle(picture: &Pixmap, object: &Object) -> [u8; 3] {
    let [x, y] = object.centre.map(|share| (share * SIDE as f32) as u32);
    let pixel = picture.pixel(x, y).unwrap();
    [pixel.red(), pixel.green(), pixel.blue()]
}

#[test]
fn objects_have_their_colours() {
    let mut seen = 0;
    for (scene, _) in scenes() {
        let picture = Pixmap::decode_png(&scene.draw().unwrap()).unwrap();
        let whole =
            |object: &&Object| object.material == Material::Plain && object.shape != Shape::Ring;
        for object in scene.objects.iter().filter(whole) {
            let [red, green, blue] = middle(&picture, object);
            let as_named = match object.colour {
                Colour::Red => red > 2 * green && red > 2 * blue,
                Colour::Orange => red > green && green > 2 * blue && green < 200,
                Colour::Yellow => red > 200 && green > 200 && blue < 100,
                Colour::Green => green > red && green > blue,
                Colour::Blue => blue > red && blue > green && red < 100,
                Colour::Purple => blue > green && red > green && red > 100,
            };
            assert!(as_named, "{object:?}: {red} {green} {blue}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn captions_are_true() {
    let mut relations = 0;
    for (scene, captions) in scenes() {
        assert_eq!(captions.len(), 5);
        for caption in captions {
            let words =
                caption.split(' ').map(|word| word.trim_end_matches(',')).collect::<Vec<_>>();
            let named = words.iter().filter_map(|word| named(&scene, word)).collect::<Vec<_>>();
            assert!(!named.is_empty(), "{caption}: {scene:?}");
            for (relation, axis, sign) in
                [("left of", 0, -1.0), ("right of", 0, 1.0), ("above", 1, -1.0), ("under", 1, 1.0)]
            {
                if caption.contains(relation) {
                    let apart = named[0].centre[axis] - named[1].centre[axis];
                    assert!(apart * sign > 0.0, "{caption}: {scene:?}");
                    relations += 1;
                }
            }
        }
    }
    assert!(relations > 100, "{relations}");
}

/// The object that a word names.
fn named<'a>(scene: &'a Scene, word: &str) -> Option<&'a Object> {
    let shape = match word {
        "circle" | "disc" => Shape::Circle,
        "square" | "box" => Shape::Square,
        "triangle" => Shape::Triangle,
        "star" => Shape::Star,
        "cross" | "plus" => Shape::Cross,
        "ring" | "hoop" => Shape::Ring,
        _ => return None,
    };
    let found = scene.objects.iter().find(|object| object.shape == shape);
    assert!(found.is_some(), "there is no {word}: {scene:?}");
    found
}

#[test]
fn a_data_set_is_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), COUNTS, 7).unwrap();
    let captions = Captions::read(&folder.path().join("captions.txt")).unwrap();
    let splits = Splits::find(folder.path()).unwrap();
    let images = tests::files_in(&folder.path().join("Images"));
    assert_eq!((captions.iter().count(), images.len()), (11, 11));
    for (split, count) in [(Split::Train, 6), (Split::Dev, 3), (Split::Test, 2)] {
        let of_split = captions.iter().filter(|of| splits.split_of(&of.image) == Some(split));
        assert_eq!(of_split.count() as u64, count);
    }
    assert!(captions.iter().all(|of| of.captions.len() == 5));
    let pictures = images.iter().map(|path| fs::read(path).unwrap()).collect::<HashSet<_>>();
    assert_eq!(pictures.len(), 11);
}

fn captions_program(folder: &Path, arguments: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_captions");
    let output = Command::new(program).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn more_scenes_than_numbers_are_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_captions"));
    let most = u64::MAX.to_string();
    let output = command.args(["scenes", "--out", "none", "--train", &most]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn attention_is_compared_with_the_position_of_objects() {
    let folder = tempfile::tempdir().unwrap();
    let counts = ["--train", "4", "--dev", "2", "--test", "2", "--seed", "7"];
    let said = captions_program(folder.path(), &[&["scenes", "--out", "."], &counts[..]].concat());
    assert!(said.contains("8 scenes"), "{said}");
    let objects = folder.path().join("objects.json");
    let known = fs::read(&objects).unwrap();
    let known = serde_json::from_slice::<BTreeMap<String, Vec<Object>>>(&known).unwrap();
    let (name, of_scene) = known.iter().next().unwrap();
    let object = &of_scene[0];
    let noun = serde_json::to_value(object.shape).unwrap();

    let at = object.centre.map(|share| (share * 7.0) as usize);
    let aimed = (0..7).map(|row| {
        (0..7).map(|column| f64::from(u8::from([column, row] == at))).collect::<Vec<_>>()
    });
    let aimed = json!(aimed.collect::<Vec<_>>());
    let anywhere = json!(vec![vec![0.01; 7]; 7]);
    let measure = |noun: &Value, attention: &Value| {
        let words = json!([{ "text": "a", "attention": attention }, { "text": noun, "attention": attention }]);
        let line = json!({ "file": format!("Images/{name}"), "captions": [{ "words": words }] });
        fs::write(folder.path().join("captions.jsonl"), line.to_string()).unwrap();
        score_attention(&objects, &folder.path().join("captions.jsonl"))
    };
    let (found, _) = measure(&noun, &aimed).unwrap();
    assert_eq!((found.named, found.words), (1, 1));
    assert!((found.mass - 1.0).abs() < 1e-9 && found.area > 0.0 && found.area < 0.5, "{found:?}");
    let said = captions_program(
        folder.path(),
        &["looked", "--objects", "objects.json", "--captions", "captions.jsonl"],
    );
    assert!(said.contains("100.0 %"), "{said}");
    let (found, _) = measure(&noun, &anywhere).unwrap();
    assert!((found.mass - found.area).abs() < 1e-9, "{found:?}");
    let absent = ["circle", "square", "triangle", "star"];
    let absent = absent.into_iter().find(|noun| {
        of_scene.iter().all(|object| serde_json::to_value(object.shape).unwrap() != *noun)
    });
    let (found, _) = measure(&absent.into(), &aimed).unwrap();
    assert_eq!((found.named, found.words), (1, 0));

    fs::write(folder.path().join("other.jsonl"), r#"{"file":"x.png","captions":[]}"#).unwrap();
    let error =
        score_attention(&objects, &folder.path().join("other.jsonl")).unwrap_err().to_string();
    assert!(error.contains("other.jsonl: line 1: x.png is not a scene"), "{error}");
}
