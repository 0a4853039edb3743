//! A store in several files: read as one, merged, copied, and refused where the files do not belong together.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{GRID, fill, fill_shard, names, origin, provenance, rounded, values};
use features::{
    Error, FeatureStore, Provenance, Shard, StoreWriter, View, merge, merge_copy, shards_of,
};
use tempfile::TempDir;

const IMAGES: usize = 30;

fn shard(index: u32, count: u32) -> Shard {
    Shard::new(index, count).unwrap()
}

/// Fills a shard of the store at `path` with those of the first `images` images that belong to it.
fn fill_one(path: &Path, shard: Shard, provenance: &Provenance, images: usize) {
    let images = names(0..images).into_iter().filter(|name| shard.holds(name)).collect::<Vec<_>>();
    fill_shard(&shard.path(path), Some(shard), provenance, &images);
}

/// Three shards, to the last of which rows were added.
fn three_shards() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.h5");
    for (index, images) in [(0, IMAGES), (1, IMAGES), (2, IMAGES / 2), (2, IMAGES)] {
        fill_one(&path, shard(index, 3), &provenance(&[View::Original, View::Flip]), images);
    }
    (folder, path)
}

fn merged(path: &Path) -> features::Result<FeatureStore> {
    merge(path, &shards_of(path).unwrap(), "test")
}

fn assert_whole(store: &FeatureStore) {
    let single = store.path().with_file_name("single.h5");
    let whole = provenance(&[View::Original, View::Flip]);
    fill(&single, &whole, &names(0..IMAGES));
    let single = FeatureStore::open(&single).unwrap();
    assert_eq!(store.content_digest().unwrap(), single.content_digest().unwrap());
    assert_eq!((store.len(), store.complete()), (IMAGES, IMAGES));
    assert_eq!(store.verify().unwrap(), []);
    store.provenance().check(&whole, store.path()).unwrap();
    for (number, name) in names(0..IMAGES).iter().enumerate() {
        let row = store.find(name).unwrap();
        assert_eq!(store.name(row), name);
        let grid = &common::grids(number, 2)[GRID.values()..];
        assert_eq!(values(store, row, 1), rounded(grid));
        assert_eq!(store.source(row).map(Some).unwrap(), Some(common::source(number)));
    }
}

