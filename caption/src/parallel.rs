//! Parallel work on a list, with results in the order of the list.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// Calls `work` for all items, with one thread per worker, and `finish` on this thread with each result, in the order of
/// the items.
///
/// # Errors
/// The first error of `finish`, which ends the work.
pub(crate) fn for_each_in_order<W: Sync, I: Sync, R: Send>(
    workers: &[W],
    items: &[I],
    work: impl Fn(&W, &I) -> R + Sync,
    mut finish: impl FnMut(&I, R) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, results) = sync_channel(workers.len());
        for worker in workers.iter().take(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((index, item)) = take_next(items, next) {
                    // The receiver is gone after an error of `finish`.
                    if sender.send((index, work(worker, item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut finished = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&finished) {
                finish(&items[finished], result)?;
                finished += 1;
            }
        }
        Ok(())
    })
}

fn take_next<'a, I>(items: &'a [I], next: &AtomicUsize) -> Option<(usize, &'a I)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_and_an_error_ends_the_work() {
        let items = (0..40_u64).collect::<Vec<_>>();
        let slow = |(): &(), item: &u64| {
            thread::sleep(Duration::from_millis(item % 3));
            item * 2
        };
        let mut finished = Vec::new();
        for_each_in_order(&[(); 3], &items, slow, |_, result| {
            finished.push(result);
            Ok(())
        })
        .unwrap();
        assert_eq!(finished, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        let error = for_each_in_order(&[(); 3], &items, slow, |item, _| {
            anyhow::ensure!(*item < 5, "five");
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "five");
        for_each_in_order(&[(); 3], &[] as &[u64], slow, |_, _| Ok(())).unwrap();
    }
}
