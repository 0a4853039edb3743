//! `caption`: captions of photos, on the command line.

mod attention;
mod captioning;
mod cli;
mod collisions;
mod destinations;
mod identity;
mod ledger;
mod parallel;
mod photos;
mod removal;
mod report;
mod results;
mod run;
mod workers;

use std::process::ExitCode;

use clap::CommandFactory as _;
use common::program::CAPTION;

use self::cli::Cli;

fn main() -> ExitCode {
    CAPTION.run(|cli: Cli| {
        let search = cli.search.options(cli.n_best);
        let search = search.unwrap_or_else(|wrong| wrong.format(&mut Cli::command()).exit());
        let photos = photos::find(&cli.paths)?;
        let is_complete = if cli.write.remove {
            removal::run(&cli, &photos)?
        } else {
            run::run(&cli, &search, photos)?
        };
        Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
