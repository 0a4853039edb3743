//! Snapshots of the errors of crates without native libraries, as users read them.

use std::io;
use std::path::PathBuf;

use common::{PreprocessError, Size, SkippedEntries, quotes::QuoteError};
use tests::messages;

fn path() -> PathBuf {
    PathBuf::from("data/captions.txt")
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn full_disk() -> io::Error {
    io::Error::from_raw_os_error(28)
}

fn skipped_entries() -> SkippedEntries {
    let mut skipped_entries = SkippedEntries::default();
    skipped_entries.add("empty caption", "line 3");
    skipped_entries
}

#[test]
fn errors_of_common() {
    let errors = [
        common::Error::Io { path: path(), source: full_disk() },
        common::Error::Text { path: path(), line: 3, problem: text("UTF-16: save it as UTF-8") },
    ];
    let source = include_str!("../../common/src/error.rs");
    insta::assert_snapshot!("common", messages(source, "Error", &errors));

    let (mean, std) = ([0.5; 3], [0.5, 0.5, 0.0]);
    let errors =
        [PreprocessError::Size { height: 0, width: 224 }, PreprocessError::Values { mean, std }];
    let source = include_str!("../../common/src/preprocess.rs");
    insta::assert_snapshot!("common-preprocess", messages(source, "PreprocessError", &errors));

    let errors = [
        QuoteError::NeverClosed { opened: 3 },
        QuoteError::RowInside { opened: 3, row: 4 },
        QuoteError::TextAfter { opened: 3, closed: 5 },
    ];
    let source = include_str!("../../common/src/quotes.rs");
    insta::assert_snapshot!("common-quotes", messages(source, "QuoteError", &errors));
}

#[test]
fn errors_of_data() {
    use data::Error;
    let problem = || text("the file is empty");
    let pairs = vec![text("1 id without a caption: 4.jpg"), text("2 ids without references: 5, 6")];
    let errors = [
        Error::Captions { path: path(), line: 1, problem: text("no column `caption`") },
        Error::NoCaptions { path: path(), skipped_entries: skipped_entries() },
        Error::NoCaptions { path: path(), skipped_entries: SkippedEntries::default() },
        Error::Replaced { path: path(), replaced: PathBuf::from("data/captions.txt.old") },
        Error::Splits { path: path(), problem: text("`a.jpg` is in two lists") },
        Error::NoWords { captions: 25, min_count: 5 },
        Error::Vocabulary { path: PathBuf::from("vocabulary.json"), problem: problem() },
        Error::Pairs { path: PathBuf::from("captions-dev.json"), problems: pairs },
        Error::Frequencies { path: PathBuf::from("coco.json"), problem: problem() },
        Error::NoObjects { path: PathBuf::from("objects.txt") },
        Error::Meteor { problem: text("java: not found") },
    ];
    let source = include_str!("../../data/src/error.rs");
    insta::assert_snapshot!("data", messages(source, "Error", &errors));
}

#[test]
fn errors_of_captions() {
    use captions::{ArchiveProblem, DrawError, Error, ImportProblem};
    let archive = |problem| Error::Archive { path: PathBuf::from("photos.zip"), problem };
    let import = |problem| Error::Import { path: PathBuf::from("dataset.json"), problem };
    let scene = |source| Error::Scene { number: 7, source };
    let entries =
        |count| ImportProblem::Entries { count, examples: vec![text("`a.jpg` occurs twice")] };
    let errors = [
        archive(ArchiveProblem::Missing { names: vec![text("a.jpg"), text("b.jpg")] }),
        import(ImportProblem::NoCaptions),
        import(ImportProblem::NoCocoIds),
        import(entries(1)),
        import(entries(2)),
        import(ImportProblem::Splits { skipped_entries: skipped_entries() }),
        Error::OtherArchive {
            path: PathBuf::from("val2017.zip"),
            sums: PathBuf::from("SHA256SUMS"),
        },
        Error::Excluded { path: PathBuf::from("scored.txt"), line: 2, text: text("a photo") },
        Error::Disk { folder: path(), need: Size::mib(41_000), free: Size::mib(25_000) },
        Error::OtherCaptions { path: path() },
        scene(DrawError::NoMemory),
        scene(DrawError::NoOutline),
        scene(DrawError::Png(full_disk().into())),
        Error::Attention { path: path(), problem: text("line 3: no `words`") },
    ];
    let source = include_str!("../../data/captions/src/error.rs");
    let shown = messages(source, "Error", &errors);
    insta::assert_snapshot!("captions", shown);
}

#[test]
fn errors_of_download() {
    use download::{Checksum, Error, Problem, Source};
    let checksum = |digit: &str| Checksum::Sha256(digit.repeat(64));
    let address = text("https://example.org/encoder.zip");
    let source = Source { address, checksum: checksum("a"), bytes: Some(1000) };
    let part = || PathBuf::from("models/encoder.zip.part");
    let interrupted =
        |total| Problem::Interrupted { cause: text("connection reset"), bytes: 500, total };
    let problems = [
        Problem::OtherFile { path: PathBuf::from("models/encoder.zip"), found: checksum("b") },
        Problem::Mismatch { path: part(), found: checksum("b") },
        Problem::TooLong { bytes: 1000 },
        Problem::Refused { status: ureq::http::StatusCode::NOT_FOUND },
        interrupted(Some(1000)),
        interrupted(None),
        Problem::Io(std::io::Error::from_raw_os_error(28)),
    ];
    let definition = include_str!("../../data/download/src/error.rs");
    insta::assert_snapshot!("download-problems", messages(definition, "Problem", &problems));
    let error = |problem| Error::Download {
        file: Box::new(source.clone()),
        path: PathBuf::from("models/encoder.zip"),
        problem,
    };
    let errors = problems.map(error);
    insta::assert_snapshot!("download", messages(definition, "Error", &errors[..1]));
}
