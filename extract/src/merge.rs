//! `extract merge`.

use anyhow::ensure;
use common::program::print;
use features::{FeatureStore, State, merge, merge_copy, shards_of};

use crate::options::Merge;
use crate::run::created_by;

/// Merges shards, or the files of a store.
pub(crate) fn run(options: &Merge) -> anyhow::Result<()> {
    let path = options.store.display();
    let shards =
        if options.shards.is_empty() { shards_of(&options.store)? } else { options.shards.clone() };
    ensure!(
        !shards.is_empty(),
        "{path}: none of its shards is in its folder\n  Run `extract --shard I/N` for each I, or name the shards after the store."
    );
    let make = if options.copy { merge_copy } else { merge };
    let store = make(&options.store, &shards, &created_by())?;
    let waiting = (0..store.len()).filter(|&row| store.state(row) == State::Empty).count();
    let how = if options.copy { "copied from" } else { "in" };
    let parts = match shards.len() {
        1 => format!("{} files", FeatureStore::open(&shards[0])?.files().len()),
        shards => format!("{shards} shards"),
    };
    print(format_args!("{path}: {} images {how} {parts}", store.complete()))?;
    if waiting > 0 {
        print(format_args!(
            "{waiting} images have no grid yet; `extract --shard I/N` continues with them"
        ))?;
    }
    Ok(())
}
