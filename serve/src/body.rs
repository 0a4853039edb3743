//! Bodies of requests that are answered before they were read.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::connection::Unread;

/// The rest of a body is read before its answer is sent if it has at most so many bytes and they come in so short a
/// time, as those do that were sent together with the head: then the connection lives on.
const SMALL_REST: u64 = 64 * 1024;
const REST_TIME: Duration = Duration::from_secs(1);

/// A body that comes back when nobody wants it any more.
struct Lent {
    body: Option<Incoming>,
    read: Read,
    back: Option<oneshot::Sender<(Incoming, Read)>>,
}

/// How much of a body was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Nothing,
    Part,
    All,
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.read = Read::Part;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if frame.is_none() {
            self.read = Read::All;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            let _ = back.send((body, self.read));
        }
    }
}

/// Answers a request. If its body was not read to the end, the answer says that the connection ends with it.
pub(crate) async fn answer(
    app: TowerToHyperService<Router>,
    request: Request<Incoming>,
    unread: Unread,
) -> Result<Response<Body>, Infallible> {
    let waits_to_send = request.headers().contains_key(header::EXPECT);
    let (back, returned) = oneshot::channel();
    let request = request.map(|body| {
        let read = if body.is_end_stream() { Read::All } else { Read::Nothing };
        Body::new(Lent { body: Some(body), read, back: Some(back) })
    });
    let mut response = app.call(request).await?;
    if !is_read(returned, waits_to_send).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        unread.set();
    }
    Ok(response)
}

async fn is_read(
    mut returned: oneshot::Receiver<(Incoming, Read)>,
    client_waits_to_send: bool,
) -> bool {
    let Ok((body, read)) = returned.try_recv() else { return false };
    match read {
        Read::All => true,
        // Asking for the body would tell the client to send it.
        Read::Nothing if client_waits_to_send => false,
        _ => rest_is_read(body).await,
    }
}

async fn rest_is_read(mut body: Incoming) -> bool {
    if body.is_end_stream() {
        return true;
    }
    if body.size_hint().lower() > SMALL_REST {
        return false;
    }
    let read = async {
        let mut left = SMALL_REST;
        while let Some(frame) = body.frame().await {
            let bytes = frame.ok()?.data_ref().map_or(0, Bytes::len);
            left = left.checked_sub(bytes as u64)?;
        }
        Some(())
    };
    matches!(timeout(REST_TIME, read).await, Ok(Some(())))
}
