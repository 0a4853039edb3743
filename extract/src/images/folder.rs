//! A folder with images and archives, in folders too.

use std::path::Path;

use features::Shard;
use models::decode::has_image_extension;
use walkdir::WalkDir;

use super::{Listing, Place, archive};

/// Adds the images below `folder`, named by their paths there.
pub(super) fn read(
    folder: &Path,
    shard: Option<Shard>,
    listing: &mut Listing,
) -> anyhow::Result<()> {
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(folder);
                listing.skip(below(folder, path), error.to_string());
                continue;
            }
        };
        let path = entry.path();
        let is_archive = archive::is_archive(path);
        if !entry.file_type().is_file() || !(is_archive || has_image_extension(path)) {
            continue;
        }
        match below(folder, path).to_str() {
            Some(name) if shard.is_some_and(|shard| !shard.holds(name)) => {}
            Some(_) if is_archive => archive::read(path, listing)?,
            Some(name) => listing.add(name.to_owned(), Place::File(path.to_owned())),
            None => listing.skip(below(folder, path), "its name is not UTF-8"),
        }
    }
    Ok(())
}

fn below<'a>(folder: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(folder).unwrap_or(path)
}
