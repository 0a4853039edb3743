//! `train report`.

use anyhow::{Context as _, ensure};
use data::program::{print, warn};
use data::{Split, files};
use train::dataset::ScoredImage;
use train::evaluate::evaluate;
use train::report::{Reported, render};
use train::run::RunFolder;

use super::choose_device;
use super::scoring::{self, Member};
use crate::options;

pub(crate) fn report(options: &options::Report) -> anyhow::Result<()> {
    let device = choose_device(&options.machine)?;
    let (mut reported, mut scored) = (Vec::new(), Vec::new());
    for path in &options.runs {
        let members = [Member::open(RunFolder::new(path), device)?];
        let [Member { folder, run }] = &members;
        let found = scoring::images(&members, &options.data, Split::Dev, true)?;
        let (images, store) = (found.images, &found.store);
        let search = &run.config.search;
        let networks = [&*run.network];
        let evaluation = evaluate(&networks, &run.vocabulary, &images, store, search, device)?;
        reported.push(Reported::new(folder, evaluation)?);
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

/// Whether images and captions are the same, in whatever rows of their stores the grids lie.
fn are_same(one: &[ScoredImage], other: &[ScoredImage]) -> bool {
    let parts = |image: &ScoredImage| (image.image.clone(), image.references.clone());
    one.iter().map(parts).eq(other.iter().map(parts))
}
