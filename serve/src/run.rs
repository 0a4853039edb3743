//! A server from its start to its end.

use axum::Router;
use tokio::net::TcpListener;
use tokio::select;

use crate::{Options, Seconds, listen};

/// Why a server ended otherwise than it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The model's thread panicked.
    #[error(
        "the model's thread ended by a panic, nothing is captioned any more; start the server again"
    )]
    ModelEnded,
    /// Requests went on for longer than they may.
    #[error("stopped, but not all requests had ended after {0} s")]
    RequestsInWork(Seconds),
}

/// Answers connections until `stop` is done, or `model_ended`; see [`listen`] for how it ends.
pub async fn run(
    listener: TcpListener,
    app: Router,
    options: &Options,
    stop: impl Future<Output = ()>,
    model_ended: impl Future<Output = ()>,
) -> Result<(), Ended> {
    let mut has_model = true;
    let stop = async {
        select! {
            () = stop => {}
            () = model_ended => has_model = false,
        }
    };
    let all_ended = listen(listener, app, options, stop).await;
    if !has_model {
        return Err(Ended::ModelEnded);
    }
    if all_ended { Ok(()) } else { Err(Ended::RequestsInWork(options.shutdown_time)) }
}
