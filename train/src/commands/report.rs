//! `train report`.

use anyhow::Context as _;
use data::Split;
use data::program::{print, warn};
use train::evaluate::evaluate;
use train::report::{Reported, render};
use train::run::RunFolder;

use super::choose_device;
use super::evaluation::scored_split;
use crate::options;

pub(crate) fn report(options: &options::Report) -> anyhow::Result<()> {
    let device = choose_device(&options.machine)?;
    let (mut reported, mut scored) = (Vec::new(), Vec::new());
    for path in &options.runs {
        let folder = RunFolder::new(path);
        let run = folder.open_best(device)?;
        let (images, store) = scored_split(&run, &options.data, Split::Dev)?;
        let search = &run.config.search;
        let networks = [&*run.network];
        let evaluation = evaluate(&networks, &run.vocabulary, &images, &store, search, device)?;
        reported.push(Reported::new(&folder, evaluation)?);
        anyhow::ensure!(
            scored.is_empty() || scored == images,
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
    let out = options.out.clone().unwrap_or_else(|| options.runs[0].join("report.html"));
    data::files::replace(&out, page.as_bytes()).with_context(|| out.display().to_string())?;
    print(format_args!("{}", out.display()))?;
    Ok(())
}
