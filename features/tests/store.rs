//! A store from its first row to its last, and files that are not a store.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;

use common::{GRID, fill, grids, names, open, provenance, source, store, values};
use features::{Dtype, Error, FeatureStore, Preprocess, Provenance, State, StoreWriter, View};

#[test]
fn grids_come_back_in_every_type_and_view() {
    for dtype in [Dtype::F16, Dtype::F32] {
        let (_folder, path) = store();
        let provenance = Provenance { dtype, ..provenance(&[View::Original, View::Flip]) };
        fill(&path, &provenance, &names(0..5));
        let store = FeatureStore::open(&path).unwrap();
        assert_eq!((store.len(), store.complete()), (5, 5));
        assert_eq!(store.provenance(), &provenance);
        assert_eq!(store.devices().collect::<Vec<_>>(), ["cpu"]);
        let row = store.find("ảnh 3.jpg").unwrap();
        for view in 0..2 {
            assert_eq!(
                common::bytes(&store, row, view).unwrap().len(),
                GRID.values() * dtype.bytes()
            );
            let expected = &grids(3, 2)[view * GRID.values()..(view + 1) * GRID.values()];
            let close = |a: &f32, b: &f32| (a - b).abs() <= b.abs() * 1e-3;
            assert!(values(&store, row, view).iter().zip(expected).all(|(a, b)| close(a, b)));
        }
        assert_eq!((store.view(View::Flip).unwrap(), store.find("ảnh 9.jpg")), (1, None));
        let error = store.view(View::TopLeft).unwrap_err().to_string();
        assert!(error.contains("`top-left`") && error.contains("original, flip"), "{error}");
        assert_eq!(store.verify().unwrap(), []);
    }
}

#[test]
fn an_interrupted_run_continues_and_new_images_do_not_change_old_rows() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    let mut writer = open(&path, &plain);
    let rows = writer.rows_for(&names(0..3)).unwrap();
    common::write(&mut writer, &[(rows[1], 1)]).unwrap();
    drop(writer);
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.len(), store.complete()), (3, 1));
    assert!(matches!(common::bytes(&store, 0, 0).unwrap_err(), Error::Incomplete { .. }));
    assert_eq!(store.find("ảnh 0.jpg"), None);

    let before = common::bytes(&store, 1, 0).unwrap();
    fill(&path, &plain, &names(0..6));
    assert_eq!(common::bytes(&store, 1, 0).unwrap(), before, "the old row was moved");
    assert_eq!(store.complete(), 1, "a reader shows the store as it was");
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.len(), store.complete()), (6, 6));
    for (number, name) in names(0..6).iter().enumerate() {
        let row = store.find(name).unwrap();
        assert_eq!(values(&store, row, 0), common::rounded(&grids(number, 1)));
    }
}

#[test]
fn a_changed_image_gets_a_new_row_and_a_removed_one_none() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..3));
    let before = FeatureStore::open(&path).unwrap();
    let mut writer = open(&path, &plain);
    assert_eq!(common::intact_source(&writer, "ảnh 1.jpg"), Some(source(1)));
    assert_eq!(common::intact_source(&writer, "ảnh 7.jpg"), None);
    let rows = writer.rows_for(&names(1..2)).unwrap();
    assert_eq!(rows, [3]);
    assert!(common::intact_source(&writer, "ảnh 1.jpg").is_some(), "the old row counts meanwhile");
    common::write(&mut writer, &[(3, 40)]).unwrap();
    assert_eq!(common::intact_source(&writer, "ảnh 1.jpg"), Some(source(40)));
    writer.remove(&names(0..1)).unwrap();
    writer.finish().unwrap();

    let store = FeatureStore::open(&path).unwrap();
    assert_eq!(store.images(), [("ảnh 1.jpg", 3), ("ảnh 2.jpg", 2)]);
    assert_eq!([store.state(0), store.state(1)], [State::Removed; 2]);
    assert_eq!(values(&store, 3, 0), common::rounded(&grids(40, 1)));
    assert_eq!(
        values(&before, 1, 0),
        common::rounded(&grids(1, 1)),
        "an open reader was disturbed"
    );
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn the_digest_is_of_the_content_alone() {
    let plain = provenance(&[View::Original]);
    let digest = |order: &[usize]| {
        let (_folder, path) = store();
        for &number in order {
            fill(&path, &plain, &names(number..number + 1));
        }
        FeatureStore::open(&path).unwrap().content_digest().unwrap()
    };
    assert_eq!(digest(&[0, 1, 2]), digest(&[2, 0, 1]));
    assert_ne!(digest(&[0, 1, 2]), digest(&[0, 1]));
}

