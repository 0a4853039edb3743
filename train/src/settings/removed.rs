//! Settings of earlier versions.

use std::path::Path;

use toml::{Table, Value};

use crate::{Error, Result};

/// Settings of `[training.regularization]` that were removed. At 0 they were off.
const REMOVED: [&str; 2] = ["cell_dropout", "word_dropout"];

/// Takes removed settings out of the tables of a configuration file.
///
/// # Errors
/// [`Error::RemovedSetting`] for one that was not off.
pub(crate) fn check_removed(config: &mut Table, path: &Path) -> Result<()> {
    let training = config.get_mut("training").and_then(Value::as_table_mut);
    let regularization = training.and_then(|training| training.get_mut("regularization"));
    let Some(regularization) = regularization.and_then(Value::as_table_mut) else { return Ok(()) };
    for name in REMOVED {
        let Some(value) = regularization.remove(name) else { continue };
        let number = value.as_float().or(value.as_integer().map(|integer| integer as f64));
        if number != Some(0.0) {
            let (path, value) = (path.to_path_buf(), value.to_string());
            return Err(Error::RemovedSetting { path, name, value });
        }
    }
    Ok(())
}
