//! `caption`: captions of photos, on the command line.

mod attention;
mod budget;
mod captioning;
mod cli;
mod collisions;
mod destinations;
mod fill;
mod identity;
mod ledger;
mod parallel;
mod photos;
mod removal;
mod report;
mod results;
mod run;
mod watch;
mod workers;

use std::process::ExitCode;

use clap::CommandFactory as _;
use common::program::CAPTION;

use self::cli::Cli;
use self::run::Run;

fn main() -> ExitCode {
    CAPTION.with_native(models::runtime::native_versions).run(|cli: Cli| {
        let search = cli.search.options(cli.n_best);
        let search = search.unwrap_or_else(|wrong| wrong.format(&mut Cli::command()).exit());
        let is_complete = if !cli.documents.fill_alt.is_empty() {
            fill::run(&cli, &search)?
        } else if cli.ledger.watch {
            watch::run(&cli, &search)?
        } else if cli.write.remove {
            removal::run(&cli, &photos::find(&cli.paths)?)?
        } else {
            let photos = photos::find(&cli.paths)?;
            let mut run = Run::open(&cli, &search, &photos)?;
            run.caption(photos)?;
            run.finish()?
        };
        Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
