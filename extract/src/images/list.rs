//! A list of images: one path per line, or CSV with a column `image` for names and an optional column `path` for files
//! that are elsewhere. Paths are relative to the list's folder.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail, ensure};
use common::{quotes, text};

use super::{Listing, Location, archive};

/// Adds the images and the archives that the file at `path` names.
pub(super) fn read(path: &Path, listing: &mut Listing) -> anyhow::Result<()> {
    let wrong = || format!("{}: cannot be read as a list of images", path.display());
    let text = text::read(path).with_context(wrong)?;
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    ensure!(
        is_csv || !is_captions(&text),
        "{}: a captions file, not a list of images\n  Name the folder of the photos (--images DIR), and this file with --captions.",
        path.display()
    );
    let lines = if is_csv { csv(path, &text, listing)? } else { plain(&text) };
    let folder = path.parent().unwrap_or(Path::new(""));
    for (name, path) in lines {
        let path = folder.join(path);
        if archive::is_archive(&path) {
            archive::add(&path, &name, listing);
        } else {
            listing.add(&name, Location::File(path));
        }
    }
    Ok(())
}

/// Whether a text begins as a captions file does: with the header `image,caption`, or `name.jpg#0<TAB>caption`.
fn is_captions(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let is_numbered = |(name, _): (&str, &str)| {
        let number = name.rsplit_once('#').map(|(_, number)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let columns = first.split(',').map(|column| column.trim().to_ascii_lowercase());
    let is_header = columns.eq(["image", "caption"]);
    is_header || first.split_once('\t').is_some_and(is_numbered)
}

/// Names with their paths.
type Lines = Vec<(String, String)>;

fn plain(text: &str) -> Lines {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| (line.to_owned(), line.to_owned())).collect()
}

fn csv(path: &Path, text: &str, listing: &mut Listing) -> anyhow::Result<Lines> {
    let wrong = || path.display().to_string();
    quotes::check(text)
        .map_err(|error| anyhow!("{}, line {}: {error}", path.display(), error.line()))?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().with_context(wrong)?.clone();
    let column = |name: &str| header.iter().position(|of| of.trim() == name);
    let Some(names) = column("image") else {
        bail!("{}: no column `image` in its first line", path.display());
    };
    let paths = column("path").unwrap_or(names);
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.with_context(wrong)?;
        // The reader refuses rows with another number of fields.
        let field = |at: usize| record.get(at).unwrap_or_default();
        let (name, path) = (field(names), field(paths));
        if name.trim().is_empty() || path.trim().is_empty() {
            let line = record.position().map_or(0, csv::Position::line);
            listing.skipped_entries.add("row without an image", format!("line {line}"));
        } else {
            lines.push((name.to_owned(), path.to_owned()));
        }
    }
    Ok(lines)
}
