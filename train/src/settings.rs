//! Settings from a file, in the tables of a run's `config.toml`.

use std::path::{Path, PathBuf};

use data::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::recipes::Recipe;
use crate::{Error, Result};

/// The tables that hold settings; what else a `config.toml` says follows from data.
const TABLES: [&str; 3] = ["network", "training", "search"];

/// Settings that differ from the defaults.
#[derive(Debug, Default)]
pub struct Settings {
    path: PathBuf,
    recipe: Option<Recipe>,
    tables: Table,
}

impl Settings {
    /// Reads a file of settings. The `config.toml` of another run will do.
    pub fn read(path: &Path) -> Result<Self> {
        let text = text::read(path)?;
        let problem = |error: toml::de::Error| Error::run(path, error.to_string());
        let mut tables = toml::from_str::<Table>(&text).map_err(problem)?;
        let recipe = tables.remove("recipe").map(Value::try_into).transpose().map_err(problem)?;
        tables.retain(|name, _| TABLES.contains(&name));
        if recipe.is_none() && tables.is_empty() {
            let problem = format!("no recipe and none of the tables {}", TABLES.join(", "));
            return Err(Error::run(path, problem));
        }
        Ok(Self { path: path.to_path_buf(), recipe, tables })
    }

    /// The recipe, if the file names one.
    #[must_use]
    pub fn recipe(&self) -> Option<Recipe> {
        self.recipe
    }

    /// A part of the settings: the defaults, changed where the table of that name says so. A setting
    /// that the defaults do not have is an error.
    pub fn apply<T: Serialize + DeserializeOwned>(&self, table: &str, defaults: T) -> Result<T> {
        let Some(Value::Table(changes)) = self.tables.get(table) else { return Ok(defaults) };
        let problem = |error: &dyn ToString| {
            Error::run(&self.path, format!("[{table}]: {}", error.to_string()))
        };
        let mut settings = Table::try_from(defaults).map_err(|error| problem(&error))?;
        change(&mut settings, changes).map_err(|error| problem(&error))?;
        settings.try_into().map_err(|error: toml::de::Error| problem(&error))
    }
}

/// The settings in which what is asked for differs from what a run has, each with both values.
pub fn differences<T: Serialize>(run: &T, asked: &T) -> Result<Vec<String>> {
    let table = |settings: &T| {
        Table::try_from(settings).map_err(|error| Error::Settings(error.to_string()))
    };
    let mut found = Vec::new();
    compare("", &Value::Table(table(run)?), &Value::Table(table(asked)?), &mut found);
    Ok(found)
}

fn compare(name: &str, run: &Value, asked: &Value, found: &mut Vec<String>) {
    let (Value::Table(inner), Value::Table(other)) = (run, asked) else {
        if run != asked {
            found.push(format!("{name} is {run}, not {asked}"));
        }
        return;
    };
    let names = inner.keys().chain(other.keys().filter(|key| !inner.contains_key(*key)));
    for key in names {
        let none = Value::String("none".to_owned());
        let [run, asked] = [inner, other].map(|table| table.get(key).unwrap_or(&none));
        let dot = if name.is_empty() { "" } else { "." };
        compare(&format!("{name}{dot}{key}"), run, asked, found);
    }
}

fn change(settings: &mut Table, changes: &Table) -> Result<(), String> {
    for (name, value) in changes {
        match (settings.get_mut(name), value) {
            (Some(Value::Table(inner)), Value::Table(changes)) => change(inner, changes)?,
            (Some(setting), value) => *setting = value.clone(),
            (None, _) => {
                let known = settings.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Err(format!("there is no setting `{name}`; there are {known}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::recipes::Regularization;
    use crate::run::Training;

    fn read(text: &str) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    #[test]
    fn a_file_changes_what_it_names() {
        let text = "\u{feff}recipe = 'adaptive'\r\nstore = 'x.h5'\n[training]\nclip = 2.0\n\
                    [training.regularization]\ndropout = 0.25";
        let settings = read(text).unwrap();
        assert_eq!(settings.recipe(), Some(Recipe::Adaptive));
        let defaults = Training::of(Recipe::Adaptive, 3, &[]);
        let training = settings.apply("training", defaults.clone()).unwrap();
        let regularization = Regularization { dropout: 0.25, ..defaults.regularization };
        assert_eq!(training, Training { clip: 2.0, regularization, ..defaults });
        assert_eq!(settings.apply("network", 7_i64).unwrap(), 7);
    }

    #[test]
    fn settings_that_differ_are_named_with_both_values() {
        let run = Training::of(Recipe::Adaptive, 3, &[]);
        let regularization = Regularization { dropout: 0.25, ..run.regularization };
        let asked = Training { seed: 4, regularization, ..run.clone() };
        let found = differences(&run, &asked).unwrap();
        assert_eq!(found, ["regularization.dropout is 0.4, not 0.25", "seed is 3, not 4"]);
        assert!(differences(&run, &run).unwrap().is_empty());
    }

    #[test]
    fn what_it_cannot_mean_is_refused() {
        let refused = |text: &str| {
            let settings = read(text)?;
            settings.apply("training", Training::of(Recipe::Adaptive, 3, &[]))
        };
        for (text, named) in [
            ("[training]\nclipp = 2.0", "clipp"),
            ("[training]\nclip = 'much'", "clip"),
            ("recipe = 'alphabet'", "alphabet"),
            ("[trainning]\nclip = 2.0", "none of the tables"),
            ("clip =", "mine.toml"),
        ] {
            let error = refused(text).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("mine.toml"), "{error}");
        }
    }
}
