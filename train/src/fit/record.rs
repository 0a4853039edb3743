//! The record of an epoch.

use common::program::warn;
use data::metrics::Scores;
use data::metrics::statistics::CaptionStatistics;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::early_stopping::{MAX_UNFINISHED, UnfinishedShares, Verdict};
use super::learner::TrainingKind;
use super::training_data::TrainingData;
use super::validation::{SetValidation, Validation};
use crate::checkpoint::{PartialEpoch, Progress};
use crate::dataset::TrainingImage;

/// A line of `metrics.jsonl`.
#[derive(Debug, Serialize)]
pub(super) struct EpochRecord {
    pub(super) epoch: usize,
    steps: i32,
    /// Mean negative log-likelihood of a word, over the epoch.
    cross_entropy: f64,
    /// The same of the dev captions, without regularization.
    dev_cross_entropy: f64,
    /// The same of captions without photos.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_cross_entropy: Option<f64>,
    /// Mean CIDEr-D of sampled captions, in self-critical training.
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<f64>,
    captions_per_second: f64,
    train_seconds: f64,
    evaluate_seconds: f64,
    /// Number of dev captions that were truncated at the maximum length.
    unfinished: usize,
    #[serde(rename = "health")]
    statistics: CaptionStatistics,
    dev: Scores,
    /// The results of each data set, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sets: Vec<SetRecord>,
}

/// The results of an epoch on the dev images of one data set of several.
#[derive(Debug, Serialize)]
struct SetRecord {
    /// The number of the set, counted from 1.
    set: usize,
    dev_cross_entropy: f64,
    dev: Scores,
}

impl EpochRecord {
    /// The record of the last epoch of `progress`.
    pub(super) fn new(
        progress: &Progress,
        trained: &PartialEpoch,
        validation: &Validation,
        kind: TrainingKind,
    ) -> Self {
        let several = validation.sets.iter().filter(|_| validation.sets.len() > 1);
        Self {
            epoch: progress.epoch,
            steps: progress.steps,
            cross_entropy: trained.mean_loss(),
            dev_cross_entropy: validation.cross_entropy(),
            text_cross_entropy: (trained.text_cross_entropy > 0.0)
                .then(|| trained.mean_text_loss()),
            reward: (kind == TrainingKind::SelfCritical).then(|| trained.mean_reward()),
            captions_per_second: trained.captions as f64 / trained.seconds,
            train_seconds: trained.seconds,
            evaluate_seconds: validation.seconds,
            unfinished: validation.truncated(),
            statistics: validation.statistics,
            dev: validation.scores(),
            sets: several.map(SetRecord::new).collect(),
        }
    }

    /// Reports the epoch on stderr.
    pub(super) fn report(&self, verdict: Verdict, epochs_left: usize) {
        let minutes = (self.train_seconds + self.evaluate_seconds) * epochs_left as f64 / 60.0;
        let text = self.text_cross_entropy.map(|loss| format!(", text {loss:.3}"));
        let reward = self.reward.map(|reward| format!(", reward {:.1}", 100.0 * reward));
        warn(format_args!(
            "epoch {}: loss {:.3} (dev {:.3}){}{}, dev CIDEr {:.1}{}, BLEU-4 {:.1}{}  ({:.0} captions/s, {:.0} s + {:.0} s; \
             at most {minutes:.0} min left)",
            self.epoch,
            self.cross_entropy,
            self.dev_cross_entropy,
            text.unwrap_or_default(),
            reward.unwrap_or_default(),
            100.0 * self.dev.cider(),
            self.describe_sets(),
            100.0 * self.dev.bleu_4(),
            describe(verdict),
            self.captions_per_second,
            self.train_seconds,
            self.evaluate_seconds,
        ));
    }

    /// The CIDEr of each data set of several.
    fn describe_sets(&self) -> String {
        let ciders = self.sets.iter().map(|of| format!("{:.1}", 100.0 * of.dev.cider()));
        if self.sets.is_empty() {
            return String::new();
        }
        format!(" ({})", ciders.collect::<Vec<_>>().join(", "))
    }
}

impl SetRecord {
    fn new(of: &SetValidation) -> Self {
        Self { set: of.set + 1, dev_cross_entropy: of.cross_entropy, dev: of.evaluation.scores }
    }
}

/// A verdict in a report.
fn describe(verdict: Verdict) -> String {
    match verdict {
        Verdict::Best => ", best so far".to_owned(),
        Verdict::NotBetter => String::new(),
        Verdict::Unfinished(UnfinishedShares { truncated, open }) => format!(
            ", not the best: {:.1} % of the captions are truncated and {:.1} % end in an open word; {:.0} % may",
            100.0 * truncated,
            100.0 * open,
            100.0 * MAX_UNFINISHED
        ),
    }
}

/// A progress bar over the captions of the next epoch.
pub(super) fn progress_bar(progress: &Progress, data: &TrainingData) -> ProgressBar {
    let weighted = |image: &TrainingImage| data.weights[image.set] * image.captions.len() as f64;
    let captions = data.training.iter().map(weighted).sum::<f64>() as u64;
    let style = ProgressStyle::with_template(
        "{prefix} {bar:30} {pos}/{len} captions  {per_sec}  {eta} left  {msg}",
    );
    let bar = ProgressBar::new(captions).with_prefix(format!("epoch {}", progress.epoch + 1));
    let bar = style.map_or(bar.clone(), |style| bar.with_style(style));
    bar.set_position(progress.partial_epoch.captions as u64);
    bar.reset_eta();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_epoch_that_is_refused_says_why() {
        let shares = UnfinishedShares { truncated: 0.03, open: 0.004 };
        assert_eq!(
            describe(Verdict::Unfinished(shares)),
            ", not the best: 3.0 % of the captions are truncated and 0.4 % end in an open word; 2 % may"
        );
    }
}
