//! Request bodies that are not read completely before the response.

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

/// The rest of a body is read before the response if it has at most this number of bytes and they arrive within
/// [`REST_TIME`], like those that were sent together with the head: then the connection stays open.
const SMALL_REST: u64 = 64 * 1024;
/// The time for the rest of a body.
const REST_TIME: Duration = Duration::from_secs(1);

/// A body that is sent back when the handler drops it.
struct ReturnedBody {
    body: Option<Incoming>,
    progress: Progress,
    back: Option<oneshot::Sender<(Incoming, Progress)>>,
}

/// The part of a body that was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Nothing,
    Part,
    All,
}

impl hyper::body::Body for ReturnedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.progress = Progress::Part;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if frame.is_none() {
            self.progress = Progress::All;
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

impl Drop for ReturnedBody {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            let _ = back.send((body, self.progress));
        }
    }
}

/// Serves a request. If its body was not read to the end, the response closes the connection.
pub(crate) async fn serve_request(
    app: TowerToHyperService<Router>,
    request: Request<Incoming>,
    unread: Unread,
) -> Result<Response<Body>, Infallible> {
    let expects_continue = request.headers().contains_key(header::EXPECT);
    let (back, returned) = oneshot::channel();
    let request = request.map(|body| {
        let progress = if body.is_end_stream() { Progress::All } else { Progress::Nothing };
        Body::new(ReturnedBody { body: Some(body), progress, back: Some(back) })
    });
    let mut response = app.call(request).await?;
    if !is_read(returned, expects_continue).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        unread.set();
    }
    Ok(response)
}

/// Whether the body was read completely, or its rest could be read now.
async fn is_read(
    mut returned: oneshot::Receiver<(Incoming, Progress)>,
    expects_continue: bool,
) -> bool {
    let Ok((body, progress)) = returned.try_recv() else { return false };
    match progress {
        Progress::All => true,
        // Reading would send `100 Continue`.
        Progress::Nothing if expects_continue => false,
        _ => read_small_rest(body).await,
    }
}

/// Reads the rest of a body if it is small; returns whether it was read.
async fn read_small_rest(mut body: Incoming) -> bool {
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
