//! Stores that other tools rewrote, left open or wrote in chunks, and those of version 2.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use common::{REWRITES, fill, names, provenance, store};
use features::{Error, FeatureStore, StoreWriter, View, merge, merge_copy};

#[test]
fn every_tool_may_rewrite_a_store() {
    let (folder, path) = store();
    let two = provenance(&[View::Original, View::Flip]);
    fill(&path, &two, &names(0..5));
    let digest = FeatureStore::open(&path).unwrap().content_digest().unwrap();
    for rewrite in REWRITES {
        let file = folder.path().join(format!("{}.h5", rewrite.name));
        if !rewrite.run(&path, &file) {
            continue;
        }
        let read = FeatureStore::open(&file).unwrap();
        assert_eq!(read.content_digest().unwrap(), digest, "{}", rewrite.name);
        assert_eq!((read.verify().unwrap(), read.provenance()), (vec![], &two));
        // Rows are added as to any other store.
        fill(&file, &two, &names(0..7));
        let store = FeatureStore::open(&file).unwrap();
        assert_eq!((store.complete(), store.files().len()), (7, 2));
    }
}

#[test]
fn chunks_are_refused_with_the_command_that_undoes_them() {
    let (folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..5));
    let Some(tool) = tests::hdf5_tool("h5repack") else { return };
    for filter in ["-f", "-l"] {
        let value = if filter == "-f" { "GZIP=1" } else { "CHUNK=1x6x8" };
        let value =
            if filter == "-f" { value.to_owned() } else { format!("grids/original:{value}") };
        let (chunked, back) =
            (folder.path().join("chunked.h5"), folder.path().join("contiguous.h5"));
        let run = |arguments: &[&std::ffi::OsStr]| {
            assert!(Command::new(&tool).args(arguments).status().unwrap().success());
        };
        run(&[filter.as_ref(), value.as_ref(), path.as_ref(), chunked.as_ref()]);
        let error = FeatureStore::open(&chunked).unwrap_err();
        assert!(matches!(error, Error::Rewritten { storage: "in chunks", .. }), "{error}");
        let message = error.to_string();
        let command = message.lines().last().unwrap().trim().strip_prefix("Undo it: ").unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder.path());
        assert!(shell.status().unwrap().success(), "{command}");
        let digest = |path| FeatureStore::open(path).unwrap().content_digest().unwrap();
        assert_eq!(digest(&back), digest(&path));
        let error = StoreWriter::open(&chunked, &plain, common::origin()).unwrap_err();
        assert!(matches!(error, Error::Rewritten { .. }), "{error}");
    }
}

#[test]
fn a_store_that_a_killed_tool_left_open_is_refused_with_the_tool_that_clears_it() {
    let (_folder, path) = store();
    fill(&path, &provenance(&[View::Original]), &names(0..5));
    let Some(python) = tests::python() else { return };
    let Some(clear) = tests::hdf5_tool("h5clear") else { return };
    let left = "import h5py, os, sys; f = h5py.File(sys.argv[1], 'r+', libver='v110'); f.attrs['x'] = 1; f.flush(); os._exit(0)";
    assert!(Command::new(python).args(["-c", left]).arg(&path).status().unwrap().success());
    let error = FeatureStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::LeftOpen { .. }), "{error}");
    assert!(error.to_string().contains("h5clear -s"), "{error}");
    assert!(Command::new(clear).arg("-s").arg(&path).status().unwrap().success());
    assert_eq!(FeatureStore::open(&path).unwrap().verify().unwrap(), []);
}

#[test]
fn a_store_of_version_2_is_read_and_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.h5");
    fs::write(&path, common::version2()).unwrap();
    let two = provenance(&[View::Original, View::Flip]);
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.provenance(), store.complete()), (&two, 5));
    let digest = "730e11c03e899bde3c500db4f95b6c14584a59cf54341f0dca0cb9589a762e99";
    assert_eq!(store.content_digest().unwrap(), digest);
    assert_eq!(store.verify().unwrap(), []);
    assert_eq!(store.stamp(0).unwrap(), features::Stamp::default());

    let before = fs::read(&path).unwrap();
    fill(&path, &two, &names(0..7));
    assert!(fs::read(&path).unwrap() == before);
    let copied = folder.path().join("copied.h5");
    let linked = folder.path().join("linked.h5");
    let copy = merge_copy(&copied, std::slice::from_ref(&path), "test").unwrap();
    let link = merge(&linked, std::slice::from_ref(&path), "test").unwrap();
    assert_eq!(copy.content_digest().unwrap(), link.content_digest().unwrap());
    assert_eq!((copy.files().len(), link.files().len(), copy.complete()), (1, 2, 7));
    let file = hdf5::File::open(&copied).unwrap();
    assert_eq!(common::compare_with_hdf5(&copy, &file, 0), 7);
}

#[test]
fn a_merged_store_of_version_2_is_merged_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.h5");
    fs::write(&path, common::merged2()).unwrap();
    let error = FeatureStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::OldMerged { .. }), "{error}");
    let other = folder.path().join("other.h5");
    fill(&other, &provenance(&[View::Original]), &names(0..3));
    assert_eq!(merge(&path, &[other], "test").unwrap().complete(), 3);
}

#[test]
fn damaged_descriptions_of_version_2_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.h5");
    fs::write(&path, common::version2()).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(b"x", 40).unwrap();
    assert_eq!(FeatureStore::open(&path).unwrap().complete(), 5, "the other one is intact");
    file.write_all_at(b"x", (512 << 10) + 40).unwrap();
    let error = FeatureStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
}
