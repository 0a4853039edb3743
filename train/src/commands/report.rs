//! `train report`.

use anyhow::{Context as _, ensure};
use common::files;
use common::program::{print, warn};
use data::Split;
use train::dataset::ScoredImage;
use train::evaluate::Search;
use train::report::{ReportedRun, ReportedSet, render};
use train::run::RunFolder;

use super::choose_device;
use super::scoring::{self, Member, Scored, SeenImages};
use crate::options;

pub(crate) fn report(options: &options::ReportArgs) -> anyhow::Result<()> {
    let device = choose_device(&options.device)?;
    let (mut reported, mut sets) = (Vec::new(), Vec::new());
    for path in &options.runs {
        let members = [Member::open(RunFolder::new(path), device)?];
        let [Member { folder, run }] = &members;
        let scored = scoring::images(&members, &options.data, Split::Dev, SeenImages::Refuse)?;
        let search = Search::by_network(&run.config.search);
        let evaluate = |set: &Scored| set.evaluate(&members, search, device);
        let evaluations = scored.iter().map(evaluate).collect::<anyhow::Result<_>>()?;
        reported.push(ReportedRun::new(folder, evaluations)?);
        let scored = scored.into_iter().map(|set| (set.name, set.images)).collect::<Vec<_>>();
        ensure!(
            sets.is_empty() || are_same(&sets, &scored),
            "{}: scored on other images than the first run; they cannot be compared",
            path.display()
        );
        sets = scored;
    }
    write(&reported, sets, options)
}

/// Writes the page.
fn write(
    runs: &[ReportedRun],
    sets: Vec<(String, Vec<ScoredImage>)>,
    options: &options::ReportArgs,
) -> anyhow::Result<()> {
    let folders = &options.images;
    ensure!(
        folders.len() == 1 || folders.len() == sets.len(),
        "--images names {} folders for {} data sets\n  Name a folder of photos for each set, or one for all.",
        folders.len(),
        sets.len()
    );
    let folder = |set: usize| folders.get(set).or(folders.first()).filter(|of| of.is_dir());
    if (0..sets.len()).all(|set| folder(set).is_none()) {
        warn(format_args!("the page has no photos; name their folder with --images"));
    }
    let sets = sets.into_iter().enumerate().map(|(set, (name, images))| ReportedSet {
        name,
        images,
        photos: folder(set).cloned(),
    });
    let page = render(runs, &sets.collect::<Vec<_>>())?;
    if !page.skipped_entries.is_empty() {
        warn(format_args!("{}\n  Name their folder with --images.", page.skipped_entries));
    }
    let out = options.out.clone().unwrap_or_else(|| options.runs[0].join("report.html"));
    files::replace(&out, page.html.as_bytes()).with_context(|| out.display().to_string())?;
    print(format_args!("{}", out.display()))
}

/// Whether images and captions are the same; the stores and the rows of their grids may differ.
fn are_same(one: &[(String, Vec<ScoredImage>)], other: &[(String, Vec<ScoredImage>)]) -> bool {
    let parts = |image: &ScoredImage| (image.image.clone(), image.references.clone());
    let all = |sets: &[(String, Vec<ScoredImage>)]| {
        let of_set = |(_, images): &(_, Vec<_>)| images.iter().map(parts).collect::<Vec<_>>();
        sets.iter().map(of_set).collect::<Vec<_>>()
    };
    all(one) == all(other)
}
