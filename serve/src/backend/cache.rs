//! The cache of captions, by the SHA-256 of the bytes of photos and of the beam. It does not contain photos.

use std::sync::Arc;

use quick_cache::{Weighter, sync};
use sha2::{Digest as _, Sha256};

use super::captions::PhotoCaptions;
use crate::{Error, Size};

pub(super) type Key = [u8; 32];

/// The key of a photo that is captioned with this beam.
pub(super) fn key(image: &[u8], beam: usize) -> Key {
    Sha256::new_with_prefix(beam.to_le_bytes()).chain_update(image).finalize().into()
}

/// A cache with limits of entries and of memory. Rarely and least recently used entries are evicted first.
#[derive(Debug)]
pub(super) struct Cache(sync::Cache<Key, Arc<PhotoCaptions>, Weight>);

/// The weight of an entry: its bytes, but at least the memory limit divided by the limit of entries.
#[derive(Debug, Clone)]
struct Weight {
    least: u64,
}

impl Weighter<Key, Arc<PhotoCaptions>> for Weight {
    fn weight(&self, _: &Key, captions: &Arc<PhotoCaptions>) -> u64 {
        captions.bytes().max(self.least)
    }
}

impl Cache {
    /// Creates a cache for this number of photos and this much memory.
    pub(super) fn new(photos: usize, memory: Size) -> Self {
        let capacity = if photos == 0 { 0 } else { memory.bytes() };
        let least = (capacity / photos.max(1) as u64).max(1);
        Self(sync::Cache::with_weighter(photos, capacity, Weight { least }))
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<PhotoCaptions>> {
        self.0.get(key)
    }

    /// Returns the cached captions of a photo, or those that `work` makes. Concurrent requests for the same photo wait for
    /// the first; if that fails or its connection is closed, the next one does the work.
    pub(super) async fn get_or_insert(
        &self,
        key: &Key,
        work: impl Future<Output = Result<Arc<PhotoCaptions>, Error>>,
    ) -> Result<Arc<PhotoCaptions>, Error> {
        self.0.get_or_insert_async(key, work).await
    }
}

#[cfg(test)]
mod tests {
    use common::Rect;
    use models::{Caption, Description};

    use super::*;

    fn captions(letters: usize) -> Arc<PhotoCaptions> {
        let text = "a".repeat(letters);
        let caption = Caption {
            text,
            log_probability: -1.0,
            score: -1.0,
            finished: true,
            confidence: None,
            words: Vec::new(),
        };
        let description = Description { captions: vec![caption], ..Description::default() };
        Arc::new(PhotoCaptions::new(description, Rect::WHOLE))
    }

    async fn kept(cache: &Cache, letters: usize) -> usize {
        let keys = (0..200_u32).map(|at| key(&at.to_le_bytes(), 4)).collect::<Vec<_>>();
        for key in &keys {
            cache.get_or_insert(key, async { Ok(captions(letters)) }).await.unwrap();
        }
        keys.iter().filter(|key| cache.get(key).is_some()).count()
    }

    #[tokio::test]
    async fn entries_and_bytes_are_limited() {
        let many = kept(&Cache::new(100, Size::mib(100)), 10).await;
        assert!((50..=100).contains(&many), "{many} small ones");
        let large = kept(&Cache::new(100, Size::mib(1)), 100_000).await;
        assert!((1..=10).contains(&large), "{large} large ones");
        assert_eq!(kept(&Cache::new(0, Size::mib(1)), 10).await, 0);
    }
}
