//! The memory that photos may take (`--memory`): a budget, divided into three shares.
//!
//! | share | what takes it | from when to when |
//! |---|---|---|
//! | 3/16 | uploads, as their bytes arrive, and answers | until the photo is decoded; until the answer is sent |
//! | 3/4 | decoding: what the image's header says it needs, then its tensor | until the model has captioned it |
//! | 1/16 | captions that are remembered | until others take their place |
//!
//! Uploads never wait for their share: where it is taken they are refused. Decoding waits, with its upload, a place
//! and a decoder; it waits for those alone that decode or are at the model, who need nothing more to end. So nothing
//! waits for ever. Those who wait get their memory in the order in which they came: a large image is not passed by
//! small ones.
//!
//! Not counted: what the model takes at rest, and a few KiB for each connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Size;

/// Bytes that a permit stands for: semaphores count permits in 32 bits.
const UNIT: u64 = 1024;

/// What is taken of the share of uploads for the answer about a photo.
pub(crate) const ANSWER: Size = Size::new(64 * 1024);

/// The shares of the budget.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) uploads: Share,
    pub(crate) decoding: Share,
}

/// A part of the budget, which is given away in bytes.
#[derive(Debug)]
pub(crate) struct Share {
    free: Arc<Semaphore>,
    all: Size,
}

/// Bytes of a share, which go back to it when this value is dropped.
#[derive(Debug)]
pub(crate) struct Room(OwnedSemaphorePermit);

impl Memory {
    pub(crate) fn new(budget: Size) -> Self {
        Self { uploads: Share::new(of_uploads(budget)), decoding: Share::new(of_decoding(budget)) }
    }
}

/// The share of uploads and answers.
pub(crate) fn of_uploads(budget: Size) -> Size {
    Size::new(budget.bytes() / 16 * 3)
}

/// The share of decoding.
pub(crate) fn of_decoding(budget: Size) -> Size {
    Size::new(budget.bytes() / 4 * 3)
}

/// The share of captions that are remembered.
pub(crate) fn of_captions(budget: Size) -> Size {
    Size::new(budget.bytes() / 16)
}

impl Share {
    pub(crate) fn new(all: Size) -> Self {
        let units = usize::try_from(all.bytes() / UNIT).unwrap_or(usize::MAX);
        Self { free: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))), all }
    }

    /// The whole of it.
    pub(crate) fn all(&self) -> Size {
        self.all
    }

    /// What nobody has at the moment.
    pub(crate) fn free(&self) -> Size {
        Size::new(self.free.available_permits() as u64 * UNIT)
    }

    /// So many bytes, if they are free.
    pub(crate) fn try_take(&self, bytes: u64) -> Option<Room> {
        let free = Arc::clone(&self.free);
        free.try_acquire_many_owned(units(bytes)?).ok().map(Room)
    }

    /// So many bytes, as soon as they are free. `None` if the share never has so many.
    pub(crate) async fn take(&self, bytes: u64) -> Option<Room> {
        if bytes > self.all.bytes() / UNIT * UNIT {
            return None;
        }
        let free = Arc::clone(&self.free);
        free.acquire_many_owned(units(bytes)?).await.ok().map(Room)
    }
}

impl Room {
    /// Gives back all but so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        let kept = units(bytes).map_or(usize::MAX, |units| units as usize);
        let rest = self.0.num_permits().saturating_sub(kept);
        drop(self.0.split(rest));
    }
}

/// An answer that keeps these rooms until its bytes are sent, or the client is given up.
pub(crate) fn until_sent(answer: Response, rooms: Vec<Room>) -> Response {
    let rooms = Arc::new(rooms);
    answer.map(|body| Body::new(Keeping { body, rooms }))
}

/// A body whose bytes keep rooms.
struct Keeping {
    body: Body,
    rooms: Arc<Vec<Room>>,
}

impl HttpBody for Keeping {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let keep = |bytes| Bytes::from_owner(Kept { bytes, _rooms: Arc::clone(&self.rooms) });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(keep))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes on their way to the client.
struct Kept {
    bytes: Bytes,
    _rooms: Arc<Vec<Room>>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn units(bytes: u64) -> Option<u32> {
    u32::try_from(bytes.div_ceil(UNIT)).ok()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_shares_are_the_budget() {
        let budget = Size::mib(384);
        let shares = [of_uploads(budget), of_decoding(budget), of_captions(budget)];
        assert_eq!(shares.map(Size::bytes).iter().sum::<u64>(), budget.bytes());
    }

    #[test]
    fn what_is_taken_comes_back() {
        let share = Share::new(Size::mib(1));
        let mut most = share.try_take(1 << 20).unwrap();
        assert!(share.try_take(1).is_none());
        most.shrink_to(1500);
        assert_eq!(share.free().bytes(), (1 << 20) - 2048);
        most.shrink_to(4000);
        assert_eq!(share.free().bytes(), (1 << 20) - 2048, "it does not grow");
        drop(most);
        assert_eq!(share.free(), share.all());
    }

    #[test]
    fn more_than_there_is_comes_never() {
        let share = Share::new(Size::mib(1));
        assert!(share.take((1 << 20) + 1).now_or_never().unwrap().is_none());
        assert!(share.take(u64::MAX).now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_large_need_is_not_passed_by_small_ones() {
        let share = Share::new(Size::mib(1));
        let half = share.try_take(1 << 19);
        let mut large = Box::pin(share.take(1 << 20));
        assert!(large.as_mut().now_or_never().is_none());
        // The half that is free is put aside for the large one.
        assert!(share.try_take(1024).is_none());
        let mut small = Box::pin(share.take(1024));
        assert!(small.as_mut().now_or_never().is_none());
        drop(half);
        let large = large.as_mut().now_or_never().unwrap();
        assert!(large.is_some() && small.as_mut().now_or_never().is_none());
        drop(large);
        assert!(small.now_or_never().unwrap().is_some());
    }
}
