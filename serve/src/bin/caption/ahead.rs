//! Work on several things at once, told in their order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// Works on the items with each of the `workers` in a thread of its own, and tells what came of each item,
/// in the order of the items, in this thread. Ends early with the first error of `tell`.
pub(crate) fn in_order<W: Sync, I: Sync, R: Send>(
    workers: &[W],
    items: &[I],
    work: impl Fn(&W, &I) -> R + Sync,
    mut tell: impl FnMut(&I, R) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (done, results) = sync_channel(workers.len());
        for worker in workers.iter().take(items.len()) {
            let (done, next, work) = (done.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    // Nobody listens any more once telling has failed.
                    if done.send((at, work(worker, item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let mut early = BTreeMap::new();
        let mut told = 0;
        for (at, result) in results {
            early.insert(at, result);
            while let Some(result) = early.remove(&told) {
                tell(&items[told], result)?;
                told += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn slow_items_are_waited_for_and_an_error_ends_it() {
        let items = (0..40_u64).collect::<Vec<_>>();
        let slow = |(): &(), item: &u64| {
            thread::sleep(Duration::from_millis(item % 3));
            item * 2
        };
        let mut told = Vec::new();
        in_order(&[(); 3], &items, slow, |_, result| {
            told.push(result);
            Ok(())
        })
        .unwrap();
        assert_eq!(told, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        let error = in_order(&[(); 3], &items, slow, |item, _| {
            anyhow::ensure!(*item < 5, "five");
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "five");
        in_order(&[(); 3], &[] as &[u64], slow, |_, _| Ok(())).unwrap();
    }
}
