//! Refusal of an output or a ledger that would replace another file of the run.

use std::collections::HashSet;

use anyhow::ensure;
use metadata::{image_folder_path, sidecar_path, text_path};
use models::Manifest;
use models::bundle::MANIFEST_FILE;

use crate::cli::Cli;
use crate::identity::Identity;
use crate::photos::Photo;

/// Refuses `--out` and `--ledger` if they name a file that the run reads or writes, or both the same one.
///
/// # Errors
/// If one does.
pub(crate) fn check(cli: &Cli, manifest: &Manifest, photos: &[Photo]) -> anyhow::Result<()> {
    let named = [("--out", &cli.output.out), ("--ledger", &cli.ledger.ledger)];
    let named = named.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?)));
    let named = named.collect::<Vec<_>>();
    if named.is_empty() {
        return Ok(());
    }
    let mut taken = files_of_model(cli, manifest).collect::<HashSet<_>>();
    for photo in photos.iter().filter(|photo| !photo.is_stdin()) {
        let path = photo.path();
        let beside = [sidecar_path(path), text_path(path), image_folder_path(photo.root())];
        taken.extend([path.to_owned()].iter().chain(&beside).map(|path| Identity::read(path)));
    }
    for (flag, path) in named {
        ensure!(
            path.is_file() || path.is_dir() || !path.exists(),
            "{flag}: {} is not a regular file\n  Name another one.",
            path.display()
        );
        ensure!(
            taken.insert(Identity::read(path)),
            "{flag}: {} is another file of this run, which would be lost\n  Name another one.",
            path.display()
        );
    }
    Ok(())
}

fn files_of_model(cli: &Cli, manifest: &Manifest) -> impl Iterator<Item = Identity> {
    let folder = cli.model.folder();
    let parts = [&manifest.vocabulary, &manifest.decoder_init, &manifest.decoder_step];
    let parts = parts.into_iter().chain(&manifest.neighbours).map(|part| folder.join(&part.file));
    let encoder = manifest.find_encoder(&folder, cli.model.encoder.as_deref()).ok();
    let others = cli.model.neighbours.clone().into_iter().chain(encoder);
    let all = parts.chain(others).chain([folder.join(MANIFEST_FILE)]);
    all.map(|path| Identity::read(&path)).collect::<Vec<_>>().into_iter()
}
