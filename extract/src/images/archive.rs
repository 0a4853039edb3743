//! Tar archives, as `WebDataset` lays them out: photos with whatever belongs to them beside. Only the heads of the
//! members are read here; an image is read at its place when its turn comes.

use std::fs::File;
use std::path::{Component, Path};
use std::sync::Arc;

use anyhow::Context as _;
use models::decode::has_image_extension;

use super::{Listing, Place};

/// Whether a file seems to be one, by its name.
pub(super) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tar"))
}

/// Adds the images of an archive, named by their paths in it.
pub(super) fn read(path: &Path, listing: &mut Listing) -> anyhow::Result<()> {
    let wrong = || format!("{}: cannot be read as a tar archive", path.display());
    let file = File::open(path).with_context(wrong)?;
    let end = file.metadata().with_context(wrong)?.len();
    let archive = Arc::from(path);
    for member in tar::Archive::new(file).entries_with_seek().with_context(wrong)? {
        let member = member.with_context(wrong)?;
        let inside = member.path().with_context(wrong)?;
        let (at, length) = (member.raw_file_position(), member.size());
        if at.checked_add(length).is_none_or(|after| after > end) {
            listing.skip(&path.join(&inside), "the archive ends before it does");
            break;
        }
        if !member.header().entry_type().is_file() || !has_image_extension(&inside) {
            continue;
        }
        let plain = inside.components().filter(|part| *part != Component::CurDir);
        match plain.collect::<std::path::PathBuf>().to_str() {
            Some(name) => {
                let archive = Arc::clone(&archive);
                listing.add(name.to_owned(), Place::Member { archive, at, length });
            }
            None => listing.skip(&path.join(&inside), "its name is not UTF-8"),
        }
    }
    Ok(())
}
