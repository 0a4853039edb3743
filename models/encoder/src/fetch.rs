//! `encoder fetch` and `encoder list`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use common::GridShape;
use common::program::{print, warn};
use convert::catalogue::Recipe;
use models::identity;
use zip::ZipArchive;

use crate::catalogue::{self, Entry};
use crate::{make, output};

/// An encoder of the catalogue.
#[derive(Args)]
pub(crate) struct Fetch {
    /// Its name in the catalogue (`encoder list`).
    name: String,
    /// The encoder to write [default: models/NAME.onnx].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    catalogue: CatalogueOptions,
}

/// The catalogue to use.
#[derive(Args)]
pub(crate) struct CatalogueOptions {
    /// A catalogue instead of the project's own, models/encoders.toml.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

/// Makes an encoder of the catalogue, and fetches its source, unless they exist.
pub(crate) fn fetch(options: &Fetch) -> anyhow::Result<()> {
    let name = &options.name;
    let catalogue = catalogue::read(options.catalogue.catalogue.as_deref())?;
    let entry = catalogue::find(&catalogue, name)?;
    let usual = || Path::new("models").join(name).with_extension("onnx");
    let out = options.out.clone().unwrap_or_else(usual);
    let fetched = out.parent().unwrap_or(Path::new("")).join("fetched");
    let _lock = lock(&fetched).with_context(|| fetched.display().to_string())?;
    if out.exists() {
        let found = identity::identify(&out)?;
        check(&found, &out, name, entry)?;
        if entry.recipe.classes.is_none() || convert::has_head(&out, &found) {
            return print(format_args!("{}: {name} exists already", out.display()));
        }
    }
    let file = fetched.join(entry.source.file_name());
    warn(format_args!("{name}: {}, licence {}", entry.origin, entry.licence));
    entry.source.fetch(&file, &mut download::progress_bar())?;
    let Recipe { member, blocks, grid, preprocess, .. } = &entry.recipe;
    let adapted = match member {
        Some(member) => {
            let network = unpack(&file, member)?;
            let adapted = convert::encoder(&network, preprocess, *blocks);
            fs::remove_file(&network).with_context(|| network.display().to_string())?;
            adapted
        }
        None => convert::encoder(&file, preprocess, *blocks),
    };
    let adapted = adapted.map_err(|error| make::refused(&file, &error))?;
    let made = output::write_all(adapted, &out, &file, None)?;
    ensure!(made.grid() == *grid, "{}: the catalogue names another grid", out.display());
    check(made.sha256(), &out, name, entry)
}

/// Prints the catalogue.
pub(crate) fn list(options: &CatalogueOptions) -> anyhow::Result<()> {
    for (name, entry) in catalogue::read(options.catalogue.as_deref())? {
        let GridShape { height, width, channels } = entry.recipe.grid;
        let size = entry.source.bytes.map(|bytes| format!("{} MiB, ", bytes >> 20));
        print(format_args!(
            "{name}: {}, {height}×{width} cells of {channels} values",
            entry.architecture
        ))?;
        print(format_args!(
            "  {}, {}licence {}",
            entry.origin,
            size.unwrap_or_default(),
            entry.licence
        ))?;
        print(format_args!("  {}", entry.source.address))?;
    }
    Ok(())
}

/// Checks that the file at `out` with the identity `found` is the encoder of the catalogue.
fn check(found: &str, out: &Path, name: &str, entry: &Entry) -> anyhow::Result<()> {
    let expected = entry.recipe.encoder.as_deref();
    ensure!(
        expected.is_none_or(|expected| found == expected),
        "{}: not the encoder that the catalogue calls {name}\n  Remove it, or name another file with --out.",
        out.display()
    );
    Ok(())
}

/// Makes a folder and waits for its lock. A second process then finds what the first one made.
fn lock(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let folder = File::open(folder)?;
    folder.lock()?;
    Ok(folder)
}

/// Unpacks a file of an archive into the folder of the archive.
fn unpack(archive: &Path, member: &str) -> anyhow::Result<PathBuf> {
    let context = || format!("{}: {member}", archive.display());
    let mut zip =
        ZipArchive::new(File::open(archive).with_context(context)?).with_context(context)?;
    let mut bytes = Vec::new();
    zip.by_name(member).with_context(context)?.read_to_end(&mut bytes).with_context(context)?;
    let name = Path::new(member).file_name().with_context(context)?;
    let path = archive.with_file_name(name);
    common::files::replace(&path, &bytes).with_context(|| path.display().to_string())?;
    Ok(path)
}
