//! The schedule of the learning rate.

use crate::settings::Training;

/// The learning rate of the step after `steps`: a linear rise, times an exponential decay.
pub(super) fn learning_rate(training: &Training, steps: i32, steps_per_epoch: usize) -> f64 {
    let steps = f64::from(steps);
    let rise = ((steps + 1.0) / training.warm_up.max(1) as f64).min(1.0);
    training.learning_rate * rise * training.decay.powf(steps / steps_per_epoch.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_decays() {
        let training =
            Training { learning_rate: 0.1, warm_up: 4, decay: 0.5, ..Training::default() };
        let rate = |steps| learning_rate(&training, steps, 8);
        assert!((rate(0) - 0.025).abs() < 1e-12);
        assert!((rate(8) - 0.05).abs() < 1e-12 && (rate(16) - 0.025).abs() < 1e-12);
    }
}
