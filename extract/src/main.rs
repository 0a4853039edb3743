//! `extract`: stage one. Every image through the encoder, once, into the feature store.

mod images;
mod options;
mod pipeline;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use data::Captions;
use features::{GridShape, Provenance, StoreWriter};
use indicatif::{HumanBytes, HumanDuration};
use models::Encoder;
use models::encoder::EncoderOptions;

use crate::options::{Cli, Command, Run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = cli.command.map_or(cli.run, |Command::Run(run)| run);
    match extract(&run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn extract(run: &Run) -> anyhow::Result<()> {
    let names = images::list(&run.images)?;
    if let Some(captions) = &run.captions {
        let captions = Captions::read(captions)?;
        images::report_captions(&names, &captions);
    }
    let encoder = open_encoder(run)?;
    let provenance = provenance(&encoder)?;
    let mut store = StoreWriter::open(&run.store, &provenance, &names)?;
    let pending = images::pending(&store, &names);
    let place = run.store.display();
    if pending.is_empty() {
        println!("{place}: all {} images are extracted already; nothing to do", names.len());
        return Ok(());
    }
    let done = names.len() - pending.len();
    if done > 0 {
        eprintln!("{place}: {done} images are extracted already, {} to go", pending.len());
    }
    let start = Instant::now();
    let skipped = pipeline::run(run, encoder, &mut store, &pending)?;
    let bytes = store.grid().bytes() as u64 * store.len() as u64;
    store.finish()?;

    let written = pending.len() - skipped.len();
    let elapsed = start.elapsed();
    images::report_skipped(&skipped);
    ensure!(done + written > 0, "none of {} images could be read", pending.len());
    println!(
        "{place}: {written} images in {} ({:.1} images/s), {} skipped, {} of grids",
        HumanDuration(elapsed),
        written as f64 / elapsed.as_secs_f64(),
        skipped.len(),
        HumanBytes(bytes)
    );
    Ok(())
}

fn open_encoder(run: &Run) -> anyhow::Result<Encoder> {
    let options = EncoderOptions { device: run.device, threads: run.threads, resize: run.resize };
    let encoder = Encoder::open(&run.encoder, &options)?;
    let [height, width, channels] = encoder.grid();
    eprintln!(
        "{}: {height}×{width} cells of {channels}, on {} (asked for: {})",
        encoder.name(),
        encoder.device(),
        run.device
    );
    if !encoder.states_preprocess() {
        eprintln!(
            "{}: says nothing about its input; taken as ImageNet: {}",
            encoder.name(),
            serde_json::to_string(encoder.preprocess())?
        );
    }
    Ok(encoder)
}

fn provenance(encoder: &Encoder) -> anyhow::Result<Provenance> {
    let [height, width, channels] = encoder.grid();
    Ok(Provenance {
        encoder_name: encoder.name(),
        encoder_sha256: encoder.sha256().to_owned(),
        preprocess: serde_json::to_string(encoder.preprocess())
            .context("the preprocessing cannot be written as JSON")?,
        grid: GridShape { height, width, channels },
        created_by: concat!("showtell extract ", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}
