//! Sources of images: shards of a folder, lists, and archives.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs::{self, File};

use assert_cmd::Command;
use common::{Outcome, Workplace};
use features::FeatureStore;
use tests::small_model::ENCODER_FILE;

/// Extracts from `images` into `store`, with further flags and variables.
fn extract(
    workplace: &Workplace,
    images: &str,
    store: &str,
    more: &[&str],
    variables: &[(&str, &str)],
) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_extract"))
        .current_dir(workplace.path(""))
        .args(["--images", images, "--encoder", ENCODER_FILE, "--store", store])
        .args(more)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    Outcome { status: output.status.code().unwrap(), stdout, stderr }
}

fn open(workplace: &Workplace, store: &str) -> FeatureStore {
    FeatureStore::open(workplace.path(store)).unwrap()
}

fn digest(workplace: &Workplace, store: &str) -> String {
    open(workplace, store).content_digest().unwrap()
}

/// An archive at `path` with the files of a folder whose names `wanted` accepts, and a caption next to each.
fn archive(workplace: &Workplace, path: &str, wanted: impl Fn(&str) -> bool) {
    fs::create_dir_all(workplace.path(path).parent().unwrap()).unwrap();
    let mut archive = tar::Builder::new(File::create(workplace.path(path)).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).unwrap();
    };
    let mut names = fs::read_dir(workplace.path("Images")).unwrap();
    while let Some(Ok(entry)) = names.next() {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_file() && wanted(&name) {
            add(&format!("./{name}"), &fs::read(entry.path()).unwrap());
            add(&name.replace(".png", ".txt"), b"a caption");
        }
    }
    archive.finish().unwrap();
}

#[test]
#[expect(clippy::too_many_lines, reason = "one scenario, step by step")]
fn tasks_fill_shards_that_are_the_store_of_one_run() {
    let workplace = Workplace::new(20);
    assert_eq!(workplace.extract(&[]).status, 0);
    let whole = digest(&workplace, "features/s.h5");
    let kubernetes = |index| [("JOB_COMPLETION_INDEX", index)];
    for index in ["0", "1"] {
        let outcome =
            extract(&workplace, "Images", "t.h5", &["--shard", "auto/4"], &kubernetes(index));
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        assert!(outcome.stdout.contains(&format!("t.{index}-of-4.h5: ")), "{}", outcome.stdout);
    }
    let merge = || workplace.run(&["merge", "t.h5"]);
    let outcome = merge();
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.stderr.contains("t.h5: 2 of its 4 shards are missing: 2, 3"),
        "{}",
        outcome.stderr
    );

    let slurm = |task| {
        [
            ("SLURM_ARRAY_TASK_ID", task),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
        ]
    };
    for task in ["3", "4", "4"] {
        let outcome = extract(
            &workplace,
            "Images",
            "t.h5",
            &[],
            &[&slurm(task)[..], &[("SHOWTELL_EXTRACT_SHARD", "auto/4")]].concat(),
        );
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    }
    assert_eq!(digest(&workplace, "t.h5"), whole, "shards without a merge");
    let outcome = merge();
    assert!(
        outcome.stdout.contains("t.h5: 20 images in 4 shards"),
        "{} {}",
        outcome.stdout,
        outcome.stderr
    );
    assert_eq!(digest(&workplace, "t.h5"), whole);
    let outcome = workplace.run(&["inspect", "t.h5"]);
    assert!(outcome.stdout.contains("file        t.3-of-4.h5"), "{}", outcome.stdout);
    let outcome = workplace.run(&["merge", "u.h5", "t.0-of-4.h5"]);
    assert!(outcome.stderr.contains("u.h5: 3 of its 4 shards are missing"), "{}", outcome.stderr);
    let shards = [0, 1, 2, 3].map(|index| format!("t.{index}-of-4.h5"));
    let shards = shards.iter().map(String::as_str);
    let flags = ["merge", "u.h5", "--copy"].into_iter().chain(shards).collect::<Vec<_>>();
    let outcome = workplace.run(&flags);
    assert!(outcome.stdout.contains("20 images copied from 4 shards"), "{}", outcome.stderr);
    assert_eq!(digest(&workplace, "u.h5"), whole);

    let outcome = workplace.run(&["merge", "absent.h5"]);
    assert!(
        outcome.stderr.contains("absent.h5: none of its shards is in its folder"),
        "{}",
        outcome.stderr
    );
    let outcome = extract(&workplace, "Images", "t.h5", &[], &[]);
    assert!(
        outcome.stderr.contains("Add images to its shards (--shard I/4)"),
        "{}",
        outcome.stderr
    );
    let outcome = extract(&workplace, "Images", "t.h5", &["--shard", "4/4"], &[]);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
}

