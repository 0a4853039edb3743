//! The bytes of a form as they arrive, for a parser that keeps what it cannot use yet.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Bytes;
use futures_util::Stream;

use crate::Error;

/// The most bytes that a parser may keep. What comes between fields is far shorter.
pub(crate) const MOST_KEPT: u64 = 256 * 1024;
/// Bytes of a boundary and the head of a field, at most; longer ones count as kept.
const HEAD: u64 = 512;
/// How often a parser that keeps too much may ask for more before it uses something: it asks at each of its steps.
const ASKS: u32 = 16;

/// How many bytes of a form were used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used(Arc<AtomicU64>);

impl Used {
    /// Counts so many bytes of a field.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts the head of a field.
    pub(crate) fn add_head(&self) {
        self.0.fetch_add(HEAD, Ordering::Relaxed);
    }
}

/// The parts of a form. It is an error if the parser keeps more than [`MOST_KEPT`] and can use nothing of it, as in a
/// form without a boundary.
pub(crate) struct Parts<S> {
    inner: S,
    arrived: u64,
    used: Used,
    /// What was used, and how often the parser has asked for more since though it kept too much.
    asked: (u64, u32),
}

impl<S> Parts<S> {
    pub(crate) fn new(parts: S, used: Used) -> Self {
        Self { inner: parts, arrived: 0, used, asked: (0, 0) }
    }
}

impl<S: Stream<Item = Result<Bytes, Error>> + Unpin> Stream for Parts<S> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        let used = self.used.0.load(Ordering::Relaxed);
        if self.arrived > used.saturating_add(MOST_KEPT) {
            let (since, asks) = self.asked;
            let asks = if since == used { asks + 1 } else { 1 };
            if asks > ASKS {
                let problem = "the form holds more between its fields than a form has";
                return Poll::Ready(Some(Err(Error::BadBody(problem.to_owned()))));
            }
            // The parser first uses what it has.
            self.asked = (used, asks);
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

    /// Fields, and bytes of them, in a form of these parts.
    async fn read(parts: Vec<Vec<u8>>) -> Result<(usize, usize), multer::Error> {
        let used = Used::default();
        let parts = stream::iter(parts.into_iter().map(|part| Ok(Bytes::from(part))));
        let mut form = Multipart::new(Parts::new(parts, used.clone()), "x");
        let (mut fields, mut bytes) = (0, 0);
        while let Some(mut field) = form.next_field().await? {
            used.add_head();
            fields += 1;
            while let Some(part) = field.chunk().await? {
                used.add(part.len());
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
