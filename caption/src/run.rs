//! A run over photos: each is captioned unless it is done, and its caption goes to the output and the destinations.

use std::io;

use anyhow::{anyhow, bail, ensure};
use common::count;
use common::program::warn;
use models::device::cuda_warning;
use models::{Manifest, SearchOptions};

use crate::attention;
use crate::budget::Budget;
use crate::captioning::{Captioned, Captioning, Task, for_each_captioned};
use crate::cli::{Cli, DocumentArgs, Format};
use crate::collisions;
use crate::destinations::Destinations;
use crate::ledger::Ledger;
use crate::photos::Photo;
use crate::report::Report;
use crate::results::Results;
use crate::workers::Workers;

/// A run: the model, and what becomes of captions.
pub(crate) struct Run<'a> {
    cli: &'a Cli,
    search: &'a SearchOptions,
    manifest: Manifest,
    /// The captioners, opened for the first photos.
    workers: Option<Workers>,
    outputs: Outputs,
}

/// Where captioned photos are written down, and what is counted meanwhile.
struct Outputs {
    results: Results,
    ledger: Option<Ledger>,
    report: Report,
}

impl Outputs {
    /// Writes down a photo that was captioned, failed, or was left alone.
    fn add(
        &mut self,
        photo: &Photo,
        captioned: anyhow::Result<Option<Captioned>>,
    ) -> anyhow::Result<()> {
        let done = match &captioned {
            Ok(None) => Some((None, None)),
            Ok(Some(of)) if of.failure.is_none() => Some((of.sha256.clone(), of.state)),
            _ => None,
        };
        if let (Some(ledger), Some((sha256, state))) = (&mut self.ledger, done) {
            ledger.record(photo, sha256, state)?;
        }
        if let Some(captioned) = captioned.transpose() {
            if let Ok(of) = &captioned {
                self.report.written += usize::from(of.is_written);
                self.report.sidecar_alone += usize::from(of.is_sidecar_alone);
            }
            return self.results.write(photo, captioned);
        }
        self.report.left_alone += 1;
        self.report.first_left_alone.get_or_insert_with(|| photo.name());
        self.results.write_left_alone(photo)
    }
}

impl<'a> Run<'a> {
    /// Opens the model's description, the ledger and the output of a run over photos.
    ///
    /// # Errors
    /// If a flag has no effect, one of them cannot be opened, or would replace another file of the run.
    pub(crate) fn open(
        cli: &'a Cli,
        search: &'a SearchOptions,
        photos: &[Photo],
    ) -> anyhow::Result<Self> {
        ensure!(
            !cli.output.words || cli.output.format() == Format::Json,
            "--words: has no effect\n  Add --json, or leave it out."
        );
        check_documents(&cli.documents)?;
        let manifest = Manifest::load(&cli.model.folder())?;
        collisions::check(cli, &manifest, photos)?;
        let ledger = Ledger::open(cli, &settings(cli, &manifest)?)?;
        ensure!(
            !cli.ledger.all || ledger.is_some(),
            "--all: has no effect without a ledger\n  Add --ledger, or leave it out."
        );
        let outputs = Outputs { results: Results::open(cli)?, ledger, report: Report::default() };
        Ok(Self { cli, search, manifest, workers: None, outputs })
    }

    /// Captions the photos that are not done.
    ///
    /// # Errors
    /// If the model, the output or a file that photos share fails; a photo that fails is reported and counted.
    pub(crate) fn caption(&mut self, photos: Vec<Photo>) -> anyhow::Result<()> {
        let destinations = Destinations::open(self.cli, self.manifest.record_name(), &photos)?;
        let given = photos.len();
        let photos = match &self.outputs.ledger {
            Some(ledger) if !self.cli.ledger.all => ledger.keep_new(photos, &destinations),
            _ => photos,
        };
        let done = given - photos.len();
        check_out(self.cli, done)?;
        self.outputs.report.done += done;
        if !photos.is_empty() {
            let captioned = self.caption_all(photos, &destinations);
            captioned.map_err(|error| explain_end(self.cli, error))?;
        }
        destinations.finish()?;
        Ok(())
    }

