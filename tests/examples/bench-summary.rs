//! The summary of `make bench`: a table, and a file of which two can be compared.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail, ensure};
use common::describe_io;
use common::files::replace;
use common::program::{explain, is_broken_pipe, print, warn};
use tests::machine::Machine;
use tests::sitting::Sitting;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            warn(format_args!("error: {}", explain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments = std::env::args_os().skip(1).collect::<Vec<_>>();
    match arguments.as_slice() {
        [task, results, out, revision, date] if task == "write" => {
            let [revision, date] = [revision, date].map(|text| text.to_string_lossy());
            let sitting = Sitting::new(&revision, &date, Machine::read());
            write(Path::new(results), Path::new(out), sitting)
        }
        [task, a, b] if task == "compare" && !a.is_empty() && !b.is_empty() => {
            let [a, b] = [a, b].map(Path::new);
            print(read(a)?.compare(&read(b)?).trim_end())
        }
        _ => bail!(
            "arguments: not those of a comparison: make bench-compare A=FILE B=FILE\n  \
             `make bench` writes such files to dist/bench"
        ),
    }
}

/// Writes the sitting with the figures of `results` to `out`, and prints it.
fn write(results: &Path, out: &Path, mut sitting: Sitting) -> anyhow::Result<()> {
    for line in text(results)?.lines() {
        let line = serde_json::from_str(line);
        sitting.add(line.map_err(|error| damaged(results, &error))?);
    }
    ensure!(!sitting.is_empty(), "no figures: no bench ran: the messages above say why");
    let folder = out.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(&sitting)? + "\n";
    replace(out, json.as_bytes()).with_context(|| out.display().to_string())?;
    print(format_args!("\n{sitting}\nThe figures are in {}.", out.display()))
}

fn read(path: &Path) -> anyhow::Result<Sitting> {
    serde_json::from_str(&text(path)?).map_err(|error| damaged(path, &error))
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).map_err(|error| {
        let (path, why) = (path.display(), describe_io(&error));
        anyhow!("{path}: {why}\n  `make bench` writes such files to dist/bench")
    })
}

fn damaged(path: &Path, error: &serde_json::Error) -> anyhow::Error {
    anyhow!("{}: not figures of `make bench`: {error}: run it again", path.display())
}