#[test]
fn a_second_writer_is_refused_while_readers_are_not() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    let mut writer = open(&path, &plain);
    writer.rows_for(&names(0..2)).unwrap();
    let error = StoreWriter::open(&path, &plain, common::origin()).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    assert_eq!(FeatureStore::open(&path).unwrap().complete(), 0);
    drop(writer);
    fill(&path, &plain, &names(0..2));
}

#[test]
fn the_holder_of_the_lock_is_named_if_it_is_known() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..2));
    let refusal = || {
        let error = StoreWriter::open(&path, &plain, common::origin()).unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        error.to_string()
    };
    let reader = fs::File::open(&path).unwrap();
    reader.lock_shared().unwrap();
    assert!(
        refusal()
            .contains("store.h5: the store is in use: another program has it open for reading")
    );
    reader.unlock().unwrap();
    fill(&path, &plain, &names(0..3));

    let other = fs::File::options().write(true).open(&path).unwrap();
    other.lock().unwrap();
    assert!(refusal().contains(&format!("process {} is writing it", std::process::id())));
}

#[test]
fn names_are_the_same_in_every_unicode_form() {
    const COMPOSED: [&str; 2] = ["caf\u{e9}.jpg", "\u{1EA3}nh.jpg"];
    const DECOMPOSED: [&str; 2] = ["cafe\u{301}.jpg", "a\u{309}nh.jpg"];
    let plain = provenance(&[View::Original]);
    for (stored, requested) in [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)] {
        let (_folder, path) = store();
        let mut writer = open(&path, &plain);
        let rows = writer.rows_for(&stored.map(str::to_owned)).unwrap();
        common::write(&mut writer, &[(rows[0], 0)]).unwrap();
        writer.finish().unwrap();

        let mut writer = open(&path, &plain);
        assert_eq!(common::intact_source(&writer, requested[0]), Some(source(0)));
        assert_eq!(
            writer.rows_for(&[requested[1].to_owned()]).unwrap(),
            [rows[1]],
            "a row is reused"
        );
        common::write(&mut writer, &[(rows[1], 1)]).unwrap();
        writer.finish().unwrap();
        let read = FeatureStore::open(&path).unwrap();
        for (stored, requested) in stored.iter().zip(requested) {
            assert!(read.find(requested).is_some() && read.find(requested) == read.find(stored));
            assert_eq!(read.name(read.find(requested).unwrap()), *stored, "what is stored stays");
        }
        // Encoded again under its other name, an image has one row that counts.
        let mut writer = open(&path, &plain);
        let row = writer.rows_for(&[requested[0].to_owned()]).unwrap()[0];
        common::write(&mut writer, &[(row, 5)]).unwrap();
        writer.remove(&[stored[1].to_owned(), requested[1].to_owned()]).unwrap();
        writer.finish().unwrap();
        let read = FeatureStore::open(&path).unwrap();
        assert_eq!(
            (read.complete(), read.find(stored[0]), read.find(requested[1])),
            (1, Some(row), None)
        );
    }
}

#[test]
fn an_absent_store_is_not_found() {
    let (_folder, path) = store();
    let error = FeatureStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert!(error.to_string().contains("store.h5: feature store not found\n  Fill it"));
}