    /// Ends the output and says what there is to say; returns whether all photos have a caption.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub(crate) fn finish(self) -> anyhow::Result<bool> {
        let Outputs { results, report, .. } = self.outputs;
        let counts = results.finish(report.left_alone)?;
        report.print(self.cli, counts.unsure);
        Ok(counts.failed == 0)
    }

    /// Captions photos and writes them down.
    fn caption_all(
        &mut self,
        photos: Vec<Photo>,
        destinations: &Destinations,
    ) -> anyhow::Result<()> {
        let Self { cli, search, workers, outputs, .. } = self;
        let workers = match workers {
            Some(workers) => workers,
            None => workers.insert(open_workers(cli, search, photos.len())?),
        };
        let folders = match &cli.attention {
            Some(root) => attention::folders(root, &photos)?.into_iter().map(Some).collect(),
            None => vec![None; photos.len()],
        };
        let photos = photos.into_iter().zip(folders).collect::<Vec<Task>>();
        let budget = Budget::new(cli.memory);
        let captioning = Captioning {
            search,
            destinations,
            budget: &budget,
            thumbnails: cli.output.format() == Format::Html,
            hashes: outputs.ledger.is_some(),
            min_confidence: cli.min_confidence.unwrap_or(0.0),
        };
        for_each_captioned(workers, &captioning, &photos, |photo, captioned| {
            outputs.add(photo, captioned)
        })
    }
}

/// Refuses flags of `--fill-alt` without it.
fn check_documents(arguments: &DocumentArgs) -> anyhow::Result<()> {
    let DocumentArgs { apply, empty_too, root, .. } = arguments;
    let flags = [("--apply", *apply), ("--empty-too", *empty_too), ("--root", root.is_some())];
    match flags.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => bail!("{flag}: has no effect without --fill-alt\n  Leave it out."),
        None => Ok(()),
    }
}

/// A closed output ends a run in silence, as with `head`; but not one that writes captions elsewhere, too.
fn explain_end(cli: &Cli, error: anyhow::Error) -> anyhow::Error {
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if cli.write.write.is_empty() || !error.downcast_ref().is_some_and(is_closed) {
        return error;
    }
    anyhow!(
        "standard output: closed before all photos were captioned\n  Run the command again; --out FILE needs no reader."
    )
}

/// Opens captioners for this number of photos.
///
/// # Errors
/// If the model cannot be opened, or cannot follow a flag.
pub(crate) fn open_workers(
    cli: &Cli,
    search: &SearchOptions,
    photos: usize,
) -> anyhow::Result<Workers> {
    let workers = Workers::open(&cli.model, photos, cli.tags)?;
    if let Some(problem) = workers.cuda_problem() {
        warn(cuda_warning(problem));
    }
    check_model(cli, search, &workers)?;
    Ok(workers)
}

/// Refuses to replace the output of an earlier run by one without the photos that are done.
fn check_out(cli: &Cli, done: usize) -> anyhow::Result<()> {
    let Some(out) = cli.output.out.as_deref().filter(|out| done > 0 && out.is_file()) else {
        return Ok(());
    };
    bail!(
        "--out: {} exists, and its replacement would lack {} that an earlier run did\n  \
         Caption all of them again (--all --existing machine), or name another file.",
        out.display(),
        count(done, "photo")
    )
}

/// All that a caption and its destinations depend on beside the photo.
fn settings(cli: &Cli, manifest: &Manifest) -> anyhow::Result<String> {
    let Cli { model, search, write, output, style, n_best, tags, min_confidence, .. } = cli;
    let flags =
        (&model.views, &model.neighbours, model.no_neighbours, model.exact, search, n_best, tags);
    let places =
        (&write.write, write.existing, &write.prefix, min_confidence, style, output.format());
    Ok(format!("{} {flags:?} {places:?}", serde_json::to_string(manifest)?))
}

/// Refuses flags that the model cannot follow; a message says where there are no tags.
fn check_model(cli: &Cli, search: &SearchOptions, workers: &Workers) -> anyhow::Result<()> {
    if cli.tags && !workers.captioners().iter().all(|captioner| captioner.has_tags()) {
        warn(
            "--tags: the encoder has no head (.onnx.head) beside it, so there are no tags\n  \
             Make the encoder again from its classifier (`encoder fetch`, `adapt` or `convert`); quantize it again after that.",
        );
    }
    if cli.min_confidence.is_some() {
        for captioner in workers.captioners() {
            ensure!(
                captioner.is_calibrated(search),
                "--min-confidence: the model {} is not calibrated for this search\n  \
                 Calibrate it (`train calibrate`), or leave out the flags of the search (--views, --beam, …).",
                cli.model.folder().display()
            );
        }
    }
    Ok(())
}
