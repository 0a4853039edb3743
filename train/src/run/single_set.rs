//! Configurations of earlier versions, whose runs had one data set.

use toml::{Table, Value};

/// Moves the data set of an earlier configuration into `sets`. Returns whether the configuration is of that form.
pub(super) fn convert(config: &mut Table) -> bool {
    if !config.contains_key("captions") {
        return false;
    }
    let mut set = Table::from_iter([("weight".to_owned(), Value::Float(1.0))]);
    for key in ["captions", "splits", "store"] {
        set.extend(config.remove_entry(key));
    }
    if let Some(data) = config.get_mut("data").and_then(Value::as_table_mut) {
        for part in ["train", "dev", "test"] {
            set.extend(data.remove_entry(part));
        }
    }
    config.insert("sets".to_owned(), Value::Array(vec![Value::Table(set)]));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_of_an_earlier_configuration_is_the_first_one() {
        let earlier = "recipe = 'adaptive'\ncaptions = 'c.txt'\nsplits = ['.', 'lists']\nstore = 's.h5'\n\
                       [data.train]\nphotos = 3\n[data.trained_on]\nphotos = 3\n";
        let mut config = earlier.parse::<Table>().unwrap();
        assert!(convert(&mut config) && !convert(&mut config));
        let expected = "recipe = 'adaptive'\n[data.trained_on]\nphotos = 3\n\
                        [[sets]]\ncaptions = 'c.txt'\nsplits = ['.', 'lists']\nstore = 's.h5'\nweight = 1.0\n\
                        [sets.train]\nphotos = 3\n";
        assert_eq!(config, expected.parse::<Table>().unwrap());
    }
}
