//! The stream of a connection, with what hyper leaves to others: clients that do not read, heads that cannot be read,
//! and clients that still send after they were answered.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Sleep, sleep, timeout};

use crate::Error;

/// After its answer, a client that still sends is listened to for so long in all,
const LINGER_TIME: Duration = Duration::from_secs(30);
/// as long as it sends something in each of these,
const LINGER_PAUSE: Duration = Duration::from_secs(5);
/// and for so many bytes. They are thrown away.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// A connection's stream. When hyper is done with it, it is given back if the client may still be sending.
pub(crate) struct Stream {
    inner: Option<TcpStream>,
    back: Option<oneshot::Sender<TcpStream>>,
    unread: Unread,
    write_time: Duration,
    /// When an answer that the client does not read is given up.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What is sent instead of an answer of hyper's own, and how much of it was sent.
    instead: Option<(Vec<u8>, usize)>,
}

/// Whether the client may still be sending what nobody will read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unread(Arc<AtomicBool>);

impl Unread {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stream {
    /// The stream, and where it is given back. Answers have to be read within `write_time`.
    pub(crate) fn new(
        stream: TcpStream,
        write_time: Duration,
        unread: Unread,
    ) -> (Self, oneshot::Receiver<TcpStream>) {
        let (back, returned) = oneshot::channel();
        let (inner, back) = (Some(stream), Some(back));
        (Self { inner, back, unread, write_time, stalled: None, instead: None }, returned)
    }

    fn inner(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let inner = self.inner.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(inner))
    }

    /// What a write gives, or an error if the client has not read the answer in time. The time of an answer ends when
    /// all of it was written (`poll_flush`), so reading now and then does not prolong it.
    fn in_time<T>(
        &mut self,
        context: &mut Context,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        let time = self.write_time;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(stalled.as_mut().poll(context));
        if let Some(stream) = &self.inner {
            // The system shall not keep the rest of the answer either.
            let _ = stream.set_zero_linger();
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }

    /// Sends what stands for an answer of hyper's own, whose bytes then count as written.
    fn write_instead(
        &mut self,
        context: &mut Context,
        own: &[u8],
        error: &Error,
    ) -> Poll<io::Result<usize>> {
        let (bytes, mut sent) = self.instead.take().unwrap_or_else(|| (whole_answer(error), 0));
        let written = loop {
            if sent == bytes.len() {
                self.unread.set();
                return Poll::Ready(Ok(own.len()));
            }
            match self.inner()?.poll_write(context, &bytes[sent..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => sent += more,
                other => break other,
            }
        };
        self.instead = Some((bytes, sent));
        self.in_time(context, written)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let (Some(stream), Some(back), true) =
            (self.inner.take(), self.back.take(), self.unread.is_set())
        {
            let _ = back.send(stream);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        self.inner()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = error_of(bytes) {
            return self.write_instead(context, bytes, &error);
        }
        let written = self.inner()?.poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        parts: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| part);
        if let Some(error) = error_of(first) {
            return self.write_instead(context, first, &error);
        }
        let written = self.inner()?.poll_write_vectored(context, parts);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let flushed = self.inner()?.poll_flush(context);
        if flushed.is_ready() {
            self.stalled = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        self.inner()?.poll_shutdown(context)
    }
}

/// The error that hyper answers by itself with these bytes, if they are such an answer: it has no body, and no id as
/// all others have.
fn error_of(bytes: &[u8]) -> Option<Error> {
    if !bytes.starts_with(b"HTTP/1.1 4") || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?;
    if !head.contains("\r\ncontent-length: 0\r\n") || head.contains("\r\nx-request-id:") {
        return None;
    }
    match head.get(9..12)? {
        "400" => Some(Error::BadRequest),
        "414" => Some(Error::UriTooLong),
        "431" => Some(Error::HeadTooLarge),
        _ => None,
    }
}

fn whole_answer(error: &Error) -> Vec<u8> {
    let body = serde_json::json!({ "error": error.problem() }).to_string();
    let (status, length) = (error.status(), body.len());
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n{body}"
    );
    answer.into_bytes()
}

/// Lets a client that was answered early send the rest, so that it comes to read the answer: a connection that is
/// closed on what it sends is reset, and the answer with it. Nothing is kept of that, and it goes on only while there is
/// room for other connections.
pub(crate) async fn linger(mut stream: TcpStream, room: &Semaphore) {
    let sink = async {
        // Half closed: the client sees the end of the answer, and its own bytes still come.
        stream.shutdown().await?;
        let mut buffer = vec![0; 64 * 1024];
        let mut left = LINGER_BYTES;
        while room.available_permits() > 0 {
            match timeout(LINGER_PAUSE, stream.read(&mut buffer)).await {
                Ok(Ok(bytes)) if bytes > 0 && bytes < left => left -= bytes,
                _ => break,
            }
        }
        io::Result::Ok(())
    };
    let _ = timeout(LINGER_TIME, sink).await;
}
