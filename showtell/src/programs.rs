//! The programs beside this one.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use common::program::{print, write_manual};

/// The names of all programs.
const NAMES: [&str; 6] = ["caption", "serve", "captions", "encoder", "extract", "train"];
/// A file of Cargo in the folder of programs that it built. There they have names without a prefix.
const OF_CARGO: &str = ".cargo-lock";

/// An installed program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
}

impl Program {
    /// Finds a program.
    ///
    /// # Errors
    /// If it is not installed.
    pub(crate) fn find(name: &'static str) -> anyhow::Result<Self> {
        let folder = own_folder()?;
        Self::find_in(&folder, name).with_context(|| {
            format!(
                "showtell {name}: {} is not installed\n  It is part of the archive for training, and `make install` builds \
                 it.",
                folder.join(format!("showtell-{name}")).display()
            )
        })
    }

    fn find_in(folder: &Path, name: &'static str) -> Option<Self> {
        let plain = folder.join(OF_CARGO).exists().then(|| folder.join(name));
        let paths = [Some(folder.join(format!("showtell-{name}"))), plain];
        let path = paths.into_iter().flatten().find(|path| path.is_file())?;
        Some(Self { name, path })
    }

    /// What the program prints when it is asked to generate something about itself.
    ///
    /// # Errors
    /// If it cannot be run.
    pub(crate) fn generate(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.path);
        command.arg("--generate").args(arguments).stderr(Stdio::inherit());
        let output = command.output().map_err(common::Error::io(&self.path))?;
        ensure!(output.status.success(), "{}: it failed: {}", self.path.display(), output.status);
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The programs that are installed.
///
/// # Errors
/// If the folder of this program is not known.
pub(crate) fn installed() -> anyhow::Result<Vec<Program>> {
    let folder = own_folder()?;
    Ok(NAMES.into_iter().filter_map(|name| Program::find_in(&folder, name)).collect())
}

/// Prints the version of this command, and those of the installed programs with their native libraries, each once.
///
/// # Errors
/// If it cannot be printed.
pub(crate) fn print_versions(own: impl Display) -> anyhow::Result<()> {
    let mut printed = vec![own.to_string().trim_end().to_owned()];
    for program in installed()? {
        let output = Command::new(&program.path).arg("--version").output();
        let output = output.map_err(common::Error::io(&program.path))?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if !printed.iter().any(|other| other == line) {
                printed.push(line.to_owned());
            }
        }
    }
    print(printed.join("\n"))
}

/// Writes the manual pages of this command and of the installed programs.
///
/// # Errors
/// If the folder cannot be made, or a page cannot be written.
pub(crate) fn write_manuals(own: clap::Command, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).map_err(common::Error::io(folder))?;
    let path = folder.to_str().with_context(|| format!("{}: not UTF-8", folder.display()))?;
    // Its pages of the programs, which say less, are replaced by theirs.
    write_manual(own, folder)?;
    installed()?.iter().try_for_each(|program| program.generate(&["man", path]).map(drop))
}

/// The folder of this program, whatever link it was called by.
fn own_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("the folder of this program")?;
    Ok(program.parent().unwrap_or(Path::new("/")).to_owned())
}
