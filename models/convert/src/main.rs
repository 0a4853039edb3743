//! `convert`: makes an encoder of the catalogue from a file that is on this machine already. Unlike `encoder fetch` it
//! needs neither a runtime nor a network connection, and so is built in little time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Parser;
use common::program::{CONVERT, print};
use common::{GridShape, digest, files, head};
use convert::Adapted;
use convert::catalogue::{self, Recipe};

/// Make an encoder of the catalogue from the unpacked files of its source.
#[derive(Parser)]
#[command(name = "convert", version)]
struct Cli {
    /// The encoder's name in the catalogue, models/encoders.toml.
    name: String,
    /// The folder with the unpacked files of the encoder's source.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The encoder to write [default: models/NAME.onnx].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    CONVERT.run(|cli| make(cli).map(|()| ExitCode::SUCCESS))
}

/// Makes the encoder and its head, unless they exist.
fn make(Cli { name, from, out }: Cli) -> anyhow::Result<()> {
    let out = out.unwrap_or_else(|| Path::new("models").join(&name).with_extension("onnx"));
    let catalogue = catalogue::parse::<Recipe>(catalogue::OWN)?;
    let recipe = catalogue.get(&name).with_context(|| {
        let names = catalogue.keys().map(String::as_str).collect::<Vec<_>>();
        format!("{name}: not in the catalogue\n  It has {}.", names.join(", "))
    })?;
    let existing = fs::read(&out).ok();
    if let Some(encoder) = &existing {
        ensure!(
            recipe.is_result(encoder),
            "{}: not the encoder that the catalogue calls {name}\n  Remove it, or name another file with --out.",
            out.display()
        );
        if recipe.classes.is_none() || convert::has_head(&out, &digest::of_bytes(encoder)) {
            return print(format_args!("{}: {name} exists already", out.display()));
        }
    }
    let adapted = adapt(recipe, &name, &from)?;
    if existing.is_none() {
        files::replace(&out, &adapted.encoder).with_context(|| out.display().to_string())?;
    }
    if let Some(made) = adapted.head {
        let head = head::path_beside(&out);
        let file = made.into_file(&digest::of_bytes(&adapted.encoder), None)?;
        files::replace(&head, &file).with_context(|| head.display().to_string())?;
    }
    let GridShape { height, width, channels } = recipe.grid;
    print(format_args!("{}: {height}×{width} cells of {channels} values", out.display()))
}

/// The encoder of the recipe `name`, made of the unpacked files in `from`.
fn adapt(recipe: &Recipe, name: &str, from: &Path) -> anyhow::Result<Adapted> {
    let member = recipe.member.as_ref();
    let file = from.join(member.with_context(|| format!("{name}: its source is not an archive"))?);
    let adapted = convert::encoder(&file, &recipe.preprocess, recipe.blocks)
        .with_context(|| file.display().to_string())?;
    ensure!(
        recipe.is_result(&adapted.encoder),
        "{}: its encoder is not the one that the catalogue calls {name}",
        file.display()
    );
    Ok(adapted)
}
