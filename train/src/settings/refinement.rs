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

impl Refinement {
    /// The signature of the reward after `SacreEOS` 1.0.2 (Hu et al., arXiv 2305.12254), without which refined scores cannot
    /// be compared: the end of a caption is a word of the reward, the document frequencies are those of the training
    /// captions with their ends, and the base is the mean reward of the other samples of the image.
    #[must_use]
    pub fn reward_signature(&self) -> String {
        format!("STANDARD_wInit+Cider-D[n4,s6.0]+average[nspi{}]+1.0.2", self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_reference_implementation() {
        let signature = Refinement { samples: 7, ..Refinement::default() }.reward_signature();
        assert_eq!(signature, "STANDARD_wInit+Cider-D[n4,s6.0]+average[nspi7]+1.0.2");
    }
}
