//! Taking back what an earlier run wrote.

use std::path::Path;

use anyhow::ensure;
use common::count;
use common::names::one_line;
use common::program::{explain, warn};
use metadata::{Embedding, Keep, Sidecar, sidecar_path};

use crate::cli::{Cli, Place};
use crate::destinations::check;
use crate::photos::{MAX_BYTES, Photo};

/// Takes back the texts of Showtell in the named places of all photos; returns whether all could be read and changed.
///
/// # Errors
/// If a place does not say who wrote its texts.
pub(crate) fn run(cli: &Cli, photos: &[Photo]) -> anyhow::Result<bool> {
    let places = &cli.write.write;
    ensure!(
        places.iter().all(|place| matches!(place, Place::Xmp | Place::Embed)),
        "--remove: the places txt and metadata do not say who wrote a text\n  Remove those files yourself."
    );
    check(&cli.write, photos)?;
    let (mut removed, mut failed) = (0, 0);
    for photo in photos {
        match remove(cli, photo) {
            Ok(was_there) => removed += usize::from(was_there),
            Err(error) => {
                failed += 1;
                warn(format_args!("{}: {}", one_line(&photo.name()), explain(&error)));
            }
        }
    }
    let others = removed + failed < photos.len();
    let others = if others { "; the others have none of Showtell" } else { "" };
    let photos = count(photos.len(), "photo");
    warn(format_args!("captions removed from {removed} of {photos}{others}"));
    Ok(failed == 0)
}

/// Takes back the texts of one photo; returns whether there were some.
fn remove(cli: &Cli, photo: &Photo) -> anyhow::Result<bool> {
    photo.check()?;
    let removed = cli.write.write.iter().map(|place| match place {
        Place::Embed => remove_embedded(cli, photo.path()),
        _ => remove_sidecar(&sidecar_path(photo.path())),
    });
    // A place that fails does not keep the others from being cleared.
    let removed = removed.collect::<Vec<_>>();
    removed.into_iter().try_fold(false, |was_there, removed| Ok(was_there | removed?))
}

fn remove_embedded(cli: &Cli, path: &Path) -> anyhow::Result<bool> {
    let embedding = match Embedding::read(path, MAX_BYTES) {
        // Such a photo was never written.
        Err(metadata::Error::Format) => return Ok(false),
        read => read?,
    };
    if !cli.write.break_signature {
        embedding.check_unsigned()?;
    }
    Ok(embedding.remove(Keep { times: cli.write.keep_times })?)
}

fn remove_sidecar(path: &Path) -> anyhow::Result<bool> {
    Ok(Sidecar::read(path)?.remove()?)
}
