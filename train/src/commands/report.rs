//! `train report`.

use anyhow::{Context as _, ensure};
use common::files;
use common::program::{print, warn};
use data::Split;
use train::dataset::ScoredImage;
use train::evaluate::Search;
use train::report::{ReportedRun, render};
use train::run::RunFolder;

use super::choose_device;
use super::scoring::{self, Member, SeenImages};
use crate::options;

pub(crate) fn report(options: &options::ReportArgs) -> anyhow::Result<()> {
    let device = choose_device(&options.device)?;
    let (mut reported, mut images) = (Vec::new(), Vec::new());
    for path in &options.runs {
        let members = [Member::open(RunFolder::new(path), device)?];
        let [Member { folder, run }] = &members;
        let scored = scoring::images(&members, &options.data, Split::Dev, SeenImages::Refuse)?;
        let search = Search::by_network(&run.config.search);
        let evaluation = scored.evaluate(&members, search, device)?;
        reported.push(ReportedRun::new(folder, evaluation)?);
        ensure!(
            images.is_empty() || are_same(&images, &scored.images),
            "{}: scored on other images than the first run; they cannot be compared",
            path.display()
        );
        images = scored.images;
    }
    write(&reported, &images, options)
}

/// Writes the page.
fn write(
    runs: &[ReportedRun],
    images: &[ScoredImage],
    options: &options::ReportArgs,
) -> anyhow::Result<()> {
    let photos = options.images.as_deref().filter(|folder| folder.is_dir());
    if photos.is_none() {
        warn(format_args!("the page has no photos; name their folder with --images"));
    }
    let page = render(runs, images, photos)?;
    if !page.skipped_entries.is_empty() {
        warn(format_args!("{}\n  Name their folder with --images.", page.skipped_entries));
    }
    let out = options.out.clone().unwrap_or_else(|| options.runs[0].join("report.html"));
    files::replace(&out, page.html.as_bytes()).with_context(|| out.display().to_string())?;
    print(format_args!("{}", out.display()))
}

/// Whether images and captions are the same; the rows of their grids may differ.
fn are_same(one: &[ScoredImage], other: &[ScoredImage]) -> bool {
    let parts = |image: &ScoredImage| (image.image.clone(), image.references.clone());
    one.iter().map(parts).eq(other.iter().map(parts))
}
