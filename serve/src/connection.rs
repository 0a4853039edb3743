//! The stream of a connection, for cases that hyper does not handle: clients that do not read, malformed heads, and
//! clients that still send after the response.

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

/// The time limit of a lingering close.
const LINGER_TIME: Duration = Duration::from_secs(30);
/// The longest pause of the client in a lingering close.
const LINGER_PAUSE: Duration = Duration::from_secs(5);
/// Maximum bytes that are discarded in a lingering close.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// The stream of a connection. When hyper drops it, it is sent back if the client may still be sending.
pub(crate) struct Stream {
    inner: Option<TcpStream>,
    back: Option<oneshot::Sender<TcpStream>>,
    unread: Unread,
    write_time: Duration,
    /// The deadline of a response that the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The replacement of a response of hyper's own, and the number of bytes sent of it.
    replacement: Option<(Vec<u8>, usize)>,
}

/// Whether the client may still be sending bytes that will not be read.
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
    /// Wraps a stream; returns the receiver of the stream that is sent back. Clients have to read a response within
    /// `write_time`.
    pub(crate) fn new(
        stream: TcpStream,
        write_time: Duration,
        unread: Unread,
    ) -> (Self, oneshot::Receiver<TcpStream>) {
        let (back, returned) = oneshot::channel();
        let (inner, back) = (Some(stream), Some(back));
        (Self { inner, back, unread, write_time, stalled: None, replacement: None }, returned)
    }

    fn inner(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let inner = self.inner.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(inner))
    }

    /// Adds the time limit to a write. The time of a response ends when all of it is written (`poll_flush`), so reading now
    /// and then does not extend it.
    fn with_deadline<T>(
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
            // The operating system drops the rest of the response, too.
            let _ = stream.set_zero_linger();
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }

    /// Sends the replacement of a response of hyper's own, whose bytes then count as written.
    fn write_replacement(
        &mut self,
        context: &mut Context,
        own: &[u8],
        error: &Error,
    ) -> Poll<io::Result<usize>> {
        let (bytes, mut sent) = self.replacement.take().unwrap_or_else(|| (response_of(error), 0));
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
        self.replacement = Some((bytes, sent));
        self.with_deadline(context, written)
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
        if let Some(error) = own_error(bytes) {
            return self.write_replacement(context, bytes, &error);
        }
        let written = self.inner()?.poll_write(context, bytes);
        self.with_deadline(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        parts: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| part);
        if let Some(error) = own_error(first) {
            return self.write_replacement(context, first, &error);
        }
        let written = self.inner()?.poll_write_vectored(context, parts);
        self.with_deadline(context, written)
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

/// The error if these bytes are a response of hyper's own: it has no body, and unlike all others no request id.
fn own_error(bytes: &[u8]) -> Option<Error> {
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

/// The complete HTTP response of an error.
fn response_of(error: &Error) -> Vec<u8> {
    let body = serde_json::json!({ "error": error.problem() }).to_string();
    let (status, length) = (error.status(), body.len());
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n{body}"
    );
    response.into_bytes()
}

/// Closes a connection slowly (lingering close): discards the rest that the client sends, so that it reads the response.
/// A connection that is closed on unread bytes is reset, and the response is lost. Ends early when no permit is free for
/// other connections.
pub(crate) async fn linger(mut stream: TcpStream, permits: &Semaphore) {
    let sink = async {
        // Half closed: the client sees the end of the response and can still send.
        stream.shutdown().await?;
        let mut buffer = vec![0; 64 * 1024];
        let mut left = LINGER_BYTES;
        while permits.available_permits() > 0 {
            match timeout(LINGER_PAUSE, stream.read(&mut buffer)).await {
                Ok(Ok(bytes)) if bytes > 0 && bytes < left => left -= bytes,
                _ => break,
            }
        }
        io::Result::Ok(())
    };
    let _ = timeout(LINGER_TIME, sink).await;
}
