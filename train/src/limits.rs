//! What settings can mean: a wrong one is refused before a run begins.

use crate::run::RunConfig;
use crate::{Error, Result};

/// Refuses settings that no run could be trained with, by their names in `config.toml`.
pub fn check(config: &RunConfig) -> Result<()> {
    let (training, network, search) = (&config.training, &config.network, &config.search);
    let regularization = &training.regularization;
    for (name, share) in [
        ("averaging", training.averaging),
        ("consensus", training.consensus),
        ("dropout", regularization.dropout),
        ("cell_dropout", regularization.cell_dropout),
        ("channel_dropout", regularization.channel_dropout),
        ("word_dropout", regularization.word_dropout),
        ("label_smoothing", regularization.label_smoothing),
    ] {
        refuse_unless((0.0..=1.0).contains(&share), || {
            format!("{name} is {share}; it lies between 0 and 1")
        })?;
    }
    for (name, number) in [
        ("learning_rate", training.learning_rate),
        ("decay", training.decay),
        ("clip", training.clip),
    ] {
        refuse_unless(number > 0.0 && number.is_finite(), || {
            format!("{name} is {number}; it is more than 0")
        })?;
    }
    for (name, size) in [
        ("batch", training.batch as i64),
        ("annotation", network.annotation),
        ("attention", network.attention),
        ("heads", network.heads),
        ("embedding", network.embedding),
        ("hidden", network.hidden),
        ("beam", search.beam as i64),
        ("max_length", search.max_length as i64),
    ] {
        refuse_unless(size > 0, || format!("{name} is {size}; it is 1 or more"))?;
    }
    let (attention, heads) = (network.attention, network.heads);
    refuse_unless(attention % heads == 0, || {
        format!("attention is {attention}, which {heads} heads cannot share in equal parts")
    })
}

fn refuse_unless(holds: bool, problem: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Settings(problem())) }
}
