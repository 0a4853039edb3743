//! Captions of photos that were seen before, by the SHA-256 of their bytes. The photos themselves are
//! not kept.

use std::sync::Arc;

use quick_cache::sync;
use sha2::{Digest as _, Sha256};

use super::Found;
use crate::Error;

pub(super) type Key = [u8; 32];

/// The SHA-256 of the bytes of a photo.
pub(super) fn key(image: &[u8]) -> Key {
    Sha256::digest(image).into()
}

/// The captions of so many photos; which of them go when it is full depends on how often and how lately
/// they were asked for.
#[derive(Debug)]
pub(super) struct Cache(sync::Cache<Key, Arc<Found>>);

impl Cache {
    pub(super) fn new(photos: usize) -> Self {
        Self(sync::Cache::new(photos))
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Found>> {
        self.0.get(key)
    }

    /// What is known about a photo, found out by `work` if nothing is. While that goes on, others who
    /// ask for the same wait for it; if whoever does it hangs up or fails, the next one does it.
    pub(super) async fn get_or_find(
        &self,
        key: &Key,
        work: impl Future<Output = Result<Arc<Found>, Error>>,
    ) -> Result<Arc<Found>, Error> {
        self.0.get_or_insert_async(key, work).await
    }
}
