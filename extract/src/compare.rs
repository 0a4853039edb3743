//! Comparison of images with a store.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::names::normal;
use features::{Rows, Stamp};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::images::Image;
use crate::progress::Progress;

/// How thoroughly images are compared with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// By size and modification time; where these differ, by SHA-256.
    Stamps,
    /// By SHA-256, and rows with their checksums: every file and every row is read.
    Contents,
}

/// The difference between images and a store.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Images to encode: new ones, changed ones, and those whose rows are damaged.
    pub(crate) encode: Vec<Image>,
    /// The number of images to encode with an intact row of other content.
    pub(crate) changed: usize,
    /// Rows whose images have the same content and another stamp.
    pub(crate) restamp: Vec<(usize, Stamp)>,
    /// Images of the store that are no longer there.
    pub(crate) gone: Vec<String>,
}

/// The row of an image, compared with its file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    /// Same content, other stamp.
    Touched(usize, Stamp),
    /// The grids are those of other content.
    Changed,
    /// Without an intact row.
    Lacking,
}

/// Compares images with the rows of a store.
pub(crate) fn compare(
    images: &[Image],
    rows: &Rows,
    check: Check,
    progress: &Progress,
) -> anyhow::Result<Work> {
    let compared = AtomicUsize::new(0);
    let state = |image: &Image| {
        let state = state(image, rows, check);
        let done = compared.fetch_add(1, Ordering::Relaxed) + 1;
        progress.compared(done, images.len());
        state
    };
    let states = images.par_iter().map(state).collect::<features::Result<Vec<_>>>()?;
    let encode = images.iter().zip(&states);
    let encode = encode.filter(|(_, state)| matches!(state, State::Changed | State::Lacking));
    let present = images.iter().map(|image| image.name.as_str()).collect::<HashSet<_>>();
    let mut gone = rows.images().into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    gone.retain(|image| !present.contains(&*normal(image)));
    Ok(Work {
        encode: encode.map(|(image, _)| image.clone()).collect(),
        changed: states.iter().filter(|state| **state == State::Changed).count(),
        restamp: states
            .iter()
            .filter_map(|state| match *state {
                State::Touched(row, stamp) => Some((row, stamp)),
                _ => None,
            })
            .collect(),
        gone,
    })
}

fn state(image: &Image, rows: &Rows, check: Check) -> features::Result<State> {
    let Some(row) = rows.find(&image.name) else { return Ok(State::Lacking) };
    if check == Check::Contents && !rows.is_intact(row)? {
        return Ok(State::Lacking);
    }
    // Before the content is read: what changes meanwhile has another stamp.
    let stamp = image.stamp();
    let is_known =
        |stamp: Stamp| stamp.modified != 0 && rows.stamp(row).is_ok_and(|of| of == stamp);
    if check == Check::Stamps && is_known(stamp) {
        return Ok(State::Held);
    }
    let source = rows.source(row)?;
    Ok(match image.digest() {
        Ok(digest) if digest != source => State::Changed,
        Ok(_) if rows.stamp(row)? == stamp => State::Held,
        Ok(_) => State::Touched(row, stamp),
        Err(_) => State::Changed,
    })
}
