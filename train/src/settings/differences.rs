//! Differences between the settings of a run and those of a command line.

use serde::Serialize;
use toml::{Table, Value};

use crate::{Error, Result};

/// The settings in which `requested` differs from `run`, each with both values.
///
/// # Errors
/// [`Error::SettingsText`] if one of them cannot be written as TOML.
pub fn differences<T: Serialize>(run: &T, requested: &T) -> Result<Vec<String>> {
    let table = |settings: &T| Table::try_from(settings).map_err(Error::SettingsText);
    let mut found = Vec::new();
    compare("", &Value::Table(table(run)?), &Value::Table(table(requested)?), &mut found);
    Ok(found)
}

fn compare(name: &str, run: &Value, requested: &Value, found: &mut Vec<String>) {
    let (Value::Table(inner), Value::Table(other)) = (run, requested) else {
        if run != requested {
            found.push(format!("{name} is {run}, not {requested}"));
        }
        return;
    };
    let names = inner.keys().chain(other.keys().filter(|key| !inner.contains_key(*key)));
    for key in names {
        let none = Value::String("none".to_owned());
        let [run, requested] = [inner, other].map(|table| table.get(key).unwrap_or(&none));
        let dot = if name.is_empty() { "" } else { "." };
        compare(&format!("{name}{dot}{key}"), run, requested, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Recipe, Regularization, Training};

    #[test]
    fn settings_that_differ_are_named_with_both_values() {
        let run = Training { seed: 3, ..Training::preset(Recipe::Adaptive, &[]) };
        let regularization = Regularization { dropout: 0.25, ..run.regularization };
        let requested = Training { seed: 4, regularization, ..run.clone() };
        let found = differences(&run, &requested).unwrap();
        assert_eq!(found, ["regularization.dropout is 0.4, not 0.25", "seed is 3, not 4"]);
        assert!(differences(&run, &run).unwrap().is_empty());
    }
}
