//! All kinds of entries in a folder, an archive or a list: each is read, or named with the reason, and none ends a run.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use common::{Outcome, Workplace};
use features::{Encoded, FeatureStore, Origin, StoreWriter};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};
use tests::small_model::ENCODER_FILE;

const APPLE_DOUBLE: &[u8] = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ";
const COMPOSED: &str = "caf\u{e9}.png";
const DECOMPOSED: &str = "cafe\u{301}.png";

fn extract(workplace: &Workplace, images: &str, more: &[&str]) -> Outcome {
    let job = ["--images", images, "--encoder", ENCODER_FILE, "--store", "s.h5"];
    workplace.run(&[&job, more].concat())
}

fn names(workplace: &Workplace) -> Vec<String> {
    let store = FeatureStore::open(workplace.path("s.h5")).unwrap();
    store.images().into_iter().map(|(name, _)| name.to_owned()).collect()
}

fn assert_stderr(outcome: &Outcome, parts: &[&str]) {
    for part in parts {
        assert!(outcome.stderr.contains(part), "no `{part}` in {}", outcome.stderr);
    }
}

fn photo(workplace: &Workplace, number: u8) -> Vec<u8> {
    fs::read(workplace.path(&format!("Images/{number:03}.png"))).unwrap()
}

#[test]
fn a_folder_with_all_kinds_of_entries() {
    let workplace = Workplace::new(4);
    let at = |name: &str| workplace.path(&format!("Images/{name}"));
    fs::write(at("IMG_1.JXL"), b"\xFF\x0A").unwrap();
    fs::write(at("DSC_2.RAF"), b"raw").unwrap();
    fs::write(at("._000.png"), APPLE_DOUBLE).unwrap();
    fs::write(at("broken.tar"), [b'x'; 2048]).unwrap();
    fs::write(at("more.tar.gz"), b"\x1f\x8b").unwrap();
    fs::write(at("new\nline.jpg"), b"no photo").unwrap();
    fs::create_dir(at("@eaDir")).unwrap();
    fs::write(at("@eaDir/SYNOPHOTO_THUMB.jpg"), b"no photo").unwrap();
    symlink("gone.tar", at("link.tar")).unwrap();
    symlink("..", at("more/up")).unwrap();
    let outcome = extract(&workplace, "Images", &[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("4 images in") && outcome.stdout.contains("3 skipped"),
        "{}",
        outcome.stdout
    );
    assert_eq!(names(&workplace), ["000.png", "001.png", "002.png", "003.png"]);
    assert_stderr(
        &outcome,
        &[
            "Images: 1 skipped: JPEG XL is not read; save it as JPEG or PNG (IMG_1.JXL)",
            "(DSC_2.RAF)",
            "a compressed archive is not read; unpack it, or pack the photos as .tar (more.tar.gz)",
            "skipped: broken.tar: ",
            "skipped: link.tar: a link to gone.tar, which is not there",
            "skipped: new\\\\nline.jpg: not an image",
        ],
    );
    assert!(!outcome.stderr.contains("._000") && !outcome.stderr.contains("SYNOPHOTO"));
    let planned = workplace.run(&[
        "plan",
        "--images",
        "Images",
        "--encoder",
        ENCODER_FILE,
        "--store",
        "s.h5",
    ]);
    assert_eq!(planned.status, 0, "{}", planned.stderr);
    assert_stderr(&planned, &["(IMG_1.JXL)", "skipped: broken.tar: "]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one scenario, step by step")]
fn links_and_names_in_archives() {
    let workplace = Workplace::new(3);
    let mut archive = Builder::new(File::create(workplace.path("a.tar")).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).unwrap();
    };
    add("blobs/0f", &photo(&workplace, 0));
    add("one/a.png", &photo(&workplace, 1));
    add("one/._a.png", APPLE_DOUBLE);
    add("__MACOSX/one/b.png", APPLE_DOUBLE);
    add("one/c.jxl", b"jxl");
    add(DECOMPOSED, &photo(&workplace, 2));
    let long = format!("{}/d.png", "long folder".repeat(20));
    add(&long, &photo(&workplace, 2));
    let mut link = |kind: EntryType, name: &str, target: &str| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        archive.append_link(&mut header, name, target).unwrap();
    };
    link(EntryType::Symlink, "one/blob.png", "../blobs/0f");
    link(EntryType::Symlink, "two/again.png", "../one/./blob.png");
    link(EntryType::Link, "two/hard.png", "one/a.png");
    link(EntryType::Symlink, "two/gone.png", "nowhere.png");
    link(EntryType::Symlink, "two/out.png", "../../etc/out.png");
    link(EntryType::Symlink, "two/root.png", "/one/a.png");
    link(EntryType::Symlink, "two/x.png", "y.png");
    link(EntryType::Symlink, "two/y.png", "x.png");
    link(EntryType::Symlink, "two/folder", "../one");
    archive.finish().unwrap();
    let outcome = extract(&workplace, "a.tar", &[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let expected = [COMPOSED, &long, "one/a.png", "one/blob.png", "two/again.png", "two/hard.png"];
    assert_eq!(names(&workplace), expected);
    let store = FeatureStore::open(workplace.path("s.h5")).unwrap();
    let source = |name: &str| store.source(store.find(name).unwrap()).unwrap();
    assert_eq!(source("two/again.png"), <[u8; 32]>::from(Sha256::digest(photo(&workplace, 0))));
    assert_eq!(source("two/hard.png"), source("one/a.png"));
    assert_stderr(
        &outcome,
        &[
            "a.tar: 1 skipped: JPEG XL is not read",
            "two/gone.png: a link to two/nowhere.png, which is not there",
            "two/out.png: a link out of the archive",
            "two/root.png: a link out of the archive",
            "two/x.png: a link that leads in a circle",
            "two/y.png: a link that leads in a circle",
        ],
    );
    assert!(
        !outcome.stderr.contains("._a") && !outcome.stderr.contains("MACOSX"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn sparse_members_and_damage_after_photos_are_named() {
    let workplace = Workplace::new(2);
    let mut archive = Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).unwrap();
    };
    add("a.png", &photo(&workplace, 0));
    archive.append_pax_extensions([("GNU.sparse.major", &b"1"[..])]).unwrap();
    let mut header = Header::new_ustar();
    header.set_size(9);
    archive.append_data(&mut header, "GNUSparseFile.0/b.png", &b"1\n0\n9\nxyz"[..]).unwrap();
    let mut bytes = archive.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend([b'x'; 1024]);
    fs::create_dir(workplace.path("tars")).unwrap();
    fs::write(workplace.path("tars/a.TAR"), bytes).unwrap();
    let outcome = extract(&workplace, "tars", &[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(names(&workplace), ["a.png"]);
    assert_stderr(
        &outcome,
        &["b.png: a sparse file", "a.TAR: the archive cannot be read any further"],
    );
}

#[test]
fn lists_are_read_as_text_and_their_quotes_are_checked() {
    let workplace = Workplace::new(4);
    let write = |name: &str, text: &[u8]| fs::write(workplace.path(name), text).unwrap();
    write("marked.txt", b"\xEF\xBB\xBFImages/000.png\r\n\r\nImages/001.png\rImages/more\n");
    let outcome = extract(&workplace, "marked.txt", &[]);
    assert_eq!(names(&workplace), ["Images/000.png", "Images/001.png"]);
    assert_stderr(&outcome, &["skipped: Images/more: not a regular file"]);

    fs::remove_file(workplace.path("s.h5")).unwrap();
    write(
        "rows.csv",
        b"\xEF\xBB\xBFimage,path\r\na.png,Images/000.png\r\n,Images/001.png\r\n , \r\nc.png,\r\n",
    );
    let outcome = extract(&workplace, "rows.csv", &[]);
    assert_eq!(names(&workplace), ["a.png"]);
    assert_stderr(
        &outcome,
        &["rows.csv: 3 skipped: row without an image (line 3, line 4, line 5)"],
    );

    for (name, text, part) in [
        (
            "open.csv",
            &b"image,path\na.png,\"Images/000.png\nb.png,Images/001.png\n"[..],
            "open.csv, line 2",
        ),
        ("latin.csv", b"image\na.png\ncaf\xE9.png\n", "latin.csv, line 3"),
        ("wide.txt", b"\xFF\xFEa\0", "UTF-16"),
    ] {
        write(name, text);
        let outcome = extract(&workplace, name, &[]);
        assert_eq!(outcome.status, 1, "{name}");
        assert_stderr(&outcome, &[part]);
    }
    write("photos.tgz", b"\x1f\x8b");
    assert_stderr(
        &extract(&workplace, "photos.tgz", &[]),
        &["photos.tgz: a compressed archive is not read"],
    );
}

#[test]
fn names_in_two_unicode_forms_are_one_image() {
    let workplace = Workplace::new(3);
    for (name, number) in [(COMPOSED, 0), (DECOMPOSED, 1)] {
        fs::write(workplace.path(&format!("Images/{name}")), photo(&workplace, number)).unwrap();
    }
    let outcome = extract(&workplace, "Images", &[]);
    assert!(
        outcome.stdout.contains("4 images in") && outcome.stdout.contains("1 skipped"),
        "{}",
        outcome.stdout
    );
    assert_stderr(&outcome, &[&format!("skipped: {COMPOSED}: another image has that name")]);
    assert_eq!(names(&workplace)[3], COMPOSED);
    fs::write(workplace.path("captions.csv"), format!("image,caption\n{DECOMPOSED},one\n"))
        .unwrap();
    let outcome = extract(&workplace, "Images", &["--captions", "captions.csv"]);
    assert!(!outcome.stderr.contains("captioned images are not"), "{}", outcome.stderr);
    assert_stderr(&outcome, &["3 images have no caption"]);
    assert!(outcome.stdout.contains("all 4 images are extracted already"), "{}", outcome.stdout);
}

/// Stores were filled so before names were compared in one form.
#[test]
fn a_store_with_names_in_another_form_continues() {
    let workplace = Workplace::new(1);
    fs::rename(workplace.path("Images/000.png"), workplace.path(&format!("Images/{COMPOSED}")))
        .unwrap();
    assert_eq!(extract(&workplace, "Images", &[]).status, 0);
    let store = FeatureStore::open(workplace.path("s.h5")).unwrap();
    let old = workplace.path("old.h5");
    let origin = Origin { created_by: "test".to_owned(), device: "cpu".to_owned() };
    let mut writer = StoreWriter::open(old, store.provenance(), origin).unwrap();
    let row = writer.rows_for(&[DECOMPOSED.to_owned()]).unwrap()[0];
    let grid = store.read(0, 0).unwrap();
    let grids = grid.view().insert_axis(ndarray::Axis(0));
    let (source, stamp) = (store.source(0).unwrap(), store.stamp(0).unwrap());
    writer.write(&[Encoded { row, source, stamp, grids }]).unwrap();
    writer.finish().unwrap();
    fs::rename(old, workplace.path("s.h5")).unwrap();
    let outcome = extract(&workplace, "Images", &["--prune"]);
    assert!(
        outcome.stdout.ends_with("all 1 images are extracted already; nothing to do\n"),
        "{}",
        outcome.stdout
    );
    assert_eq!(names(&workplace), [DECOMPOSED]);
}

/// A header of a member, which may be called `../up.jpg`.
fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header
}

#[test]
fn archives_with_headers_without_end_are_refused() {
    const CLAIMED: u64 = 1 << 33;
    let workplace = Workplace::new(1);
    let bytes = photo(&workplace, 0);
    let block = |bytes: &[u8]| {
        let mut block = bytes.to_vec();
        block.resize(bytes.len().next_multiple_of(512), 0);
        block
    };
    let member =
        [header(EntryType::Regular, "in.png", bytes.len() as u64).as_bytes(), &*block(&bytes)]
            .concat();
    // A reader that skips the records of the first header finds other bytes after the second.
    let moved = [
        header(EntryType::XHeader, "x", 9).as_bytes(),
        &*block(b"9 size=0\n"),
        header(EntryType::Regular, "moved.txt", CLAIMED).as_bytes(),
    ]
    .concat();
    let kinds = [b'L', b'K', b'x', b'g'].map(EntryType::new);
    let before = [&[][..], &moved];
    for (at, before) in before.iter().enumerate() {
        for (number, kind) in kinds.into_iter().enumerate() {
            let start = [&member, *before, header(kind, "long", CLAIMED).as_bytes()].concat();
            let path = workplace.path(&format!("Images/{at}{number}.tar"));
            fs::write(path, &start).unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.set_len(start.len() as u64 + CLAIMED + 1024).unwrap();
        }
    }
    let outcome = extract(&workplace, "Images", &[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("8 skipped"), "{} {}", outcome.stdout, outcome.stderr);
    for name in ["00", "01", "02", "03", "10", "11", "12", "13"] {
        assert_stderr(&outcome, &[&format!("skipped: {name}.tar: ")]);
    }
    let reason = "the archive is damaged: one of its headers has more than 1 MiB";
    assert_eq!(outcome.stderr.matches(reason).count(), 8, "{}", outcome.stderr);
    assert_eq!(names(&workplace), ["000.png"]);
}

#[test]
fn members_that_lead_out_or_are_not_files_are_counted() {
    let workplace = Workplace::new(1);
    let bytes = photo(&workplace, 0);
    let mut archive = Builder::new(File::create(workplace.path("a.tar")).unwrap());
    for name in ["in.png", "../up.jpg", "a/../../b.jpg", "../up.txt"] {
        archive.append(&header(EntryType::Regular, name, bytes.len() as u64), &*bytes).unwrap();
    }
    for (kind, name) in [
        (EntryType::Fifo, "pipe.jpg"),
        (EntryType::Char, "device.heic"),
        (EntryType::Fifo, "pipe"),
        (EntryType::Directory, "folder.jpg"),
    ] {
        archive.append(&header(kind, name, 0), &[][..]).unwrap();
    }
    archive.finish().unwrap();
    let outcome = extract(&workplace, "a.tar", &[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_stderr(
        &outcome,
        &[
            "2 skipped: its name leads out of the archive (../up.jpg, a/../../b.jpg)",
            "2 skipped: not a regular file (pipe.jpg, device.heic)",
        ],
    );
    assert_eq!(names(&workplace), ["in.png"]);
}

#[test]
fn photos_in_unreadable_entries_are_not_pruned() {
    let workplace = Workplace::new(3);
    let at = |name: &str| workplace.path(name);
    fs::create_dir(at("disk")).unwrap();
    fs::rename(at("Images/001.png"), at("disk/far.png")).unwrap();
    symlink("../disk", at("Images/sub")).unwrap();
    let bytes = photo(&workplace, 0);
    let mut archive = Builder::new(File::create(at("Images/a.tar")).unwrap());
    archive.append(&header(EntryType::Regular, "in.png", bytes.len() as u64), &*bytes).unwrap();
    archive.into_inner().unwrap();
    assert_eq!(extract(&workplace, "Images", &[]).status, 0);
    let all = ["000.png", "002.png", "in.png", "sub/far.png"];
    assert_eq!(names(&workplace), all);

    fs::remove_file(at("Images/002.png")).unwrap();
    fs::rename(at("disk"), at("away")).unwrap();
    let outcome = extract(&workplace, "Images", &["--prune"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_stderr(
        &outcome,
        &["2 images of the store were not found and are kept", "then run with --prune again"],
    );
    assert_eq!(names(&workplace), all);

    fs::rename(at("away"), at("disk")).unwrap();
    let whole = fs::read(at("Images/a.tar")).unwrap();
    fs::write(at("Images/a.tar"), &whole[..530]).unwrap();
    assert_eq!(extract(&workplace, "Images", &["--prune"]).status, 0);
    assert_eq!(names(&workplace), all);

    fs::write(at("Images/a.tar"), whole).unwrap();
    assert_eq!(extract(&workplace, "Images", &["--prune"]).status, 0);
    assert_eq!(names(&workplace), ["000.png", "in.png", "sub/far.png"]);
}
