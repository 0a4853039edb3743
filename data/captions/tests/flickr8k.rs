//! Flickr8k is fetched from a local server, in archives like the real ones.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod archive;

use std::fs;
use std::ops::Range;
use std::path::Path;

use captions::flickr8k::{Fetched, Flickr8k};
use common::{SkippedEntries, digest};
use data::{Captions, Split, Splits};
use download::{Checksum, Source};
use tests::answers::{Answers, whole};

use crate::archive::archive;

const TOKENS: &str = "a.jpg#0\tA dog , big , runs .\na.jpg#1\tA dog runs .\nb.jpg#0\tA cat .\n";

fn photos() -> Vec<u8> {
    archive(&[
        ("Flicker8k_Dataset/a.jpg", "photo a"),
        ("Flicker8k_Dataset/b.jpg", "photo b"),
        ("__MACOSX/Flicker8k_Dataset/._a.jpg", "not a photo"),
        ("Flicker8k_Dataset/../../c.jpg", "photo c, outside of the folder"),
        ("Flicker8k_Dataset/readme.txt", "not a photo either"),
    ])
}

fn texts(tokens: &str) -> Vec<u8> {
    archive(&[
        ("__MACOSX/._Flickr8k.token.txt", "aside"),
        (tokens, TOKENS),
        ("Flickr_8k.trainImages.txt", "a.jpg\n"),
        ("Flickr_8k.devImages.txt", "b.jpg\n"),
        ("Flickr_8k.testImages.txt", "c.jpg\n"),
    ])
}

/// Fetches into `folder` from a server with some of these files, each once; returns the requests as well.
fn fetch(
    folder: &Path,
    files: &[(&str, &[u8])],
    some: Range<usize>,
) -> (Result<Fetched, String>, Vec<String>) {
    let answers = files[some].iter().map(|(_, file)| whole(file));
    let server = Answers::start(answers.collect());
    let source = |(name, file): (&str, &[u8])| Source {
        address: server.address(name),
        checksum: Checksum::Sha256(digest::of_bytes(file)),
        bytes: None,
    };
    let of = Flickr8k { texts: source(files[0]), photos: source(files[1]) };
    let found = of.fetch(folder, &mut |_, _| ()).map_err(|error| error.to_string());
    (found, server.requests())
}

#[test]
fn the_archives_become_a_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let (texts, photos) = (texts("Flickr8k.token.txt"), photos());
    let files: [(&str, &[u8]); 2] = [("texts.zip", &texts), ("photos.zip", &photos)];
    let (found, asked) = fetch(folder.path(), &files, 0..2);
    let all = Fetched { photos: 3, captioned: 2, skipped_entries: SkippedEntries::default() };
    assert_eq!(found.unwrap(), all);
    assert_eq!(asked.len(), 2);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((&*read("Images/a.jpg"), &*read("Images/b.jpg")), ("photo a", "photo b"));
    assert_eq!(read("Images/c.jpg"), "photo c, outside of the folder");
    assert_eq!(read("Flickr8k.token.txt"), TOKENS);
    let captions = Captions::read(&folder.path().join("captions.txt")).unwrap();
    assert_eq!(captions.get("a.jpg").unwrap(), ["A dog , big , runs .", "A dog runs ."]);
    let splits = Splits::find(folder.path()).unwrap();
    assert_eq!(
        (splits.split_of("b.jpg"), splits.split_of("c.jpg")),
        (Some(Split::Dev), Some(Split::Test))
    );

    // Present photos stay, though the archive is gone; fetched archives are not fetched again.
    fs::write(folder.path().join("Images/a.jpg"), "mine").unwrap();
    fs::remove_file(folder.path().join("fetched/photos.zip")).unwrap();
    let (found, _) = fetch(folder.path(), &files, 0..0);
    assert_eq!(found.unwrap().photos, 3);
    assert_eq!(read("Images/a.jpg"), "mine");
}

#[test]
fn missing_photos_are_fetched() {
    let (texts, photos) = (texts("Flickr8k.token.txt"), photos());
    let files: [(&str, &[u8]); 2] = [("texts.zip", &texts), ("photos.zip", &photos)];
    for (there, content) in [(None, ""), (Some("b.jpg"), "mine"), (Some("b.jpg"), "")] {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("Images");
        fs::create_dir(&images).unwrap();
        if let Some(name) = there {
            fs::write(images.join(name), content).unwrap();
        }
        let (found, asked) = fetch(folder.path(), &files, 0..2);
        assert_eq!((found.unwrap().photos, asked.len()), (3, 2), "{there:?}");
        let b = fs::read_to_string(images.join("b.jpg")).unwrap();
        assert_eq!(b, if content.is_empty() { "photo b" } else { content });
        assert!(!folder.path().join("Images.part").exists());
    }
}

#[test]
fn photos_that_the_archive_lacks_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let texts = texts("Flickr8k.token.txt");
    let photos = archive(&[("Flicker8k_Dataset/a.jpg", "photo a")]);
    let (found, _) = fetch(folder.path(), &[("texts.zip", &texts), ("photos.zip", &photos)], 0..2);
    let found = found.unwrap();
    assert_eq!((found.photos, found.skipped_entries.count()), (1, 2));
    assert!(
        found.skipped_entries.to_string().contains("(b.jpg, c.jpg)"),
        "{}",
        found.skipped_entries
    );
}

/// Captions and lists of another data set are removed.
#[test]
fn another_data_set_in_the_folder_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("captions.txt"), "image,caption\nx.jpg,Another .\n").unwrap();
    fs::write(path("Flickr_8k.trainImages.txt"), "x.jpg\n").unwrap();
    let (texts, photos) = (texts("Flickr8k.token.txt"), photos());
    let files: [(&str, &[u8]); 2] = [("texts.zip", &texts), ("photos.zip", &photos)];
    fetch(folder.path(), &files, 0..2).0.unwrap();
    assert_eq!(Captions::read(&path("captions.txt")).unwrap().get("x.jpg"), None);
    assert_eq!(Splits::find(folder.path()).unwrap().split_of("x.jpg"), None);
}

#[test]
fn an_incomplete_or_damaged_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (without_tokens, photos) = (texts("captions.txt"), photos());
    let (found, _) =
        fetch(folder.path(), &[("texts.zip", &without_tokens), ("photos.zip", &photos)], 0..1);
    let problem = found.unwrap_err();
    assert!(problem.contains("fetched/texts.zip: Flickr8k.token.txt is not in it"), "{problem}");
    let (folder, texts) = (tempfile::tempdir().unwrap(), texts("Flickr8k.token.txt"));
    let (found, _) =
        fetch(folder.path(), &[("texts.zip", &texts), ("photos.zip", b"no zip")], 0..2);
    let problem = found.unwrap_err();
    assert!(problem.contains("fetched/photos.zip") && problem.contains("Remove it"), "{problem}");
    assert!(!folder.path().join("Images").exists());
}
