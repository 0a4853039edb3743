//! Photos that arrive in folders. The folders are listed again and again, which works on every file system.

use std::collections::HashMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use common::files::FileState;
use common::interrupt;
use models::SearchOptions;

use crate::cli::{Cli, Place};
use crate::photos::{self, Photo, file_state};
use crate::run::Run;

/// The time between two lists of the folders. A photo that is the same in both has been written completely.
const INTERVAL: Duration = Duration::from_secs(2);
/// The photos after which a signal is looked for.
const AT_ONCE: usize = 64;
/// The time between two looks for a signal.
const NAP: Duration = Duration::from_millis(100);

/// Captions the photos in the folders, and those that arrive there, until a signal; returns whether all have a caption.
///
/// # Errors
/// If a path is not a folder, and those of [`Run`].
pub(crate) fn run(cli: &Cli, search: &SearchOptions) -> anyhow::Result<bool> {
    for path in &cli.paths {
        ensure!(path.is_dir(), "--watch: {} is not a folder\n  Name folders.", path.display());
    }
    interrupt::catch_signals(|| {})?;
    let mut run = Run::open(cli, search, &photos::in_folders(&cli.paths))?;
    let mut arrivals = Arrivals::default();
    while !interrupt::is_interrupted() {
        let mut complete = arrivals.complete(photos::in_folders(&cli.paths));
        while !complete.is_empty() && !interrupt::is_interrupted() {
            let some = complete.drain(..complete.len().min(AT_ONCE)).collect::<Vec<_>>();
            let states =
                some.iter().map(|photo| (photo.path().to_owned(), file_state(photo.path())));
            let states = states.collect();
            run.caption(some)?;
            arrivals.finish(states, cli.write.write.contains(&Place::Embed));
        }
        wait();
    }
    run.finish()
}

fn wait() {
    let naps = INTERVAL.as_millis() / NAP.as_millis();
    (0..naps).take_while(|_| !interrupt::is_interrupted()).for_each(|_| sleep(NAP));
}

/// The photos of folders, as they were when they were listed or captioned last.
#[derive(Default)]
struct Arrivals {
    /// Those that were listed before and may still be written.
    waiting: HashMap<PathBuf, FileState>,
    /// Those that a run has captioned, or failed to.
    finished: HashMap<PathBuf, FileState>,
}

impl Arrivals {
    /// The photos that are the same as in the last list, and not finished.
    fn complete(&mut self, listed: Vec<Photo>) -> Vec<Photo> {
        let mut waiting = HashMap::new();
        let is_complete = |photo: &Photo| {
            let path = photo.path();
            let Some(state) = file_state(path) else { return false };
            if self.finished.get(path) == Some(&state) {
                return false;
            }
            let is_same = self.waiting.get(path) == Some(&state);
            waiting.insert(path.to_owned(), state);
            is_same
        };
        let complete = listed.into_iter().filter(is_complete).collect();
        self.waiting = waiting;
        complete
    }

    /// Remembers photos as they were before they were captioned, or as they are now if the captions are written into them.
    fn finish(&mut self, photos: Vec<(PathBuf, Option<FileState>)>, are_embedded: bool) {
        for (path, before) in photos {
            let state = if are_embedded { file_state(&path) } else { before };
            if let Some(state) = state {
                self.finished.insert(path, state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::files::replace;

    use super::*;

    #[test]
    fn a_photo_is_complete_once_it_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        let path = folder.path().join("a.jpg");
        let mut arrivals = Arrivals::default();
        let complete =
            |arrivals: &mut Arrivals| arrivals.complete(photos::in_folders(&folders)).len();
        assert_eq!(complete(&mut arrivals), 0);
        for size in 1..4 {
            replace(&path, &vec![7; size]).unwrap();
            assert_eq!(complete(&mut arrivals), 0, "it grows");
        }
        assert_eq!(complete(&mut arrivals), 1);
        arrivals.finish(vec![(path.clone(), file_state(&path))], false);
        assert_eq!([complete(&mut arrivals), complete(&mut arrivals)], [0, 0]);
        replace(&path, b"another").unwrap();
        assert_eq!([complete(&mut arrivals), complete(&mut arrivals)], [0, 1]);
    }
}
