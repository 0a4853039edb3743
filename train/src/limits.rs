//! What settings can mean: a wrong one is refused before a run begins.

use std::fmt::Display;
use std::ops::RangeInclusive;

use models::SearchOptions;

use crate::run::{RunConfig, Training};
use crate::{Error, Result};

/// The widest layer of a network.
const WIDEST: i64 = 1 << 16;

/// Refuses settings that no run could be trained with, by their flags, or their names in a file of settings.
pub fn check(config: &RunConfig) -> Result<()> {
    check_training(&config.training)?;
    let network = &config.network;
    for (name, size) in [
        ("annotation", network.annotation),
        ("attention", network.attention),
        ("heads", network.heads),
        ("embedding", network.embedding),
        ("hidden", network.hidden),
    ] {
        within(&format!("[network] {name}"), size, 1..=WIDEST)?;
    }
    let (attention, heads) = (network.attention, network.heads);
    refuse_unless(attention % heads == 0, || {
        format!(
            "[network] attention is {attention}, which {heads} heads cannot share in equal parts"
        )
    })?;
    check_search(&config.search)
}

/// Refuses a search that could find nothing.
pub fn check_search(search: &SearchOptions) -> Result<()> {
    within("--beam", search.beam, 1..=100)?;
    within("[search] max_length", search.max_length, 1..=1000)?;
    within("--length-exponent", search.length_exponent, 0.0..=10.0)
}

fn check_training(training: &Training) -> Result<()> {
    let regularization = &training.regularization;
    for (flag, share) in [
        ("--averaging", training.averaging),
        ("--consensus", training.consensus),
        ("--dropout", regularization.dropout),
        ("--cell-dropout", regularization.cell_dropout),
        ("--channel-dropout", regularization.channel_dropout),
        ("--word-dropout", regularization.word_dropout),
        ("--label-smoothing", regularization.label_smoothing),
    ] {
        within(flag, share, 0.0..=1.0)?;
    }
    for (flag, number) in [
        ("--learning-rate", training.learning_rate),
        ("--decay", training.decay),
        ("--clip", training.clip),
    ] {
        refuse_unless(number > 0.0 && number.is_finite(), || {
            format!("{flag} is {number}; it is a number above 0")
        })?;
    }
    within("--weight-decay", training.weight_decay, 0.0..=1.0 / training.learning_rate)?;
    let doubly_stochastic = regularization.doubly_stochastic;
    refuse_unless(doubly_stochastic >= 0.0 && doubly_stochastic.is_finite(), || {
        format!("--doubly-stochastic is {doubly_stochastic}; it is 0 or more")
    })?;
    for (flag, number) in [
        ("--epochs", training.epochs),
        ("--patience", training.patience),
        ("--window", training.window),
    ] {
        refuse_unless(number > 0, || format!("{flag} is {number}; it is 1 or more"))?;
    }
    within("--batch", training.batch, 1..=4096)?;
    refuse_unless(!training.views.is_empty(), || "--views names no view".to_owned())
}

/// Refuses a value outside its range; NaN lies in none.
fn within<T: PartialOrd + Display + Copy>(
    name: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<()> {
    refuse_unless(range.contains(&value), || {
        format!("{name} is {value}; it lies between {} and {}", range.start(), range.end())
    })
}

fn refuse_unless(holds: bool, problem: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Settings(problem())) }
}
