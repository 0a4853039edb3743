//! A run that goes on, with its own settings.

use std::path::Path;

use anyhow::ensure;
use data::Vocabulary;
use train::run::{RunConfig, RunFolder, Training};
use train::settings::{Settings, differences};

use super::places::absolute;
use super::prepare::{Prepared, with_data_of_run};
use crate::options;

/// A run of `train fit` that goes on.
pub(super) fn fit(folder: &RunFolder, options: &options::Fit) -> anyhow::Result<Prepared> {
    let config = folder.load_config()?;
    ensure!(
        config.refinement.is_none(),
        "{}: a refinement; go on with it by `train refine --resume`",
        folder.path().display()
    );
    let settings = options.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
    let mut asked = config.clone();
    asked.recipe = options.recipe.or(settings.recipe()).unwrap_or(config.recipe);
    asked.network = settings.apply("network", config.network)?;
    asked.network.channels = config.network.channels;
    asked.network.vocabulary = config.network.vocabulary;
    asked.training = settings.apply("training", config.training.clone())?;
    asked.training.seed = options.seed.unwrap_or(config.training.seed);
    asked.training = options.changes.apply(asked.training);
    asked.search = settings.apply("search", config.search)?;
    asked.data_licence = options.data_licence.clone().or(asked.data_licence);
    let mut others = others(&config, &asked)?;
    if let Some(asked) = options.min_count {
        let found = Vocabulary::load(&folder.vocabulary())?.min_count();
        if found != asked as usize {
            others.push(format!("min_count is {found}, not {asked}"));
        }
    }
    refuse(folder.path(), &others)?;
    with_data_of_run(folder, asked, &options.data)
}

/// A run of `train refine` that goes on.
pub(super) fn refine(folder: &RunFolder, options: &options::Refine) -> anyhow::Result<Prepared> {
    let config = folder.load_config()?;
    let mut asked = config.clone();
    let Some(refinement) = &mut asked.refinement else {
        anyhow::bail!(
            "{}: not a refinement; go on with it by `train fit --resume`",
            folder.path().display()
        );
    };
    if let Some(from) = &options.from {
        refinement.from = absolute(from)?;
    }
    refinement.samples = options.samples.map_or(refinement.samples, usize::from);
    asked.training.seed = options.seed.unwrap_or(config.training.seed);
    asked.training = options.changes.apply(asked.training);
    refuse(folder.path(), &others(&config, &asked)?)?;
    with_data_of_run(folder, asked, &options.data)
}

/// Settings that are asked for and are not those of the run. The number of epochs may be another one.
fn others(run: &RunConfig, asked: &RunConfig) -> anyhow::Result<Vec<String>> {
    let training = Training { epochs: run.training.epochs, ..asked.training.clone() };
    Ok(differences(run, &RunConfig { training, ..asked.clone() })?)
}

fn refuse(run: &Path, others: &[String]) -> anyhow::Result<()> {
    ensure!(
        others.is_empty(),
        "{}: --resume goes on with the settings of the run, and others are asked for:\n    {}\n  \
         Leave them out, or train another run (--run DIR); only --epochs may change.",
        run.display(),
        others.join("\n    ")
    );
    Ok(())
}
