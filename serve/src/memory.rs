//! The memory budget of photos (`--memory`), divided into three shares.
//!
//! | share | for | released |
//! |---|---|---|
//! | 3/16 | uploads, as their bytes arrive, and responses | when the photo is decoded; when the response is sent |
//! | 3/4 | decoding: the need that the image's header declares, then its tensor | when the model has captioned it |
//! | 1/16 | cached captions | when they are evicted |
//!
//! Uploads never wait: without free memory they are refused. Decoding waits, and holds an upload, a queue permit and a
//! decoder permit meanwhile; it waits only for photos that are decoded or captioned, which need no further memory. So
//! there is no deadlock. Memory is given in the order of requests: small images do not overtake a large one.
//!
//! Not counted: the model at rest, and a few KiB for each connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Size;

/// Bytes per permit: semaphores count permits in 32 bits.
const UNIT: u64 = 1024;

/// Bytes of the share of uploads that are reserved for the response about a photo.
pub(crate) const RESPONSE: Size = Size::new(64 * 1024);

/// The shares of the budget.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) uploads: Share,
    pub(crate) decoding: Share,
}

/// A part of the budget, from which bytes are reserved.
#[derive(Debug)]
pub(crate) struct Share {
    free: Arc<Semaphore>,
    total: Size,
}

/// Reserved bytes of a share, which are released on drop.
#[derive(Debug)]
pub(crate) struct Reservation(OwnedSemaphorePermit);

impl Memory {
    pub(crate) fn new(budget: Size) -> Self {
        Self { uploads: Share::new(of_uploads(budget)), decoding: Share::new(of_decoding(budget)) }
    }
}

/// The share of uploads and responses.
pub(crate) fn of_uploads(budget: Size) -> Size {
    Size::new(budget.bytes() / 16 * 3)
}

/// The share of decoding.
pub(crate) fn of_decoding(budget: Size) -> Size {
    Size::new(budget.bytes() / 4 * 3)
}

/// The share of cached captions.
pub(crate) fn of_captions(budget: Size) -> Size {
    Size::new(budget.bytes() / 16)
}

impl Share {
    pub(crate) fn new(total: Size) -> Self {
        let units = usize::try_from(total.bytes() / UNIT).unwrap_or(usize::MAX);
        Self { free: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))), total }
    }

    /// The size of the share.
    pub(crate) fn total(&self) -> Size {
        self.total
    }

    /// The bytes that are not reserved.
    pub(crate) fn free(&self) -> Size {
        Size::new(self.free.available_permits() as u64 * UNIT)
    }

    /// Reserves bytes, if they are free.
    pub(crate) fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        let free = Arc::clone(&self.free);
        free.try_acquire_many_owned(units(bytes)?).ok().map(Reservation)
    }

    /// Reserves bytes as soon as they are free. `None` if the share is smaller.
    pub(crate) async fn reserve(&self, bytes: u64) -> Option<Reservation> {
        if bytes > self.total.bytes() / UNIT * UNIT {
            return None;
        }
        let free = Arc::clone(&self.free);
        free.acquire_many_owned(units(bytes)?).await.ok().map(Reservation)
    }
}

impl Reservation {
    /// Releases all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        let kept = units(bytes).map_or(usize::MAX, |units| units as usize);
        let rest = self.0.num_permits().saturating_sub(kept);
        drop(self.0.split(rest));
    }
}

/// Holds reservations until the bytes of the response are sent, or its connection is closed.
pub(crate) fn hold_until_sent(response: Response, reservations: Vec<Reservation>) -> Response {
    let reservations = Arc::new(reservations);
    response.map(|body| Body::new(HoldingBody { body, reservations }))
}

/// A body whose bytes hold reservations.
struct HoldingBody {
    body: Body,
    reservations: Arc<Vec<Reservation>>,
}

impl HttpBody for HoldingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let hold = |bytes| {
            let reservations = Arc::clone(&self.reservations);
            Bytes::from_owner(HoldingBytes { bytes, _reservations: reservations })
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(hold))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of a response that hold its reservations.
struct HoldingBytes {
    bytes: Bytes,
    _reservations: Arc<Vec<Reservation>>,
}

impl AsRef<[u8]> for HoldingBytes {
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
    fn the_shares_add_up_to_the_budget() {
        let budget = Size::mib(384);
        let shares = [of_uploads(budget), of_decoding(budget), of_captions(budget)];
        assert_eq!(shares.map(Size::bytes).iter().sum::<u64>(), budget.bytes());
    }

    #[test]
    fn reserved_bytes_are_released() {
        let share = Share::new(Size::mib(1));
        let mut whole = share.try_reserve(1 << 20).unwrap();
        assert!(share.try_reserve(1).is_none());
        whole.shrink_to(1500);
        assert_eq!(share.free().bytes(), (1 << 20) - 2048);
        whole.shrink_to(4000);
        assert_eq!(share.free().bytes(), (1 << 20) - 2048, "it does not grow");
        drop(whole);
        assert_eq!(share.free(), share.total());
    }

    #[test]
    fn more_than_the_share_is_refused() {
        let share = Share::new(Size::mib(1));
        assert!(share.reserve((1 << 20) + 1).now_or_never().unwrap().is_none());
        assert!(share.reserve(u64::MAX).now_or_never().unwrap().is_none());
    }

    #[test]
    fn small_requests_do_not_overtake_a_large_one() {
        let share = Share::new(Size::mib(1));
        let half = share.try_reserve(1 << 19);
        let mut large = Box::pin(share.reserve(1 << 20));
        assert!(large.as_mut().now_or_never().is_none());
        // The free half is held back for the large request.
        assert!(share.try_reserve(1024).is_none());
        let mut small = Box::pin(share.reserve(1024));
        assert!(small.as_mut().now_or_never().is_none());
        drop(half);
        let large = large.as_mut().now_or_never().unwrap();
        assert!(large.is_some() && small.as_mut().now_or_never().is_none());
        drop(large);
        assert!(small.now_or_never().unwrap().is_some());
    }
}
