//! `[distillation]`: how a network learns from others.

use std::path::PathBuf;

use super::Limit::Between;

settings! {
    /// How a network learns from others.
    pub struct Distillation {
        /// Runs whose networks teach together, separated by commas; a resumed run knows them, unless their folders moved.
        #[arg(long, value_name = "DIR,...", value_delimiter = ',', required_unless_present = "resume")]
        from: Vec<PathBuf> = Vec::new();
        /// SHA-256 of the checkpoints of these runs, in their order; runs of earlier versions have no such record.
        #[arg(skip)]
        checkpoints: Vec<String> = Vec::new();
        /// Number of words whose probabilities are learned at each step [default: 8].
        #[arg(long, value_name = "N")]
        soft_words: usize = 8, Between(2, 256);
        /// Share of the teachers' probabilities in the targets; the rest is on the word of the caption [default: 0.5].
        #[arg(long, value_name = "X")]
        soft_share: f64 = 0.5, Between(0.0, 1.0);
        /// Weight of the caption that the teachers find for each photo; 0 is without [default: 1].
        #[arg(long, value_name = "X")]
        found_weight: f64 = 1.0, Between(0.0, 100.0);
    }
}