#[test]
fn a_store_of_another_encoder_is_refused_and_kept() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..2));
    let before = fs::read(&path).unwrap();
    let sha256 = "cd".repeat(32);
    let others = [
        (Provenance { encoder_sha256: sha256, ..plain.clone() }, "encoder (SHA-256)"),
        (
            Provenance { preprocess: Preprocess::imagenet([224, 288]), ..plain.clone() },
            "preprocessing",
        ),
        (Provenance { dtype: Dtype::F32, ..plain.clone() }, "type of values is f16, but f32"),
        (
            provenance(&[View::Original, View::Flip]),
            "list of views is original, but original, flip",
        ),
    ];
    for (other, what) in others {
        let error = StoreWriter::open(&path, &other, common::origin()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    assert!(before == fs::read(&path).unwrap(), "the refused store was changed");
}

#[test]
fn other_files_are_refused_and_kept() {
    let (folder, path) = store();
    let path = folder.path().join(path.file_name().unwrap());
    let files: [&[u8]; 3] = [b"<html>not found</html>", b"\x89HDF\r\n\x1a\n and more", &[0; 5000]];
    for bytes in files {
        fs::write(&path, bytes).unwrap();
        let error = FeatureStore::open(&path).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{error}");
        let plain = provenance(&[View::Original]);
        let error = StoreWriter::open(&path, &plain, common::origin()).unwrap_err();
        assert!(error.to_string().contains("store.h5: not a feature store"), "{error}");
        assert!(fs::read(&path).unwrap() == bytes);
    }
}

/// Through libhdf5, as any other program.
#[test]
fn hdf5_sees_the_same_rows() {
    let (_folder, path) = store();
    let two = provenance(&[View::Original, View::Flip]);
    fill(&path, &two, &names(0..3));
    fill(&path, &two, &names(0..5));
    let store = FeatureStore::open(&path).unwrap();
    let appended = path.with_file_name("store+1.h5");
    assert_eq!(store.files(), [path, appended]);
    let mut row = 0;
    for (number, path) in store.files().iter().enumerate() {
        let file = hdf5::File::open(path).unwrap();
        let attribute = |name: &str| file.attr(name).unwrap().read_scalar::<u64>().unwrap();
        assert_eq!((attribute("version"), attribute("number")), (3, number as u64));
        let grid = file.attr("grid").unwrap().read_raw::<u64>().unwrap();
        assert_eq!(grid, [2, 3, 8]);
        row += common::compare_with_hdf5(&store, &file, row);
    }
    assert_eq!(row, 5);
}

#[test]
fn rows_are_after_the_metadata() {
    let (_folder, path) = store();
    fill(&path, &provenance(&[View::Original, View::Flip]), &names(0..40));
    let file = hdf5::File::open(&path).unwrap();
    for name in ["name", "source_sha256", "source_stamp", "state", "checksum", "grids/flip"] {
        let at = file.dataset(name).unwrap().offset().unwrap();
        assert!(at >= 64 << 10, "{name} at {at}");
    }
}

#[test]
fn a_stamp_can_be_updated() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..2));
    let mut writer = open(&path, &plain);
    assert_eq!(writer.stamp(1).unwrap(), common::stamp(1));
    let new = features::Stamp { size: 7, modified: 8 };
    writer.set_stamp(1, new).unwrap();
    writer.finish().unwrap();
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!([store.stamp(0).unwrap(), store.stamp(1).unwrap()], [common::stamp(0), new]);
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn files_that_are_gone_are_named() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    for images in 1..4 {
        fill(&path, &plain, &names(0..images));
    }
    let second = path.with_file_name("store+1.h5");
    let hidden = path.with_file_name("hidden");
    for (gone, named) in
        [(&second, "store+1.h5: not found, but"), (&path, "store.h5: not found, but")]
    {
        fs::rename(gone, &hidden).unwrap();
        for error in [
            FeatureStore::open(&path).unwrap_err(),
            StoreWriter::open(&path, &plain, common::origin()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(named), "{error}");
        }
        fs::rename(&hidden, gone).unwrap();
    }
    fs::copy(&path, path.with_file_name("store+3.h5")).unwrap();
    let error = FeatureStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("store+3.h5: not a file of the store"), "{error}");
}

