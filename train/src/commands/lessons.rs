//! The lessons of teachers: asked for once, and then read from their file.

use std::path::Path;

use anyhow::Context as _;
use common::View;
use common::digest;
use common::program::warn;
use models::NeighbourIndex;
use models::neighbours::NeighbourSettings;
use tch::Device;
use train::distil::{LessonKey, Lessons, TeachingSetup, teach};
use train::neighbours::{NeighbourOptions, index};

use super::prepare::Prepared;
use super::scoring::{Member, first};

/// The file in the run folder.
pub(super) const LESSONS_FILE: &str = "lessons.safetensors";

/// Reads the lessons in the file at `path`, or asks the teachers and writes it.
pub(super) fn of_teachers(
    teachers: &[Member],
    prepared: &Prepared,
    path: &Path,
    device: Device,
) -> anyhow::Result<Lessons> {
    let settings = prepared.config.distillation.clone().unwrap_or_default();
    let key = key(teachers, prepared)?;
    let vocabulary = &prepared.data.vocabulary;
    if path.exists() {
        warn(format_args!("{}: the lessons of the teachers", path.display()));
        return Ok(Lessons::load(path, &key, vocabulary.len())?);
    }
    warn(format_args!(
        "{} teachers, {} images: this takes some minutes",
        teachers.len(),
        prepared.data.training.len()
    ));
    let (grids, training) = (&prepared.data.grids, &prepared.data.training);
    let options = NeighbourOptions {
        settings: NeighbourSettings::default(),
        dimensions: None,
        views: vec![View::Original],
        sets: None,
        licence: None,
    };
    let neighbours = index(training, grids, vocabulary, &options)?;
    let neighbours = NeighbourIndex::from(neighbours);
    let search = &first(teachers)?.run.config.search;
    let setup =
        TeachingSetup { grids, settings: &settings, search, neighbours: &neighbours, device };
    let networks = teachers.iter().map(|member| &*member.run.network).collect::<Vec<_>>();
    let lessons = teach(&networks, training, setup)?;
    lessons.save(path, &key)?;
    Ok(lessons)
}

/// The SHA-256 of the teachers' checkpoints.
pub(super) fn checkpoints(teachers: &[Member]) -> anyhow::Result<Vec<String>> {
    let checkpoint = |member: &Member| {
        let best = member.folder.best();
        digest::of_file(&best).with_context(|| best.display().to_string())
    };
    teachers.iter().map(checkpoint).collect()
}

fn key(teachers: &[Member], prepared: &Prepared) -> anyhow::Result<LessonKey> {
    let sets = prepared.config.sets.iter().filter_map(|set| set.train.as_ref());
    let data =
        sets.flat_map(|part| [part.photos_sha256.clone(), part.digest.captions_sha256.clone()]);
    let mut settings = prepared.config.distillation.clone().unwrap_or_default();
    let teachers_sha256 = std::mem::take(&mut settings.checkpoints);
    settings.from.clear();
    settings.found_weight = settings.found_weight.min(1.0).ceil();
    Ok(LessonKey {
        teachers: teachers_sha256,
        data: data.collect(),
        settings,
        search: serde_json::to_string(&first(teachers)?.run.config.search)?,
    })
}
