//! Connections: their number, their time limits, and graceful shutdown.

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
use crate::body::serve_request;
use crate::connection::{Stream, Unread, linger};

/// The read buffer of a connection in bytes; also the largest head of a request.
const BUFFER: usize = 128 * 1024;

/// Serves connections until `stop` is done, then accepts no more and waits for running requests, up to
/// `--shutdown-time`. Returns whether all of them ended.
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
    let permits = Arc::new(Semaphore::new(options.connections));
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, permit)) = accepted else { continue };
        let unread = Unread::default();
        let (stream, returned) = Stream::new(stream, options.write_time.into(), unread.clone());
        let service = TowerToHyperService::new(app.clone());
        let service =
            service_fn(move |request| serve_request(service.clone(), request, unread.clone()));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        let permits = Arc::clone(&permits);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection: {error}");
            }
            if let Ok(stream) = returned.await {
                linger(stream, &permits).await;
            }
            drop(permit);
        });
    }
    drop(listener);
    timeout(options.shutdown_time.into(), connections.shutdown()).await.is_ok()
}

/// Accepts the next connection, once there is a permit for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Responses are small and should be sent without delay.
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            if !is_of_one_connection(&error) {
                tracing::warn!("cannot accept connections: {error}");
                // File descriptors or memory are short: other connections may end meanwhile.
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
