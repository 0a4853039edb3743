//! Which epoch is the best one.

use std::cmp::Ordering;

use data::metrics::statistics::CaptionStatistics;

use super::Material;
use crate::checkpoint::Progress;

/// The largest share of dev captions that may lack their end in the best checkpoint of a refinement: rewards can teach
/// a network not to end.
const MAY_LACK_END: f64 = 0.02;

/// What a refinement must keep to: captions end.
#[derive(Debug)]
pub(super) struct Ends {
    /// The share of the dev captions that people wrote which end in a word that English does not end with.
    written: f64,
}

impl Ends {
    pub(super) fn new(material: &Material) -> Self {
        let written = material.dev.iter().flat_map(|image| &image.references);
        let written = written.map(Vec::as_slice).collect::<Vec<_>>();
        Self { written: CaptionStatistics::count(&written, None).unfinished }
    }

    /// Whether nearly all captions end, of which the share `cut_off` was cut off and the share `open` ends in a word that
    /// English does not end with. Those words count only as far as they end more captions than people let them end:
    /// in another language they may be words like any other.
    pub(super) fn are_kept(&self, cut_off: f64, open: f64) -> bool {
        cut_off + (open - self.written).max(0.0) <= MAY_LACK_END
    }
}

/// Whether an epoch with this dev CIDEr and dev loss is better than the best one so far: a higher CIDEr, or the same one
/// and a lower loss.
pub(super) fn is_better(cider: f64, loss: f64, so_far: &Progress) -> bool {
    match cider.total_cmp(&so_far.best_cider) {
        Ordering::Greater => true,
        Ordering::Equal => so_far.best_loss.is_some_and(|best| loss < best),
        Ordering::Less => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_people_end_captions_with_are_no_sign_of_a_missing_end() {
        let english = Ends { written: 0.0 };
        assert!(english.are_kept(0.01, 0.01));
        assert!(!english.are_kept(0.0, 0.03) && !english.are_kept(0.03, 0.0));
        let other = Ends { written: 0.25 };
        assert!(other.are_kept(0.0, 0.25) && other.are_kept(0.02, 0.1));
        assert!(!other.are_kept(0.03, 0.1) && !other.are_kept(0.0, 0.28));
    }

    #[test]
    fn a_tie_is_broken_by_the_loss() {
        let so_far =
            |best_cider, best_loss| Progress { best_cider, best_loss, ..Progress::default() };
        assert!(is_better(0.0, 5.7, &so_far(0.0, Some(6.3))));
        assert!(!is_better(0.0, 6.4, &so_far(0.0, Some(6.3))));
        assert!(is_better(0.3, 9.0, &so_far(0.2, Some(6.3))));
        assert!(!is_better(0.1, 1.0, &so_far(0.2, Some(6.3))));
        // The best loss of a run of an earlier version is not known.
        assert!(!is_better(0.2, 1.0, &so_far(0.2, None)));
    }
}
