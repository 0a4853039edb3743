//! The memory that a network needs, compared with the memory that there is: libtorch ends the program when it has none.

use std::fs;

use common::Size;
use tch::{Device, Kind, Tensor};

use crate::settings::{NetworkConfig, Recipe};
use crate::{Error, Result};

/// Refuses a network whose training, with that many replicas, does not fit into the memory of a device.
///
/// # Errors
/// [`Error::NetworkTooLarge`].
pub(crate) fn check(
    recipe: Recipe,
    config: &NetworkConfig,
    device: Device,
    replicas: usize,
) -> Result<()> {
    let need = config.training_memory(recipe, replicas);
    let memory = if device == Device::Cpu { of_machine() } else { None };
    if memory.is_some_and(|memory| need > memory) {
        return Err(Error::NetworkTooLarge { need, memory });
    }
    // All of it at once, and given back: unlike the layers of a network this returns an error.
    let count = need.bytes().div_ceil(size_of::<f32>() as u64) as i64;
    let fits = Tensor::f_empty([count], (Kind::Float, device));
    fits.map(drop).map_err(|_| Error::NetworkTooLarge { need, memory })
}

/// The memory of this machine, if the system says it.
fn of_machine() -> Option<Size> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes = line.split_whitespace().next()?.parse::<u64>().ok()?;
    Some(Size::new(kibibytes << 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::build;

    #[test]
    fn weights_are_counted_as_they_are_built() {
        for recipe in [Recipe::Adaptive, Recipe::ShowAttendTell] {
            let sizes = NetworkConfig::new(recipe, 24, 31);
            let config =
                NetworkConfig { annotation: 7, attention: 16, embedding: 5, hidden: 9, ..sizes };
            let (store, _) = build(recipe, config, 1, Device::Cpu);
            let built = store.variables().values().map(Tensor::numel).sum::<usize>();
            assert_eq!(config.weights(recipe), built as u64, "{recipe}");
        }
    }

    #[test]
    fn a_network_that_no_machine_has_memory_for_is_refused() {
        let config =
            NetworkConfig { hidden: 1 << 20, ..NetworkConfig::new(Recipe::Adaptive, 8, 9) };
        let error = check(Recipe::Adaptive, &config, Device::Cpu, 1).unwrap_err().to_string();
        assert!(error.contains("GiB of memory"), "{error}");
        assert!(error.contains("hidden"), "{error}");
        check(Recipe::Adaptive, &NetworkConfig { hidden: 8, ..config }, Device::Cpu, 1).unwrap();
    }
}
