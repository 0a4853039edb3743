//! The files of a run.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use common::text;
use models::bundle::{MANIFEST_FILE, VOCABULARY_FILE};
use serde::Serialize;
use toml::Table;

use super::{RunConfig, single_set};
use crate::settings::check_removed;
use crate::{Error, Result, RunProblem};

const CONFIG_FILE: &str = "config.toml";
const METRICS_FILE: &str = "metrics.jsonl";
/// File name of the reliability of the confidence in captions.
pub(crate) const RELIABILITY_FILE: &str = "reliability.json";
/// File name of the list of training photos.
pub(crate) const TRAINED_ON_FILE: &str = "trained-on.jsonl";

/// A run folder.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder at `path`, which need not exist.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The checkpoint with the best dev CIDEr: weights alone.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        self.0.join("checkpoints/best.safetensors")
    }

    /// The last checkpoint: weights and optimiser state.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.0.join("checkpoints/last.safetensors")
    }

    /// The vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> PathBuf {
        self.0.join(VOCABULARY_FILE)
    }

    /// The curves: a JSON object per epoch.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.0.join(METRICS_FILE)
    }

    /// The photos that it was trained on: a line each.
    #[must_use]
    pub fn trained_on(&self) -> PathBuf {
        self.0.join(TRAINED_ON_FILE)
    }

    /// How reliable the confidence in its captions is.
    #[must_use]
    pub fn reliability(&self) -> PathBuf {
        self.0.join(RELIABILITY_FILE)
    }

    /// Whether a run began in it.
    #[must_use]
    pub fn has_config(&self) -> bool {
        self.config().exists()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.join(CONFIG_FILE)
    }

    /// Writes `config.toml`, replacing it as a whole.
    ///
    /// # Errors
    /// Those of [`config_text`](Self::config_text), and [`Error::File`].
    pub fn save_config(&self, config: &RunConfig) -> Result<()> {
        self.write(CONFIG_FILE, self.config_text(config)?.as_bytes())
    }

    /// The text that [`save_config`](Self::save_config) writes.
    ///
    /// # Errors
    /// [`Error::Content`] if the configuration cannot be written as TOML.
    pub fn config_text(&self, config: &RunConfig) -> Result<String> {
        toml::to_string(config).map_err(Error::content(&self.config()))
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// [`Error::Run`] if there is none, [`Error::RemovedSetting`], and [`Error::Content`] if it is damaged.
    pub fn load_config(&self) -> Result<RunConfig> {
        let path = self.config();
        if !path.exists() {
            return Err(self.no_run());
        }
        let text = text::read(&path)?;
        let mut tables = toml::from_str::<Table>(&text).map_err(Error::content(&path))?;
        check_removed(&mut tables, &path)?;
        if single_set::convert(&mut tables) {
            return tables.try_into().map_err(Error::content(&path));
        }
        toml::from_str(&text).map_err(Error::content(&path))
    }

    /// The error for a folder that has no configuration.
    fn no_run(&self) -> Error {
        let is_captioner = self.0.join(MANIFEST_FILE).exists();
        let problem = if is_captioner { RunProblem::CaptionerOnly } else { RunProblem::Missing };
        Error::run(&self.0, problem)
    }

    /// Adds a line to `metrics.jsonl` after its first `epoch - 1` lines: lines that a killed run wrote beyond its last
    /// checkpoint are dropped.
    pub(crate) fn record(&self, epoch: usize, line: &impl Serialize) -> Result<()> {
        let path = self.metrics();
        let before = if path.exists() { text::read(&path)? } else { String::new() };
        let line = serde_json::to_string(line).map_err(Error::content(&path))?;
        let kept = before.lines().take(epoch - 1).chain([line.as_str(), ""]);
        self.write(METRICS_FILE, kept.collect::<Vec<_>>().join("\n").as_bytes())
    }

    /// Writes the file of that name, replacing it as a whole: after an error, a kill or a power loss either the old or the
    /// new one is there.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.0.join(name);
        common::files::replace(&path, bytes).map_err(Error::io(&path))
    }

    /// Creates the folder and locks it; the lock is released when the file is dropped.
    ///
    /// # Errors
    /// [`Error::Run`] if another process holds the lock, [`Error::CannotLock`] if the file system has no locks,
    /// [`Error::File`] if the folder or the file cannot be created.
    pub fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.0).map_err(Error::io(&self.0))?;
        let path = self.0.join(".lock");
        #[expect(clippy::disallowed_methods, reason = "the file has no content")]
        let file = File::create(&path).map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::run(&self.0, RunProblem::Locked)),
            Err(TryLockError::Error(source)) => Err(Error::CannotLock { path, source }),
        }
    }
}
