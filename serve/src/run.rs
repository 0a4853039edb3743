//! The server from start to stop.

use axum::Router;
use tokio::net::TcpListener;
use tokio::select;

use crate::{Options, Seconds, listen};

/// The reason why a server did not stop normally.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The model's thread panicked.
    #[error("the model's thread panicked: start the server again")]
    ModelPanicked,
    /// Some requests did not end within `--shutdown-time`.
    #[error("stopped, but some requests had not ended after {0} s")]
    Timeout(Seconds),
}

/// Serves connections until `stop` or `model_ended` is done, then shuts down as [`listen`] does.
///
/// # Errors
/// [`StopError::ModelPanicked`] if `model_ended` was done first, [`StopError::Timeout`] if requests did not end in time.
pub async fn run(
    listener: TcpListener,
    app: Router,
    options: &Options,
    stop: impl Future<Output = ()>,
    model_ended: impl Future<Output = ()>,
) -> Result<(), StopError> {
    let mut has_model = true;
    let stop = async {
        select! {
            () = stop => {}
            () = model_ended => has_model = false,
        }
    };
    let all_ended = listen(listener, app, options, stop).await;
    if !has_model {
        return Err(StopError::ModelPanicked);
    }
    if all_ended { Ok(()) } else { Err(StopError::Timeout(options.shutdown_time)) }
}
