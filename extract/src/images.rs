//! The images of a folder, and what is said about them.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{bail, ensure};
use data::Captions;
use features::StoreWriter;
use walkdir::WalkDir;

const EXTENSIONS: [&str; 8] = ["bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"];
/// Of a long list only so many are named.
const NAMED: usize = 20;

/// An image that could not be encoded, and why.
pub(crate) struct Skipped {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// The images below `folder` as paths relative to it, in order of their names.
pub(crate) fn list(folder: &Path) -> anyhow::Result<Vec<String>> {
    ensure!(
        folder.is_dir(),
        "{}: no such folder of images\n  Put the photos there, or name another with --images DIR (make: DATA=DIR).",
        folder.display()
    );
    let mut names = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() && has_image_extension(entry.path()) => {
                let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                match relative.to_str() {
                    Some(name) => names.push(name.to_owned()),
                    None => eprintln!("skipped: {}: its name is not UTF-8", relative.display()),
                }
            }
            Ok(_) => {}
            Err(error) => eprintln!("skipped: {error}"),
        }
    }
    if names.is_empty() {
        bail!("{}: no image in it ({})", folder.display(), EXTENSIONS.join(", "));
    }
    Ok(names)
}

fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

/// The rows to encode: those without a grid whose image is in the folder.
pub(crate) fn pending(store: &StoreWriter, names: &[String]) -> Vec<(usize, String)> {
    let names = names.iter().map(String::as_str).collect::<HashSet<_>>();
    let rows = store.pending().filter(|(_, name)| names.contains(name));
    rows.map(|(row, name)| (row, name.to_owned())).collect()
}

/// Says how the captions and the images differ.
pub(crate) fn report_captions(names: &[String], captions: &Captions) {
    let images = names.iter().map(String::as_str).collect::<HashSet<_>>();
    let absent = captions.iter().filter(|of| !images.contains(of.image.as_str())).count();
    let bare = names.iter().filter(|name| captions.of(name).is_none()).count();
    if absent > 0 {
        eprintln!("{absent} captioned images are not in the folder; their captions are not used");
    }
    if bare > 0 {
        eprintln!("{bare} images have no caption; they are extracted but not trained on");
    }
}

/// Lists the images that were skipped.
pub(crate) fn report_skipped(skipped: &[Skipped]) {
    for Skipped { name, reason } in skipped.iter().take(NAMED) {
        eprintln!("skipped: {name}: {reason}");
    }
    if skipped.len() > NAMED {
        eprintln!("skipped: {} more", skipped.len() - NAMED);
    }
}