#[test]
fn shards_are_one_store_side_by_side_merged_and_copied() {
    let (_folder, path) = three_shards();
    let files = shards_of(&path).unwrap();
    let as_they_lie = FeatureStore::open(&path).unwrap();
    let added = path.with_file_name("store.2-of-3+1.h5");
    let all = [&files[..], std::slice::from_ref(&added)].concat();
    assert_eq!(as_they_lie.files(), all);
    assert_whole(&as_they_lie);
    let merged = merged(&path).unwrap();
    assert_eq!(merged.files(), all);
    assert_whole(&merged);
    assert!(fs::metadata(&path).unwrap().len() < 3 << 20, "a merged store holds no grids");

    // A copy no longer needs the shards, and is a store like any other.
    let copied = merge_copy(&path, &files, "test").unwrap();
    for file in all {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(copied.files(), [path.as_path()]);
    assert_whole(&FeatureStore::open(&path).unwrap());
    fill(&path, &provenance(&[View::Original, View::Flip]), &names(0..IMAGES + 1));
    assert_eq!(FeatureStore::open(&path).unwrap().complete(), IMAGES + 1);
}

#[test]
fn other_programs_read_a_merged_store_as_one() {
    let (folder, path) = three_shards();
    let store = merged(&path).unwrap();
    let moved = folder.path().join("moved");
    fs::create_dir(&moved).unwrap();
    for file in std::iter::once(&path).chain(store.files()) {
        fs::rename(file, moved.join(file.file_name().unwrap())).unwrap();
    }
    let store = FeatureStore::open(&moved.join("store.h5")).unwrap();
    let file = hdf5::File::open(store.path()).unwrap();
    assert_eq!(common::compare_with_hdf5(&store, &file, 0), IMAGES);
}

#[test]
fn files_of_different_stores_are_refused_by_name() {
    let (_folder, path) = three_shards();
    let file = |index: u32, count: u32| shard(index, count).path(&path);
    let refused = |parts: &[&str]| {
        let errors = [merged(&path), FeatureStore::open(&path)];
        for error in errors.map(|store| store.unwrap_err().to_string()) {
            for part in parts {
                assert!(error.contains(part), "no `{part}` in {error}");
            }
        }
        assert!(!path.exists());
    };
    let one = fs::read(file(1, 3)).unwrap();
    fs::remove_file(file(1, 3)).unwrap();
    refused(&["store.h5: 1 of its 3 shards are missing: 1", "--shard 1/3"]);

    let other =
        Provenance { encoder_sha256: "cd".repeat(32), ..provenance(&[View::Original, View::Flip]) };
    fill_one(&path, shard(1, 3), &other, IMAGES);
    refused(&["store.1-of-3.h5: its encoder (SHA-256) is cdcd", "store.0-of-3.h5 is abab"]);
    fs::remove_file(file(1, 3)).unwrap();
    fill_one(&path, shard(1, 3), &provenance(&[View::Flip, View::Original]), IMAGES);
    refused(&["store.1-of-3.h5: its list of views is flip, original"]);
    fs::write(file(1, 3), &one).unwrap();

    let stray = names(0..IMAGES).into_iter().find(|name| shard(0, 3).holds(name)).unwrap();
    let two = provenance(&[View::Original, View::Flip]);
    fill_shard(&file(1, 3), Some(shard(1, 3)), &two, std::slice::from_ref(&stray));
    refused(&[&format!("`{stray}` is in both"), "store.1-of-3+1.h5", "store.0-of-3.h5"]);
    fs::remove_file(file(1, 3).with_file_name("store.1-of-3+1.h5")).unwrap();
    fs::write(file(1, 3), &one).unwrap();

    fs::copy(file(1, 3), file(0, 2)).unwrap();
    refused(&["store.0-of-2.h5 and", "are both shard 1/3"]);
    fs::remove_file(file(0, 2)).unwrap();
    fill_one(&path, shard(0, 2), &two, IMAGES);
    refused(&["are of two sets, 0/2 and 0/3"]);
    fs::remove_file(file(0, 2)).unwrap();

    fs::remove_file(file(2, 3)).unwrap();
    fs::remove_file(file(2, 3).with_file_name("store.2-of-3+1.h5")).unwrap();
    fill(&file(2, 3), &two, &names(0..1));
    refused(&["store.2-of-3.h5 is not a shard"]);
}

#[test]
fn a_filled_store_is_not_replaced_or_filled_by_mistake() {
    let (_folder, path) = three_shards();
    let two = provenance(&[View::Original, View::Flip]);
    let single = path.with_file_name("single.h5");
    fill(&single, &two, &names(0..3));
    let before = fs::read(&single).unwrap();
    let shards = shards_of(&path).unwrap();
    for make in [merge, merge_copy] {
        let error = make(&single, &shards, "test").unwrap_err().to_string();
        assert!(error.contains("single.h5: a store with rows of its own is there"), "{error}");
    }
    assert!(fs::read(&single).unwrap() == before);
    let foreign = path.with_file_name("notes.h5");
    fs::write(&foreign, "no store").unwrap();
    assert!(merge(&foreign, &shards, "test").is_err());
    assert_eq!(fs::read(&foreign).unwrap(), b"no store");

    merged(&path).unwrap();
    merged(&path).unwrap();
    let error = StoreWriter::open(&path, &two, origin()).unwrap_err();
    assert!(matches!(error, Error::Merged { files: 3, .. }), "{error}");
    let file = shard(1, 3).path(&path);
    for wrong in [None, Some(shard(0, 3)), Some(shard(1, 4))] {
        let error = StoreWriter::open_shard(&file, wrong, &two, origin()).unwrap_err().to_string();
        assert!(error.contains("store.1-of-3.h5: its shard is 1/3"), "{error}");
    }
    let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 4 + 3, "only shards, the merged store and the two others are left");
}

#[test]
fn rows_added_to_a_shard_are_read_and_damage_is_named() {
    let (_folder, path) = three_shards();
    let store = merged(&path).unwrap();
    let file = shard(2, 3).path(&path);
    let new = (IMAGES..).map(|number| names(number..number + 1).remove(0));
    let new = new.into_iter().find(|name| shard(2, 3).holds(name)).unwrap();
    let two = provenance(&[View::Original, View::Flip]);
    fill_shard(&file, Some(shard(2, 3)), &two, std::slice::from_ref(&new));
    assert_eq!(store.find(&new), None, "a reader shows the store as it was");
    assert!(FeatureStore::open(&path).unwrap().find(&new).is_some());

    fs::remove_file(&file).unwrap();
    let error = FeatureStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("store.2-of-3.h5: feature store not found"), "{error}");
}

#[test]
fn concurrent_merges_do_not_disturb_each_other() {
    let (_folder, path) = three_shards();
    let files = shards_of(&path).unwrap();
    // The scratch file of a killed merge.
    let left = path.with_file_name(".store.h5.new");
    fs::write(&left, vec![7; 3 << 20]).unwrap();
    let done = std::thread::scope(|scope| {
        let merges = (0..8).map(|_| scope.spawn(|| merge(&path, &files, "test")));
        let merges = merges.collect::<Vec<_>>().into_iter();
        merges.map(|merge| merge.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(done.iter().any(Result::is_ok));
    for error in done.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::Busy { .. }), "{error}");
    }
    assert!(!left.exists());
    assert_whole(&FeatureStore::open(&path).unwrap());

    // One that copies and one that does not: a store with rows of its own is not replaced.
    let done = std::thread::scope(|scope| {
        let copies = (0..4).map(|_| scope.spawn(|| merge_copy(&path, &files, "test")));
        let others = (0..4).map(|_| scope.spawn(|| merge(&path, &files, "test")));
        let all = copies.chain(others).collect::<Vec<_>>().into_iter();
        all.map(|merge| merge.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(done.iter().any(Result::is_ok));
    for error in done.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::Busy { .. } | Error::WouldReplace { .. }), "{error}");
    }
    assert!(!left.exists());
    assert_eq!(FeatureStore::open(&path).unwrap().verify().unwrap(), []);
    let _ = merge_copy(&path, &files, "test");
    assert_whole(&FeatureStore::open(&path).unwrap());
}

