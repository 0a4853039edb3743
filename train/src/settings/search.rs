//! `[search]`: how captions are searched. The settings are those of [`SearchOptions`].

use clap::Args;
use models::SearchOptions;

use super::Limit::{AtLeast, Between};
use crate::Result;

const BEAM: super::Limit<usize> = Between(1, 100);
const LENGTH_EXPONENT: super::Limit<f32> = Between(0.0, 10.0);

/// Flags that change how captions are searched.
#[derive(Debug, Args)]
pub struct SearchFlags {
    /// Beam size [default: of the run].
    #[arg(long, value_name = "K", value_parser = BEAM.parser())]
    beam: Option<usize>,
    /// Captions are ranked by log-probability / length^X [default: of the run].
    #[arg(long, value_name = "X", value_parser = LENGTH_EXPONENT.parser())]
    length_exponent: Option<f32>,
    /// Block repeated n-grams of this size; 0 is off [default: of the run].
    #[arg(long, value_name = "N", value_parser = AtLeast(0_usize).parser())]
    no_repeat_ngram: Option<usize>,
}

impl SearchFlags {
    /// Changes options as the given flags say.
    #[must_use]
    pub fn apply(&self, options: SearchOptions) -> SearchOptions {
        SearchOptions {
            beam: self.beam.unwrap_or(options.beam),
            length_exponent: self.length_exponent.unwrap_or(options.length_exponent),
            no_repeat_ngram: self.no_repeat_ngram.unwrap_or(options.no_repeat_ngram),
            ..options
        }
    }
}

/// Refuses a search that can find nothing.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) with the name of the option.
pub fn check_search(options: &SearchOptions) -> Result<()> {
    BEAM.check("--beam", options.beam)?;
    Between(1, 1000).check("[search] max_length", options.max_length)?;
    LENGTH_EXPONENT.check("--length-exponent", options.length_exponent)
}
