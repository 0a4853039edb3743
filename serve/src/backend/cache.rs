//! Captions of photos that were seen before, by the SHA-256 of their bytes. The photos themselves are
//! not kept.

use std::sync::Arc;

use quick_cache::{Weighter, sync};
use sha2::{Digest as _, Sha256};

use super::found::Found;
use crate::{Error, Size};

pub(super) type Key = [u8; 32];

/// The SHA-256 of the bytes of a photo.
pub(super) fn key(image: &[u8]) -> Key {
    Sha256::digest(image).into()
}

/// The captions of so many photos, or of fewer if they take more memory than they may; which of them go when it is
/// full depends on how often and how lately they were asked for.
#[derive(Debug)]
pub(super) struct Cache(sync::Cache<Key, Arc<Found>, Weight>);

/// The bytes of captions, but at least what each has if there are as many as there may be.
#[derive(Debug, Clone)]
struct Weight {
    least: u64,
}

impl Weighter<Key, Arc<Found>> for Weight {
    fn weight(&self, _: &Key, found: &Arc<Found>) -> u64 {
        found.bytes().max(self.least)
    }
}

impl Cache {
    /// For so many photos, whose captions take so much memory at most.
    pub(super) fn new(photos: usize, memory: Size) -> Self {
        let capacity = if photos == 0 { 0 } else { memory.bytes() };
        let least = (capacity / photos.max(1) as u64).max(1);
        Self(sync::Cache::with_weighter(photos, capacity, Weight { least }))
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Found>> {
        self.0.get(key)
    }

    /// What is known about a photo, found out by `work` if nothing is. While that goes on, others who
    /// ask for the same wait for it; if the one who does it hangs up or fails, the next one does it.
    pub(super) async fn get_or_find(
        &self,
        key: &Key,
        work: impl Future<Output = Result<Arc<Found>, Error>>,
    ) -> Result<Arc<Found>, Error> {
        self.0.get_or_insert_async(key, work).await
    }
}

#[cfg(test)]
mod tests {
    use models::Caption;
    use models::preprocess::Region;

    use super::*;

    fn found(letters: usize) -> Arc<Found> {
        let text = "a".repeat(letters);
        let caption =
            Caption { text, log_probability: -1.0, score: -1.0, finished: true, words: Vec::new() };
        Arc::new(Found::new(vec![caption], Region::WHOLE))
    }

    async fn kept(cache: &Cache, letters: usize) -> usize {
        let keys = (0..200_u32).map(|at| key(&at.to_le_bytes())).collect::<Vec<_>>();
        for key in &keys {
            cache.get_or_find(key, async { Ok(found(letters)) }).await.unwrap();
        }
        keys.iter().filter(|key| cache.get(key).is_some()).count()
    }

    #[tokio::test]
    async fn it_keeps_so_many_photos_and_so_many_bytes() {
        let many = kept(&Cache::new(100, Size::mib(100)), 10).await;
        assert!((50..=100).contains(&many), "{many} small ones");
        let large = kept(&Cache::new(100, Size::mib(1)), 100_000).await;
        assert!((1..=10).contains(&large), "{large} large ones");
        assert_eq!(kept(&Cache::new(0, Size::mib(1)), 10).await, 0);
    }
}
