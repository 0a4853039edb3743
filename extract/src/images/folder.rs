//! A folder with images and archives, subfolders included.

use std::path::Path;

use common::names::one_line;
use models::decode::has_image_extension;
use models::folder;

use super::{Listing, Location, archive};

/// Adds the images in `folder`, named by their paths there.
pub(super) fn read(folder: &Path, listing: &mut Listing) {
    let folder::Listing { files, skipped_entries, problems } =
        folder::list(folder, &archive::extensions());
    listing.skipped_entries.extend(skipped_entries);
    for path in files {
        let name = path.strip_prefix(folder).unwrap_or(&path);
        if archive::is_compressed(name) {
            listing.skipped_entries.add(archive::COMPRESSED, one_line(&name.to_string_lossy()));
            continue;
        }
        match name.to_str() {
            // A compressed single file is not a photo.
            _ if !archive::is_archive(&path) && !has_image_extension(&path) => {}
            None => listing.skip(name, "its name is not UTF-8"),
            Some(name) if archive::is_archive(&path) => archive::add(&path, name, listing),
            Some(name) => listing.add(name, Location::File(path.clone())),
        }
    }
    for folder::Problem { path, reason } in problems {
        listing.miss(path.strip_prefix(folder).unwrap_or(&path), reason);
    }
}
