//! The parts of a form as they arrive, with a limit on the bytes that the parser buffers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Bytes;
use futures_util::Stream;

use crate::Error;

/// Maximum bytes that the parser may buffer. Boundaries and heads of fields are far shorter.
pub(crate) const MAX_BUFFERED: u64 = 256 * 1024;
/// The assumed bytes of a boundary and the head of a field; longer ones count as buffered.
const HEAD: u64 = 512;
/// Polls without progress after which a parser that buffers too much is stopped: it polls at each of its steps.
const MAX_POLLS: u32 = 16;

/// The number of bytes of a form that the parser has consumed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumed(Arc<AtomicU64>);

impl Consumed {
    /// Counts bytes of a field.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts the head of a field.
    pub(crate) fn add_head(&self) {
        self.0.fetch_add(HEAD, Ordering::Relaxed);
    }
}

/// The parts of a form, as a stream. It ends with an error if the parser buffers more than [`MAX_BUFFERED`] without
/// consuming any of it, as with a form without a boundary.
pub(crate) struct FormStream<S> {
    inner: S,
    arrived: u64,
    consumed: Consumed,
    /// The consumed bytes at the last poll with too many buffered bytes, and the number of such polls since.
    stalled: (u64, u32),
}

impl<S> FormStream<S> {
    pub(crate) fn new(parts: S, consumed: Consumed) -> Self {
        Self { inner: parts, arrived: 0, consumed, stalled: (0, 0) }
    }
}

impl<S: Stream<Item = Result<Bytes, Error>> + Unpin> Stream for FormStream<S> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        let consumed = self.consumed.0.load(Ordering::Relaxed);
        if self.arrived > consumed.saturating_add(MAX_BUFFERED) {
            let (before, polls) = self.stalled;
            let polls = if before == consumed { polls + 1 } else { 1 };
            if polls > MAX_POLLS {
                let problem = "the form has too many bytes between its fields";
                return Poll::Ready(Some(Err(Error::BadBody(problem.to_owned()))));
            }
            // The parser first consumes its buffer.
            self.stalled = (consumed, polls);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let part = Pin::new(&mut self.inner).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &part {
            self.arrived += bytes.len() as u64;
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use multer::Multipart;

    use super::*;

    /// Counts the fields and their bytes in a form of these parts.
    async fn read(parts: Vec<Vec<u8>>) -> Result<(usize, usize), multer::Error> {
        let consumed = Consumed::default();
        let parts = stream::iter(parts.into_iter().map(|part| Ok(Bytes::from(part))));
        let mut form = Multipart::new(FormStream::new(parts, consumed.clone()), "x");
        let (mut fields, mut bytes) = (0, 0);
        while let Some(mut field) = form.next_field().await? {
            consumed.add_head();
            fields += 1;
            while let Some(part) = field.chunk().await? {
                consumed.add(part.len());
                bytes += part.len();
            }
        }
        Ok((fields, bytes))
    }

    #[tokio::test]
    async fn large_fields_pass_and_endless_heads_do_not() {
        let head = b"--x\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n".to_vec();
        let large = vec![vec![7; 100_000]; 40];
        let end = vec![b"\r\n--x--\r\n".to_vec()];
        let form = [vec![head.clone()], large.clone(), end.clone()].concat();
        assert_eq!(read(form).await.unwrap(), (1, 4_000_000));
        let many = vec![[head.clone(), b"\r\n".to_vec()].concat(); 5000];
        assert_eq!(read([many, end].concat()).await.unwrap().0, 5000);
        for start in [b"no boundary".to_vec(), b"--x\r\nContent-Disposition: ".to_vec()] {
            let error = read([vec![start], large.clone()].concat()).await.unwrap_err();
            assert!(matches!(error, multer::Error::StreamReadFailed(_)), "{error}");
        }
    }
}
