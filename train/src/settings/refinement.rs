//! `[refinement]`: how a trained network is refined.

use std::path::PathBuf;

use super::Limit::Between;

settings! {
    /// How a trained network is refined.
    pub struct Refinement {
        /// Run whose best network is refined; a resumed run knows it.
        #[arg(long, value_name = "DIR", required_unless_present = "resume")]
        from: PathBuf = PathBuf::new();
        /// Number of sampled captions per image; each is compared with the others [default: 5].
        #[arg(long, value_name = "N")]
        samples: usize = 5, Between(2, 100);
    }
}
