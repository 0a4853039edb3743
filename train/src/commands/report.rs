//! `train report`.

use anyhow::{Context as _, ensure};
use common::files;
use common::program::{print, warn};
use data::Split;
use train::dataset::ScoredImage;
use train::evaluate::{EvaluationSetup, evaluate};
use train::report::{ReportedRun, render};
use train::run::RunFolder;

use super::choose_device;
use super::scoring::{self, Member, SeenImages};
use crate::options;

pub(crate) fn report(options: &options::ReportArgs) -> anyhow::Result<()> {
    let device = choose_device(&options.device)?;
    let (mut reported, mut scored) = (Vec::new(), Vec::new());
    for path in &options.runs {
        let members = [Member::open(RunFolder::new(path), device)?];
        let [Member { folder, run }] = &members;
        let scored_images =
            scoring::images(&members, &options.data, Split::Dev, SeenImages::Refuse)?;
        let (images, store) = (scored_images.images, &scored_images.store);
        let setup = EvaluationSetup {
            store,
            vocabulary: &run.vocabulary,
            options: &run.config.search,
            device,
        };
        let evaluation = evaluate(&[&*run.network], &images, setup)?;
        reported.push(ReportedRun::new(folder, evaluation)?);
        ensure!(
            scored.is_empty() || are_same(&scored, &images),
            "{}: scored on other images than the first run; they cannot be compared",
            path.display()
        );
        scored = images;
    }
    let photos = options.images.as_deref().filter(|folder| folder.is_dir());
    if photos.is_none() {
        warn(format_args!("the page has no photos; name their folder with --images"));
    }
    let page = render(&reported, &scored, photos)?;
    if !page.left_out.is_empty() {
        warn(format_args!("{}\n  Name their folder with --images.", page.left_out));
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
