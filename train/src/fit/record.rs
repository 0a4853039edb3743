//! What a run says of its epochs.

use data::metrics::Scores;
use data::metrics::statistics::CaptionStatistics;
use data::program::warn;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::dataset::TrainingImage;

/// A line of `metrics.jsonl`.
#[derive(Debug, Serialize)]
pub(super) struct EpochRecord {
    pub(super) epoch: usize,
    pub(super) steps: i32,
    /// Mean negative log-likelihood of a word, over the epoch.
    pub(super) cross_entropy: f64,
    /// The same of the dev captions, with nothing dropped.
    pub(super) dev_cross_entropy: f64,
    /// Mean CIDEr-D of the captions that were drawn, where they are rewarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reward: Option<f64>,
    pub(super) captions_per_second: f64,
    pub(super) train_seconds: f64,
    pub(super) evaluate_seconds: f64,
    /// Dev captions that were cut off at the longest length.
    pub(super) unfinished: usize,
    pub(super) health: CaptionStatistics,
    pub(super) dev: Scores,
}

impl EpochRecord {
    /// Tells the epoch on stderr.
    pub(super) fn report(&self, improved: bool, epochs_left: usize) {
        let minutes = (self.train_seconds + self.evaluate_seconds) * epochs_left as f64 / 60.0;
        let reward = self.reward.map(|reward| format!(", reward {:.1}", 100.0 * reward));
        warn(format_args!(
            "epoch {}: loss {:.3} (dev {:.3}){}, dev CIDEr {:.1}, BLEU-4 {:.1}{}  ({:.0} captions/s, {:.0} s + {:.0} s; \
             at most {minutes:.0} min left)",
            self.epoch,
            self.cross_entropy,
            self.dev_cross_entropy,
            reward.unwrap_or_default(),
            100.0 * self.dev.cider(),
            100.0 * self.dev.bleu_4(),
            if improved { ", best so far" } else { "" },
            self.captions_per_second,
            self.train_seconds,
            self.evaluate_seconds,
        ));
    }
}

/// A bar over the captions of an epoch.
pub(super) fn progress_bar(epoch: usize, images: &[TrainingImage]) -> ProgressBar {
    let captions = images.iter().map(|image| image.captions.len() as u64).sum();
    let style = ProgressStyle::with_template(
        "{prefix} {bar:30} {pos}/{len} captions  {per_sec}  {eta} left  {msg}",
    );
    let bar = ProgressBar::new(captions).with_prefix(format!("epoch {epoch}"));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
