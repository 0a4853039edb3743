//! The choice of the best epoch, and early stopping.

use std::cmp::Ordering;

use data::metrics::statistics::CaptionStatistics;

use super::training_data::TrainingData;
use super::validation::Validation;
use crate::checkpoint::Progress;
use crate::dataset::ScoredImage;
use crate::run::RunConfig;

/// The largest share of dev captions that may be unfinished in the best checkpoint of a refinement: rewards can teach a
/// network not to end its captions.
pub(super) const MAX_UNFINISHED: f64 = 0.02;

/// Chooses the best epoch, and stops training when there is none for long.
#[derive(Debug)]
pub(super) struct EarlyStopping {
    patience: usize,
    /// The limit of a refinement.
    completion: Option<Completion>,
}

/// The verdict on an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// The best one so far.
    Best,
    /// Not better than the best one.
    NotBetter,
    /// Better, but too many captions are unfinished.
    Unfinished(UnfinishedShares),
}

impl EarlyStopping {
    pub(super) fn new(config: &RunConfig, data: &TrainingData) -> Self {
        let completion = config.refinement.is_some().then(|| Completion::new(data));
        Self { patience: config.training.patience, completion }
    }

    /// Whether patience is exhausted.
    pub(super) fn is_due(&self, progress: &Progress) -> bool {
        progress.epoch >= progress.best_epoch + self.patience
    }

    /// Judges the epoch after `progress`. The first one is the best of a run that begins with fresh weights.
    pub(super) fn judge(&self, progress: &Progress, validation: &Validation) -> Verdict {
        let better = is_better(validation.cider(), validation.cross_entropy(), progress);
        let Some(completion) = &self.completion else {
            return if better || progress.epoch == 0 { Verdict::Best } else { Verdict::NotBetter };
        };
        let open = validation.statistics.unfinished;
        let shares = completion.unfinished(validation.truncated_share(), open);
        match better {
            false => Verdict::NotBetter,
            true if shares.are_small() => Verdict::Best,
            true => Verdict::Unfinished(shares),
        }
    }
}

/// Shares of unfinished captions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct UnfinishedShares {
    /// Cut off at the maximum length.
    pub(super) truncated: f64,
    /// Ending in a word that does not end an English caption, beyond the share of such references.
    pub(super) open: f64,
}

impl UnfinishedShares {
    fn are_small(self) -> bool {
        self.truncated + self.open <= MAX_UNFINISHED
    }
}

/// Whether the dev CIDEr and loss of an epoch are better than the best so far: a higher CIDEr, or the same and a lower
/// loss.
fn is_better(cider: f64, loss: f64, progress: &Progress) -> bool {
    match cider.total_cmp(&progress.best_cider) {
        Ordering::Greater => true,
        Ordering::Equal => progress.best_loss.is_some_and(|best| loss < best),
        Ordering::Less => false,
    }
}

/// The share of unfinished captions, compared with that of the data set.
#[derive(Debug)]
struct Completion {
    /// The share of the dev references that end in a word that does not end an English caption.
    open_references: f64,
}

impl Completion {
    fn new(data: &TrainingData) -> Self {
        let images = data.dev.iter().flat_map(|dev| &dev.images);
        let references = images.flat_map(ScoredImage::reference_tokens).collect::<Vec<_>>();
        let references = references.iter().map(Vec::as_slice).collect::<Vec<_>>();
        Self { open_references: CaptionStatistics::count(&references, None).unfinished }
    }

    /// The shares of unfinished captions, where the share `open` ends in a word that does not end an English caption.
    /// Such words count only as far as they are more frequent than at the end of references: in another language they
    /// may end a caption.
    fn unfinished(&self, truncated: f64, open: f64) -> UnfinishedShares {
        UnfinishedShares { truncated, open: (open - self.open_references).max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use data::metrics::Sums;

    use super::*;
    use crate::evaluate::Evaluation;
    use crate::fit::validation::SetValidation;

    #[test]
    fn words_that_end_references_do_not_make_a_caption_unfinished() {
        let is_within = |references: f64, truncated, open| {
            let completion = Completion { open_references: references };
            completion.unfinished(truncated, open).are_small()
        };
        assert!(is_within(0.0, 0.01, 0.01));
        assert!(!is_within(0.0, 0.0, 0.03) && !is_within(0.0, 0.03, 0.0));
        assert!(is_within(0.25, 0.0, 0.25) && is_within(0.25, 0.02, 0.1));
        assert!(!is_within(0.25, 0.03, 0.1) && !is_within(0.25, 0.0, 0.28));
    }

    #[test]
    fn a_refinement_with_unfinished_captions_is_not_the_best() {
        let validation = |unfinished| {
            let evaluation = Evaluation {
                scores: iter::empty::<Sums>().sum::<Sums>().scores(),
                captioned: Vec::new(),
                unfinished,
                statistics: CaptionStatistics::count(&[], None),
            };
            let set = SetValidation { set: 0, weight: 1.0, cross_entropy: 5.0, evaluation };
            let statistics = CaptionStatistics::count(&[], None);
            Validation { sets: vec![set], statistics, seconds: 0.0 }
        };
        let progress = Progress { epoch: 3, best_loss: Some(6.0), ..Progress::default() };
        let judge = |completion, unfinished| {
            let stopping = EarlyStopping { patience: 4, completion };
            stopping.judge(&progress, &validation(unfinished))
        };
        let refinement = || Some(Completion { open_references: 0.0 });
        assert_eq!(judge(None, 1), Verdict::Best);
        assert_eq!(judge(refinement(), 0), Verdict::Best);
        let shares = UnfinishedShares { truncated: 1.0, open: 0.0 };
        assert_eq!(judge(refinement(), 1), Verdict::Unfinished(shares));
    }

    #[test]
    fn a_tie_is_broken_by_the_loss() {
        let progress =
            |best_cider, best_loss| Progress { best_cider, best_loss, ..Progress::default() };
        assert!(is_better(0.0, 5.7, &progress(0.0, Some(6.3))));
        assert!(!is_better(0.0, 6.4, &progress(0.0, Some(6.3))));
        assert!(is_better(0.3, 9.0, &progress(0.2, Some(6.3))));
        assert!(!is_better(0.1, 1.0, &progress(0.2, Some(6.3))));
        // The best loss of a run of an earlier version is unknown.
        assert!(!is_better(0.2, 1.0, &progress(0.2, None)));
    }
}
