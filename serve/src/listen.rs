//! Connections: how many, how slow, and how they end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::Options;
use crate::body::answer;
use crate::connection::{Stream, Unread, linger};

/// The most bytes that are read of a connection before they are taken; also the largest head of a request.
const BUFFER: usize = 128 * 1024;

/// Answers connections until `stop` is done; then takes no more of them and lets the requests in work
/// end, for as long as the options say. Says whether all of them did.
pub async fn listen(
    listener: TcpListener,
    app: Router,
    options: &Options,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut http = http1::Builder::new();
    http.max_buf_size(BUFFER)
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from(options.header_time));
    let room = Arc::new(Semaphore::new(options.connections));
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, place)) = accepted else { continue };
        let unread = Unread::default();
        let (stream, returned) = Stream::new(stream, options.write_time.into(), unread.clone());
        let service = TowerToHyperService::new(app.clone());
        let service = service_fn(move |request| answer(service.clone(), request, unread.clone()));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        let room = Arc::clone(&room);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection: {error}");
            }
            if let Ok(stream) = returned.await {
                linger(stream, &room).await;
            }
            drop(place);
        });
    }
    drop(listener);
    timeout(options.shutdown_time.into(), connections.shutdown()).await.is_ok()
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small: they should not wait to be sent together with others.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) => {
            if !is_of_one_connection(&error) {
                tracing::warn!("cannot accept connections: {error}");
                // Out of file descriptors or memory: others may end meanwhile.
                sleep(Duration::from_millis(100)).await;
            }
            None
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