#[test]
fn grids_in_any_memory_layout_are_stored_alike() {
    let plain = Provenance {
        grid: features::GridShape { height: 2, width: 2, channels: 150 },
        ..provenance(&[View::Original])
    };
    let planes = ndarray::Array3::from_shape_fn((1, 150, 4), |(_, channel, cell)| {
        (channel * 4 + cell) as f32
    });
    let cells_last = planes.view().permuted_axes([0, 2, 1]);
    let contiguous = cells_last.as_standard_layout();
    for dtype in [Dtype::F16, Dtype::F32] {
        for grids in [cells_last, contiguous.view()] {
            let (_folder, path) = store();
            let mut writer = open(&path, &Provenance { dtype, ..plain.clone() });
            let row = writer.rows_for(&names(0..1)).unwrap()[0];
            let (source, stamp) = (source(0), common::stamp(0));
            writer.write(&[features::Encoded { row, source, stamp, grids }]).unwrap();
            writer.finish().unwrap();
            let read = FeatureStore::open(&path).unwrap().read(0, 0).unwrap();
            assert_eq!(read, contiguous.index_axis(ndarray::Axis(0), 0));
        }
    }
}

#[test]
fn a_link_leads_to_all_files_of_a_store() {
    let (folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..2));
    fill(&path, &plain, &names(0..5));
    let link = folder.path().join("link.h5");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(FeatureStore::open(&link).unwrap().complete(), 5);
    fill(&link, &plain, &names(0..6));
    assert!(path.with_file_name("store+2.h5").exists());
    assert_eq!(FeatureStore::open(&path).unwrap().complete(), 6);
    let nowhere = folder.path().join("nowhere.h5");
    std::os::unix::fs::symlink("gone.h5", &nowhere).unwrap();
    assert!(StoreWriter::open(&nowhere, &plain, common::origin()).is_err());
    assert!(nowhere.is_symlink());
}

#[test]
fn files_of_another_store_are_refused_though_it_has_the_same_encoder() {
    let (folder, path) = store();
    let plain = provenance(&[View::Original]);
    let other = folder.path().join("other.h5");
    for (store, first) in [(&path, 0), (&other, 10)] {
        fill(store, &plain, &names(first..first + 1));
        fill(store, &plain, &names(first..first + 3));
    }
    fs::copy(other.with_file_name("other+1.h5"), path.with_file_name("store+1.h5")).unwrap();
    let error = FeatureStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::Misplaced { .. }), "{error}");
}

#[test]
fn several_missing_files_are_noticed() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    for images in 1..5 {
        fill(&path, &plain, &names(0..images));
    }
    for gone in [&["store+1.h5", "store+2.h5"][..], &["store.h5", "store+3.h5"]] {
        let gone = gone.iter().map(|name| path.with_file_name(name)).filter(|path| path.exists());
        gone.for_each(|path| fs::remove_file(path).unwrap());
        for error in [
            FeatureStore::open(&path).err(),
            StoreWriter::open(&path, &plain, common::origin()).err(),
        ] {
            let rest = path.with_file_name("store+3.h5").exists();
            assert!(!rest || matches!(error, Some(Error::MissingFile { .. })), "{error:?}");
        }
    }
}

#[test]
fn a_pipe_is_refused_at_once() {
    let (_folder, path) = store();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    for error in [
        FeatureStore::open(&path).unwrap_err(),
        StoreWriter::open(&path, &provenance(&[View::Original]), common::origin()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}
