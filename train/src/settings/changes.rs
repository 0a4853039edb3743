//! Flags that change single settings.

use std::marker::PhantomData;

use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The flags of a group of settings. Those that are given change the settings of a recipe or of a run; none is required.
#[derive(Debug, Clone)]
pub struct Changes<T> {
    given: ArgMatches,
    group: PhantomData<T>,
}

impl<T: Args> Changes<T> {
    /// Changes settings as the given flags say.
    ///
    /// # Errors
    /// None for flags that were parsed as this group's.
    pub fn apply(&self, mut settings: T) -> Result<T, clap::Error> {
        settings.update_from_arg_matches(&self.given)?;
        Ok(settings)
    }
}

impl<T: Args> Args for Changes<T> {
    fn augment_args(command: Command) -> Command {
        T::augment_args_for_update(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T> FromArgMatches for Changes<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { given: matches.clone(), group: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.given = matches.clone();
        Ok(())
    }
}
