//! Settings of a file, in the tables of a run's `config.toml`.

use std::path::{Path, PathBuf};

use common::{Size, text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Recipe, check_removed};
use crate::{Error, Result};

/// The tables that hold settings; the rest of a `config.toml` follows from data.
const TABLES: [&str; 3] = ["network", "training", "search"];

/// The largest file of settings that is read.
const LIMIT: Size = Size::mib(16);

/// Settings of a file that differ from those of the recipe.
#[derive(Debug, Default)]
pub struct SettingsFile {
    path: PathBuf,
    recipe: Option<Recipe>,
    tables: Table,
}

impl SettingsFile {
    /// Reads a file of settings, such as the `config.toml` of another run. Its seed is not taken over.
    ///
    /// # Errors
    /// If the file cannot be read or is not TOML, [`Error::RemovedSetting`], or [`Error::NoSettings`] if it has neither a
    /// recipe nor one of the tables.
    pub fn read(path: &Path) -> Result<Self> {
        let text = text::read_up_to(LIMIT, path)?;
        let mut tables = toml::from_str::<Table>(&text).map_err(Error::content(path))?;
        check_removed(&mut tables, path)?;
        let recipe = tables.remove("recipe").map(Value::try_into).transpose();
        let recipe = recipe.map_err(Error::content(path))?;
        tables.retain(|name, _| TABLES.contains(&name));
        if recipe.is_none() && tables.is_empty() {
            return Err(Error::NoSettings { path: path.to_path_buf(), tables: TABLES.join(", ") });
        }
        if let Some(Value::Table(training)) = tables.get_mut("training") {
            training.remove("seed");
        }
        Ok(Self { path: path.to_path_buf(), recipe, tables })
    }

    /// The recipe, if the file names one.
    #[must_use]
    pub fn recipe(&self) -> Option<Recipe> {
        self.recipe
    }

    /// A group of settings: `defaults`, changed as the table of that name says.
    ///
    /// # Errors
    /// [`Error::UnknownSetting`] for a setting that `defaults` lack, [`Error::Content`] for a value of another type.
    pub fn apply<T: Serialize + DeserializeOwned>(&self, table: &str, defaults: T) -> Result<T> {
        let Some(Value::Table(changes)) = self.tables.get(table) else { return Ok(defaults) };
        let mut settings = Table::try_from(defaults).map_err(Error::SettingsText)?;
        self.change(table, &mut settings, changes)?;
        settings.try_into().map_err(Error::content(&self.path))
    }

    fn change(&self, table: &str, settings: &mut Table, changes: &Table) -> Result<()> {
        for (name, value) in changes {
            match (settings.get_mut(name), value) {
                (Some(Value::Table(inner)), Value::Table(changes)) => {
                    self.change(&format!("{table}.{name}"), inner, changes)?;
                }
                (Some(setting), value) => *setting = value.clone(),
                (None, _) => {
                    return Err(Error::UnknownSetting {
                        path: self.path.clone(),
                        name: format!("{table}.{name}"),
                        known: settings.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use common::files;

    use super::*;
    use crate::settings::{Regularization, Training};

    fn read(text: &str) -> Result<SettingsFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        files::replace(&path, text.as_bytes()).unwrap();
        SettingsFile::read(&path)
    }

    fn defaults() -> Training {
        Training::preset(Recipe::Adaptive, &[])
    }

    #[test]
    fn a_file_changes_the_settings_it_names() {
        let text = "\u{feff}recipe = 'adaptive'\r\nstore = 'x.h5'\n[training]\nseed = 7\nclip = 2.0\n\
                    [training.regularization]\ndropout = 0.25";
        let file = read(text).unwrap();
        assert_eq!(file.recipe(), Some(Recipe::Adaptive));
        let training = file.apply("training", defaults()).unwrap();
        let regularization = Regularization { dropout: 0.25, ..defaults().regularization };
        assert_eq!(training, Training { clip: 2.0, regularization, ..defaults() });
        assert_eq!(file.apply("network", 7_i64).unwrap(), 7);
    }

    #[test]
    fn invalid_settings_are_refused_by_name() {
        let refused = |text: &str| read(text)?.apply("training", defaults());
        for (text, named) in [
            ("[training]\nclipp = 2.0", "training.clipp"),
            ("[training.regularization]\ndrop = 2.0", "training.regularization.drop"),
            ("[training]\nclip = 'much'", "clip"),
            ("recipe = 'alphabet'", "alphabet"),
            ("[trainning]\nclip = 2.0", "none of the tables"),
            ("clip =", "mine.toml"),
        ] {
            let error = refused(text).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("mine.toml"), "{error}");
        }
    }

    #[test]
    fn a_removed_setting_is_refused_unless_it_was_off() {
        let training = |name: &str, value: &str| {
            let text = format!("[training.regularization]\n{name} = {value}\ndropout = 0.25");
            read(&text)?.apply("training", defaults())
        };
        for name in ["cell_dropout", "word_dropout"] {
            for off in ["0", "0.0"] {
                assert!((training(name, off).unwrap().regularization.dropout - 0.25).abs() < 1e-9);
            }
            let error = training(name, "0.3").unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains("0.3") && error.contains("to 0"),
                "{error}"
            );
        }
    }
}