#[test]
fn a_name_in_two_unicode_forms_in_two_shards_is_one_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.h5");
    let plain = provenance(&[View::Original]);
    for (index, name) in ["cafe\u{301}.jpg", "caf\u{e9}.jpg"].into_iter().enumerate() {
        let shard = shard(index as u32, 2);
        let file = shard.path(&path);
        let mut writer = StoreWriter::open_shard(&file, Some(shard), &plain, origin()).unwrap();
        let rows = writer.rows_for(&[name.to_owned()]).unwrap();
        common::write(&mut writer, &[(rows[0], index)]).unwrap();
        writer.finish().unwrap();
    }
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.complete(), store.find("cafe\u{301}.jpg")), (1, Some(1)));
}

#[test]
fn rows_that_were_added_are_merged_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    // A percent sign has a meaning in the names of virtual datasets.
    let [path, linked, copied] =
        ["store 50%b.h5", "linked.h5", "copied.h5"].map(|name| folder.path().join(name));
    let two = provenance(&[View::Original, View::Flip]);
    for images in [10, 20, IMAGES] {
        fill(&path, &two, &names(0..images));
    }
    let stores = std::slice::from_ref(&path);
    let merged = merge(&linked, stores, "test").unwrap();
    assert_eq!((merged.files().len(), merged.complete()), (3, IMAGES));
    let file = hdf5::File::open(&linked).unwrap();
    assert_eq!(common::compare_with_hdf5(&merged, &file, 0), IMAGES);
    let copy = merge_copy(&copied, stores, "test").unwrap();
    assert_eq!(copy.files(), [copied.as_path()]);
    let again = folder.path().join("again.h5");
    let again = merge_copy(&again, std::slice::from_ref(&linked), "test").unwrap();
    assert_eq!(again.content_digest().unwrap(), copy.content_digest().unwrap());
    let error = FeatureStore::open(&path.with_file_name("store 50%b+1.h5")).unwrap_err();
    assert!(error.to_string().contains("store 50%b+1.h5: file 1 of a store"), "{error}");
    let digest = FeatureStore::open(&path).unwrap().content_digest().unwrap();
    assert_eq!(copy.content_digest().unwrap(), digest);
    assert_eq!(merged.content_digest().unwrap(), digest);
}

#[test]
fn names_are_spread_evenly_over_the_shards() {
    let shards = (0..7).map(|index| Shard::new(index, 7).unwrap()).collect::<Vec<_>>();
    let mut held = [0; 7];
    for number in 0..7000 {
        let name = format!("{number}.jpg");
        let of = shards.iter().filter(|shard| shard.holds(&name)).collect::<Vec<_>>();
        assert_eq!(of.len(), 1, "{name}");
        held[of[0].index() as usize] += 1;
    }
    assert!(held.iter().all(|&names| (900..1100).contains(&names)), "{held:?}");
}

/// Stores outlive programs: the shard of a name must never change.
#[test]
fn the_shard_of_a_name_is_stable() {
    let of = |name: &str| (0..8).find(|&index| Shard::new(index, 8).unwrap().holds(name));
    assert_eq!(["a.jpg", "b.jpg", "ảnh.png"].map(of), [Some(7), Some(2), Some(2)]);
}

#[test]
fn shards_are_known_by_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("photos.v2.h5");
    for name in [
        "photos.v2.1-of-2.h5",
        "photos.v2.0-of-2.h5",
        "photos.v2.2-of-2.h5",
        "photos.v2.01-of-2.h5",
        "photos.0-of-2.h5",
        "photos.v2.0-of-2.skipped.jsonl",
    ] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let shards = shards_of(&store).unwrap();
    assert_eq!(shards, [0, 1].map(|index| Shard::new(index, 2).unwrap().path(&store)));
    assert_eq!(shards_of(Path::new("nowhere/at/all.h5")).unwrap(), Vec::<PathBuf>::new());
    assert_eq!("3/8".parse::<Shard>(), Ok(Shard::new(3, 8).unwrap()));
    for wrong in ["8/8", "1", "-1/3", "a/b", "0/0", ""] {
        assert!(wrong.parse::<Shard>().unwrap_err().contains("I/N"), "{wrong}");
    }
}

#[test]
fn shards_are_not_hidden_by_a_store_of_their_name() {
    let (_folder, path) = three_shards();
    let two = provenance(&[View::Original, View::Flip]);
    let error = StoreWriter::open(&path, &two, origin()).unwrap_err();
    assert!(matches!(error, Error::HasShards { shards: 3, .. }), "{error}");
}
