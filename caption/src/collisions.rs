//! Refusal of an output or a ledger that would replace another file of the run.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use common::files::follow_links;
use metadata::{image_folder_path, sidecar_path, text_path};
use models::Manifest;
use models::bundle::MANIFEST_FILE;

use crate::cli::Cli;
use crate::photos::Photo;

/// What makes two paths the same file.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    /// Device and inode of a file that exists.
    Inode(u64, u64),
    /// The path of one that does not, the links of its folder resolved.
    Path(PathBuf),
}

impl Identity {
    fn read(path: &Path) -> Self {
        if let Ok(metadata) = fs::metadata(path) {
            return Self::Inode(metadata.dev(), metadata.ino());
        }
        let path = follow_links(path).unwrap_or_else(|_| path.to_owned());
        let absolute = std::path::absolute(&path).unwrap_or(path);
        let folder = absolute.parent().and_then(|folder| folder.canonicalize().ok());
        let name = absolute.file_name().unwrap_or_default();
        Self::Path(folder.map_or_else(|| absolute.clone(), |folder| folder.join(name)))
    }
}

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
    let encoder = manifest.find_encoder(folder, cli.model.encoder.as_deref()).ok();
    let others = cli.model.neighbours.clone().into_iter().chain(encoder);
    let all = parts.chain(others).chain([folder.join(MANIFEST_FILE)]);
    all.map(|path| Identity::read(&path)).collect::<Vec<_>>().into_iter()
}
