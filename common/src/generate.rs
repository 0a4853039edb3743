//! What a program generates about itself: scripts that complete its flags in a shell, and manual pages.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Command;
use clap_complete::Shell;

/// The flag that asks for it, as the first of all arguments. `showtell completions` and `showtell man` use it.
pub(crate) const FLAG: &str = "--generate";

/// Generates what the arguments after [`FLAG`] name: a shell, whose script is printed, or `man` and the folder of manual pages.
///
/// # Errors
/// If the arguments are wrong, or the result cannot be written.
pub(crate) fn generate(
    command: Command,
    mut arguments: impl Iterator<Item = OsString>,
) -> anyhow::Result<()> {
    let name = format!("showtell-{}", command.get_name());
    let kind = arguments.next().unwrap_or_default();
    if kind == "man" {
        let folder = arguments.next().context("man needs a folder")?;
        return write_manual(command.name(name), Path::new(&folder));
    }
    let shell = kind.to_str().and_then(|kind| kind.parse::<Shell>().ok());
    let Some(shell) = shell else { bail!("{}: not a shell", kind.display()) };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command.name(name.clone()), name.clone(), &mut script);
    if shell == Shell::Bash {
        // Half of the script takes the hyphen in the name for a subcommand.
        let parts = name.split('-').collect::<Vec<_>>();
        let text = String::from_utf8(script).context("the script")?;
        script = text.replace(&parts.join("__subcmd__"), &parts.join("__")).into_bytes();
    }
    io::stdout().lock().write_all(&script).context("standard output")
}

/// Writes the manual pages of a command and of its subcommands into a folder.
///
/// # Errors
/// If one cannot be written.
pub fn write_manual(command: Command, folder: &Path) -> anyhow::Result<()> {
    // Each page is small, and is written again with the next version.
    clap_mangen::generate_to(command, folder).map_err(crate::Error::io(folder))?;
    Ok(())
}