#[test]
fn a_shard_without_images_is_a_shard() {
    let workplace = Workplace::new(1);
    for shard in ["0/3", "1/3", "2/3"] {
        let outcome = extract(&workplace, "Images", "t.h5", &["--shard", shard], &[]);
        assert_eq!(outcome.status, 0, "{shard}: {}", outcome.stderr);
    }
    let outcome = workplace.run(&["merge", "t.h5"]);
    assert!(
        outcome.stdout.contains("1 images in 3 shards"),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    assert_eq!(open(&workplace, "t.h5").verify().unwrap(), []);
}

#[test]
fn lists_name_images_as_text_and_as_csv() {
    let workplace = Workplace::new(4);
    let write = |name: &str, text: &str| fs::write(workplace.path(name), text).unwrap();
    write("some.txt", "Images/000.png\n\nImages/002.png\nImages/000.png\nImages/absent.png\n");
    let outcome = extract(&workplace, "some.txt", "a.h5", &[], &[]);
    assert!(
        outcome.stdout.contains("2 images in") && outcome.stdout.contains("1 skipped"),
        "{}",
        outcome.stdout
    );
    let names = open(&workplace, "a.h5");
    let names = names.images().into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names, ["Images/000.png", "Images/002.png"]);

    let path = workplace.path("Images/003.png").display();
    write(
        "all.csv",
        &format!("path,image,licence\nImages/001.png,\"a, b.png\",CC0\n{path},c.png,CC0\n"),
    );
    let outcome = extract(&workplace, "all.csv", "b.h5", &[], &[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let store = open(&workplace, "b.h5");
    assert!(store.find("a, b.png").is_some() && store.find("c.png").is_some());

    write("zero.csv", "image,path\nz\0.png,Images/001.png\nz.png,Images/002.png\n");
    let outcome = extract(&workplace, "zero.csv", "z.h5", &[], &[]);
    assert!(outcome.stderr.contains("its name has a zero byte"), "{}", outcome.stderr);
    assert_eq!(open(&workplace, "z.h5").images(), [("z.png", 0)]);

    let refused = |list: &str, text: &str, part: &str| {
        write(list, text);
        let outcome = extract(&workplace, list, "c.h5", &[], &[]);
        assert_eq!(outcome.status, 1, "{list}");
        assert!(outcome.stderr.contains(part), "no `{part}` in {}", outcome.stderr);
    };
    refused("empty.txt", "\n", "empty.txt: no image in it");
    refused("wrong.csv", "file\na.png\n", "wrong.csv: no column `image` in its first line");
    refused("ragged.csv", "image,path\na.png\n", "ragged.csv");
    fs::write(workplace.path("binary.txt"), [0xFF, 0xFE]).unwrap();
    let outcome = extract(&workplace, "binary.txt", "c.h5", &[], &[]);
    assert!(outcome.stderr.contains("binary.txt: cannot be read as a list"), "{}", outcome.stderr);
    assert!(!workplace.path("c.h5").exists());
}

#[test]
fn a_photo_or_captions_in_the_place_of_a_list_are_named_as_such() {
    let workplace = Workplace::new(2);
    let refused = |images: &str, parts: &[&str]| {
        for command in [&[][..], &["plan"]] {
            let options = ["--images", images, "--encoder", ENCODER_FILE, "--store", "s.h5"];
            let outcome = workplace.run(&[command, &options].concat());
            assert_eq!(outcome.status, 1, "{images}");
            let all = parts.iter().all(|part| outcome.stderr.contains(part));
            assert!(all, "{parts:?} in {}", outcome.stderr);
            assert!(!workplace.path("s.h5").exists());
        }
    };
    refused("Images/000.png", &["000.png: a photo, not a folder", "--images DIR", "caption FILE"]);
    fs::write(workplace.path("a.heic"), "ftypheic").unwrap();
    refused("a.heic", &["a.heic: a photo, not a folder"]);
    for (name, text) in [
        ("captions.txt", "\u{feff}\nImage, Caption\n000.png,one\n"),
        ("captions.token", "000.png#0\tone\n"),
    ] {
        fs::write(workplace.path(name), text).unwrap();
        refused(name, &[name, ": a captions file, not a list", "--images DIR", "--captions"]);
    }
}

#[test]
fn names_with_folders_that_captions_do_not_have_are_explained() {
    let workplace = Workplace::new(2);
    fs::write(workplace.path("list.txt"), "Images/000.png\nImages/001.png\n").unwrap();
    let captions = "image,caption\nabsent.png,none\n001.png,one\n";
    fs::write(workplace.path("captions.txt"), captions).unwrap();
    let outcome = extract(&workplace, "list.txt", "a.h5", &["--captions", "captions.txt"], &[]);
    let note = "the captions name 001.png, the images Images/001.png: names must be the same";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--images DIR"), "{}", outcome.stderr);
    let outcome = extract(&workplace, "Images", "b.h5", &["--captions", "captions.txt"], &[]);
    assert!(!outcome.stderr.contains("names must be the same"), "{}", outcome.stderr);
}

#[test]
fn archives_are_read_in_place() {
    let workplace = Workplace::new(12);
    fs::remove_dir(workplace.path("Images/more")).unwrap();
    assert_eq!(workplace.extract(&[]).status, 0);
    let whole = digest(&workplace, "features/s.h5");
    archive(&workplace, "all.tar", |_| true);
    assert_eq!(extract(&workplace, "all.tar", "a.h5", &[], &[]).status, 0);
    assert_eq!(digest(&workplace, "a.h5"), whole);
    let again = extract(&workplace, "all.tar", "a.h5", &[], &[]);
    assert!(again.stdout.contains("all 12 images are extracted already"), "{}", again.stdout);

    // A shard of a folder has whole archives; a shard of an archive has its images.
    for number in 0..6 {
        let range = 2 * number..2 * number + 2;
        let wanted = |name: &str| range.contains(&name[..3].parse::<u32>().unwrap());
        archive(&workplace, &format!("tars/{number}.tar"), wanted);
    }
    for (images, store) in [("all.tar", "b.h5"), ("tars", "c.h5")] {
        for shard in ["0/2", "1/2"] {
            let outcome = extract(&workplace, images, store, &["--shard", shard], &[]);
            assert_eq!(outcome.status, 0, "{images} {shard}: {}", outcome.stderr);
        }
        assert_eq!(digest(&workplace, store), whole, "{images}");
    }
    let first = open(&workplace, "c.0-of-2.h5");
    let odd = |name: &str| name[..3].parse::<u32>().unwrap() % 2;
    let pairs = first.images();
    assert!(pairs.chunks(2).all(|pair| [odd(pair[0].0), odd(pair[1].0)] == [0, 1]), "{pairs:?}");

    // A list may name archives; the second image with the same name is skipped.
    fs::write(workplace.path("list.txt"), "tars/1.tar\nall.tar\n").unwrap();
    let outcome = extract(&workplace, "list.txt", "d.h5", &[], &[]);
    assert!(
        outcome.stderr.contains("skipped: 002.png: another image has that name"),
        "{}",
        outcome.stderr
    );
    assert_eq!(digest(&workplace, "d.h5"), whole);
}

#[test]
fn damaged_archives_are_named() {
    let workplace = Workplace::new(3);
    archive(&workplace, "all.tar", |_| true);
    let bytes = fs::read(workplace.path("all.tar")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(workplace.path(name), bytes).unwrap();
    write("cut.tar", &bytes[..512 + 30]);
    let outcome = extract(&workplace, "cut.tar", "a.h5", &[], &[]);
    assert_eq!(outcome.status, 1);
    assert!(outcome.stderr.contains("cut.tar: no image in it"), "{}", outcome.stderr);
    write("foreign.tar", &[b'x'; 2048]);
    let outcome = extract(&workplace, "foreign.tar", "a.h5", &[], &[]);
    assert!(
        outcome.stderr.contains("foreign.tar: cannot be read as a tar archive"),
        "{}",
        outcome.stderr
    );

    // A header that declares more bytes than there are.
    let mut lying = tar::Header::new_gnu();
    lying.set_path("big.png").unwrap();
    lying.set_size(1 << 60);
    lying.set_cksum();
    write("lying.tar", &[lying.as_bytes().as_slice(), &bytes].concat());
    fs::create_dir(workplace.path("both")).unwrap();
    fs::rename(workplace.path("lying.tar"), workplace.path("both/a.tar")).unwrap();
    fs::rename(workplace.path("all.tar"), workplace.path("both/b.tar")).unwrap();
    let outcome = extract(&workplace, "both", "b.h5", &[], &[]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("a.tar/big.png: the archive ends before it does"),
        "{}",
        outcome.stderr
    );
    assert_eq!(open(&workplace, "b.h5").complete(), 3);
    assert!(!workplace.path("a.h5").exists());
}
