//! `extract`: stage one. Every image through the encoder, once, into the feature store.

mod compare;
mod encoders;
mod images;
mod inspect;
mod merge;
mod options;
mod pipeline;
mod plan;
mod progress;
mod run;
mod task;

use std::io::{IsTerminal as _, stderr};
use std::process::ExitCode;

use common::program::{EXTRACT, warn};
use serde_json::json;

use crate::options::{Cli, Command};

/// The native libraries, for `--version`.
fn native_versions() -> Vec<String> {
    let mut versions = models::runtime::native_versions();
    versions.push(features::native_version());
    versions
}

fn main() -> ExitCode {
    if !stderr().is_terminal() {
        // A panic costs one image; its message is a JSON line like all others.
        std::panic::set_hook(Box::new(|panic| {
            warn(json!({ "event": "warning", "message": panic.to_string() }));
        }));
    }
    EXTRACT.with_native(native_versions).run(|cli: Cli| {
        match cli.command {
            None => run::run(&cli.run)?,
            Some(Command::Run(options)) => run::run(&options)?,
            Some(Command::Plan(options)) => run::plan(&options)?,
            Some(Command::Merge(options)) => merge::run(&options)?,
            Some(Command::Inspect(options)) => inspect::inspect(&options)?,
            Some(Command::Verify(options)) => inspect::verify(&options)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
